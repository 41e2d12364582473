"""``progkit render``: the messages that a predictor would send for some inputs; nothing is sent."""

import argparse
import json
from collections.abc import Mapping
from typing import Any

from progkit import artifact
from progkit.adapters import Adapter, ChatAdapter, JSONAdapter
from progkit.cli.opening import open_program, use_lm
from progkit.cli.run import fields_of
from progkit.errors import ConfigurationError, LMError, did_you_mean
from progkit.lm import CREDENTIALS, Request, Response
from progkit.program import Predict
from progkit.program.loading import load_predictor
from progkit.runtime import context, current


class Nobody:
    """The LM of a rendering that names none: it adds nothing to the request, and answers nothing."""

    cache = False
    identity: Mapping[str, Any] = {}

    def complete(self, request: Request) -> Response:
        """Refuse.

        Raises:
            LMError: always.
        """
        raise LMError("rendering sends nothing")


def run(options: argparse.Namespace) -> int:
    """Print the messages, or with ``--json`` the whole request."""
    predictor = _predictor(options)
    lm = current().lm or Nobody()
    with context(lm=lm, adapter=_adapter(options)):
        ask = predictor.ask(fields_of(predictor, options.fields))
        request = ask.request(ask.adapter)
    if options.json:
        shown = {name: value for name, value in dict(request).items() if name not in CREDENTIALS}
        print(json.dumps(shown, ensure_ascii=False, indent=1, default=str))
        return 0
    for number, message in enumerate(request.messages):
        print(f"{'' if number == 0 else chr(10)}--- {message['role']}")
        print(_text(message["content"]))
    return 0


def _text(content: Any) -> str:
    """The content as it stands; of a list, each part as JSON but the texts."""
    if isinstance(content, str):
        return content
    return "\n".join(
        str(part["text"]) if part.get("type") == "text" else json.dumps(part, ensure_ascii=False, default=str)
        for part in content
    )


def _adapter(options: argparse.Namespace) -> Adapter:
    """The adapter that ``--adapter`` and ``--layout`` name.

    Raises:
        ConfigurationError: for a layout that there is not.
    """
    return JSONAdapter(layout=options.layout) if options.adapter == "json" else ChatAdapter(layout=options.layout)


def _predictor(options: argparse.Namespace) -> Predict:
    """The predictor to render: of the program if ``--program`` names one, else rebuilt from the file.

    Raises:
        ConfigurationError: if there are several and none is chosen, or none of that path.
        ProgramNeededError: if its signature needs the program's own code.
    """
    if options.program:
        live = dict(open_program(options, calls=False).named_predictors())
        return live[_chosen(options, list(live))]
    lm = use_lm(options)
    received = artifact.receive(options.file)
    path = _chosen(options, list(received.document["state"]["predictors"]))
    return load_predictor(received, path, options.file, options.allow_host, lm if options.replace_lm else None)


def _chosen(options: argparse.Namespace, paths: list[str]) -> str:
    path: str | None = options.predictor
    if path is None and len(paths) == 1:
        return paths[0]
    if path not in paths:
        names = ", ".join(paths) or "none"
        wrong = "which of them is meant?" if path is None else f"there is no {path!r}{did_you_mean(path, paths)};"
        raise ConfigurationError(f"--predictor: {wrong} The predictors are {names}")
    return path

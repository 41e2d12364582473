"""``progkit diff``: what two saved programs differ in, by meaning or by the prompts that they send."""

import argparse
import difflib
import json
import sys
from collections.abc import Iterator
from typing import Any

from progkit import artifact
from progkit.adapters import Adapter, ChatAdapter, JSONAdapter
from progkit.artifact import Change
from progkit.artifact.trust import printable
from progkit.cli.layouts import laid
from progkit.cli.opening import made
from progkit.content import Turns
from progkit.errors import ProgramNeededError, SignatureError
from progkit.program import Predict, state
from progkit.program.loading import rebuilt
from progkit.program.tree import ROOT


def run(options: argparse.Namespace) -> int:
    """Print the differences; status 1 if there are any."""
    if options.prompts:
        return _prompts(options)
    changes = artifact.differences(*(laid(artifact.read(each)) for each in (options.a, options.b)))
    if options.json:
        print(json.dumps([each.to_dict() for each in changes], ensure_ascii=False))
    else:
        _show(changes)
    return 1 if changes else 0


def _show(changes: list[Change]) -> None:
    last = None
    for each in changes:
        if each.path != last:
            print(printable(each.path))
            last = each.path
        if each.part == "instructions":
            print("  instructions")
            for line in _lines(each.before, each.after):
                print(f"    {printable(line)}")
        elif each.part == "demo order":
            print(f"  demos moved: {', '.join(_moved(each.before, each.after))}")
        elif each.before is None or each.after is None:
            print(printable(f"  {each.part} {'added' if each.before is None else 'removed'}{_brief(each)}"))
        else:
            print(printable(f"  {each.part}: {_said(each.before)} -> {_said(each.after)}"))


def _moved(before: list[str], after: list[str]) -> Iterator[str]:
    """The demos that are not where they were among the others: all that the longest common order leaves out."""
    blocks = difflib.SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    still = {name for start, _, size in blocks for name in before[start : start + size]}
    return (name for name in after if name not in still)


def _brief(change: Change) -> str:
    value = change.after if change.before is None else change.before
    return "" if change.part in ("predictor", "part") else f": {_said(value)}"


def _said(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:97]}..."


def _lines(before: str, after: str) -> Iterator[str]:
    """The lines that differ, with ``-`` and ``+``, and what is around them."""
    found = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
    return (line for line in found if not line.startswith(("---", "+++", "@@")))


# --- prompts --------------------------------------------------------------------------------------


def _prompts(options: argparse.Namespace) -> int:
    one, two = (_texts(path, options.program, options.adapter) for path in (options.a, options.b))
    found = {}
    for name in [*one, *(each for each in two if each not in one)]:
        names = (f"{options.a}: {name}", f"{options.b}: {name}")
        told = difflib.unified_diff(one.get(name, []), two.get(name, []), *names, lineterm="")
        if lines := list(told):
            found[name] = lines
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        sys.stdout.writelines(f"{printable(line)}\n" for lines in found.values() for line in lines)
    return 1 if found else 0


def _texts(path: str, program: str | None, adapter: str) -> dict[str, list[str]]:
    """The prompt of each predictor by its path, as lines: placeholders for inputs."""
    chosen: ChatAdapter | JSONAdapter = JSONAdapter() if adapter == "json" else ChatAdapter()
    return {name: list(_prompt(each, chosen)) for name, each in _predictors(path, program).items()}


def _prompt(predictor: Predict, adapter: ChatAdapter | JSONAdapter) -> Iterator[str]:
    own: Adapter = adapter.with_layout(predictor.layout) if predictor.layout else adapter
    fields = predictor.signature.input_fields
    inputs = {n: f"{{{n}}}" for n, each in fields.items() if not _is_turns(each.type)}
    for message in own.format(predictor.signature, predictor.demos, inputs):
        content = message["content"]
        yield f"--- {message['role']}"
        yield from (content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)).splitlines()


def _is_turns(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Turns)


def _predictors(path: str, program: str | None) -> dict[str, Predict]:
    """The predictors of the file at *path*: in the program, or each by itself as far as the file describes it."""
    if program:
        whole = made(program, path)
        whole.load(path, strict=False)
        return dict(whole.named_predictors())
    received = artifact.receive(path)
    found = {}
    for name, node in received.document["state"]["predictors"].items():
        try:
            found[name] = Predict(rebuilt(node["signature"]))
        except SignatureError as error:
            reason = f"{name}: a field type is not known here: {error}"
            raise ProgramNeededError(path, received.document["program"], reason) from error
        alone = {**received.document, "state": {"predictors": {ROOT: node}}}
        state.put(found[name], artifact.Received(alone), source=path)
    return found

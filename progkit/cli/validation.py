"""``progkit validate``: whether files can be loaded, are in the form that git likes, and hold no secrets."""

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from progkit import artifact, schema
from progkit.artifact.decoding import decode
from progkit.artifact.trust import printable
from progkit.cli.opening import made
from progkit.cli.ours import found_in, is_ours, whole
from progkit.errors import ArtifactError, DocumentError

_HINT = "progkit migrate FILE -o FILE writes it so"


def run(options: argparse.Namespace) -> int:
    """Print a line for each problem; status 1 if there is one. Nothing of the files is run."""
    found = [_judged(path, options) for path in _files(options)]
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        for each in found:
            for problem in each["problems"]:
                print(_harmless(f"{each['file']}: {problem}"))
            if each["ok"]:
                print(printable(f"{each['file']}: valid"))
            for note in each["notes"]:
                print(printable(f"{each['file']}: {note}"), file=sys.stderr)
    return 0 if all(each["ok"] for each in found) else 1


def _harmless(text: str) -> str:
    """*text* with nothing that a terminal would obey but its line breaks."""
    return "\n".join(map(printable, text.split("\n")))


def _files(options: argparse.Namespace) -> Iterator[str]:
    """The files and bundles to judge, each once."""
    named = (whole(path) for path in options.files if not options.only_ours or is_ours(path))
    yield from dict.fromkeys(found_in(named))


def _judged(path: str, options: argparse.Namespace) -> dict[str, Any]:
    problems: list[str] = []
    notes: list[str] = []
    try:
        received = artifact.receive(path)
        problems += received.dropped + _secrets(received.document)
        notes += received.notes
        if options.canonical:
            problems += [*_of_form(received, path), *_of_today(received)]
        else:
            notes += (f"{each} (a problem with --canonical alone)" for each in _of_form(received, path))
        if options.program:
            made(options.program, path).load(path)
    except DocumentError as error:
        problems.append(f"{error.where}: {error.reason}" if error.where else error.reason)
    except ArtifactError as error:
        problems.append(str(error))
    return {"file": path, "ok": not problems, "problems": problems, "notes": notes}


def _of_form(received: artifact.Received, path: str) -> Iterator[str]:
    """What is wrong with how a document of progkit's is spelled, whatever its version."""
    if received.kind == schema.STATE and received.data != artifact.encode(decode(received.data, path)):
        yield f"not in canonical form: {_HINT}"


def _of_today(received: artifact.Received) -> Iterator[str]:
    """What this progkit would write differently."""
    if received.kind != schema.STATE:
        yield f"is another library's ({received.kind}): {_HINT}"
    for path, node in received.document["state"]["predictors"].items():
        ids = artifact.demo_ids(demo["values"] for demo in node["demos"])
        for demo, name in zip(node["demos"], ids, strict=True):
            if demo["id"] != name:
                yield f"{path}: demo {demo['id']} was edited by hand, the id of its values is {name}"


def _secrets(document: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for path, node in document["state"]["predictors"].items():
        for part in ("config", "lm"):
            found += artifact.scrub(node[part] or {}, f"{path}.{part}")[1]
    return found + artifact.suspects(document)

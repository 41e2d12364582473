"""``progkit migrate``: a file of DSPy's, or an older one, as one of today; ``--check`` says which is not."""

import argparse
import json
import sys
from dataclasses import replace
from typing import Any

from progkit import artifact, schema
from progkit.artifact import git
from progkit.artifact.trust import printable
from progkit.cli.layouts import laid
from progkit.cli.opening import made
from progkit.cli.ours import is_ours, whole
from progkit.errors import ArtifactError, ConfigurationError
from progkit.program import state

OK, STALE, FAILED = 0, 1, 2


def run(options: argparse.Namespace) -> int:
    """Write the files anew, or say which are not as they would be written; what was left out goes to stderr."""
    if options.output is None:
        return _each(options)
    if len(options.files) > 1:
        raise ConfigurationError("-o takes one FILE; --in-place writes each of several to where it is")
    said = _written(options, options.files[0], options.output)
    if options.json:
        print(json.dumps(said, ensure_ascii=False))
    else:
        print(_as_text(said))
        tell(said)
    return OK


def tell(told: dict[str, Any]) -> None:
    """Say on stderr what was ``dropped``, and the ``notes``."""
    for each in told["dropped"]:
        print(f"not taken over: {each}", file=sys.stderr)
    for each in told["notes"]:
        print(each, file=sys.stderr)


def _each(options: argparse.Namespace) -> int:
    """``--check`` and ``--in-place``: every file in turn; one that cannot be read does not keep the others from it."""
    said: list[dict[str, Any]] = []
    for path in dict.fromkeys(whole(each) for each in options.files if not options.only_ours or is_ours(each)):
        if git.find_pin(path):
            raise ConfigurationError(f"{path} is at a revision, where nothing can be written: say -o OUT")
        try:
            said.append(_checked(options, path) if options.check else _written(options, path, path))
        except ArtifactError as error:
            said.append({"path": path, "error": str(error)})
    if options.json:
        print(json.dumps(said, ensure_ascii=False))
    else:
        for each in said:
            print(_as_text(each), file=sys.stderr if "error" in each else sys.stdout)
            tell({"dropped": [], "notes": [], **each})
    if any("error" in each for each in said):
        return FAILED
    return OK if all(each.get("current", True) for each in said) else STALE


def _as_text(said: dict[str, Any]) -> str:
    """What was done to a file, or found of it, in words."""
    if "error" in said:
        return f"progkit: {said['error']}"
    if "current" in said:
        return f"{printable(said['path'])} {'is current' if said['current'] else said['reason']}"
    return f"{printable(said['path'])} {'written' if said['changed'] else 'is as it was'}"


def _written(options: argparse.Namespace, path: str, output: str) -> dict[str, Any]:
    """Write the file at *path*, as one of today, to *output*: what was done."""
    received, document = _migrated(options, path)
    changed = artifact.write(output, laid(document, options.layout))
    return {"path": output, "changed": changed, "dropped": received.dropped, "notes": received.notes}


def _checked(options: argparse.Namespace, path: str) -> dict[str, Any]:
    """Whether the file at *path* is as it would be written, and why not; nothing is."""
    received, document = _migrated(options, path)
    is_current = artifact.is_written(received.data, laid(document, options.layout))
    return {"path": path, "current": is_current, "reason": "" if is_current else _reason(received)}


def _reason(received: artifact.Received) -> str:
    """Why a file, which can be read, is not as it would be written."""
    if received.kind != schema.STATE:
        return f"is another library's ({received.kind})"
    version = schema.detect(json.loads(received.data))[1]
    if (
        version < schema.CURRENT
    ):  # pragma: no cover - there is none yet but in the copy that tests/test_versions.py makes
        return f"is of version {version[0]}.{version[1]}, not {schema.CURRENT[0]}.{schema.CURRENT[1]}"
    return "is not in the form that would be written"


def _migrated(options: argparse.Namespace, path: str) -> tuple[artifact.Received, dict[str, Any]]:
    """What was received, and the document; with ``--program``, as that program would save it, names and types too."""
    received = artifact.receive(path)
    if not options.program:
        return received, received.document
    program = made(options.program, path)
    report = program.load(path, strict=not options.no_strict)
    notes = report.notes if report.ok else str(report).split("\n")
    origin = received.document.get("origin")
    captured = state.capture(program).document
    told = replace(received, dropped=report.dropped, notes=notes)
    return told, captured if origin is None else {**captured, "origin": origin}

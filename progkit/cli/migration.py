"""``progkit migrate``: a file of DSPy's, or of an older progkit, as one of today."""

import argparse
import json
import sys
from typing import Any

from progkit import artifact
from progkit.cli.layouts import laid
from progkit.cli.opening import made
from progkit.program import state


def run(options: argparse.Namespace) -> int:
    """Write the file anew; what was left out goes to stderr."""
    document, told = _migrated(options)
    changed = artifact.write(options.output, laid(document, options.layout))
    if options.json:
        print(json.dumps({"path": options.output, "changed": changed, **told}, ensure_ascii=False))
        return 0
    print(f"{options.output} {'written' if changed else 'is as it was'}")
    tell(told)
    return 0


def tell(told: dict[str, list[str]]) -> None:
    """Say on stderr what was ``dropped``, and the ``notes``."""
    for each in told["dropped"]:
        print(f"not taken over: {each}", file=sys.stderr)
    for each in told["notes"]:
        print(each, file=sys.stderr)


def _migrated(options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The document; with ``--program``, as that program would save it: with its field names and types."""
    if not options.program:
        received = artifact.receive(options.file)
        return received.document, {"dropped": received.dropped, "notes": received.notes}
    program = made(options.program, options.file)
    report = program.load(options.file, strict=not options.no_strict)
    told = {"dropped": report.dropped, "notes": report.notes if report.ok else str(report).split("\n")}
    origin = artifact.read(options.file).get("origin")
    captured = state.capture(program).document
    return captured if origin is None else {**captured, "origin": origin}, told

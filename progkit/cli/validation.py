"""``progkit validate``: whether files can be loaded, are in the form that git likes, and hold no secrets."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from progkit import artifact
from progkit.cli.opening import made
from progkit.errors import ArtifactError, DocumentError


def run(options: argparse.Namespace) -> int:
    """Print a line for each problem; status 1 if there is one. Nothing of the files is run."""
    found = [_judged(path, options.program) for path in options.files]
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        for each in found:
            for problem in each["problems"]:
                print(f"{each['file']}: {problem}")
            if each["ok"]:
                print(f"{each['file']}: valid")
            for note in each["notes"]:
                print(f"{each['file']}: {note}", file=sys.stderr)
    return 0 if all(each["ok"] for each in found) else 1


def _judged(path: str, program: str | None) -> dict[str, Any]:
    problems: list[str] = []
    notes: list[str] = []
    try:
        received = artifact.receive(path)
        problems += received.dropped + _secrets(received.document)
        notes += received.notes
        if "origin" not in received.document and Path(path).read_bytes() != artifact.encode(received.document):
            problems.append("not in canonical form: progkit migrate FILE -o FILE writes it so")
        if program:
            made(program, path).load(path)
    except DocumentError as error:
        problems.append(f"{error.where}: {error.reason}" if error.where else error.reason)
    except ArtifactError as error:
        problems.append(str(error))
    return {"file": path, "ok": not problems, "problems": problems, "notes": notes}


def _secrets(document: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for path, node in document["state"]["predictors"].items():
        for part in ("config", "lm"):
            found += artifact.scrub(node[part] or {}, f"{path}.{part}")[1]
    return found

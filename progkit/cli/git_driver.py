"""``progkit git textconv`` and ``merge-driver``: what git calls to show a saved state, and to merge two."""

import argparse
import json
import sys
from contextlib import suppress

from progkit import artifact
from progkit.artifact.git.conflicted import shown
from progkit.artifact.git.driver import Sides, drive
from progkit.artifact.printing import printed

CONFLICT = 1


def run(options: argparse.Namespace) -> int:
    """The action; a merge with conflicts has status 1, as git expects."""
    return _show(options.file) if options.action == "textconv" else _merge(options)


def _show(path: str) -> int:
    """Write the file as text to stdout; as it is, if neither it nor both sides of its conflicts are a saved state."""
    try:
        text = printed(artifact.read(path)).encode()
    # A diff must come about whatever the file holds: git shows the bytes themselves then, as it would have.
    except Exception:
        with open(path, "rb") as file:
            text = file.read()
        with suppress(Exception):
            text = shown(text.decode(), path).encode()
    sys.stdout.flush()
    sys.stdout.buffer.write(text)
    return 0


def _merge(options: argparse.Namespace) -> int:
    # Before 2.44, git does not know %X and %Y and leaves them as they are.
    given = [None if each in ("%X", "%Y") else each for each in [*options.labels, None, None]]
    labels = (given[0] or "ours", given[1] or "theirs")
    outcome = drive(Sides(options.base, options.ours, options.theirs, options.path, labels, options.marker))
    if options.json:
        found = [{"where": each.where, "reason": each.reason} for each in outcome.conflicts]
        print(json.dumps({"clean": outcome.is_clean, "conflicts": found, "by_line": outcome.by_line}))
    else:
        if outcome.by_line:
            print(f"progkit: merged by line, as git does it: {outcome.by_line}", file=sys.stderr)
        for each in outcome.conflicts:
            print(f"progkit: {options.path}: conflict in {each}", file=sys.stderr)
    return 0 if outcome.is_clean else CONFLICT

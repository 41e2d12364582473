"""``progkit compat``: whether callers of one saved program would break with another."""

import argparse
import json

from progkit import artifact
from progkit.artifact.compatibility import BREAKING, breaks
from progkit.artifact.trust import printable


def run(options: argparse.Namespace) -> int:
    """Print what breaks, or may; status 1 if there is any, with ``--allow-unknown`` only if something surely does."""
    found = breaks(artifact.read(options.old), artifact.read(options.new))
    if options.json:
        print(json.dumps([each.to_dict() for each in found], ensure_ascii=False))
    else:
        for each in found:
            print(printable(f"{each.verdict}: {each.path}, {each.part}: {each.reason}"))
        if not found:
            print(f"callers of {options.old} can use {options.new}")
    return 1 if any(each.verdict == BREAKING or not options.allow_unknown for each in found) else 0

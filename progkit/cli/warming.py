"""``progkit warm``: the cache filled from a saved program's demos."""

import argparse
import json
import sys

from progkit.batch import Bar
from progkit.cli import telling
from progkit.cli.opening import open_program
from progkit.errors import EndpointWithheldError
from progkit.warmup import warm


def run(options: argparse.Namespace) -> int:
    """Warm, print the report; status 1 if a demo failed."""
    program = open_program(options, calls=False)
    bar = Bar("demo") if Bar.is_seen() else None
    try:
        report = warm(
            program, mode=options.mode, concurrency=options.concurrency, max_cost=options.max_cost, progress=bar
        )
    finally:
        if bar is not None:
            bar.close()
    print(json.dumps(report.to_dict(), ensure_ascii=False) if options.json else report)
    if any(reason.startswith(EndpointWithheldError.__name__) for reason in report.reasons):
        print(telling.advice(EndpointWithheldError(""), options), file=sys.stderr)
    return 1 if report.failed else 0

"""``progkit warm``: the cache filled from a saved program's demos."""

import argparse
import json

from progkit.batch import Bar
from progkit.cli.opening import open_program
from progkit.warmup import warm


def run(options: argparse.Namespace) -> int:
    """Warm, print the report; status 1 if a demo failed."""
    program = open_program(options)
    bar = Bar("demo") if Bar.is_seen() else None
    try:
        report = warm(
            program, mode=options.mode, concurrency=options.concurrency, max_cost=options.max_cost, progress=bar
        )
    finally:
        if bar is not None:
            bar.close()
    print(json.dumps(report.to_dict(), ensure_ascii=False) if options.json else report)
    return 1 if report.failed else 0

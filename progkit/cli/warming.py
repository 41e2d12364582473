"""``progkit warm``: the cache filled from a saved program's demos."""

import argparse
import json
import sys
from typing import Any

from progkit.cli.opening import open_program
from progkit.warmup import warm


def run(options: argparse.Namespace) -> int:
    """Warm, print the report; status 1 if a demo failed."""
    program = open_program(options)
    bar = _Bar() if sys.stderr.isatty() else None
    try:
        report = warm(
            program, mode=options.mode, concurrency=options.concurrency, max_cost=options.max_cost, progress=bar
        )
    finally:
        if bar is not None:
            bar.close()
    print(json.dumps(report.to_dict(), ensure_ascii=False) if options.json else report)
    return 1 if report.failed else 0


class _Bar:
    """A progress bar on stderr; made with the first step."""

    def __init__(self) -> None:
        self.bar: Any = None

    def __call__(self, done: int, whole: int) -> None:
        if self.bar is None:
            # tqdm's door: only a terminal ever sees a bar.
            from tqdm import tqdm

            self.bar = tqdm(total=whole, unit="demo", leave=True)
        self.bar.update(done - self.bar.n)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()

"""A progress bar on stderr, for people alone: where that is no terminal, there is none."""

import sys
from typing import Any

from progkit.batch.report import BatchReport


class Bar:
    """Shows how far a batch, or other work of *unit*, has come; drawn at the first step, closed with ``close``."""

    def __init__(self, unit: str = "item") -> None:
        self.unit = unit
        self.bar: Any = None

    @staticmethod
    def is_seen() -> bool:
        """Whether stderr is a terminal."""
        return sys.stderr is not None and sys.stderr.isatty()

    def __call__(self, done: int, whole: int | None, about: str = "") -> None:
        """Show *done* of *whole* (None: nobody knows), and *about*."""
        if self.bar is None:
            # tqdm's door: only a terminal ever sees a bar.
            from tqdm import tqdm

            self.bar = tqdm(total=whole, unit=self.unit, leave=True)
        if about:
            self.bar.set_postfix_str(about, refresh=False)
        self.bar.update(done - self.bar.n)

    def show(self, report: BatchReport) -> None:
        """Show the state of a batch: rate and time left are tqdm's; hit share, cost and failures ours."""
        about = f"{report.hit_share:.0%} hits, ${report.cost:.2f}"
        if report.failed:
            about = f"{report.failed} failed, {about}"
        self(report.done, report.total, about)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self.bar is not None:
            self.bar.close()

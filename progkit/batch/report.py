"""How a batch goes, and how it went; and its results with that."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from progkit.batch.items import Failure, Outcome


@dataclass(slots=True)
class BatchReport:
    """Counts of a batch, kept up to date while it runs.

    total: items in all, None while that is not known. done: items finished, failures and what a checkpoint gave among
    them. failed: failures. resumed: taken from the checkpoint. calls, hits: replies of an LM, and of the cache. cost:
    US dollars billed, of the replies whose price is known; unpriced counts the others. tokens: billed. seconds: so far.
    """

    total: int | None = None
    done: int = 0
    failed: int = 0
    resumed: int = 0
    calls: int = 0
    hits: int = 0
    unpriced: int = 0
    tokens: int = 0
    cost: float = 0.0
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    begun: float = field(default=0.0, repr=False)
    ended: float | None = field(default=None, repr=False)

    def begin(self) -> None:
        """Start the clock."""
        self.begun = self.clock()

    def end(self) -> None:
        """Stop the clock."""
        self.ended = self.clock()

    def note(self, outcome: Outcome) -> None:
        """Count *outcome*."""
        self.done += 1
        self.failed += outcome.failed
        used = outcome.used
        if used is None:
            self.resumed += not outcome.failed
            return
        self.calls += used.calls
        self.hits += used.hits
        self.unpriced += used.unpriced
        self.cost += used.cost
        self.tokens += used.total_tokens

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        return (self.clock() if self.ended is None else self.ended) - self.begun

    @property
    def rate(self) -> float:
        """Items that were called, a second."""
        return (self.done - self.resumed) / max(self.seconds, 1e-9)

    @property
    def hit_share(self) -> float:
        """Which part of the replies came from the cache, from 0 to 1."""
        return self.hits / max(self.hits + self.calls, 1)

    @property
    def left(self) -> float | None:
        """Seconds to go at this rate; None if the number of items is not known, or none is done."""
        if self.total is None or self.rate == 0:
            return None
        return (self.total - self.done) / self.rate

    def __str__(self) -> str:
        whole = "" if self.total is None else f" of {self.total}"
        parts = [f"{self.done - self.failed}{whole} answered"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.resumed:
            parts.append(f"{self.resumed} from the checkpoint")
        parts += [f"{self.calls} calls", f"{self.hits} hits", f"{self.rate:.1f} a second"]
        more = f" and {self.unpriced} calls of unknown price" if self.unpriced else ""
        parts += [f"{self.seconds:.2f} s", f"cost ${self.cost:.4f}{more}"]
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        names = ("total", "done", "failed", "resumed", "calls", "hits", "unpriced", "tokens", "cost", "seconds", "rate")
        return {name: getattr(self, name) for name in names}


class BatchResults(list[Any]):
    """What a batch gave, one entry for each input; a ``Failure`` where an item failed. report: how it went."""

    def __init__(self, values: Iterable[Any], report: BatchReport) -> None:
        super().__init__(values)
        self.report = report

    @property
    def failures(self) -> list[Failure]:
        """The failures among them."""
        results = (each[1] if type(each) is tuple else each for each in self)
        return [each for each in results if type(each) is Failure]

    def __reduce__(self) -> Any:
        return BatchResults, (list(self), self.report)

"""What calls used: counted while a ``track_usage`` block lasts, what was billed apart from what hits saved."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from progkit.lm.response import Response


class UsageTracker:
    """Sums of the usage that replies report; may be added to from many threads.

    billed, saved: token counts by model as the provider names them; saved is what cache hits had
    been billed when they were asked for. cost, saved_cost: US dollars, of those replies whose price is known;
    unpriced counts the billed ones where it is not. calls: replies from an LM; hits: from the cache. whole: whether
    every reply was, and none stale, so that what was made of them may be kept.
    """

    def __init__(self) -> None:
        self.billed: dict[str, dict[str, Any]] = {}
        self.saved: dict[str, dict[str, Any]] = {}
        self.cost = 0.0
        self.saved_cost = 0.0
        self.unpriced = 0
        self.calls = 0
        self.hits = 0
        self.whole = True
        self._lock = threading.Lock()

    def add(self, response: Response) -> None:
        """Count *response*."""
        with self._lock:
            self.whole = self.whole and response.is_whole and not response.stale
            if response.cache_hit:
                self.hits += 1
                self.saved_cost += response.saved_cost or 0.0
                _count(self.saved, response.model, response.saved)
                return
            self.calls += 1
            self.unpriced += response.cost is None
            self.cost += response.cost or 0.0
            _count(self.billed, response.model, response.usage)

    def merge(self, other: "UsageTracker") -> None:
        """Count what *other* has counted."""
        with self._lock:
            for mine, theirs in ((self.billed, other.billed), (self.saved, other.saved)):
                for model, usage in theirs.items():
                    _count(mine, model, usage)
            self.cost += other.cost
            self.saved_cost += other.saved_cost
            self.unpriced += other.unpriced
            self.calls += other.calls
            self.hits += other.hits
            self.whole = self.whole and other.whole

    @property
    def total_tokens(self) -> int:
        """The tokens billed, of all models."""
        return sum(map(tokens, self.billed.values()))

    def get_total_tokens(self) -> dict[str, dict[str, Any]]:
        """A copy of *billed*, by model."""
        with self._lock:
            return {model: merged({}, usage) for model, usage in self.billed.items()}

    def __repr__(self) -> str:
        return f"UsageTracker(calls={self.calls}, hits={self.hits}, cost={self.cost}, billed={self.billed})"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())


_trackers: ContextVar[tuple[UsageTracker, ...]] = ContextVar("progkit_usage_trackers", default=())


@contextmanager
def track_usage() -> Iterator[UsageTracker]:
    """Count the replies of the block, here and in the tasks it starts; blocks around it count them too.

    What was counted stays on the tracker, also when the block raises.
    """
    tracker = UsageTracker()
    before = _trackers.get()
    _trackers.set((*before, tracker))
    try:
        yield tracker
    finally:
        _trackers.set(before)


def record(response: Response) -> None:
    """Tell every tracker in force of a reply, from an LM or from the cache."""
    for tracker in _trackers.get():
        tracker.add(response)


def absorb(counted: UsageTracker) -> None:
    """Tell every tracker in force of what was *counted* elsewhere, in another process."""
    for tracker in _trackers.get():
        tracker.merge(counted)


def tokens(usage: Mapping[str, Any]) -> int:
    """The tokens of *usage* in all: ``total_tokens``, or else the sum of what went in and came out."""
    total = usage.get("total_tokens")
    if isinstance(total, int):
        return total
    parts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens")]
    return sum(each for each in parts if isinstance(each, int))


def merged(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    """Two usages summed: numbers added, dicts likewise, None is nothing; of anything else the later one."""
    total = dict(left)
    for name, value in right.items():
        total[name] = _sum(total.get(name), value)
    return total


def _sum(left: Any, right: Any) -> Any:
    if isinstance(right, Mapping):
        return merged(left if isinstance(left, Mapping) else {}, right)
    if right is None:
        return left
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return left + right
    return right


def _count(by_model: dict[str, dict[str, Any]], model: str, usage: Mapping[str, Any]) -> None:
    if usage:
        by_model[model] = merged(by_model.get(model, {}), usage)

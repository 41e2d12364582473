"""Warm-up: the cache filled from the demos that a program carries, before the first user asks.

For each predictor and each demo with all its inputs, the very request that a user's call would send is
made under the settings in force. In mode ``demos`` its reply is what the demo says, written as the
adapter would have the LM write it, and kept only if it reads back as the demo. In mode ``call``
the LM is asked for what is not cached.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

from progkit.adapters import read_completion, write_completion
from progkit.batch import Budget
from progkit.caching import Cache, can_prefetch, prefetch
from progkit.errors import AdapterParseError, ConfigurationError
from progkit.example import Example
from progkit.lm import Response, track_usage
from progkit.program import Module, Predict, labels
from progkit.program.call import Ask, run
from progkit.runtime import carry

Progress = Callable[[int, int], None]
Mode = Literal["demos", "call"]


@dataclass(slots=True)
class WarmReport:
    """What a warm-up did: how many requests are *warmed*, were *present*, are *skipped*, have *failed*.

    reasons: how often each reason to skip or to fail came up. details: ``path, demo: reason`` for each.
    seconds: wall clock. cost: US dollars billed, None if a price is unknown.
    """

    warmed: int = 0
    present: int = 0
    skipped: int = 0
    failed: int = 0
    seconds: float = 0.0
    cost: float | None = 0.0
    reasons: Counter[str] = field(default_factory=Counter)
    details: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        cost = "unknown" if self.cost is None else f"${self.cost:.4f}"
        head = (
            f"{self.warmed} warmed, {self.present} already there, {self.skipped} skipped, {self.failed} failed "
            f"in {self.seconds:.2f} s, cost {cost}"
        )
        return "\n".join([head, *(f"  {count} x {reason}" for reason, count in self.reasons.most_common())])

    def note(self, where: str, outcome: "Outcome") -> None:
        """Count what became of the demo at *where*."""
        setattr(self, outcome.count, getattr(self, outcome.count) + 1)
        if outcome.reason:
            self.reasons[outcome.reason] += 1
            self.details.append(f"{where}: {outcome.reason}")

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        names = ("warmed", "present", "skipped", "failed", "seconds", "cost", "details")
        return {name: getattr(self, name) for name in names} | {"reasons": dict(self.reasons)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one demo: a count of the report, and the reason if there is one."""

    count: Literal["warmed", "present", "skipped", "failed"]
    reason: str = ""


def warm(
    program: Module,
    *,
    mode: Mode = "demos",
    concurrency: int = 4,
    max_cost: float | None = None,
    progress: Progress | None = None,
) -> WarmReport:
    """Fill the cache in force from the demos of *program*, under the settings in force.

    mode: ``demos`` takes the replies from the demos and asks no LM; ``call`` asks the LM for what is not
    cached, at most *concurrency* requests at once. max_cost: US dollars for ``call``; no request is
    begun that could pass it, judged by the dearest so far, and one whose price is unknown ends
    the warm-up. progress: called with (done, all) after each demo.

    Nothing already cached is asked or written again. A failure of one demo does not stop the others.

    Raises:
        ConfigurationError: for an unknown mode, or a cost ceiling without calls.
        NoLMError: if no LM is in force: the request, and so its key, depends on it.
    """
    if mode not in ("demos", "call"):
        raise ConfigurationError(f"mode is 'demos' or 'call', not {mode!r}")
    if mode == "demos" and max_cost is not None:
        raise ConfigurationError("max_cost goes with mode='call': mode='demos' asks no LM")
    started = time.perf_counter()
    report = WarmReport()
    purse = _Purse(max_cost)
    step = _from_demo if mode == "demos" else _Caller(purse)
    work = [(path, each, index) for path, each in program.named_predictors() for index in range(len(each.demos))]
    outcomes = _outcomes(work, step, max(1, concurrency) if mode == "call" else 1)
    with labels.within(program):
        _fetch(work)
        for done, ((path, _, index), outcome) in enumerate(zip(work, outcomes, strict=True), 1):
            report.note(f"{path}, demo {index}", outcome)
            if progress is not None:
                progress(done, len(work))
    report.cost = purse.budget.spent
    report.seconds = time.perf_counter() - started
    return report


Work = tuple[str, Predict, int]
Demo = Example | Mapping[str, Any]
Step = Callable[[Predict, Demo], Outcome]


def _outcomes(work: list[Work], step: Step, workers: int) -> Iterator[Outcome]:
    """What becomes of each piece of work, in its order."""

    def one(piece: Work) -> Outcome:
        _, predictor, index = piece
        return step(predictor, predictor.demos[index])

    if workers == 1:
        yield from map(one, work)
        return
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(carry(one), piece) for piece in work]
        try:
            for future in futures:
                yield future.result()
        finally:
            # Reached early if the caller's progress raises or Ctrl-C comes: nothing more is begun.
            for future in futures:
                future.cancel()


def _fetch(work: list[Work]) -> None:
    """Bring near what a shared tier has already, many entries at a time."""
    keys: dict[Cache, list[str]] = {}
    for _, predictor, index in work:
        demo, names = predictor.demos[index], list(predictor.signature.input_fields)
        if any(demo.get(name) is None for name in names):
            continue
        ask: Ask = predictor.ask({name: demo[name] for name in names})
        if ask.cache is not None and can_prefetch(ask.cache):
            key = ask.key(ask.request(ask.adapter))
            if key is not None:
                keys.setdefault(ask.cache, []).append(key)
    for cache, wanted in keys.items():
        prefetch(cache, wanted)


class _Place:
    """Where the reply to a demo's request belongs, or why there is no such place."""

    __slots__ = ("ask", "cache", "key", "outcome")

    def __init__(self, predictor: Predict, demo: Demo, needed: Mapping[str, Any]) -> None:
        lacking = [name for name in needed if demo.get(name) is None]
        if lacking:
            self.outcome: Outcome | None = Outcome("skipped", f"incomplete demo: no {', '.join(lacking)}")
            return
        self.ask: Ask = predictor.ask({name: demo[name] for name in predictor.signature.input_fields})
        cache = self.ask.cache
        key = self.ask.key(self.ask.request(self.ask.adapter))
        if cache is None or self.ask.controls.no_cache or self.ask.controls.no_store:
            self.outcome = Outcome("skipped", "uncacheable: the LM or the predictor says cache=False")
        elif key is None:
            self.outcome = Outcome("skipped", "uncacheable: the request has no stable key")
        else:
            self.cache: Cache = cache
            self.key: str = key
            self.outcome = None if cache.safe_get(key, self.ask.controls) is None else Outcome("present")

    def put(self, response: Response) -> bool:
        """Keep *response* there; whether it can be read from there now."""
        self.cache.safe_put(self.key, response, self.ask.keeping)
        return self.cache.safe_get(self.key, self.ask.controls) is not None


def _from_demo(predictor: Predict, demo: Demo) -> Outcome:
    signature = predictor.signature
    place = _Place(predictor, demo, signature.fields)
    if place.outcome is not None:
        return place.outcome
    adapter, params = place.ask.adapter, place.ask.params
    outputs = {name: demo[name] for name in signature.output_fields}
    try:
        reply = write_completion(adapter, signature, params, outputs)
        read = read_completion(adapter, signature, params, reply)
        # A demo may say 1 where the field is a float, or a dict where it is a model.
        reads_back = read == outputs or write_completion(adapter, signature, params, read) == reply
    except (AdapterParseError, ValueError):
        reads_back = False
    if not reads_back:
        return Outcome("skipped", "its outputs, written as a reply, do not read back as they are")
    kept = place.put(Response((reply,), place.ask.model, source="demo"))
    return Outcome("warmed") if kept else Outcome("failed", "the cache did not keep it")


class _Caller:
    """Asks the LM for what is not cached, within a budget, each request once."""

    def __init__(self, purse: "_Purse") -> None:
        self.purse = purse
        self.begun: set[str] = set()
        self.lock = threading.Lock()

    def __call__(self, predictor: Predict, demo: Demo) -> Outcome:
        place = _Place(predictor, demo, predictor.signature.input_fields)
        if place.outcome is not None:
            return place.outcome
        with self.lock:
            if place.key in self.begun:
                return Outcome("present")
            self.begun.add(place.key)
        refused = self.purse.begin()
        if refused:
            return Outcome("skipped", refused)
        with track_usage() as tracker:
            try:
                run(place.ask)
            # An LM may be anybody's class: whatever it raises fails this demo and not the others.
            except Exception as error:
                return Outcome("failed", f"{type(error).__name__}: {error}".splitlines()[0])
            finally:
                self.purse.end(None if tracker.unpriced else tracker.cost)
        return Outcome("warmed")


class _Purse:
    """The budget of calls in several threads."""

    def __init__(self, most: float | None) -> None:
        self.budget = Budget(most)
        self.changed = threading.Condition()

    def begin(self) -> str:
        """Wait until one more call can be judged; why it must not be made, or nothing."""
        with self.changed:
            while not self.budget.begin():
                if self.budget.refusal:
                    return self.budget.refusal
                self.changed.wait()
            return ""

    def end(self, cost: float | None) -> None:
        """A call is over; it was billed *cost*."""
        with self.changed:
            self.budget.end(cost)
            self.changed.notify_all()

"""Where the result of one call belongs in the cache: looked up, shared with who asks the same meanwhile, and kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, get_type_hints

from progkit import runtime
from progkit.caching import Cache
from progkit.caching.expiry import Controls
from progkit.caching.flight import Seat
from progkit.errors import DocumentError, UnsavableError
from progkit.lm import Completion, Response, UsageTracker, usage
from progkit.program import labels, results, source
from progkit.program.module import Module


class Place:
    """The place of a result of *target* under *key* in *cache*, for a call with *controls*."""

    __slots__ = ("cache", "controls", "key", "target")

    def __init__(self, cache: Cache, key: str, target: Any, controls: Controls) -> None:
        self.cache = cache
        self.key = key
        self.target = target
        self.controls = controls

    def find(self) -> tuple[Any] | None:
        """The result kept here, alone in a tuple, for it may be None; None if there is none."""
        if self.controls.no_cache:
            return None
        response = self.cache.safe_get(self.key, self.controls)
        return None if response is None else self._read(response.as_hit(self.key))

    @contextmanager
    def shared(self, blocking: bool) -> Iterator[Seat | None]:
        """A seat among those who ask for the same now; None if each asks for itself."""
        if not self.cache.coalesces or not self.controls.is_plain or runtime.current().is_offline:
            yield None
            return
        # It does not ``lead``: calls made inside may wait for each other's replies as any others.
        seat = self.cache.flights.board(self.key, blocking)
        try:
            yield seat
        finally:
            seat.leave()

    def landed(self, seat: Seat | None) -> tuple[Any] | None:
        """What another call has got since this one looked."""
        if seat is None:
            return None
        if seat.landing is not None:
            response: Response | None = seat.landing.copy()
        else:
            kept = self.cache.look_again(self.key, self.controls)
            response = None if kept is None else kept.as_hit(self.key)
        found = None if response is None else self._read(response)
        if found is not None:
            self.cache.count("coalesced")
        return found

    def keep(self, seat: Seat | None, result: Any, tracker: UsageTracker) -> None:
        """Keep *result*, with what it cost, if all that it was made of may be kept; hand it to all who wait.

        Raises:
            UnsavableError: if it would not come back equal.
        """
        text = results.encode(result, self._types)
        total: dict[str, Any] = {}
        for billed in tracker.billed.values():
            total = usage.merged(total, billed)
        models = tuple(tracker.billed)
        cost = None if tracker.unpriced else tracker.cost
        response = Response((Completion(text, "stop"),), ", ".join(models), total, cost, "result")
        if self.cache.cleaned(response) != response:
            raise UnsavableError("result", "it holds what the cache is to keep no trace of")
        if tracker.whole and not self.controls.no_store:
            keeping = labels.tagged(self.controls, models, labels.program(), runtime.current().tags)
            self.cache.safe_put(self.key, response, keeping)
            response = replace(response, keys=(self.key,))
        if seat is not None and seat.leads:
            seat.land(response, self.controls)

    def _read(self, hit: Response) -> tuple[Any] | None:
        try:
            result = results.decode(hit.text, self._types, hit)
        except DocumentError:
            # The types have changed since: make it anew.
            return None
        usage.record(hit)
        self.cache.spare(hit)
        return (result,)

    def _types(self) -> dict[str, Any]:
        return types_of(self.target)


def types_of(target: Any) -> dict[str, Any]:
    """The annotations of the fields that a prediction of *target* may have, and of its result as ``return``."""
    if isinstance(target, Module):
        programs, function = [target], type(target).forward
    else:
        function = getattr(target, "__func__", target)
        programs = [each for each in source.used(function).values() if isinstance(each, Module)]
    types = {
        name: field.type
        for program in programs
        for predictor in program.predictors()
        for name, field in predictor.signature.fields.items()
    }
    try:
        hints = get_type_hints(function)
    except Exception:  # evaluates the user's annotations, which may name what is not there
        return types
    return types | ({"return": hints["return"]} if "return" in hints else {})

"""A tier that cannot fail a call: what it raises is counted, told once, and the tier is left alone for a while."""

import time
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from progkit.caching.tiers import Tier
from progkit.errors import EntryError

REST = 60.0
"""Seconds for which an operation of a tier that failed is not tried again."""

Tell: TypeAlias = Callable[[str, str], None]
"""Called with the kind of a trouble and a sentence about it; tells each kind once."""


class Guarded:
    """*tier* as the cache uses it, with its counts.

    Reading and writing rest apart from each other: a full disk still answers. The counts are not
    locked: CPython adds up without switching threads, and one lost is no harm.

    missed: of the misses, those that were not for want of an entry: it was ``expired``, ``invalidated`` or
    ``unreadable``, or the tier ``failed``, was ``resting`` or is switched ``off``. dropped: writes not made.
    """

    __slots__ = ("_clock", "_resting", "_tell", "dropped", "errors", "hits", "missed", "misses", "name", "tier")

    def __init__(self, tier: Tier, tell: Tell, clock: Callable[[], float] = time.monotonic) -> None:
        self.tier = tier
        self.name = tier.name
        self.hits = 0
        self.misses = 0
        self.missed: dict[str, int] = {}
        self.dropped = 0
        self.errors = 0
        self._tell = tell
        self._clock = clock
        self._resting: dict[str, float] = {}

    def get(self, key: str) -> bytes | None:
        """What the tier keeps under *key*; None also if it fails, rests, or is not to be read."""
        if not getattr(self.tier, "read", True):
            self.miss("off")
            return None
        if self._resting and self._rests("get"):
            self.miss("resting")
            return None
        try:
            entry = self.tier.get(key)
        except EntryError as error:  # this one is spoilt, the tier is not
            self.rejected(error)
            return None
        except Exception as error:  # a tier may fail in any way, and none of them may reach a call
            self._failed("get", error)
            self.miss("failed")
            return None
        if entry is None:
            self.misses += 1
        return entry

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """What a tier that has ``get_many`` keeps under *keys*, uncounted; nothing if it fails or rests."""
        if self._resting and self._rests("get"):
            return {}
        try:
            found: dict[str, bytes] = self.tier.get_many(keys)  # type: ignore[attr-defined] # asked of those that have it
        except Exception as error:  # as in ``get``
            self._failed("get", error)
            return {}
        return found

    def peek(self, key: str) -> bytes | None:
        """As ``get``, for what is no lookup of a caller's: it is not counted."""
        counts = self.hits, self.misses, dict(self.missed)
        entry = self.get(key)
        self.hits, self.misses, self.missed = counts
        return entry

    def miss(self, why: str) -> None:
        """Count a miss that has another reason than that nothing is here."""
        self.misses += 1
        self.missed[why] = self.missed.get(why, 0) + 1

    def put(self, key: str, entry: bytes) -> None:
        """Let the tier keep *entry*, unless it fails, rests, or is not to be written."""
        if not getattr(self.tier, "write", True):
            return
        if self._resting and self._rests("put"):
            self.dropped += 1
            return
        try:
            self.tier.put(key, entry)
        except Exception as error:  # a tier may fail in any way, and none of them may reach a call
            self.dropped += 1
            self._failed("put", error)

    def rejected(self, error: Exception) -> None:
        """Count what the tier gave as no entry: a miss, and a trouble to tell."""
        self.miss("unreadable")
        self.errors += 1
        self._tell(f"{self.name} entry", f"the {self.name} tier of the cache holds something else under a key: {error}")

    def stats(self) -> dict[str, Any]:
        """``hits``, ``misses``, why it ``missed``, ``errors``, ``dropped`` and what the tier says.

        ``failed`` instead, if it cannot say it.
        """
        absent = self.misses - sum(self.missed.values())
        missed = {"absent": absent, **self.missed} if absent else dict(self.missed)
        counts: dict[str, Any] = {"hits": self.hits, "misses": self.misses, "missed": missed}
        counts |= {"errors": self.errors, "dropped": self.dropped}
        try:
            return counts | self.tier.stats()
        except Exception as error:  # as above; figures are read by what watches over a process in trouble
            return counts | {"failed": _named(error)}

    def _rests(self, what: str) -> bool:
        until = self._resting.get(what)
        if until is None:
            return False
        if self._clock() < until:
            return True
        self._resting.pop(what, None)
        return False

    def _failed(self, what: str, error: Exception) -> None:
        self.errors += 1
        self._resting[what] = self._clock() + REST
        doing = "reading" if what == "get" else "writing"
        self._tell(
            f"{self.name} {type(error).__name__}",
            f"the {self.name} tier of the cache failed at {doing} and is left alone for {REST:.0f} s: {_named(error)}",
        )


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"

"""The tiers of a cache, one above the other: looking through them, and keeping in all of them."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from progkit.caching.codec import Entry, encode, open_entry
from progkit.caching.expiry import Controls, standing, times
from progkit.caching.guard import Guarded
from progkit.caching.memory import MemoryTier
from progkit.caching.tags import Stamps, mark_of
from progkit.caching.tiers import Tier
from progkit.errors import CacheError, EntryError
from progkit.lm.response import Response

T = TypeVar("T")


class Stack:
    """*tiers*, the nearest first, for *namespace*. counts: figures to add to. clock, now: seconds, and since 1970."""

    def __init__(
        self,
        tiers: Sequence[Guarded],
        counts: dict[str, float],
        namespace: str = "",
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.tiers = tuple(tiers)
        self._counts = counts
        self._now = now
        self._mark = mark_of(namespace)
        shared = tuple(each for each in self.tiers if not isinstance(each.tier, MemoryTier))
        self.stamps = Stamps(
            lambda key: [entry for each in shared if (entry := each.peek(key)) is not None],
            self._stamp,
            namespace,
            clock,
            now,
        )

    def find(self, key: str, controls: Controls, counted: bool = True, late: float = 0.0) -> Response | None:
        """The first that is fresh, or else one past its soft time, marked stale; None if there is none.

        counted: it is a lookup of a caller's, and counts as hit or miss. late: seconds for which what has expired is
        found all the same. What is found is copied into the tiers above.
        """
        soft: tuple[Guarded, Entry] | None = None
        for depth, tier in enumerate(self.tiers):
            kept = tier.get(key) if counted else tier.peek(key)
            if kept is None:
                continue
            try:
                entry = open_entry(key, kept)
            except EntryError as error:
                tier.rejected(error)
                continue
            if self.stamps.revoke(entry):
                found = "invalidated"
            elif entry.expires is None is entry.soft and controls.max_age is None:  # as nearly always
                found = "fresh"
            else:
                found = standing(entry, controls.max_age, self._now() - late)
            if found == "fresh":
                tier.hits += counted
                if depth:
                    self._copy(key, kept, depth)
                return entry.response
            if found == "soft":  # a tier below may have a newer one, of another process
                soft = soft or (tier, entry)
                continue
            if counted:
                tier.miss(found)
                self._counts[found] += 1
        if soft is None:
            return None
        soft[0].hits += counted
        return replace(soft[1].response, stale=True)

    def _copy(self, key: str, kept: bytes, depth: int) -> None:
        for above in self.tiers[:depth]:
            above.put(key, kept)

    def keep(self, key: str, value: Response, controls: Controls) -> None:
        """Keep *value* in every tier.

        Raises:
            EntryError: if it holds something that is no plain data.
        """
        now = self._now()
        soft, expires = times(key, now, controls)
        entry = encode(key, value, created=now, soft=soft, expires=expires, tags=controls.tags + self._mark)
        for tier in self.tiers:
            tier.put(key, entry)

    def everywhere(self, verb: str, act: Callable[[Tier], T]) -> list[T]:
        """What *act* gives for each tier.

        Raises:
            CacheError: naming every tier that cannot *verb*; the others have done it.
        """
        done, failures = [], []
        for each in self.tiers:
            try:
                done.append(act(each.tier))
            except Exception as error:  # a tier may fail in any way; the others come first
                failures.append(f"the {each.name} tier cannot {verb}: {type(error).__name__}: {error}")
        if failures:
            raise CacheError("; ".join(failures))
        return done

    def _stamp(self, stamps: Mapping[str, bytes]) -> None:
        def keep(tier: Tier) -> None:
            if not isinstance(tier, MemoryTier) and getattr(tier, "write", True):
                for key, entry in stamps.items():
                    tier.put(key, entry)

        self.everywhere("keep the stamp", keep)

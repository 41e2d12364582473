"""Tags on entries, and invalidation by tag: one stamp, however many entries bear it.

An entry carries its tags and the time at which it was made; a stamp says of a tag that what was made
before is no longer good. Stamps are entries too, under keys of their own in every tier that others
share, and one more, the notice, changes with every invalidation: a process reads the notice once in
a while and the stamps of the tags it meets only when it has changed.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from secrets import token_hex
from typing import TypeAlias

from progkit.caching.codec import Entry, encode, open_entry
from progkit.errors import EntryError
from progkit.lm.response import Response

EVERYTHING = "*"
"""The tag that every entry bears."""

REFRESH = 1.0
"""Seconds after which a process knows of what another has invalidated."""

PREFIX = "progkit-stamp-"
MARK = "namespace:"
MOST = 10_000
"""Tags whose stamps are remembered."""

Read: TypeAlias = Callable[[str], list[bytes]]
"""What the tiers that others share hold under a key."""

Write: TypeAlias = Callable[[Mapping[str, bytes]], object]
"""Keeps entries by key in every one of them."""


def stamp_key(tag: str, namespace: str = "") -> str:
    """The key of the stamp of *tag* in *namespace*; of the empty tag, that of the notice."""
    return PREFIX + sha256(f"{namespace}\0{tag}".encode("utf-8", "surrogatepass")).hexdigest()


def mark_of(namespace: str) -> tuple[str, ...]:
    """The tag that entries of *namespace* bear."""
    return (MARK + namespace,) if namespace else ()


class Stamps:
    """When each tag was invalidated last, as far as this process knows.

    namespace: that in which they count; an entry of another one is none of theirs. clock: seconds, for the next look
    at the notice. now: seconds since 1970.
    """

    __slots__ = ("_clock", "_due", "_known", "_mark", "_namespace", "_notice", "_now", "_own", "_read", "_write")

    def __init__(
        self,
        read: Read,
        write: Write,
        namespace: str = "",
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._read = read
        self._write = write
        self._namespace = namespace
        self._mark = mark_of(namespace)
        self._clock = clock
        self._now = now
        self._due = float("-inf")
        self._notice: set[bytes] = set()
        self._known: dict[str, float] = {}
        self._own: dict[str, float] = {}

    def revoke(self, entry: Entry) -> bool:
        """Whether *entry* is no longer good. Raises what reading raises."""
        now = self._clock()
        if now >= self._due:
            self._look(now)
        if not self._notice and not self._own:
            return False
        if tuple(tag for tag in entry.tags if tag.startswith(MARK)) != self._mark:
            return False
        return any(entry.created <= self.of(tag) for tag in (EVERYTHING, *entry.tags))

    def of(self, tag: str) -> float:
        """When *tag* was invalidated; 0 if never."""
        known = self._known.get(tag)
        if known is None:
            if len(self._known) >= MOST:
                self._known.clear()
            key = stamp_key(tag, self._namespace)
            times = [_time(key, each) for each in self._read(key)] if self._notice else []
            known = self._known[tag] = max([self._own.get(tag, 0.0), *times])
        return known

    def invalidate(self, tags: Iterable[str]) -> None:
        """Put the stamp of now on each of *tags*, and change the notice. Raises what writing raises."""
        at = self._now()
        said = {stamp_key(tag, self._namespace): tag for tag in tags}
        for tag in said.values():
            self._own[tag] = self._known[tag] = at
        # The notice last: who reads it finds the stamps.
        said[stamp_key("", self._namespace)] = token_hex(8)
        self._write({key: encode(key, Response.of(text, source="stamp"), created=at) for key, text in said.items()})

    def _look(self, now: float) -> None:
        self._due = now + REFRESH
        notice = set(self._read(stamp_key("", self._namespace)))
        # No notice where there was one: the tier fails, or was emptied. What is known of stamps stays right.
        if notice and notice != self._notice:
            self._notice = notice
            self._known = {}


def _time(key: str, stamp: bytes) -> float:
    try:
        return open_entry(key, stamp).created
    except EntryError:
        return 0.0

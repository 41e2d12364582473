"""The tier in the process's own memory, bounded by entries and by bytes."""

import threading
from collections.abc import Iterator

from cachetools import LRUCache

from progkit.caching import forking
from progkit.caching.tiers import Tier

OVERHEAD = 400
"""Bytes that an entry takes beside its value: key, two dict slots, a place in the order (350 measured, and slack)."""


class MemoryTier(Tier):
    """Keeps what was used last.

    max_entries: a number, or ``math.inf``; 0 keeps nothing. max_bytes: likewise; of values with ``OVERHEAD`` for each.
    read, write: switches.
    """

    name = "memory"

    def __init__(
        self,
        max_entries: float = 1_000_000,
        max_bytes: float = 500_000_000,
        *,
        read: bool = True,
        write: bool = True,
    ) -> None:
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self.read = read
        self.write = write
        self._lock = threading.Lock()
        self._kept: LRUCache[str, bytes] = LRUCache(max_bytes, getsizeof=_size)
        forking.track(self)

    def get(self, key: str) -> bytes | None:
        """What is kept under *key*, or None."""
        with self._lock:
            try:
                return self._kept[key]
            except KeyError:
                return None

    def put(self, key: str, value: bytes) -> None:
        """Keep *value*, dropping what was used longest ago if there is no room."""
        with self._lock:
            if _size(value) > self.max_bytes:
                self._kept.pop(key, None)
                return
            self._kept[key] = value
            while len(self._kept) > self.max_entries:
                self._kept.popitem()

    def delete(self, key: str) -> bool:
        """Forget *key*; whether it was here."""
        with self._lock:
            return self._kept.pop(key, None) is not None

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()

    def keys(self) -> Iterator[str]:
        """Every key there was when it was asked."""
        with self._lock:
            return iter(list(self._kept))

    def stats(self) -> dict[str, int]:
        """``entries`` and ``bytes``, overhead included."""
        with self._lock:
            return {"entries": len(self._kept), "bytes": int(self._kept.currsize)}

    def close(self) -> None:
        """Nothing to let go of: what is kept stays."""

    @property
    def locks(self) -> tuple[threading.Lock]:
        """The one lock."""
        return (self._lock,)

    def forked(self) -> None:
        """A child goes on with what it inherited."""


def _size(value: bytes) -> int:
    return len(value) + OVERHEAD

"""The memory tier as a mapping of responses: what a subclass of ``Cache`` finds as ``self._memory_cache``."""

from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import replace

from progkit.caching.codec import encode, open_entry
from progkit.caching.expiry import Controls, standing, times
from progkit.caching.memory import MemoryTier
from progkit.lm.response import Response


class MemoryView(MutableMapping[str, Response]):
    """Responses by key, in and out of *tier*; each reading gives a new one, and none that has expired.

    controls: gives those of the call in hand. now: seconds since 1970.
    """

    def __init__(self, tier: MemoryTier, controls: Callable[[], Controls], now: Callable[[], float]) -> None:
        self._tier = tier
        self._controls = controls
        self._now = now

    def __getitem__(self, key: str) -> Response:
        kept = self._tier.get(key)
        if kept is None:
            raise KeyError(key)
        entry = open_entry(key, kept)
        found = standing(entry, self._controls().max_age, self._now())
        if found == "expired":
            raise KeyError(key)
        return replace(entry.response, stale=True) if found == "soft" else entry.response

    def __setitem__(self, key: str, value: Response) -> None:
        if not isinstance(value, Response):
            raise TypeError(f"the cache keeps a progkit.Response, not {type(value).__name__}")
        now, controls = self._now(), self._controls()
        soft, expires = times(key, now, controls)
        self._tier.put(key, encode(key, value, created=now, soft=soft, expires=expires, tags=controls.tags))

    def __delitem__(self, key: str) -> None:
        if not self._tier.delete(key):
            raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return self._tier.keys()

    def __len__(self) -> int:
        return self._tier.stats()["entries"]

    def clear(self) -> None:
        """Forget everything."""
        self._tier.clear()

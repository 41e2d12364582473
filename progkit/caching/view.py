"""The memory tier as a mapping of responses: what a subclass of ``Cache`` finds as ``self._memory_cache``."""

from collections.abc import Iterator, MutableMapping

from progkit.caching.codec import decode, encode
from progkit.caching.memory import MemoryTier
from progkit.lm.response import Response


class MemoryView(MutableMapping[str, Response]):
    """Responses by key, in and out of *tier*; each reading gives a new one."""

    def __init__(self, tier: MemoryTier) -> None:
        self._tier = tier

    def __getitem__(self, key: str) -> Response:
        entry = self._tier.get(key)
        if entry is None:
            raise KeyError(key)
        return decode(key, entry)

    def __setitem__(self, key: str, value: Response) -> None:
        if not isinstance(value, Response):
            raise TypeError(f"the cache keeps a progkit.Response, not {type(value).__name__}")
        self._tier.put(key, encode(key, value))

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

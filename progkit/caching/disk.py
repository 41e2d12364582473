"""The tier in a directory, shared by all processes of its user on this machine."""

import os
from collections.abc import Iterator
from functools import cached_property
from itertools import chain
from pathlib import Path
from zlib import adler32

from progkit.caching.directory import default_directory, make_private
from progkit.caching.shard import Shard
from progkit.caching.tiers import Tier

SHARDS = 4
LAYOUT = "v1"
"""The folder for this way of laying out files: so many shards, chosen in this way, of diskcache's tables."""


class DiskTier(Tier):
    """Keeps what was stored last, in ``directory/v1/000`` to ``003``, as ``diskcache.FanoutCache(shards=4)`` would.

    directory: made (0700) at the first ``put``; None means ``default_directory()``, asked at first use.
    size_limit_bytes: of all the files; each shard gets its part.
    """

    name = "disk"

    def __init__(self, directory: str | os.PathLike[str] | None = None, size_limit_bytes: int = 1_000_000_000) -> None:
        self._given = directory
        self.size_limit_bytes = size_limit_bytes
        self._made = False

    @cached_property
    def directory(self) -> Path:
        """The directory; the files are below it."""
        return default_directory() if self._given is None else Path(self._given).expanduser()

    @cached_property
    def _shards(self) -> tuple[Shard, ...]:
        part = self.size_limit_bytes // SHARDS
        return tuple(Shard(self.directory / LAYOUT / f"{number:03}", part) for number in range(SHARDS))

    def get(self, key: str) -> bytes | None:
        """What is kept under *key*, or None."""
        return self._shards[adler32(key.encode()) % SHARDS].get(key)

    def put(self, key: str, value: bytes) -> None:
        """Keep *value*, dropping what was stored longest ago if there is no room."""
        if not self._made:
            self._make()
        self._shards[adler32(key.encode()) % SHARDS].put(key, value)

    def delete(self, key: str) -> bool:
        """Forget *key*; whether it was here."""
        return self._shards[adler32(key.encode()) % SHARDS].delete(key)

    def clear(self) -> None:
        """Forget everything, for every process."""
        for shard in self._shards:
            shard.clear()

    def keys(self) -> Iterator[str]:
        """Every key kept here."""
        return chain.from_iterable(shard.keys() for shard in self._shards)

    def stats(self) -> dict[str, int]:
        """``entries``, and ``bytes`` of the files that hold them."""
        counts, sizes = zip(*(shard.stats() for shard in self._shards), strict=True)
        return {"entries": sum(counts), "bytes": sum(sizes)}

    def close(self) -> None:
        """Close the files."""
        for shard in self._shards:
            shard.close()

    def _make(self) -> None:
        if not self.directory.exists():
            make_private(self.directory)
        make_private(self.directory / LAYOUT)
        self._made = True

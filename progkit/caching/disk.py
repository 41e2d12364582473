"""The tier in a directory, shared by all processes of its user on this machine."""

import os
from collections.abc import Iterator
from functools import cached_property
from itertools import chain
from pathlib import Path
from zlib import adler32

from progkit.caching import manifest
from progkit.caching.directory import default_directory, make_private
from progkit.caching.shard import Shard
from progkit.caching.tiers import Tier
from progkit.errors import ConfigurationError

LAYOUT = "v1"
"""The folder for this way of laying out files: shards, chosen in this way, of diskcache's tables."""


class DiskTier(Tier):
    """Keeps what was stored last, in ``directory/v1/000`` to ``003``, as ``diskcache.FanoutCache(shards=4)`` would.

    directory: made (0700) at the first ``put``; None means ``default_directory()``, asked at first use. One that
    cannot be written is read. size_limit_bytes: of all the files; each shard gets its part. shards: files that can be
    written at the same time; of a directory that is there already, what its ``manifest.json`` says counts. read,
    write: switches.

    Raises:
        ConfigurationError: for a number of shards that is not 1 to 256.
    """

    name = "disk"

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        size_limit_bytes: int = 1_000_000_000,
        *,
        shards: int = manifest.SHARDS,
        read: bool = True,
        write: bool = True,
    ) -> None:
        if not 1 <= shards <= manifest.MOST_SHARDS:
            raise ConfigurationError(f"shards is a number from 1 to {manifest.MOST_SHARDS}, not {shards!r}")
        self._given = directory
        self.size_limit_bytes = size_limit_bytes
        self.shards = shards
        self.read = read
        self.write = write
        self._made = False
        self._shards: tuple[Shard, ...] = ()
        self._layouts: dict[int, tuple[Shard, ...]] = {}

    @cached_property
    def directory(self) -> Path:
        """The directory; the files are below it."""
        return default_directory() if self._given is None else Path(self._given).expanduser()

    def get(self, key: str) -> bytes | None:
        """What is kept under *key*, or None."""
        shards = self._shards or self._there()
        return shards[adler32(key.encode()) % len(shards)].get(key) if shards else None

    def put(self, key: str, value: bytes) -> None:
        """Keep *value*, dropping what was stored longest ago if there is no room."""
        if not self._made:
            self._make()
        try:
            self._of(key).put(key, value)
        except FileNotFoundError:  # somebody has removed the directory
            self._make()
            self._of(key).put(key, value)

    def delete(self, key: str) -> bool:
        """Forget *key*; whether it was here."""
        return bool(self._there()) and self._of(key).delete(key)

    def clear(self) -> None:
        """Forget everything, for every process."""
        for shard in self._there():
            shard.clear()

    def keys(self) -> Iterator[str]:
        """Every key kept here."""
        return chain.from_iterable(shard.keys() for shard in self._there())

    def stats(self) -> dict[str, int]:
        """``entries``, and ``bytes`` of the files that hold them; ``set_aside``: how often files were broken."""
        shards = self._there()
        figures = [shard.stats() for shard in shards]
        return {
            "entries": sum(count for count, _ in figures),
            "bytes": sum(size for _, size in figures),
            "set_aside": sum(shard.broken for shard in shards),
        }

    def close(self) -> None:
        """Close the files."""
        for shard in chain.from_iterable(self._layouts.values()):
            shard.close()

    def _make(self) -> None:
        if not self.directory.exists():
            make_private(self.directory)
        self._lay_out(manifest.make(self.directory / LAYOUT, self.shards))
        self._made = True

    def _there(self) -> tuple[Shard, ...]:
        """The shards; none if there is no directory yet."""
        if not self._shards:
            # Only what is there is laid out: another thread may be making it at this moment.
            count = manifest.shards_of(self.directory / LAYOUT)
            if count:
                self._lay_out(count)
        return self._shards

    def _of(self, key: str) -> Shard:
        return self._shards[adler32(key.encode()) % len(self._shards)]

    def _lay_out(self, count: int) -> None:
        if count != len(self._shards):
            folder, part = self.directory / LAYOUT, self.size_limit_bytes // count
            shards = tuple(Shard(folder / f"{number:03}", part) for number in range(count))
            # Two threads may both come here; setdefault lets one of them stand.
            self._shards = self._layouts.setdefault(count, shards)

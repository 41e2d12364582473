"""Verify and gc: what in the tiers is no entry, past its time or invalidated, and taking it out."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from progkit.caching.cache import Cache
from progkit.caching.codec import open_entry
from progkit.caching.encryption import MAGIC
from progkit.caching.keylocks import FOLDER, STAYING
from progkit.caching.listing import SPOILT, rows
from progkit.caching.tags import PREFIX
from progkit.caching.tiers import Tier
from progkit.errors import CacheError, EntryError

SHOWN = 20
"""Troubles told one by one."""

FORGOTTEN = 86_400.0
"""Seconds after which nobody holds a lock any more."""


@dataclass(slots=True)
class Swept:
    """What was found in each tier: how many entries are ``sound``, ``expired``, ``invalidated``, ``unreadable``.

    ``sealed`` ones are encrypted, and not by a key at hand: whether they are sound, their owner knows. ``failed`` is 1
    for a tier that could not be read. removed, files: entries and files taken out; freed: their bytes. troubles: the
    first of them, ``tier, key: reason``.
    """

    tiers: dict[str, dict[str, int]] = field(default_factory=dict)
    removed: int = 0
    files: int = 0
    freed: int = 0
    troubles: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether there is a tier that could not be read, or not be swept."""
        return any("failed" in counts for counts in self.tiers.values())

    @property
    def ok(self) -> bool:
        """Whether every tier could be read, and every entry in it."""
        return not self.failed and not any("unreadable" in counts for counts in self.tiers.values())

    def __str__(self) -> str:
        lines = [
            f"{name:8}" + "  ".join(f"{count} {what}" for what, count in counts.items())
            for name, counts in self.tiers.items()
        ]
        if self.removed or self.files:
            lines.append(f"{self.removed} entries and {self.files} files removed, {self.freed} bytes")
        return "\n".join([*lines, *(f"  {each}" for each in self.troubles)])

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        return {name: getattr(self, name) for name in self.__slots__}


def verify(cache: Cache, now: Callable[[], float] = time.time) -> Swept:
    """Read every entry of every tier, and change nothing."""
    return _sweep(cache, (), now)


def collect(cache: Cache, now: Callable[[], float] = time.time) -> Swept:
    """Take out of every tier what is unreadable, has expired or was invalidated, and files that are left over."""
    report = _sweep(cache, ("expired", "invalidated", "unreadable"), now)
    if cache.directory is not None:
        for file in _left_over(cache.directory, now()):
            report.freed += file.stat().st_size
            file.unlink()
            report.files += 1
    return report


def _left_over(directory: Path, now: float) -> list[Path]:
    """The files of shards that were set aside, and of locks whose process was killed long ago."""
    broken = [*directory.glob("v*/[0-9][0-9][0-9].broken/*")]
    locks = [each for each in directory.glob(f"{FOLDER}/*") if not each.name.startswith(STAYING)]
    return broken + [each for each in locks if each.stat().st_mtime < now - FORGOTTEN]


def _sweep(cache: Cache, unwanted: tuple[str, ...], now: Callable[[], float]) -> Swept:
    report = Swept()
    for tier in cache.tiers:
        counts = Counter({"sound": 0})
        try:
            for key, size, state, reason in _states(cache, tier, now()):
                counts[state] += 1
                if reason and len(report.troubles) < SHOWN:
                    report.troubles.append(f"{tier.name}, {key}: {reason}")
                if state in unwanted and tier.delete(key):
                    report.removed += 1
                    report.freed += size
        except Exception as error:  # a tier may fail in any way; the others come too
            counts["failed"] = 1
            report.troubles.append(str(error) if isinstance(error, CacheError) else f"{type(error).__name__}: {error}")
        report.tiers[tier.name] = dict(counts)
    return report


def _states(cache: Cache, tier: Tier, now: float) -> Iterator[tuple[str, int, str, str]]:
    """Key, size, state and, of what is in trouble, the reason."""
    for key, value in rows(tier):
        if value == SPOILT or value.startswith(MAGIC):
            yield key, len(value), "sealed", ""
            continue
        try:
            entry = open_entry(key, value)
        except EntryError as error:
            yield key, len(value), "unreadable", str(error)
            continue
        if key.startswith(PREFIX):
            continue
        if entry.expires is not None and entry.expires <= now:
            yield key, len(value), "expired", ""
        elif cache.stamps.revoke(entry):
            yield key, len(value), "invalidated", ""
        else:
            yield key, len(value), "sound", ""

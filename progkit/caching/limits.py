"""The tiers of a cache when nobody names them, and what its settings may be."""

import os

from progkit.caching.disk import DiskTier
from progkit.caching.memory import MemoryTier
from progkit.caching.tiers import Tier
from progkit.errors import ConfigurationError


def usual_tiers(
    enable_memory_cache: bool,
    enable_disk_cache: bool,
    disk_cache_dir: str | os.PathLike[str] | None,
    disk_size_limit_bytes: int,
    memory_max_entries: float,
    memory_max_bytes: float,
) -> list[Tier]:
    """Memory and disk, those that are on; see ``Cache``.

    Raises:
        ConfigurationError: for a limit that is not above 0, saying how to turn a tier off.
    """
    limits = {"disk_size_limit_bytes": disk_size_limit_bytes, "memory_max_entries": memory_max_entries}
    for name, limit in (limits | {"memory_max_bytes": memory_max_bytes}).items():
        if not limit > 0:
            raise ConfigurationError(
                f"{name} must be a number above 0, not {limit!r}; enable_..._cache=False turns off"
            )
    tiers: list[Tier] = [MemoryTier(memory_max_entries, memory_max_bytes)] if enable_memory_cache else []
    return [*tiers, *([DiskTier(disk_cache_dir, int(disk_size_limit_bytes))] if enable_disk_cache else [])]


def not_negative(**seconds: float) -> None:
    """Refuse a time below 0.

    Raises:
        ConfigurationError: naming it.
    """
    for name, number in seconds.items():
        if not number >= 0:
            raise ConfigurationError(f"{name} is a number of seconds, 0 for none, not {number!r}")

"""The cache in force: the one that was configured, or the process's own."""

import os
from collections.abc import Sequence

from progkit import runtime
from progkit.caching.cache import Cache
from progkit.caching.redacting import Redact
from progkit.caching.tiers import Tier

_made: dict[str, Cache] = {}


def current_cache() -> Cache:
    """The cache in force here: that of ``configure`` or ``context``, or else the process's default one."""
    cache = runtime.current().cache
    return default_cache() if cache is None else cache


def default_cache() -> Cache:
    """The process's default cache, made when it is first asked for: memory, and the default directory."""
    made = _made.get("default")
    # Two threads may both make one, which costs nothing; setdefault lets one of them stand.
    return _made.setdefault("default", Cache()) if made is None else made


def reset_default_cache() -> None:
    """Close and forget the default cache; the next use makes a new one, where the environment then says."""
    made = _made.pop("default", None)
    if made is not None:
        made.close()


def configure_cache(
    enable_memory_cache: bool = True,
    enable_disk_cache: bool = True,
    disk_cache_dir: str | os.PathLike[str] | None = None,
    disk_size_limit_bytes: int = 1_000_000_000,
    memory_max_entries: float = 1_000_000,
    memory_max_bytes: float = 500_000_000,
    namespace: str = "",
    tiers: Sequence[Tier] | None = None,
    *,
    ttl: float | None = None,
    soft_ttl: float | None = None,
    stale_on_failure: float = 0.0,
    wait: float = 300.0,
    redact: Redact | None = None,
    redact_sent: bool = True,
) -> None:
    """Put a new ``Cache`` of these settings in force for the process; see there.

    Raises:
        ConfigurationError: for a limit that is not above 0, or a time that cannot be.
    """
    cache = Cache(
        enable_memory_cache,
        enable_disk_cache,
        disk_cache_dir,
        disk_size_limit_bytes,
        memory_max_entries,
        memory_max_bytes,
        namespace,
        tiers,
        ttl=ttl,
        soft_ttl=soft_ttl,
        stale_on_failure=stale_on_failure,
        wait=wait,
        redact=redact,
        redact_sent=redact_sent,
    )
    runtime.configure(cache=cache)

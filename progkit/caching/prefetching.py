"""Many entries fetched in one go, from tiers that can, before they are asked for one by one."""

from collections.abc import Iterable

from progkit.caching.cache import Cache
from progkit.caching.guard import Guarded


def can_prefetch(cache: Cache) -> bool:
    """Whether there is a tier that gives many at once, and one above it to take them."""
    return any(_gives_many(tier) for tier in cache._tiers[1:])


def prefetch(cache: Cache, keys: Iterable[str]) -> int:
    """Copy what tiers with ``get_many`` have under *keys* into the tiers above them; how many entries that were.

    What these are is looked at when they are asked for. Nothing is counted as hit or miss, and no trouble is raised.
    """
    wanted, found = list(dict.fromkeys(keys)), 0
    for depth, tier in enumerate(cache._tiers):
        above = cache._tiers[:depth]
        if above and _gives_many(tier):
            missing = [key for key in wanted if all(each.peek(key) is None for each in above)]
            entries = tier.get_many(missing)
            found += len(entries)
            for key, entry in entries.items():
                for each in above:
                    each.put(key, entry)
    return found


def _gives_many(tier: Guarded) -> bool:
    return hasattr(tier.tier, "get_many") and getattr(tier.tier, "read", True)

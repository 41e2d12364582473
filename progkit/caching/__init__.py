"""The cache: key, codec, tiers, and the ``Cache`` that puts them together.

A tier is any object with the methods of ``Tier``; its tests are ``TierContract`` in ``tests/contracts/tier.py``
and three lines. ``Cache(tiers=[...])`` uses it.
"""

from progkit.caching.cache import Cache
from progkit.caching.default import configure_cache, current_cache, default_cache, reset_default_cache
from progkit.caching.directory import default_directory
from progkit.caching.disk import DiskTier
from progkit.caching.key import KEY_VERSION, cache_key
from progkit.caching.memory import MemoryTier
from progkit.caching.tiers import Tier

__all__ = [
    "KEY_VERSION",
    "Cache",
    "DiskTier",
    "MemoryTier",
    "Tier",
    "cache_key",
    "configure_cache",
    "current_cache",
    "default_cache",
    "default_directory",
    "reset_default_cache",
]

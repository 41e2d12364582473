"""The cache: key, codec, tiers, and the ``Cache`` that puts them together.

A tier is any object with the methods of ``Tier``; its tests are ``TierContract`` in ``tests/contracts/tier.py``
and three lines. ``Cache(tiers=[...])`` uses it.
"""

from typing import TYPE_CHECKING

from progkit.caching.cache import Cache
from progkit.caching.default import configure_cache, current_cache, default_cache, reset_default_cache
from progkit.caching.directory import default_directory
from progkit.caching.disk import DiskTier
from progkit.caching.key import KEY_VERSION, cache_key
from progkit.caching.memory import MemoryTier
from progkit.caching.tags import EVERYTHING
from progkit.caching.tiers import Tier
from progkit.lazy import lazily

if TYPE_CHECKING:
    from progkit.caching.encryption import EncryptedTier
    from progkit.caching.explaining import Difference, Explanation, explain_miss
    from progkit.caching.files import export_cache, import_cache
    from progkit.caching.listing import Group, top
    from progkit.caching.moving import Moved, export_entries, import_entries
    from progkit.caching.prefetching import can_prefetch, prefetch
    from progkit.caching.redaction import Redactor
    from progkit.caching.redis_tier import RedisTier
    from progkit.caching.sweeping import Swept, collect, verify

__getattr__ = lazily(
    __name__,
    {
        "encryption": ("EncryptedTier",),
        "explaining": ("Difference", "Explanation", "explain_miss"),
        "files": ("export_cache", "import_cache"),
        "listing": ("Group", "top"),
        "moving": ("Moved", "export_entries", "import_entries"),
        "prefetching": ("can_prefetch", "prefetch"),
        "redaction": ("Redactor",),
        "redis_tier": ("RedisTier",),
        "sweeping": ("Swept", "collect", "verify"),
    },
)

__all__ = [
    "EVERYTHING",
    "KEY_VERSION",
    "Cache",
    "Difference",
    "DiskTier",
    "EncryptedTier",
    "Explanation",
    "Group",
    "MemoryTier",
    "Moved",
    "Redactor",
    "RedisTier",
    "Swept",
    "Tier",
    "cache_key",
    "can_prefetch",
    "collect",
    "configure_cache",
    "current_cache",
    "default_cache",
    "default_directory",
    "explain_miss",
    "export_cache",
    "export_entries",
    "import_cache",
    "import_entries",
    "prefetch",
    "reset_default_cache",
    "top",
    "verify",
]

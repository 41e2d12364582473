"""The memory tier: the contract, and its limits."""

import math

from contracts.tier import TierContract

from progkit.caching import MemoryTier
from progkit.caching.memory import OVERHEAD


class TestMemoryTier(TierContract):
    def make(self, tmp_path):
        return MemoryTier()


class TestMemoryLimits:
    def test_entries(self):
        """What was used longest ago goes first."""
        tier = MemoryTier(max_entries=2)
        for key in "ab":
            tier.put(key, b"x")
        tier.get("a")

        tier.put("c", b"x")

        assert sorted(tier.keys()) == ["a", "c"]

    def test_bytes(self):
        """Values with their overhead stay below the limit."""
        tier = MemoryTier(max_bytes=3 * (OVERHEAD + 100))
        for key in "abcd":
            tier.put(key, b"x" * 100)

        assert sorted(tier.keys()) == ["b", "c", "d"]
        assert tier.stats() == {"entries": 3, "bytes": 3 * (OVERHEAD + 100)}

    def test_a_value_that_is_too_large(self):
        """It is not kept, and neither is the one that it replaces."""
        tier = MemoryTier(max_bytes=OVERHEAD + 100)
        tier.put("a", b"x")

        tier.put("a", b"x" * 101)

        assert tier.get("a") is None
        assert tier.stats()["entries"] == 0

    def test_no_limits(self):
        """Infinity is a number of entries, and of bytes."""
        tier = MemoryTier(math.inf, math.inf)
        tier.put("a", b"x")

        assert tier.get("a") == b"x"

    def test_nothing_at_all(self):
        """With room for 0 entries it keeps none."""
        tier = MemoryTier(max_entries=0)
        tier.put("a", b"x")

        assert tier.get("a") is None

"""Many entries at once: a warm-up that finds a shared tier warm asks it a few times, not once for each demo."""

import secrets

import pytest
import redis_servers
from caches import ANSWER, told
from scripted import ScriptedLM

from progkit import Predict, context, warm
from progkit.caching import Cache, EncryptedTier, MemoryTier, RedisTier, can_prefetch, prefetch
from progkit.caching.codec import encode


class Many(MemoryTier):
    """A tier that gives many at once, or fails at it."""

    name = "many"

    def __init__(self, fails=False):
        super().__init__()
        self.fails = fails
        self.asked = []

    def get_many(self, keys):
        self.asked.append(list(keys))
        if self.fails:
            raise OSError("no")
        return {key: found for key in keys if (found := self.get(key)) is not None}


class TestPrefetch:
    def test_into_the_tiers_above(self):
        """What they have already is not asked for; what is not there is left out; nothing counts."""
        tiers = [MemoryTier(), MemoryTier(), Many(), MemoryTier()]
        cache = Cache(tiers=tiers)
        for key in "ab":
            tiers[2].put(key, encode(key, ANSWER))
        tiers[1].put("b", encode("b", ANSWER))

        assert prefetch(cache, "abca") == 1

        assert tiers[2].asked == [["a", "c"]]
        assert [tier.get("a") is not None for tier in tiers] == [True, True, True, False]
        assert all(each["hits"] == each["misses"] == 0 for each in cache.stats()["tiers"].values())

    def test_from_a_tier_that_fails(self):
        """Told once, and then it rests, as when it fails at reading one."""
        tiers = [MemoryTier(), Many(fails=True)]
        cache = Cache(tiers=tiers)

        assert len(told(lambda: [prefetch(cache, "ab") for _ in "abc"])) == 1
        assert len(tiers[1].asked) == 1

    @pytest.mark.parametrize(
        ("tiers", "can"),
        [
            ([MemoryTier(), Many()], True),
            ([Many(), MemoryTier()], False),
            ([MemoryTier(), EncryptedTier(Many(), {"k": bytes(32)})], True),
            ([MemoryTier(), EncryptedTier(MemoryTier(), {"k": bytes(32)})], False),
            ([MemoryTier()], False),
            ([], False),
        ],
    )
    def test_where_it_makes_sense(self, tiers, can):
        """It takes a tier that can, and one above it; one that is switched off is left alone."""
        cache = Cache(tiers=tiers)
        assert can_prefetch(cache) is can

        for tier in tiers:
            if isinstance(tier, MemoryTier):
                tier.read = False
        assert can_prefetch(cache) is (can and tiers[1].read)
        if not can_prefetch(cache):
            assert prefetch(cache, "ab") == 0


class TestWarmUp:
    def test_asks_a_warm_server_a_few_times(self):
        """Fifty demos are there already: one go for all, and none that is incomplete, uncached or without a key."""
        predict = Predict("question -> answer")
        predict.demos = [{"question": f"{number}?", "answer": f"{number}"} for number in range(50)]
        predict.demos.append({"question": None, "answer": "a"})
        uncached = Predict("question -> answer", cache=False)
        keyless = Predict("question -> answer", seed=float("nan"))
        uncached.demos = keyless.demos = predict.demos[:1]
        prefix = f"test-{secrets.token_hex(4)}"
        first = RedisTier(redis_servers.url(), prefix=prefix, timeout=20)
        with context(lm=ScriptedLM(), cache=Cache(tiers=[first])):
            assert warm(predict).warmed == 50

        with redis_servers.proxy() as proxy:
            tier = RedisTier(proxy.url, prefix=prefix, timeout=20)
            with context(lm=ScriptedLM(), cache=Cache(tiers=[MemoryTier(), tier])):
                report = warm(predict)
                asked = proxy.asked
                assert warm(uncached).skipped == 1
                assert told(lambda: warm(keyless))[0].startswith("not cacheable: params.seed is nan")

        assert (report.present, report.skipped) == (50, 1)
        assert asked <= 5
        first.clear()
        for each in (first, tier):
            each.close()

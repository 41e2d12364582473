"""The cache: hits and misses through the tiers, figures, and the one in force."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from caches import ANSWER, ask

from progkit import runtime
from progkit.caching import (
    Cache,
    DiskTier,
    MemoryTier,
    configure_cache,
    current_cache,
    default_cache,
    reset_default_cache,
)
from progkit.caching.codec import encode
from progkit.errors import ConfigurationError
from progkit.lm.response import Response


@pytest.fixture(autouse=True)
def own_default():
    """A default cache in the test's own directory."""
    reset_default_cache()
    yield
    reset_default_cache()


@pytest.fixture
def make(tmp_path):
    """Makes caches, and closes them."""
    made = []

    def make(kind=Cache, **settings):
        made.append(kind(**{"disk_cache_dir": tmp_path / "cache"} | settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


class TestTiers:
    def test_a_hit_is_what_was_put(self, make):
        """Usage and all: it is the program that marks it."""
        cache = make()
        cache.put("k", ANSWER)

        assert cache.get("k") == ANSWER
        assert cache.get("k") is not cache.get("k")
        assert cache.get("other") is None

    def test_a_hit_on_disk_is_copied_into_memory(self, make):
        """The next process finds it, once on disk and from then on in memory."""
        make().put("k", ANSWER)
        cache = make()

        assert [cache.get("k"), cache.get("k")] == [ANSWER, ANSWER]

        tiers = cache.stats()["tiers"]
        assert (tiers["memory"]["hits"], tiers["memory"]["misses"], tiers["disk"]["hits"]) == (1, 1, 1)

    def test_a_hit_is_copied_into_every_tier_above(self, make):
        """And into none below."""
        tiers = [MemoryTier() for _ in range(4)]
        tiers[2].put("k", encode("k", ANSWER))

        assert make(tiers=tiers).get("k") == ANSWER

        assert [tier.stats()["entries"] for tier in tiers] == [1, 1, 1, 0]

    @pytest.mark.parametrize(
        ("settings", "names"),
        [
            ({}, ["memory", "disk"]),
            ({"enable_disk_cache": False}, ["memory"]),
            ({"enable_memory_cache": False}, ["disk"]),
            ({"enable_memory_cache": False, "enable_disk_cache": False}, []),
        ],
    )
    def test_each_can_be_off(self, make, tmp_path, settings, names):
        """With both off nothing is kept, and nothing breaks."""
        cache = make(**settings)
        cache.safe_put("k", ANSWER)

        assert list(cache.stats()["tiers"]) == names
        assert cache.safe_get("k") == (ANSWER if names else None)
        assert cache.directory == (tmp_path / "cache" if "disk" in names else None)
        assert (tmp_path / "cache").exists() is ("disk" in names)
        assert repr(cache) == f"Cache({', '.join(names) or 'off'})"
        cache.reset_memory_cache()

    def test_limits_reach_the_tiers(self, make):
        """Entries and bytes in memory, bytes on disk."""
        cache = make(memory_max_entries=2, memory_max_bytes=5000, disk_size_limit_bytes=1_000_000)
        memory, disk = (each.tier for each in cache._tiers)

        assert (memory.max_entries, memory.max_bytes, disk.size_limit_bytes) == (2, 5000, 1_000_000)

    @pytest.mark.parametrize("name", ["memory_max_entries", "memory_max_bytes", "disk_size_limit_bytes"])
    def test_a_limit_of_nothing_is_refused(self, name):
        """It says how to turn a tier off."""
        with pytest.raises(ConfigurationError, match=f"{name} must be a number above 0, not 0"):
            Cache(**{name: 0})

    def test_forgetting(self, make):
        """One key everywhere, memory alone, everything."""
        cache = make()
        for key in ("a", "b", "c"):
            cache.put(key, ANSWER)

        assert (cache.delete("a"), cache.delete("a"), cache.get("a")) == (True, False, None)
        cache.reset_memory_cache()
        assert cache.stats()["tiers"]["memory"]["entries"] == 0
        assert cache.get("b") == ANSWER
        cache.clear()
        assert [cache.get(key) for key in "abc"] == [None] * 3

    def test_closing_is_not_the_end(self, make):
        """A closed cache opens its files again."""
        cache = make(enable_memory_cache=False)
        cache.put("k", ANSWER)
        cache.close()

        assert cache.get("k") == ANSWER

    def test_namespaces_share_nothing(self, make):
        """In one directory."""
        one, other = make(namespace="one"), make(namespace="other")
        one.put(one.key_for(ask()), ANSWER)

        assert other.get(other.key_for(ask())) is None
        assert one.get(one.key_for(ask())) == ANSWER

    def test_threads_share_it(self, make):
        """Every call finds what was put, and is counted."""
        cache = make()
        for number in range(10):
            cache.safe_put(cache.key_for(ask(f"{number}")), Response.of(f"{number}"))

        def work(number):
            return cache.safe_get(cache.safe_key(ask(f"{number % 10}"))).text

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(work, range(400))) == [f"{number % 10}" for number in range(400)]
        assert cache.stats()["hits"] == 400


class TestFigures:
    def test_of_calls_and_of_tiers(self, make):
        """A call is a hit or a miss; so is each tier that it asked."""
        cache = make()
        cache.safe_get("a")
        cache.safe_put("a", ANSWER)
        cache.safe_get("a")
        cache.reset_memory_cache()
        cache.safe_get("a")

        stats = cache.stats()

        assert {name: stats[name] for name in ("hits", "misses", "puts", "uncacheable", "errors")} == {
            "hits": 2,
            "misses": 1,
            "puts": 1,
            "uncacheable": 0,
            "errors": 0,
        }
        memory, disk = stats["tiers"]["memory"], stats["tiers"]["disk"]
        assert (memory["hits"], memory["misses"], memory["entries"]) == (1, 2, 1)
        assert (disk["hits"], disk["misses"], disk["entries"]) == (1, 1, 1)
        assert memory["bytes"] > 0
        assert disk["bytes"] > 0


class TestInForce:
    def test_the_default_one(self, tmp_path, monkeypatch):
        """One for the process, over the directory that the environment names."""
        monkeypatch.setenv("PROGKIT_CACHE_DIR", str(tmp_path / "mine"))

        assert current_cache() is current_cache() is default_cache()
        assert current_cache().directory == tmp_path / "mine"

    def test_is_made_once(self):
        """However many threads are the first."""
        go = threading.Barrier(8)

        def first(_):
            go.wait()
            return default_cache()

        with ThreadPoolExecutor(8) as pool:
            assert len(set(map(id, pool.map(first, range(8))))) == 1

    def test_a_configured_one(self, tmp_path):
        """It takes the place of the default at once; a context has its own."""
        before = current_cache()
        configure_cache(
            enable_disk_cache=True,
            enable_memory_cache=True,
            disk_cache_dir=tmp_path / "there",
            disk_size_limit_bytes=5_000_000_000,
            memory_max_entries=2_000_000,
            memory_max_bytes=10**9,
            namespace="n",
        )
        memory, disk = (each.tier for each in current_cache()._tiers)

        assert current_cache() is not before
        assert (current_cache().namespace, current_cache().directory) == ("n", tmp_path / "there")
        assert (memory.max_entries, memory.max_bytes, disk.size_limit_bytes) == (2_000_000, 10**9, 5_000_000_000)
        with runtime.context(cache=before):
            assert current_cache() is before
        with runtime.context(cache=None):
            assert current_cache() is before

    def test_a_new_default(self):
        """After a reset, and what the old one kept on disk is still there."""
        old = default_cache()
        old.put("k", ANSWER)

        reset_default_cache()

        assert default_cache() is not old
        assert default_cache().get("k") == ANSWER

    def test_one_directory_for_many_caches(self, tmp_path):
        """What one puts, the others find."""
        caches = [Cache(disk_cache_dir=tmp_path) for _ in range(3)]
        caches[0].put("k", ANSWER)

        assert [cache.get("k") for cache in caches] == [ANSWER] * 3
        assert all(isinstance(cache._tiers[1].tier, DiskTier) for cache in caches)
        for cache in caches:
            cache.close()

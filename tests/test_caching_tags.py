"""Tags and invalidation: one stamp, and what it reaches."""

import time

import pytest
from caches import ANSWER

from progkit.caching import EVERYTHING, Cache, DiskTier
from progkit.caching.codec import encode, open_entry
from progkit.caching.tags import MOST, REFRESH, Stamps, stamp_key
from progkit.errors import CacheError

NOTICE = stamp_key("")


class Clock:
    """A clock that stands."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Shelf:
    """What several processes share, and how often it was read."""

    def __init__(self):
        self.kept = {}
        self.read = []

    def stamps(self, clock, now=time.time, namespace=""):
        def read(key):
            self.read.append(key)
            return [self.kept[key]] if key in self.kept else []

        return Stamps(read, self.kept.update, namespace, clock, now)


def entry(*tags, at):
    return open_entry("k", encode("k", ANSWER, created=at, tags=tags))


@pytest.fixture
def clock():
    return Clock()


class TestStamps:
    def test_what_was_made_before_and_bears_the_tag_is_gone(self, clock):
        """Neither what was made since, nor what bears other tags."""
        stamps = Shelf().stamps(clock, now=lambda: 100.0)
        stamps.invalidate(["a"])

        assert [stamps.revoke(entry(*tags, at=at)) for tags, at in [("ab", 99), ("a", 100), ("a", 101), ("b", 99)]] == [
            True,
            True,
            False,
            False,
        ]
        assert not stamps.revoke(entry(at=99))

    def test_everything_bears_the_star(self, clock):
        """Tags or not."""
        stamps = Shelf().stamps(clock, now=lambda: 100.0)
        stamps.invalidate([EVERYTHING])

        assert stamps.revoke(entry(at=99))
        assert stamps.revoke(entry("a", at=99))

    def test_others_follow_after_a_while(self, clock):
        """They look once in ``REFRESH`` seconds, and not at each entry."""
        shelf = Shelf()
        one, other = shelf.stamps(clock), shelf.stamps(clock, now=lambda: 100.0)
        assert not any(one.revoke(entry("a", at=99)) for _ in range(10))
        other.invalidate(["a"])

        assert not one.revoke(entry("a", at=99))
        assert shelf.read == [NOTICE]
        clock.now += REFRESH
        assert all(one.revoke(entry("a", at=99)) for _ in range(10))
        assert shelf.read == [NOTICE, NOTICE, stamp_key(EVERYTHING), stamp_key("a")]

    def test_a_second_stamp_is_seen_too(self, clock):
        """The notice changes each time."""
        shelf = Shelf()
        one, other = shelf.stamps(clock), shelf.stamps(clock, now=lambda: 100.0 + clock.now)
        for _ in range(2):
            other.invalidate(["a"])
            clock.now += 10
            assert one.revoke(entry("a", at=90 + clock.now))
        assert not one.revoke(entry("a", at=111))

    def test_an_empty_shelf_changes_nothing(self, clock):
        """A tier that fails, or was cleared, revives no entry."""
        shelf = Shelf()
        one = shelf.stamps(clock)
        shelf.stamps(clock, now=lambda: 100.0).invalidate(["a"])
        assert one.revoke(entry("a", at=99))

        shelf.kept.clear()
        clock.now += REFRESH

        assert one.revoke(entry("a", at=99))

    def test_something_else_under_its_key_is_no_stamp(self, clock):
        """Nor does it raise."""
        shelf = Shelf()
        shelf.stamps(clock).invalidate([])
        shelf.kept[stamp_key("a")] = b"what?"

        assert not shelf.stamps(clock).revoke(entry("a", at=99))

    def test_not_everything_is_remembered(self, clock):
        """Of a million tags, so many."""
        stamps = Shelf().stamps(clock, now=lambda: 100.0)
        stamps.invalidate(["a"])
        for number in range(MOST + 10):
            stamps.of(str(number))

        assert len(stamps._known) <= MOST
        assert stamps.of("a") == 100.0

    def test_any_text_is_a_tag(self, clock):
        """Even what has no UTF-8 has a key; it cannot be kept."""
        assert len(stamp_key("\ud800")) == len(stamp_key("a"))


class TestCache:
    def make(self, tmp_path, clock, **settings):
        return Cache(disk_cache_dir=tmp_path, clock=clock, **settings)

    def put(self, cache, key, *tags):
        for tier in cache.tiers:
            tier.put(key, encode(key, ANSWER, tags=tags))

    def test_an_invalidated_entry_is_a_miss(self, tmp_path, clock):
        """In every tier, and counted; what is put again is found."""
        cache = self.make(tmp_path, clock)
        self.put(cache, "k", "model:m")
        self.put(cache, "other", "model:n")

        cache.invalidate("model:m", "user:7")

        assert cache.get("k") is None
        assert cache.get("other") == ANSWER
        assert cache.stats()["invalidated"] == 2
        time.sleep(0.001)
        cache.put("k", ANSWER)
        assert cache.get("k") == ANSWER
        cache.close()

    def test_another_process_forgets_what_it_has_in_memory(self, tmp_path, clock):
        """Through the tier that both share."""
        one, other = self.make(tmp_path, clock), self.make(tmp_path, clock)
        self.put(one, "k", "a")
        assert one.get("k") == ANSWER

        other.invalidate("a")
        clock.now += REFRESH

        assert one.get("k") is None
        assert one.stats()["tiers"]["memory"]["hits"] == 1
        for cache in (one, other):
            cache.close()

    def test_each_namespace_has_its_own(self, tmp_path, clock):
        """In one directory, what one invalidates the other keeps."""
        one, other = (self.make(tmp_path, clock, namespace=name) for name in ("one", "other"))
        for cache in (one, other):
            cache.put(cache.namespace, ANSWER)

        one.invalidate(EVERYTHING)
        clock.now += REFRESH

        assert one.get("one") is None
        assert other.get("other") == ANSWER
        assert not one.stamps.revoke(open_entry("other", other.tiers[1].get("other")))
        for cache in (one, other):
            cache.close()

    def test_a_tier_that_is_not_to_be_written(self, tmp_path, clock):
        """It gets no stamp either."""
        disk = DiskTier(tmp_path, write=False)
        Cache(tiers=[disk], clock=clock).invalidate("a")

        assert list(disk.keys()) == []

    def test_a_cache_of_memory_alone(self, clock):
        """Its stamps are its own, and take no room."""
        cache = Cache(enable_disk_cache=False, clock=clock)
        self.put(cache, "k", "a")
        cache.invalidate("a")

        assert cache.get("k") is None
        assert list(cache.tiers[0].keys()) == ["k"]

    def test_a_tier_that_cannot_keep_the_stamp(self, tmp_path, clock):
        """It is named; the others, and this process, have done it."""

        class Broken(DiskTier):
            name = "broken"

            def put(self, key, value):
                raise OSError("no space")

        disk = DiskTier(tmp_path)
        cache = Cache(tiers=[Broken(tmp_path / "b"), disk], clock=clock)
        disk.put("k", encode("k", ANSWER, tags=("a",)))

        with pytest.raises(CacheError, match="the broken tier cannot keep the stamp: OSError: no space"):
            cache.invalidate("a")

        assert cache.get("k") is None
        assert disk.get(stamp_key("a")) is not None
        cache.close()

"""How long a kept reply is served: times of entries, and what a reader may say."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from caches import ANSWER
from hypothesis import given
from hypothesis import strategies as st

from progkit.caching import Cache, DiskTier, MemoryTier, configure_cache, current_cache
from progkit.caching.codec import Entry, encode, open_entry
from progkit.caching.expiry import JITTER, Controls, controls_of, standing, times
from progkit.errors import ConfigurationError


class Clock:
    """A time that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(tmp_path, clock) -> Iterator:
    """Makes caches that share a directory and a clock."""
    made = []

    def make(**settings):
        made.append(Cache(disk_cache_dir=tmp_path / "cache", now=clock, **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


class TestTimeToLive:
    def test_ends(self, make, clock):
        """After it the reply is not found, in no tier, and that is counted."""
        cache = make(ttl=100)
        cache.put("k", ANSWER)

        clock.now += 89
        assert cache.get("k") == ANSWER
        clock.now += 11
        assert cache.get("k") is None
        assert cache.safe_get("k") is None

        stats = cache.stats()
        assert stats["expired"] == 4
        assert [tier["misses"] for tier in stats["tiers"].values()] == [2, 2]
        assert stats["tiers"]["memory"]["hits"] == 1

    def test_is_written_into_the_entry(self, make, clock):
        """Another cache, without such a setting, goes by it; and one that has it does not change old entries."""
        make(ttl=100).put("k", ANSWER)
        make().put("forever", ANSWER)

        clock.now += 1000
        assert make().get("k") is None
        assert make(ttl=100).get("forever") == ANSWER

    def test_putting_again_begins_anew(self, make, clock):
        """The later time counts, in every tier."""
        cache = make(ttl=100)
        cache.put("k", ANSWER)
        clock.now += 80
        cache.put("k", ANSWER)
        clock.now += 80

        assert cache.get("k") == ANSWER
        cache.reset_memory_cache()
        assert cache.get("k") == ANSWER

    def test_a_newer_one_below_is_found(self, make, clock):
        """Another process may have put it; it is copied up over the expired one."""
        cache, other = make(ttl=100), make(ttl=100)
        cache.put("k", ANSWER)
        clock.now += 200
        other.put("k", replace(ANSWER, model="newer"))

        assert cache.get("k").model == "newer"
        assert cache.get("k").model == "newer"
        assert cache.stats()["tiers"]["disk"]["hits"] == 1

    @given(st.text(), st.floats(1, 1e9), st.floats(0, 1e10))
    def test_jitter(self, key, ttl, created):
        """At most a tenth earlier, never later, and the same for a key each time."""
        controls = Controls(ttl=ttl, soft_ttl=ttl / 2)
        soft, expires = times(key, created, controls)

        assert created + ttl * (1 - JITTER) <= expires + 1e-3
        assert expires <= created + ttl
        assert created <= soft <= expires
        assert times(key, created, controls) == (soft, expires)

    def test_jitter_spreads(self):
        """What was kept at once does not end at once."""
        ends = {times(f"{number}", 0.0, Controls(ttl=100.0))[1] for number in range(100)}

        assert len(ends) == 100
        assert min(ends) < 91.5
        assert max(ends) > 98.5

    def test_none_is_for_ever(self):
        """So it is by default."""
        assert times("k", 5.0, Controls()) == (None, None)
        assert times("k", 5.0, Controls(ttl=1.0))[0] is None


class TestSoft:
    def test_is_served_and_marked(self, make, clock):
        """Until it expires."""
        cache = make(soft_ttl=50, ttl=100)
        cache.put("k", ANSWER)

        assert not cache.get("k").stale
        clock.now += 60
        assert cache.safe_get("k") == replace(ANSWER, stale=True)
        clock.now += 40
        assert cache.get("k") is None
        assert cache.stats()["stale"] == 1

    def test_a_fresh_one_below_goes_before_it(self, make, clock):
        """As when another process has asked again."""
        cache, other = make(soft_ttl=50), make(soft_ttl=50)
        cache.put("k", ANSWER)
        clock.now += 60
        assert cache.get("k").stale
        other.put("k", replace(ANSWER, model="newer"))

        assert (cache.get("k").model, cache.get("k").stale) == ("newer", False)
        assert cache.stats()["tiers"]["disk"]["hits"] == 1

    def test_the_mark_is_not_kept(self, make, clock):
        """A stale hit put again is what it was."""
        stale = replace(ANSWER.as_hit("k"), stale=True)

        assert open_entry("k", encode("k", stale)).response == ANSWER


class TestMemoryCache:
    def test_a_subclass_that_uses_it_gets_the_same(self, make, clock):
        """What is put there has its times, and what is read there has not expired."""
        cache = make(soft_ttl=50, ttl=100)
        cache._memory_cache["k"] = ANSWER

        assert cache._memory_cache["k"] == ANSWER
        clock.now += 60
        assert cache._memory_cache["k"].stale
        clock.now += 40
        assert "k" not in cache._memory_cache


class TestReader:
    def test_max_age(self, make, clock):
        """What was kept so long ago is a miss for this one alone; with 0, everything."""
        cache = make()
        cache.put("k", ANSWER)
        clock.now += 60

        assert cache.safe_get("k", Controls(max_age=60)) is None
        assert cache.safe_get("k", Controls(max_age=61)) == ANSWER
        assert cache.safe_get("k") == ANSWER
        cache.put("new", ANSWER)
        assert cache.safe_get("new", Controls(max_age=0)) is None

    def test_late(self, make, clock):
        """What has expired is there for one who gets no answer, if he says for how long."""
        cache = make(ttl=100, soft_ttl=50)
        cache.put("k", ANSWER)
        clock.now += 150

        assert cache.late("k", Controls()) is None
        assert cache.late("k", Controls(stale_on_failure=49)) is None
        assert cache.late("k", Controls(stale_on_failure=61)) == replace(ANSWER, stale=True)
        assert cache.late("k", Controls(stale_on_failure=61, max_age=80)) is None
        assert cache.late("k", Controls(stale_on_failure=71, max_age=80)) == replace(ANSWER, stale=True)
        assert cache.late("other", Controls(stale_on_failure=61)) is None

    @pytest.mark.parametrize(
        ("soft", "expires", "max_age", "now", "found"),
        [
            (None, None, None, 1e12, "fresh"),
            (10.0, 20.0, None, 9.9, "fresh"),
            (10.0, 20.0, None, 10.0, "soft"),
            (10.0, 20.0, None, 20.0, "expired"),
            (10.0, None, None, 1e12, "soft"),
            (None, 20.0, 5.0, 10.0, "expired"),
            (8.0, 20.0, 6.0, 10.0, "soft"),
            (None, None, 5.1, 10.0, "fresh"),
        ],
    )
    def test_standing(self, soft, expires, max_age, now, found):
        """Of an entry made at 5."""
        assert standing(Entry(2, "k", 5.0, ANSWER, soft, expires), max_age, now) == found


class TestControls:
    def test_what_config_says(self):
        """True is what the cache says, a dict changes it."""
        usual = Controls(ttl=60, stale_on_failure=5)

        assert controls_of(True, usual) is usual
        assert controls_of({}, usual) == usual
        assert controls_of({"ttl": None, "tags": ["a"]}, usual) == Controls(stale_on_failure=5, tags=("a",))
        assert controls_of({"no_cache": True}, usual) == replace(usual, no_cache=True)

    @pytest.mark.parametrize(
        ("said", "reason"),
        [
            ({"max_agee": 5}, "did you mean 'max_age'"),
            ({5: 5}, "no control"),
            ({"ttl": 0}, "ttl is a number of seconds above 0, or None, not 0"),
            ({"ttl": float("nan")}, "ttl"),
            ({"ttl": "1h"}, "ttl"),
            ({"soft_ttl": -1}, "soft_ttl"),
            ({"max_age": -1}, "max_age is a number of seconds, or None"),
            ({"max_age": True}, "max_age"),
            ({"stale_on_failure": None}, "0 turns it off"),
            ({"stale_on_failure": -1}, "stale_on_failure"),
            ({"no_cache": 1}, "no_cache is True or False, not 1"),
            ({"only_if_cached": None}, "only_if_cached"),
            ({"tags": "name"}, "tags is a list of names"),
            ({"tags": [1]}, "tags is a list of names"),
            ({"tags": None}, "tags is a list of names"),
        ],
    )
    def test_what_cannot_be_is_refused(self, said, reason):
        """It says what can."""
        with pytest.raises(ConfigurationError, match=reason):
            controls_of(said, Controls())

    def test_of_a_cache(self, tmp_path):
        """Checked when it is made; configure_cache takes the same."""
        with pytest.raises(ConfigurationError, match="soft_ttl"):
            Cache(soft_ttl=0)
        with pytest.raises(ConfigurationError, match="wait is a number of seconds"):
            Cache(wait=-1)

        configure_cache(disk_cache_dir=tmp_path, ttl=1, soft_ttl=0.5, stale_on_failure=2, wait=3)

        assert current_cache().controls == Controls(ttl=1, soft_ttl=0.5, stale_on_failure=2)
        assert current_cache().wait == 3


class TestReject:
    def test_forgets_in_every_tier(self, make):
        """Under every key that the response bears; how many there were."""
        cache = make()
        for key in "abc":
            cache.put(key, ANSWER)

        assert cache.reject(replace(ANSWER, keys=("a", "b", "x"))) == 2
        assert [cache.get(key) for key in "abc"] == [None, None, ANSWER]
        assert cache.stats()["rejected"] == 2
        assert cache.reject(ANSWER) == 0

    def test_a_tier_that_fails_is_told(self, tmp_path):
        """Or one would believe it forgotten."""

        class Stuck(MemoryTier):
            name = "stuck"

            def delete(self, key):
                raise OSError("no")

        cache = Cache(tiers=[Stuck(), DiskTier(tmp_path)])
        cache.put("k", ANSWER)

        with pytest.raises(Exception, match="the stuck tier cannot delete"):
            cache.reject(replace(ANSWER, keys=("k",)))
        assert cache.stats()["tiers"]["disk"]["entries"] == 0


def test_entries_carry_tags(make):
    """Those of the call."""
    cache = make()
    cache.safe_put("k", ANSWER, Controls(tags=("a", "b")))

    assert open_entry("k", cache._tiers[0].tier.get("k")).tags == ("a", "b")

"""The cache when others change it, and when something fails below it."""

from hashlib import sha256

import pytest
from caches import ANSWER, ask, told

from progkit.caching import Cache, MemoryTier
from progkit.caching.codec import encode
from progkit.caching.guard import REST
from progkit.errors import CacheError, EntryError, UncacheableError
from progkit.lm.response import Completion, Response


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


class Faulty(MemoryTier):
    """A tier that fails at what it is told to."""

    name = "faulty"

    def __init__(self, *failing):
        super().__init__()
        self.failing = set(failing)
        self.asked = []

    def _maybe(self, what):
        self.asked.append(what)
        if what in self.failing:
            raise OSError(f"no {what}")

    def get(self, key):
        self._maybe("get")
        return super().get(key)

    def put(self, key, value):
        self._maybe("put")
        super().put(key, value)

    def delete(self, key):
        self._maybe("delete")
        return super().delete(key)

    def stats(self):
        self._maybe("stats")
        return super().stats()


class TestSubclass:
    def test_its_key_is_asked_for_the_whole_request(self, make):
        """As a plain dict."""
        seen = []

        class Own(Cache):
            def cache_key(self, request):
                seen.append(request)
                return sha256(request["messages"][-1]["content"].encode()).hexdigest()

        cache = make(Own)

        assert cache.safe_key(ask(model="m", seed=1)) == cache.key_for(ask(model="n"))
        assert type(seen[0]) is dict
        assert seen[0] == {
            "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "?"}],
            "model": "m",
            "seed": 1,
        }

    def test_it_may_call_what_it_overrides(self, make):
        """The key of the whole request is the one that the fast way gives."""

        class Own(Cache):
            def cache_key(self, request):
                return "own-" + super().cache_key(request)

        assert make(Own, namespace="n").key_for(ask(model="m")) == "own-" + make(namespace="n").key_for(ask(model="m"))

    def test_a_subclass_of_a_subclass_has_its_key(self, make):
        """Overriding is noticed at any depth."""

        class Own(Cache):
            def cache_key(self, request):
                return "own"

        class Deeper(Own):
            pass

        assert make(Deeper).key_for(ask()) == "own"

    def test_memory_as_a_mapping(self, make):
        """What get and put of a subclass may stand on."""

        class Own(Cache):
            def get(self, key):
                return self._memory_cache.get(key)

            def put(self, key, value):
                self._memory_cache[key] = value

        cache = make(Own)
        cache.safe_put("k", ANSWER)
        cache.safe_put("l", ANSWER)
        memory = cache._memory_cache

        assert cache.safe_get("k") == ANSWER
        assert memory["k"] is not memory["k"]
        assert ("k" in memory, sorted(memory), len(memory)) == (True, ["k", "l"], 2)
        del memory["k"]
        assert cache.safe_get("k") is None
        with pytest.raises(KeyError):
            del memory["k"]
        cache.reset_memory_cache()
        assert dict(memory) == {}

    def test_the_mapping_holds_responses_alone(self, make):
        """Another value is refused with a word on what would do."""
        with pytest.raises(TypeError, match=r"keeps a progkit\.Response, not str"):
            make()._memory_cache["k"] = "yes"

    def test_the_mapping_without_a_memory_tier(self, make):
        """It works, and keeps nothing."""
        memory = make(enable_memory_cache=False)._memory_cache
        memory["k"] = ANSWER

        assert (len(memory), memory.get("k")) == (0, None)

    @pytest.mark.parametrize("what", ["get", "put", "cache_key"])
    def test_one_that_fails_fails_no_call(self, make, what):
        """It is counted, and told once."""

        def fail(self, *arguments):
            raise ZeroDivisionError("oops")

        cache = make(type("Own", (Cache,), {what: fail}))

        def call():
            for _ in "abc":
                key = cache.safe_key(ask())
                assert (key is None) is (what == "cache_key")
                assert cache.safe_get(key or "k") is None
                cache.safe_put(key or "k", ANSWER) if what != "get" else None

        sentences = told(call if what != "cache_key" else lambda: [cache.safe_key(ask()) for _ in "abc"])

        assert len(sentences) == 1
        assert f"Own.{what} fail" in sentences[0]
        assert "ZeroDivisionError: oops" in sentences[0]
        assert cache.stats()["uncacheable" if what == "cache_key" else "errors"] == 3

    def test_one_that_gives_something_else(self, make):
        """No text for a key, no response for a value: the same."""

        class Own(Cache):
            def cache_key(self, request):
                return 5

            def get(self, key):
                return "yes"

        cache = make(Own)

        with pytest.warns(RuntimeWarning, match=r"from Own\.cache_key no text: 5"):
            assert cache.safe_key(ask()) is None
        with pytest.warns(RuntimeWarning, match=r"it gave no progkit\.Response but str"):
            assert cache.safe_get("k") is None


class TestTroubles:
    def test_no_stable_key(self, make):
        """The reason is raised to whoever asks for it; each is counted, one is told."""
        cache = make()

        def act():
            for _ in "abc":
                assert cache.safe_key(ask(seed=float("nan"))) is None
            with pytest.raises(UncacheableError, match=r"params\.seed is nan"):
                cache.key_for(ask(seed=float("nan")))

        assert told(act) == [
            "not cacheable: params.seed is nan, which JSON cannot write; the LM is asked each time (told once)"
        ]
        assert cache.stats()["uncacheable"] == 4

    def test_an_answer_that_cannot_be_kept(self, make):
        """It is the caller's all the same."""
        cache = make()
        odd = Response((Completion("a", logprobs=object()),))

        assert len(told(lambda: [cache.safe_put("k", odd) for _ in "abc"])) == 1
        assert (cache.stats()["errors"], cache.stats()["puts"]) == (3, 0)
        with pytest.raises(EntryError):
            cache.put("k", odd)

    def test_a_tier_that_fails_is_left_alone_for_a_while(self, make):
        """The others serve; it is tried again after a minute; reading and writing apart."""
        now = [0.0]
        tier = Faulty("put")
        cache = make(tiers=[MemoryTier(), tier], clock=lambda: now[0])

        def act():
            for _ in "abc":
                cache.safe_put("k", ANSWER)
                assert cache.safe_get("k") == ANSWER
                cache.reset_memory_cache()
                assert cache.safe_get("k") is None

        sentences = told(act)
        assert sentences == [
            f"the faulty tier of the cache failed at writing and is left alone for {REST:.0f} s: OSError: no put"
        ]
        assert (tier.asked.count("put"), tier.asked.count("get")) == (1, 3)

        now[0] += REST
        tier.failing = {"get"}
        cache.safe_put("k", ANSWER)
        assert told(act) == []  # the same kind of failure
        assert (tier.asked.count("put"), tier.asked.count("get")) == (5, 4)
        assert cache.stats()["tiers"]["faulty"]["errors"] == 2

    def test_nowhere_to_write(self, make, tmp_path):
        """A directory that cannot be: memory alone, one warning."""
        (tmp_path / "file").write_text("")
        cache = make(disk_cache_dir=tmp_path / "file" / "cache")

        def act():
            for number in range(5):
                cache.safe_put(f"{number}", ANSWER)
                assert cache.safe_get(f"{number}") == ANSWER

        sentences = told(act)
        assert len(sentences) == 1
        assert "the disk tier of the cache failed at writing" in sentences[0]

    def test_a_database_that_is_none(self, make, tmp_path):
        """And cannot be one: reading and writing fail in one way, and that is told once."""
        for number in range(4):
            (tmp_path / "cache" / "v1" / f"00{number}" / "cache.db").mkdir(parents=True)
        cache = make()

        def act():
            assert cache.safe_get("k") is None
            cache.safe_put("k", ANSWER)
            assert cache.safe_get("k") == ANSWER

        assert len(told(act)) == 1
        assert "unable to open" in cache.stats()["tiers"]["disk"]["failed"]

    @pytest.mark.parametrize("entry", [b"rubbish", encode("other", ANSWER), b""])
    def test_an_entry_that_is_none(self, make, entry):
        """A miss of that tier; the next one is asked, and what is put replaces it."""
        tiers = [MemoryTier(), Faulty()]
        tiers[0].put("k", entry)
        cache = make(tiers=tiers)

        assert len(told(lambda: [cache.safe_get("k") for _ in "abc"])) == 1
        stats = cache.stats()["tiers"]["memory"]
        assert (stats["misses"], stats["errors"]) == (3, 3)

        tiers[1].put("k", encode("k", ANSWER))
        assert cache.safe_get("k") == cache.safe_get("k") == ANSWER
        assert cache.stats()["tiers"]["memory"]["errors"] == 4

    def test_what_is_asked_for_by_hand_raises(self, make):
        """Every tier has its turn, and every failure is named."""
        memory = MemoryTier()
        cache = make(tiers=[Faulty("delete", "stats"), memory])
        cache.put("k", ANSWER)

        with pytest.raises(CacheError, match="the faulty tier cannot delete: OSError: no delete"):
            cache.delete("k")

        assert memory.get("k") is None
        assert cache.stats()["tiers"]["faulty"] == {
            "hits": 0,
            "misses": 0,
            "missed": {},
            "errors": 0,
            "dropped": 0,
            "failed": "OSError: no stats",
        }

"""What a call may say about the cache, answers that come late, and rejection."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from flights import HeldLM, until
from scripted import ScriptedLM
from test_expiry import Clock

import progkit
from progkit import AdapterParseError, Cache, LMError, NotCachedError, OfflineMissError, Predict

QA = "question -> answer"


def says(text):
    return f"[[ ## answer ## ]]\n{text}"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make(clock):
    """Puts a cache in force that goes by the clock."""

    def make(**settings):
        progkit.cache = Cache(now=clock, **settings)
        return progkit.cache

    yield make
    progkit.cache.close()


def call(config=None, question="?", predict=None):
    return (predict or Predict(QA))(question=question, config={"cache": config} if config is not None else None)


class TestControls:
    def test_no_cache_asks_and_keeps(self, make):
        """The next call finds what it got."""
        make()
        with progkit.context(lm=ScriptedLM(says("a"), says("b"))):
            answers = [call(config).answer for config in (None, {"no_cache": True}, None)]

        assert answers == ["a", "b", "b"]

    def test_no_store_reads_and_keeps_nothing(self, make):
        """A hit is a hit."""
        cache = make()
        with progkit.context(lm=ScriptedLM(says("a"), says("b"), says("c"))):
            answers = [call({"no_store": True}) for _ in "ab"]
            answers += [call(), call({"no_store": True})]

        assert [each.answer for each in answers] == ["a", "b", "c", "c"]
        assert answers[0].get_lm_responses()[0].keys == ()
        assert cache.stats()["puts"] == 1

    def test_max_age(self, make, clock):
        """Older than that it is asked for again, and then younger for all."""
        make()
        with progkit.context(lm=ScriptedLM(says("a"), says("b"))):
            call()
            clock.now += 60
            answers = [call(config).answer for config in ({"max_age": 61}, {"max_age": 60}, {"max_age": 1}, None)]

        assert answers == ["a", "b", "b", "b"]

    def test_only_if_cached(self, make):
        """A miss is an error that names predictor and inputs, and the LM is not asked; async too."""
        make()
        lm = ScriptedLM(says("a"))
        with progkit.context(lm=lm):
            with pytest.raises(NotCachedError, match="only_if_cached") as caught:
                call({"only_if_cached": True})
            with pytest.raises(NotCachedError):
                asyncio.run(Predict(QA).acall(question="?", config={"cache": {"only_if_cached": True}}))
            call()
            assert call({"only_if_cached": True}).answer == "a"

        assert caught.value.inputs == {"question": "?"}
        assert not isinstance(caught.value, OfflineMissError)
        assert lm.count == 1

    def test_ttl(self, make, clock):
        """Of what the call keeps; another call goes by it. None is for ever."""
        make(ttl=10)
        with progkit.context(lm=ScriptedLM(*map(says, "abcd"))):
            call({"ttl": 100}, "1")
            call({"ttl": None}, "2")
            clock.now += 90
            assert [call(None, "1").answer, call(None, "2").answer] == ["a", "b"]
            clock.now += 10
            assert [call(None, "1").answer, call(None, "2").answer] == ["c", "b"]

    def test_from_the_predictor_and_the_lm(self, make):
        """The call's goes before the predictor's, and that before the LM's."""
        make()
        lm = ScriptedLM(*map(says, "abc"))
        lm.cache = {"no_cache": True}
        predict = Predict(QA, cache={"only_if_cached": True})

        with progkit.context(lm=lm):
            assert [call().answer, call().answer] == ["a", "b"]
            assert call(predict=predict).answer == "b"
            assert call({"no_cache": True}, predict=predict).answer == "c"
        assert all("cache" not in request.params for request in lm.requests)

    def test_a_name_that_is_none(self, make):
        """The call says so before anything is asked."""
        with (
            progkit.context(lm=ScriptedLM()),
            pytest.raises(progkit.ConfigurationError, match="did you mean 'no_store'"),
        ):
            call({"nostore": True})


class TestLate:
    def failing(self, make, clock, *script, config=None, seconds=150):
        """What a call gets *seconds* after the first, in a cache with a time to live of 100."""
        cache = make(ttl=100)
        with progkit.context(lm=ScriptedLM(says("a"), *script)):
            call()
            clock.now += seconds
            return cache, call({"stale_on_failure": 60} if config is None else config)

    def test_an_expired_answer_is_better_than_none(self, make, clock):
        """If the call says so; it is marked, a hit, and not kept anew."""
        cache, late = self.failing(make, clock, LMError("no"))

        [response] = late.get_lm_responses()
        assert (late.answer, response.stale, response.cache_hit, late.get_lm_usage()) == ("a", True, True, {})
        assert (cache.stats()["stale"], cache.stats()["puts"]) == (1, 1)

    @pytest.mark.parametrize("error", [LMError("no"), RuntimeError("any"), ConnectionError("at all")])
    def test_whatever_the_lm_raises(self, make, clock, error):
        """An LM may be anybody's class."""
        assert self.failing(make, clock, error)[1].answer == "a"

    def test_also_in_the_fallback(self, make, clock):
        """An unreadable reply, and then none."""
        assert self.failing(make, clock, "nonsense", LMError("no"))[1].answer == "a"

    def test_too_late(self, make, clock):
        """Then the failure is the caller's."""
        with pytest.raises(LMError):
            self.failing(make, clock, LMError("no"), seconds=161)

    def test_not_unless_one_says_so(self, make, clock):
        """By default a failure is a failure."""
        with pytest.raises(LMError):
            self.failing(make, clock, LMError("no"), config={})

    def test_not_without_reading(self, make, clock):
        """no_cache is no_cache."""
        with pytest.raises(LMError):
            self.failing(make, clock, LMError("no"), config={"stale_on_failure": 60, "no_cache": True})

    def test_not_for_a_reply_that_cannot_be_read(self, make, clock):
        """The LM has answered."""
        with pytest.raises(AdapterParseError):
            self.failing(make, clock, "nonsense", "nonsense")

    def test_not_if_it_was_never_cached(self, make, clock):
        """Nor without a cache."""
        make(stale_on_failure=60)
        with progkit.context(lm=ScriptedLM(LMError("no"), LMError("no"))):
            for config in (None, False):
                with pytest.raises(LMError):
                    call(config)

    def test_offline_and_only_if_cached(self, make, clock):
        """Nobody answers there either."""
        make(ttl=100, stale_on_failure=60)
        with progkit.context(lm=ScriptedLM(says("a"))):
            call()
            clock.now += 150
            assert call({"only_if_cached": True}).answer == "a"
            with progkit.context(offline=True):
                assert call().get_lm_responses()[0].stale

    def test_those_who_wait_get_it_too(self, make, clock):
        """Marked as the leader's; who has not said so gets the error."""
        cache = make(ttl=100, stale_on_failure=60)
        lm = HeldLM(says("a"), LMError("no"), LMError("no"))
        lm.let.set()
        with progkit.context(lm=lm), ThreadPoolExecutor(8) as pool:
            call()
            lm.let.clear()
            clock.now += 150
            tolerant = [pool.submit(progkit.carry(call)) for _ in range(4)]
            until(lambda: sum(len(each.waiting) for each in cache.flights.flights.values()) == 3)
            strict = pool.submit(progkit.carry(call), {"stale_on_failure": 0})
            until(lambda: sum(len(each.waiting) for each in cache.flights.flights.values()) == 4)
            lm.let.set()

            responses = [each.result().get_lm_responses()[0] for each in tolerant]
            assert isinstance(strict.exception(), LMError)

        assert {(each.text, each.stale, each.keys) for each in responses} == {(says("a"), True, responses[0].keys)}
        assert len(lm.calls) == 3


class TestReject:
    def test_a_prediction(self, make):
        """The next call asks again."""
        cache = make()
        with progkit.context(lm=ScriptedLM(*map(says, "ab"))):
            first = call()
            assert cache.reject(first) == 1
            assert call().answer == "b"
            assert cache.reject(call()) == 1
        assert cache.stats()["rejected"] == 2

    def test_also_where_the_fallback_put_it(self, make):
        """Under both keys, whether it was a miss or a hit."""
        cache = make()
        lm = ScriptedLM(*["nonsense", '{"answer": "a"}'] * 3)
        with progkit.context(lm=lm):
            assert cache.reject(call()) == 2
            call()
            hit = call()
            assert hit.get_lm_responses()[0].cache_hit
            assert cache.reject(hit) == 2
            call()

        assert lm.count == 6

    def test_a_prediction_of_ones_own(self, make):
        """It came from no reply."""
        assert make().reject(progkit.Prediction(answer="a")) == 0

    def test_what_was_not_kept(self, make):
        """Nothing of another call is forgotten."""
        cache = make()
        with progkit.context(lm=ScriptedLM(*map(says, "ab"))):
            call()
            other = call({"no_store": True, "no_cache": True})
            assert cache.reject(other) == 0
            assert call().answer == "a"

    def test_keys_of_a_nested_program_are_not_taken_over(self, make):
        """A response that an LM has from a cache of its own is kept under this call's key alone."""
        cache = make()
        alien = progkit.Response.of(says("a")).as_hit("elsewhere")
        with progkit.context(lm=ScriptedLM(alien)):
            [response] = call().get_lm_responses()

        assert len(response.keys[0]) == 64
        assert cache.get("elsewhere") is None

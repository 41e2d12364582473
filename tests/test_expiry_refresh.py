"""Replies past their soft time to live: served, and asked for again in the background."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from flights import HeldLM, until
from scripted import ScriptedLM
from test_expiry import Clock

import progkit
from progkit import Cache, LMError, Predict, track_usage
from progkit.caching.refreshing import MOST, REST, Refreshes
from progkit.program.answering import Question

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


class TestRefresh:
    def test_the_old_is_served_while_one_asks_again(self, make, clock):
        """Any number of calls, one refresh; then the new one, for all."""
        cache = make(soft_ttl=50)
        lm = HeldLM()
        lm.let.set()
        with progkit.context(lm=lm), track_usage() as tracker:
            call()
            lm.let.clear()
            clock.now += 60
            stale = [call() for _ in range(20)]
            lm.let.set()
            assert cache.refreshes.join(20)
            assert call().answer == "answer 2"

        assert {each.answer for each in stale} == {"answer 1"}
        assert {each.get_lm_responses()[0].stale for each in stale} == {True}
        assert [each.get_lm_usage() for each in stale] == [{}] * 20
        assert len(lm.calls) == 2
        assert (cache.stats()["refreshed"], cache.stats()["stale"]) == (1, 20)
        assert (tracker.calls, tracker.hits) == (1, 21)
        assert cache.flights.flights == {}

    def test_async_and_in_threads(self, make, clock):
        """It does not matter how the call comes."""
        cache = make(soft_ttl=50)
        lm = HeldLM()
        lm.let.set()
        with progkit.context(lm=lm):
            call()
            clock.now += 60

            async def main():
                return await asyncio.gather(*(Predict(QA).acall(question="?") for _ in range(50)))

            lm.let.clear()
            assert {each.answer for each in asyncio.run(main())} == {"answer 1"}
            with ThreadPoolExecutor(8) as pool:
                assert set(pool.map(progkit.carry(lambda _: call().answer), range(50))) == {"answer 1"}
            lm.let.set()
            assert cache.refreshes.join(20)

        assert len(lm.calls) == 2

    def test_a_failure_leaves_the_old_one(self, make, clock):
        """And the LM alone for a while."""
        ticks = [0.0]
        cache = make(soft_ttl=50, clock=lambda: ticks[0])
        lm = ScriptedLM(says("a"), LMError("no"), says("b"))
        with progkit.context(lm=lm):
            call()
            clock.now += 60
            for _ in "abc":
                assert call().answer == "a"
                assert cache.refreshes.join(20)
            assert lm.count == 2
            ticks[0] = REST
            assert call().answer == "a"
            assert cache.refreshes.join(20)
            assert call().answer == "b"

    def test_what_nobody_can_read_is_not_kept(self, make, clock):
        """The old one stands."""
        cache = make(soft_ttl=50)
        with progkit.context(lm=ScriptedLM(says("a"), "nonsense", "nonsense")):
            call()
            clock.now += 60
            call()
            assert cache.refreshes.join(20)
            assert call().answer == "a"

    def test_the_fallbacks_reply_is_asked_for_anew(self, make, clock):
        """In both layouts, and kept for both."""
        cache = make(soft_ttl=50)
        lm = ScriptedLM("nonsense", '{"answer": "a"}', "nonsense", '{"answer": "b"}')
        with progkit.context(lm=lm):
            call()
            clock.now += 60
            assert call().answer == "a"
            assert cache.refreshes.join(20)
            assert call().answer == "b"

    @pytest.mark.parametrize("config", [{"no_store": True}, {"only_if_cached": True}, "offline"])
    def test_not_for_a_call_that_may_not(self, make, clock, config):
        """What keeps nothing, or may not ask, begins none."""
        cache = make(soft_ttl=50)
        lm = ScriptedLM(says("a"))
        with progkit.context(lm=lm):
            call()
            clock.now += 60
            with progkit.context(offline=config == "offline"):
                assert call(None if config == "offline" else config).answer == "a"
            assert cache.refreshes.join(20)

        assert lm.count == 1

    def test_not_if_somebody_asks_already(self, make, clock):
        """Here, or in another process, or has just asked."""
        cache = make(soft_ttl=50)
        lm = ScriptedLM(says("a"))
        with progkit.context(lm=lm):
            call()
            ask = Predict(QA).ask({"question": "?"})
            question = Question(ask, ask.adapter)
            clock.now += 60
            with ThreadPoolExecutor(1) as pool:
                seat = pool.submit(cache.flights.board, question.key, True).result()
            call()
            assert cache.refreshes.join(20)
            seat.leave()
            passage = Cache().passage(question.key)
            assert passage.enter()
            call()
            assert cache.refreshes.join(20)
            passage.leave()

        assert (lm.count, cache.stats()["refreshed"]) == (1, 0)

    def test_not_if_it_is_fresh_by_now(self, make, clock):
        """Between the look and the lock another one may have got it."""
        cache = make(soft_ttl=50)
        lm = ScriptedLM(says("a"))
        with progkit.context(lm=lm):
            key = call().get_lm_responses()[0].keys[0]
            clock.now += 60
            begun = threading.Event()
            start, cache.refreshes.start = cache.refreshes.start, lambda *work: begun.wait(20) and start(*work)
            with ThreadPoolExecutor(1) as pool:
                calling = pool.submit(progkit.carry(call))
                until(lambda: cache.stats()["stale"] == 1)
                cache.put(key, progkit.Response.of(says("theirs")))
                begun.set()
                assert calling.result().answer == "a"
            assert cache.refreshes.join(20)
            assert call().answer == "theirs"

        assert lm.count == 1

    def test_who_misses_meanwhile_waits_for_it(self, make, clock):
        """A call that cannot take the old one shares the refresh."""
        cache = make(soft_ttl=50)
        lm = HeldLM()
        lm.let.set()
        with progkit.context(lm=lm), ThreadPoolExecutor(1) as pool:
            call()
            lm.let.clear()
            clock.now += 60
            call()
            until(lambda: len(lm.calls) == 2)
            strict = pool.submit(progkit.carry(call), {"max_age": 1})
            until(lambda: cache.stats()["misses"] == 2)
            lm.let.set()
            assert strict.result().answer == "answer 2"
            assert cache.refreshes.join(20)

        assert len(lm.calls) == 2


class TestRefreshes:
    def test_bounded(self):
        """So many at once, each key once; a thread that cannot start is no refresh."""
        refreshes, let = Refreshes(), threading.Event()
        work = lambda: let.wait(20)  # noqa: E731

        begun = [refreshes.start(f"{number}", work) for number in range(MOST + 2)]
        again = refreshes.start("0", work)

        assert begun == [True] * MOST + [False] * 2
        assert not again
        assert not refreshes.join(0.01)
        let.set()
        assert refreshes.join(20)
        assert refreshes.start("0", work)
        assert refreshes.join(20)

    def test_no_thread_to_be_had(self, monkeypatch):
        """As when the interpreter ends."""

        def start(self):
            raise RuntimeError("can't start new thread")

        refreshes = Refreshes()
        monkeypatch.setattr(threading.Thread, "start", start)

        assert not refreshes.start("k", print)
        assert refreshes.join(0)

    def test_a_forked_child_has_none(self):
        """The threads are the parent's."""
        refreshes, let = Refreshes(), threading.Event()
        refreshes.start("k", lambda: let.wait(20))
        thread = refreshes._running["k"]

        refreshes.forked()

        assert refreshes.join(0)
        assert not refreshes.locks[0].locked()
        let.set()
        thread.join()

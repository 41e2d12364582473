"""Waiting for another call's answer: whoever gives up meanwhile, and that nobody waits for himself."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from flights import QA, HeldLM, ask, until, waiting
from scripted import ScriptedLM

import progkit
from progkit import Predict
from progkit.caching import current_cache
from progkit.program.call import Ask


@pytest.fixture
def lm():
    """An LM that holds its answers, in force."""
    lm = HeldLM()
    with progkit.context(lm=lm):
        yield lm


class TestCancelling:
    def cancelled(self, lm, which):
        """What ten tasks get, those numbered *which* being cancelled while the LM is asked."""

        async def main():
            tasks = [asyncio.ensure_future(Predict(QA).acall(question="?")) for _ in range(10)]
            while waiting(current_cache()) < 9:
                await asyncio.sleep(0)
            for number in which:
                tasks[number].cancel()
            await asyncio.sleep(0.01)
            lm.let.set()
            return await asyncio.gather(*tasks, return_exceptions=True)

        return [getattr(each, "answer", type(each).__name__) for each in asyncio.run(main())]

    def test_a_leader_does_not_take_his_followers_along(self, lm):
        """One of them asks anew."""
        assert self.cancelled(lm, [0]) == ["CancelledError"] + ["answer 2"] * 9
        assert len(lm.calls) == 2

    def test_a_follower_goes_alone(self, lm):
        """Nobody else notices."""
        assert self.cancelled(lm, [3, 4]) == ["answer 1"] * 3 + ["CancelledError"] * 2 + ["answer 1"] * 5
        assert len(lm.calls) == 1

    def test_a_leader_and_his_successor(self, lm):
        """Both at once: the third one asks."""
        assert self.cancelled(lm, [0, 1]) == ["CancelledError"] * 2 + ["answer 2"] * 8
        assert len(lm.calls) == 2

    def test_all_of_them(self, lm):
        """Nothing is left behind."""
        assert self.cancelled(lm, range(10)) == ["CancelledError"] * 10
        assert current_cache().flights.flights == {}

    def test_a_coroutine_that_is_dropped(self, lm):
        """Closed, not cancelled: its seat is free."""

        async def main():
            coroutine = Predict(QA).acall(question="?")
            coroutine.send(None)
            leading = len(current_cache().flights.flights)
            coroutine.close()
            return leading

        assert asyncio.run(main()) == 1
        assert current_cache().flights.flights == {}

    def test_a_loop_that_ends_before_its_turn(self, lm):
        """A task of a loop that is gone does not keep the others from the answer."""
        loop = asyncio.new_event_loop()

        async def main():
            leader = asyncio.ensure_future(Predict(QA).acall(question="?"))
            await asyncio.sleep(0.01)
            follower = asyncio.ensure_future(Predict(QA).acall(question="?"))
            await asyncio.sleep(0.01)
            return leader, follower

        leader, follower = loop.run_until_complete(main())
        with ThreadPoolExecutor(1) as pool:
            thread = pool.submit(progkit.carry(Predict(QA)), question="?")
            until(lambda: waiting(current_cache()) == 2)
            leader.cancel()
            lm.let.set()
            loop.run_until_complete(asyncio.wait([leader]))
            assert thread.result().answer == "answer 2"
            loop.run_until_complete(follower)
        loop.close()

        assert len(lm.calls) == 2


class TestNobodyWaitsForHimself:
    def test_a_blocking_call_on_the_leaders_loop(self, lm):
        """It asks by itself; waiting would be for ever."""
        threading.Thread(target=lambda: until(lambda: len(lm.calls) == 2) or lm.let.set()).start()

        async def main():
            task = asyncio.ensure_future(Predict(QA).acall(question="?"))
            await asyncio.sleep(0)
            assert len(current_cache().flights.flights) == 1
            blocking = Predict(QA)(question="?")
            return blocking, await task

        blocking, task = asyncio.run(main())

        assert (blocking.answer, task.answer) == ("answer 2", "answer 1")
        assert len(lm.calls) == 2

    def test_a_blocking_call_on_another_loop(self, lm):
        """It does not wait for a leader on a loop either: that one's loop may be waiting for this one."""
        with ThreadPoolExecutor(1) as pool:
            leading = pool.submit(progkit.carry(lambda: asyncio.run(Predict(QA).acall(question="?"))))
            until(lambda: len(lm.calls) == 1)

            async def main():
                threading.Thread(target=lambda: until(lambda: len(lm.calls) == 2) or lm.let.set()).start()
                return Predict(QA)(question="?")

            assert asyncio.run(main()).answer == "answer 2"
            assert leading.result().answer == "answer 1"

    def test_a_call_inside_the_leaders_call(self):
        """An LM that is a program of its own, and asks the same."""
        inner = ScriptedLM("[[ ## answer ## ]]\na")

        def nested(_):
            with progkit.context(lm=inner):
                return f"[[ ## answer ## ]]\n{Predict(QA)(question='?').answer}"

        with progkit.context(lm=ScriptedLM(nested)):
            assert Predict(QA)(question="?").answer == "a"

    def test_who_leads_does_not_wait(self, lm):
        """Two that would wait for each other, each leading what the other asks for: both ask."""
        lm.let.set()
        asked = threading.Barrier(2, timeout=20)

        def nested(other):
            def answer(_):
                asked.wait()
                with progkit.context(lm=lm):
                    return f"[[ ## answer ## ]]\n{Predict(QA)(question=other).answer}"

            return answer

        def call(mine, other):
            with progkit.context(lm=ScriptedLM(nested(other), model="held/lm")):
                return Predict(QA)(question=mine).answer

        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(call, ["a", "b"], ["b", "a"]))

        assert {answer[:6] for answer in answers} == {"answer"}
        assert len(lm.calls) == 2

    def test_leading_ends_with_the_call(self, lm):
        """What comes after it in the same task waits again."""
        lm.let.set()
        Predict(QA)(question="first")
        lm.let.clear()

        results = ask(Predict(QA), 4, lm)

        assert {each.answer for each in results} == {"answer 2"}

    def test_a_leader_that_never_ends(self, lm):
        """A call waits as long as the cache says, then asks by itself: threads and tasks."""
        progkit.configure_cache(wait=0.05)
        loop = asyncio.new_event_loop()
        abandoned = loop.create_task(Predict(QA).acall(question="?"))
        loop.run_until_complete(asyncio.sleep(0.01))
        lm.let.set()

        with ThreadPoolExecutor(1) as pool:  # not on a thread that has run a loop
            assert pool.submit(progkit.carry(Predict(QA)), question="?").result().answer == "answer 2"
        current_cache().clear()
        assert asyncio.run(Predict(QA).acall(question="?")).answer == "answer 3"

        assert loop.run_until_complete(abandoned).answer == "answer 1"
        loop.close()


def test_the_word_that_comes_at_the_last_moment(lm):
    """One that was handed the lead as it gave up leads."""
    flights = current_cache().flights
    leader, late, other = (flights.board("k", True) for _ in range(3))
    leader.leave()  # the same thread may not wait for itself, so let others board
    assert [late.waits, other.waits] == [False, False]
    with ThreadPoolExecutor(1) as pool:
        leader = flights.board("k", True)
        late = pool.submit(flights.board, "k", True).result()
    assert late.waits

    leader.leave()
    late._give_up()

    assert late.leads
    late.leave()
    assert flights.flights == {}


def test_a_word_to_one_who_is_gone():
    """Cancelled a moment ago: it is his to hand on."""
    flights = current_cache().flights
    with ThreadPoolExecutor(1) as pool:
        leader = flights.board("k", True)
        gone = pool.submit(flights.board, "k", False).result()
    gone.signal.cancel()

    leader.leave()

    assert gone.leads
    gone.leave()
    assert flights.flights == {}


def test_may_share_and_patience():
    """Without a cache there is nothing to wait for."""
    predict = Predict(QA, cache=False)
    with progkit.context(lm=ScriptedLM()):
        ask = Ask(predict, {"question": "?"})

    assert ask.patience == 0

"""Many calls at once: what goes in, what comes out, how many at a time."""

import asyncio
import pickle
import threading
import time

import pytest
from batches import QA, EchoLM, rows
from flights import until

import progkit
from progkit import Example, Module, Predict
from progkit.batch.engine import AHEAD
from progkit.errors import ConfigurationError


@pytest.fixture
def lm():
    lm = EchoLM()
    progkit.configure(lm=lm)
    return lm


class Sync(Module):
    """A program without ``aforward``."""

    def __init__(self):
        self.ask = Predict(QA)
        self.threads = set()

    def forward(self, question):
        self.threads.add(threading.current_thread().name)
        return self.ask(question=question)


class TestResults:
    def test_come_in_the_order_of_the_inputs(self, lm):
        """However long each takes."""
        lm.script = {"0": 0.05, "1": 0.02}

        results = Predict(QA).batch(rows(5))

        assert [each.answer for each in results] == ["0", "1", "2", "3", "4"]
        assert results.failures == []
        assert (results.report.done, results.report.calls, results.report.hits) == (5, 5, 0)
        assert results.report.cost == pytest.approx(0.05)
        assert results.report.tokens == 50

    def test_come_as_they_finish_if_that_is_said(self, lm):
        """With the number of the input."""
        lm.script = {"0": 0.05}

        results = Predict(QA).batch(rows(3), ordered=False)

        assert [number for number, _ in results] == [1, 2, 0]
        assert dict(results)[0].answer == "0"

    def test_one_after_the_other(self, lm):
        """As an iterator, in order or not."""
        lm.script = {"0": 0.05}

        ordered = list(Predict(QA).batch_iter(rows(3)))
        lm.script = {"10": 0.05}
        finished = [number for number, _ in Predict(QA).batch_iter(rows(3, 10), ordered=False)]

        assert [(number, each.answer) for number, each in ordered] == [(0, "0"), (1, "1"), (2, "2")]
        assert finished == [1, 2, 0]

    def test_on_the_callers_event_loop(self, lm):
        """All at once, or one after the other; from iterables of both kinds."""

        async def questions():
            for each in rows(3):
                yield each

        async def main():
            predict = Predict(QA)
            return (
                await predict.abatch(questions()),
                await predict.abatch(rows(3), ordered=False),
                [pair async for pair in predict.abatch_iter(questions())],
                [pair async for pair in predict.abatch_iter(rows(3), ordered=False)],
            )

        lists = asyncio.run(main())

        assert [each.answer for each in lists[0]] == ["0", "1", "2"]
        for pairs in lists[1:]:
            assert sorted((number, each.answer) for number, each in pairs) == [(0, "0"), (1, "1"), (2, "2")]
        assert lists[0].report.total is None
        assert lists[1].report.total == 3

    def test_where_an_event_loop_runs_already(self, lm):
        """A notebook has one: batch() works there all the same."""

        async def main():
            return Predict(QA).batch(rows(2))

        assert [each.answer for each in asyncio.run(main())] == ["0", "1"]

    def test_nothing_of_nothing(self, lm):
        """No inputs, no results."""
        assert Predict(QA).batch([]) == []
        assert list(Predict(QA).batch_iter(iter(()))) == []

    def test_survive_pickling(self, lm):
        """With the report."""
        results = Predict(QA).batch(rows(2))

        again = pickle.loads(pickle.dumps(results))

        assert again == results
        assert again.report.done == 2


class TestInputs:
    def test_are_dicts_examples_or_either_with_an_id(self, lm):
        """Of an Example its inputs, if it says which they are, or else all it has."""
        inputs = [
            {"question": "a"},
            Example(question="b", answer="label").with_inputs("question"),
            Example(question="c"),
            ("row-4", {"question": "d"}),
        ]

        results = Predict(QA).batch(inputs, ordered=False, concurrency=1)

        assert [(name, each.answer) for name, each in results] == [(0, "a"), (1, "b"), (2, "c"), ("row-4", "d")]

    @pytest.mark.parametrize("inputs", [{"question": "?"}, "text", 7])
    def test_are_an_iterable_of_such(self, lm, inputs):
        """A dict alone is not."""
        with pytest.raises(ConfigurationError, match="iterable of dicts or Examples, not"):
            Predict(QA).batch(inputs)

    def test_of_another_kind_are_refused_by_number(self, lm):
        """After what was before them has come to its end."""
        with pytest.raises(ConfigurationError, match="input 1 of the batch is 'what'"):
            Predict(QA).batch([{"question": "a"}, "what"])

    def test_that_are_async_need_abatch(self, lm):
        """batch() says so."""

        async def questions():
            yield {"question": "a"}

        with pytest.raises(ConfigurationError, match="abatch"):
            Predict(QA).batch(questions())

    def test_a_generator_is_not_read_far_ahead(self, lm):
        """Of a list of results, twice the concurrency; of an iterator that nobody asks, a fixed number."""
        lm.let.clear()
        read = []

        def questions():
            for each in rows(500):
                read.append(each)
                yield each

        iterator = Predict(QA).batch_iter(questions(), concurrency=4)
        starter = threading.Thread(target=next, args=(iterator,), daemon=True)
        starter.start()
        until(lambda: lm.count == 4)
        time.sleep(0.02)
        held = len(read)
        lm.let.set()
        starter.join()
        time.sleep(0.05)
        iterator.close()

        assert lm.most == 4
        assert held <= 4 + 4 + 1
        assert len(read) <= (AHEAD + 2) * 4

    def test_a_generator_is_read_on_the_callers_thread(self, lm):
        """It may be a cursor that belongs there."""
        here = set()

        def questions():
            for each in rows(40):
                here.add(threading.current_thread())
                yield each

        Predict(QA).batch(questions(), concurrency=2)

        assert here == {threading.current_thread()}

    def test_what_the_inputs_raise_comes_after_what_is_under_way(self, lm):
        """Sync and async."""

        def questions():
            yield from rows(3)
            raise OSError("the disk is gone")

        finished = []

        async def main():
            async for pair in Predict(QA).abatch_iter(questions()):
                finished.append(pair)

        with pytest.raises(OSError, match="the disk is gone"):
            finished.extend(Predict(QA).batch_iter(questions()))
        with pytest.raises(OSError, match="the disk is gone"):
            asyncio.run(main())

        assert len(finished) == 6


class TestConcurrency:
    def test_is_bounded_and_used(self, lm):
        """So many at once, no more and no fewer."""
        lm.script = {str(number): 0.01 for number in range(20)}

        Predict(QA).batch(rows(20), concurrency=5)

        assert lm.most == 5

    def test_sync_programs_run_in_as_many_threads(self, lm):
        """And see the caller's settings."""
        other = EchoLM({str(number): 0.02 for number in range(12)})
        program = Sync()

        with progkit.context(lm=other):
            results = program.batch(rows(12), num_threads=3)

        assert [each.answer for each in results] == [str(number) for number in range(12)]
        assert other.most == 3
        assert len(program.threads) <= 3
        assert all(name.startswith("progkit-batch") for name in program.threads)

    def test_an_lm_without_acomplete_runs_in_these_threads(self, lm):
        """More of them than asyncio would have."""
        together = threading.Barrier(40, timeout=10)

        class Blocking:
            identity = {"model": "blocking/lm"}

            def complete(self, request):
                together.wait()
                return lm.complete(request)

        results = Predict(QA).batch(rows(40), concurrency=40)
        with progkit.context(lm=Blocking()):
            results = Predict(QA).batch(rows(40), concurrency=40)

        assert len(results) == 40
        assert results.failures == []

    def test_a_thread_on_another_loop_does_not_wait_for_these(self, lm):
        """A sync program that runs a loop of its own, in the only thread there is."""

        class Nested(Module):
            def __init__(self):
                self.part = Sync()

            def forward(self, question):
                return asyncio.run(self.part.acall(question=question))

        results = Nested().batch(rows(2), concurrency=1)

        assert [each.answer for each in results] == ["0", "1"]

    def test_the_same_inputs_cost_one_call(self, lm):
        """At once, and later."""
        results = Predict(QA).batch([{"question": "same"}] * 50, concurrency=10)

        assert [each.answer for each in results] == ["same"] * 50
        assert lm.count == 1
        assert (results.report.calls, results.report.hits) == (1, 49)
        assert results.report.hit_share == pytest.approx(0.98)

    def test_without_a_cache_each_asks(self, lm):
        """As any other calls."""
        lm.cache = False

        Predict(QA).batch([{"question": "same"}] * 5)

        assert lm.count == 5

    def test_usage_is_counted_where_the_caller_counts(self, lm):
        """Around the batch, whichever thread it runs on."""
        with progkit.track_usage() as usage:
            Predict(QA).batch(rows(3))

        assert usage.calls == 3

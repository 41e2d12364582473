"""Many calls at once: failures, limits of time, cancelling, options."""

import asyncio
import contextlib
import threading

import pytest
from batches import QA, EchoLM, rows
from flights import until

import progkit
from progkit import BatchStoppedError, Example, Failure, Module, Predict
from progkit.batch import loops
from progkit.batch.threads import Pool, Threads
from progkit.errors import ConfigurationError, InputError, ItemTimeoutError, LMServerError


@pytest.fixture
def lm():
    lm = EchoLM()
    progkit.configure(lm=lm)
    return lm


class TestFailures:
    def test_stand_in_the_place_of_results(self, lm):
        """False, with the id, the inputs and the error."""
        lm.script = {"1": LMServerError("down")}

        results = Predict(QA).batch(rows(3))

        assert [bool(each) for each in results] == [True, False, True]
        assert results.failures == [results[1]]
        assert (results[1].id, results[1].inputs) == (1, {"question": "1"})
        assert isinstance(results[1].error, LMServerError)
        assert results.report.failed == 1
        assert "1 failed" in str(results.report)

    def test_of_inputs_too(self, lm):
        """A misspelt name fails its item."""
        results = Predict(QA).batch([{"question": "a"}, {"qestion": "b"}], ordered=False)

        assert isinstance(dict(results)[1].error, InputError)
        assert [each.id for each in results.failures] == [1]

    def test_more_than_max_errors_stop_the_batch(self, lm):
        """What is under way ends first, and the error has all that was finished, in order."""
        lm.script = {"2": LMServerError("down"), "4": LMServerError("down again")}

        with pytest.raises(BatchStoppedError, match="2 failed, and max_errors is 1; the last: LMServerError") as caught:
            Predict(QA).batch(rows(100), max_errors=1, concurrency=2)

        error = caught.value
        assert isinstance(error.__cause__, LMServerError)
        assert [number for number, _ in error.finished] == list(range(len(error.finished)))
        assert 5 <= len(error.finished) < 10
        assert f"({len(error.finished)} results are in .finished). With a checkpoint" in str(error)

    def test_the_same_on_the_callers_loop(self, lm):
        """And an iterator has handed out what was finished before it raises."""
        lm.script = {"2": LMServerError("down")}
        handed = []

        async def main():
            async for pair in Predict(QA).abatch_iter(rows(100), max_errors=0, concurrency=2):
                handed.append(pair)

        with pytest.raises(BatchStoppedError) as caught:
            asyncio.run(Predict(QA).abatch(rows(100), max_errors=0, concurrency=2))
        with pytest.raises(BatchStoppedError):
            asyncio.run(main())

        assert 3 <= len(caught.value.finished) < 8
        assert [number for number, _ in handed] == list(range(len(handed)))
        assert 3 <= len(handed) < 8

    def test_any_number_of_them(self, lm):
        """With max_errors=None."""
        lm.script = {str(number): LMServerError("down") for number in range(30)}

        results = Predict(QA).batch(rows(30), max_errors=None)

        assert len(results.failures) == 30

    def test_as_dspy_gives_them(self, lm):
        """None in their place, the inputs that failed, the errors; and DSPy's other names."""
        lm.script = {"1": LMServerError("down")}
        examples = [Example(question=str(n), answer="?").with_inputs("question") for n in range(3)]

        results, failed, errors = Predict(QA).batch(
            examples,
            num_threads=2,
            max_errors=5,
            return_failed_examples=True,
            provide_traceback=True,
            disable_progress_bar=True,
            timeout=120,
            straggler_limit=3,
        )

        assert [each and each.answer for each in results] == ["0", None, "2"]
        assert failed == [examples[1]]
        assert [type(each) for each in errors] == [LMServerError]
        with pytest.raises(ConfigurationError, match="return_failed_examples"):
            Predict(QA).batch_iter(examples, return_failed_examples=True)

    def test_a_program_that_cancels_itself_fails(self, lm):
        """And takes nobody with it."""

        class Odd(Module):
            async def aforward(self, question):
                if question == "1":
                    raise asyncio.CancelledError
                return question

        results = Odd().batch(rows(3))

        assert [type(each) for each in results] == [str, Failure, str]

    def test_an_end_of_the_process_ends_the_batch(self, lm):
        """SystemExit is no failure of an item."""

        class Ending(Module):
            def forward(self, question):
                raise SystemExit(3)

        with pytest.raises(SystemExit):
            Ending().batch(rows(3))


class TestTime:
    def test_an_item_may_take_so_long(self, lm):
        """Then it fails; its call is not made again."""
        lm.script = {"1": 30}

        results = Predict(QA).batch(rows(3), timeout=0.05)

        assert isinstance(results[1].error, ItemTimeoutError)
        assert "(timeout)" in str(results[1].error)
        assert lm.questions.count("1") == 1
        assert lm.cancelled == ["1"]

    def test_what_waits_for_a_thread_gets_the_next_one(self, lm):
        """A thread given up on makes room at once, also for work that is there already; late, it ends."""
        pool = Pool(1)
        let, begun = threading.Event(), threading.Event()
        stuck = pool.submit(lambda: begun.set() or let.wait(10))
        begun.wait(10)
        waiting = pool.submit(lambda: "done")

        pool.give_up(stuck)
        pool.give_up(stuck)

        assert waiting.result(10) == "done"
        let.set()
        until(lambda: len([each for each in threading.enumerate() if each.name == "progkit-batch-worker"]) <= 1)
        assert pool.submit(lambda: "again").result(10) == "again"
        pool.close()

    def test_what_is_cancelled_before_it_has_a_thread_is_not_done(self, lm):
        """Nothing is given up for it."""
        done = []
        let = threading.Event()

        async def main():
            pool = Threads(1)
            first = asyncio.create_task(pool.run(let.wait, 10))
            second = asyncio.create_task(pool.run(done.append, 1))
            await asyncio.sleep(0.01)
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)
            let.set()
            await first
            await pool.run(done.append, 2)
            pool.close()

        asyncio.run(main())

        assert done == [2]

    def test_a_timeout_of_the_programs_own_is_its_own(self, lm):
        """A TimeoutError from within says what it says."""
        lm.script = {"0": TimeoutError("the database")}

        results = Predict(QA).batch(rows(1), timeout=5)

        assert str(results[0].error) == "the database"

    def test_a_thread_given_up_on_takes_nobodys_place(self, lm):
        """The next item has another one."""
        let = threading.Event()

        class Slow(Module):
            def forward(self, question):
                if question == "0":
                    let.wait(10)
                return question

        try:
            results = Slow().batch(rows(3), concurrency=1, timeout=0.1)
        finally:
            let.set()
        assert isinstance(results[0].error, ItemTimeoutError)
        assert results[1:] == ["1", "2"]

    def test_stragglers_are_given_up(self, lm, monkeypatch):
        """When so few are left, and one takes five times as long as the others."""
        monkeypatch.setattr("progkit.batch.engine.LEAST", 0.05)
        lm.script = {"3": 30}

        results = Predict(QA).batch(rows(20), straggler_limit=2)
        timed = Predict(QA).batch(rows(20), straggler_limit=2, timeout=20)

        assert [each.id for each in results.failures] == [3]
        assert "straggler" in str(results[3].error)
        assert "straggler" in str(timed[3].error)
        assert lm.questions.count("3") == 2

    def test_a_straggler_has_no_more_time_than_others(self, lm):
        """A timeout that is shorter than five times the median holds."""
        lm.script = {"3": 30}

        results = Predict(QA).batch(rows(4), straggler_limit=2, timeout=0.1)

        assert "(timeout)" in str(results[3].error)


class TestCancelling:
    def test_leaving_an_iterator_cancels_what_is_under_way(self, lm):
        """And waits for it."""
        lm.script = {str(number): 30 for number in range(1, 50)}
        iterator = Predict(QA).batch_iter(rows(50), concurrency=4, ordered=False)
        first = next(iterator)
        iterator.close()
        assert first[1].answer == "0"
        assert len(lm.cancelled) == lm.count - 1
        assert loops._idle

    def test_a_cancelled_task_cancels_its_batch(self, lm):
        """Nothing goes on behind its back."""
        lm.script = {str(number): 30 for number in range(50)}

        async def main():
            task = asyncio.create_task(Predict(QA).abatch(rows(50), concurrency=4))
            while lm.count < 4:
                await asyncio.sleep(0.001)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            return [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]

        assert asyncio.run(main()) == []
        assert len(lm.cancelled) == 4

    def test_an_interrupted_caller_cancels_its_batch(self, lm):
        """Ctrl-C comes to the caller's thread, here while it reads inputs."""
        lm.script = {str(number): 30 for number in range(50)}

        def questions():
            yield from rows(4)
            until(lambda: lm.count == 4)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            Predict(QA).batch(questions(), concurrency=8)

        assert len(lm.cancelled) == 4


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"concurency": 3}, "no option 'concurency'.*concurrency"),
            ({"concurrency": 0}, "concurrency is a whole number"),
            ({"chunk": 1.5}, "chunk is a whole number"),
            ({"timeout": 0}, "timeout is a number above 0"),
            ({"requests_per_minute": -1}, "requests_per_minute is a number above 0"),
            ({"max_errors": -1}, "max_errors is a number, 0 or more"),
            ({"loader": dict}, "give executor="),
        ],
    )
    def test_that_cannot_work_are_refused(self, lm, options, told):
        """Before anything is read."""
        with pytest.raises(ConfigurationError, match=told):
            Predict(QA).batch_iter(rows(1), **options)

    def test_progress_is_told_after_each_item(self, lm):
        """With the report, which is the caller's own if there is one."""
        seen = []
        report = progkit.BatchReport()

        results = Predict(QA).batch(
            rows(3), progress=lambda at: seen.append((at.done, at.total, at.left is None)), report=report
        )

        assert seen == [(1, 3, False), (2, 3, False), (3, 3, False)]
        assert results.report is report
        assert report.to_dict()["done"] == 3
        assert str(report).startswith("3 of 3 answered, 3 calls, 0 hits, ")

    def test_time_left_is_not_known_of_a_generator(self, lm):
        """Nobody knows how many there will be."""
        seen = []

        Predict(QA).batch(iter(rows(2)), progress=lambda at: seen.append((at.total, at.left)))

        assert seen == [(None, None)] * 2

    def test_progress_that_raises_ends_the_batch(self, lm):
        """It is the caller's own code."""

        def progress(report):
            raise ValueError("no more")

        with pytest.raises(ValueError, match="no more"):
            Predict(QA).batch(rows(3), progress=progress)

    def test_a_ceiling_of_cost_is_not_passed(self, lm):
        """Judged by the dearest; the first runs alone. What is cached costs nothing."""
        predict = Predict(QA)
        predict.batch(rows(3))

        with pytest.raises(BatchStoppedError, match=r"cost ceiling of \$0.055 reached") as caught:
            predict.batch(rows(20), max_cost=0.055, concurrency=4)

        assert len(caught.value.finished) == 3 + 5
        assert lm.count == 3 + 5

    def test_a_ceiling_that_is_just_enough(self, lm):
        """Is no reason to stop."""
        results = Predict(QA).batch(rows(3), max_cost=0.0301)

        assert len(results) == 3

    def test_what_nobody_was_asked_for_tells_no_price(self, lm):
        """An input that does not fit is no reason to begin everything at once."""
        with pytest.raises(BatchStoppedError, match="ceiling"):
            Predict(QA).batch([{"q": "?"}, *rows(20)], max_cost=0.035, concurrency=20)

        assert lm.count == 3

    def test_an_unknown_price_ends_a_batch_with_a_ceiling(self, lm):
        """Nobody can say when it would be passed."""
        lm.cost = None

        with pytest.raises(BatchStoppedError, match="price of a call is unknown"):
            Predict(QA).batch(rows(5), max_cost=1)

        assert lm.count == 1

"""Batches on executors: threads, processes, and a Dask cluster with two worker processes and one cache."""

import asyncio
import multiprocessing
import os
import pickle
import threading
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from batches import DESK, QA, EchoLM, asked, rows, said
from servers import ChatServer, Reply

import progkit
from progkit import Module, Predict
from progkit.batch import remote
from progkit.errors import BatchError, ConfigurationError, ItemTimeoutError, LMServerError


class Pickling:
    """An executor that pickles nothing itself and calls at once, here: what a worker does, where a test can see it."""

    def __init__(self):
        self.chunks = []

    def submit(self, function, cargo, chunk):
        self.chunks.append(chunk)
        future = Future()
        future.set_running_or_notify_cancel()
        threading.Thread(target=lambda: future.set_result(function(cargo, chunk)), daemon=True).start()
        return future


class Broken:
    """An executor whose workers have died."""

    def submit(self, function, *args):
        raise RuntimeError("no worker is left")


class UnsendableError(Exception):
    """Its arguments are not those it is made of, so that it cannot be unpickled."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


class Various(Module):
    """Returns, or raises, by question."""

    async def aforward(self, question):
        if question == "raise":
            raise LMServerError("down")
        if question == "odd":
            raise UnsendableError(1, 2)
        if question == "sleep":
            await asyncio.sleep(0.5)
        return {"lambda": lambda: 0}.get(question, question)


class Says:
    """An LM that pickles."""

    identity = {"model": "says/lm"}

    def complete(self, request):
        return progkit.Response.of(said(asked(request)), model="says/lm", usage={"total_tokens": 10})


class ByThread(Module):
    """Has no ``aforward``; tells on which thread it ran."""

    def forward(self, question):
        return threading.current_thread().name


@pytest.fixture
def lm():
    lm = EchoLM()
    progkit.configure(lm=lm)
    return lm


LOADED = []


def loaded():
    """A program for a worker."""
    LOADED.append(Various())
    return LOADED[-1]


class TestThreads:
    def test_of_the_callers_own_pool_run_the_program(self, lm):
        """Its settings, its threads; the pool stays open."""
        with ThreadPoolExecutor(2, "mine") as pool, progkit.context(lm=EchoLM()):
            names = ByThread().batch(rows(8), executor=pool)
            results = Predict(QA).batch(rows(4), executor=pool)
            assert pool.submit(int).result() == 0

        assert {name.rpartition("_")[0] for name in names} == {"mine"}
        assert [each.answer for each in results] == ["0", "1", "2", "3"]
        assert lm.count == 0

    def test_given_up_on_are_the_pools_business(self, lm):
        """The item fails in time."""
        let = threading.Event()

        class Slow(Module):
            def forward(self, question):
                return let.wait(10)

        with ThreadPoolExecutor(1) as pool:
            results = Slow().batch(rows(1), executor=pool, timeout=0.05)
            let.set()

        assert isinstance(results[0].error, ItemTimeoutError)


class TestWorkers:
    def test_get_chunks_and_give_results(self):
        """In order; what a worker's calls used is counted here."""
        pool = Pickling()
        progkit.configure(lm=Says())
        predict = Predict(QA)

        with progkit.track_usage() as usage:
            results = predict.batch(rows(20), executor=pool, chunk=8, concurrency=16)

        assert [each.answer for each in results] == [str(number) for number in range(20)]
        assert max(map(len, pool.chunks)) == 8
        assert sum(map(len, pool.chunks)) == 20
        assert usage.calls == results.report.calls == 20

    def test_give_failures_as_such(self):
        """An error of the program's, one that cannot travel, a result that cannot."""
        questions = [{"question": each} for each in ("fine", "raise", "odd", "lambda")]

        results = Various().batch([*questions, {}], executor=Pickling())

        assert results[0] == "fine"
        assert isinstance(results[1].error, LMServerError)
        assert isinstance(results[2].error, BatchError)
        assert "cannot be read here" in str(results[2].error)
        assert "the result cannot be sent back by the worker" in str(results[3].error)
        assert isinstance(results[4].error, TypeError)

    def test_an_error_that_cannot_be_pickled_is_told(self):
        """By its words."""
        error = LMServerError("down")
        error.lock = threading.Lock()

        data = asyncio.run(remote._one(partial(_raising, error), {}))

        assert "the LMServerError: down cannot be sent back" in str(remote._unpacked_answer(data)[1])

    def test_get_the_program_by_a_loader(self):
        """Called once in a worker, however many chunks there are."""
        LOADED.clear()

        results = ByThread().batch(rows(4), executor=Pickling(), chunk=2, concurrency=2, loader=loaded)

        assert results == ["0", "1", "2", "3"]
        assert len(LOADED) == 1

    def test_run_sync_programs_in_threads(self):
        """As many as a chunk has items."""
        names = ByThread().batch(rows(4), executor=Pickling(), chunk=4)

        assert all(name.startswith("progkit-batch") for name in names)

    def test_that_cannot_have_the_program(self):
        """A class in a function is nowhere to be imported from."""

        class Local(Module):
            def forward(self):
                return 0

        with pytest.raises(ConfigurationError, match=r"cannot be sent to the executor's workers.*give loader="):
            Local().batch([{}], executor=Pickling())

    def test_that_are_gone_fail_their_items(self):
        """All of a chunk."""
        results = Various().batch(rows(4), executor=Broken(), chunk=2)

        assert [str(each.error) for each in results] == ["no worker is left"] * 4

    def test_are_not_waited_for_for_ever(self):
        """An item that takes too long fails; what comes later for it is dropped."""
        results = Various().batch(
            [{"question": "sleep"}, {"question": "b"}], executor=Pickling(), timeout=0.1, max_errors=None
        )
        given_up = Various().batch([{"question": "b"}], executor=Broken(), timeout=0.001)

        assert [type(each.error) for each in results] == [ItemTimeoutError] * 2
        assert len(given_up.failures) == 1

    @pytest.mark.parametrize("is_broken", [False, True])
    def test_of_a_chunk_those_still_wanted_are_answered(self, is_broken):
        """One that was given up on changes nothing for the others."""
        future = Future()
        future.set_running_or_notify_cancel()

        class Later:
            def submit(self, function, cargo, chunk):
                return future

        async def main():
            elsewhere = remote.Remote(Later(), Various(), None, 2)
            first = asyncio.create_task(elsewhere.work({"question": "a"}))
            second = asyncio.create_task(elsewhere.work({"question": "b"}))
            await asyncio.sleep(0.01)
            first.cancel()
            await asyncio.sleep(0)
            if is_broken:
                future.set_exception(RuntimeError("gone"))
            else:
                future.set_result([b"", pickle.dumps(("b", None, progkit.lm.UsageTracker()))])
            return await asyncio.gather(first, second, return_exceptions=True)

        first, second = asyncio.run(main())

        assert isinstance(first, asyncio.CancelledError)
        assert (str(second) == "gone") if is_broken else (second == "b")

    def test_keep_to_a_rate_of_items(self):
        """Each counts as one request; tokens are not counted across workers, which is said."""
        begun = time.monotonic()

        results = ByThread().batch(rows(14), executor=Pickling(), requests_per_minute=600)

        assert time.monotonic() - begun >= 0.3
        assert results.failures == []
        with pytest.raises(ConfigurationError, match="tokens_per_minute cannot be kept"):
            ByThread().batch(rows(1), executor=Pickling(), tokens_per_minute=1000)


async def _raising(error):
    raise error


# --- real ones --------------------------------------------------------------------------------------


def answering(body):
    """A reply that says the question."""
    question = body["messages"][-1]["content"].split("[[ ## question ## ]]\n")[1].split("\n")[0]
    return Reply(said(f"to {question}"), delay=0.01)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A directory with ``desk.py``, and the cache that all share."""
    (tmp_path / "desk.py").write_text(DESK)
    monkeypatch.setenv("PROGKIT_CACHE_DIR", str(tmp_path / "cache"))
    paths = [str(tmp_path), str(Path(progkit.__file__).parent.parent)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


TWICE = [{"question": str(number % 60)} for number in range(120)]
ANSWERS = [f"to {each['question']}" for each in TWICE]


def test_a_pool_of_processes_asks_for_each_input_once(place):
    """Two processes, one disk cache; the program travels pickled, and with a checkpoint as anywhere."""
    with ChatServer(answering) as server:
        os.environ["DESK_PORT"] = server.url.split(":")[2].split("/")[0]
        import desk  # made by this test

        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
            results = desk.Desk().batch(TWICE, executor=pool, concurrency=120, checkpoint=place / "run.checkpoint")

    assert [each.answer for each in results] == ANSWERS
    assert server.count == 60
    assert results.report.calls == 60
    assert len((place / "run.checkpoint").read_text().splitlines()) == 121


def test_a_dask_cluster_asks_for_each_input_once(place):
    """A real scheduler, two worker processes, the program as a state file, one disk cache between them."""
    distributed = pytest.importorskip("distributed", reason="needs Dask: pip install distributed")
    with ChatServer(answering) as server:
        os.environ["DESK_PORT"] = server.url.split(":")[2].split("/")[0]
        import desk  # made by this test

        program = desk.Desk()
        program.save(place / "desk.json")
        cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
        )
        try:
            with distributed.Client(cluster) as client:
                loader = partial(desk.from_state, str(place / "desk.json"))
                results = program.batch(TWICE, executor=client.get_executor(), loader=loader, chunk=8, concurrency=120)
                workers = set(client.run(os.getpid).values())
        finally:
            cluster.close()

    assert [each.answer for each in results] == ANSWERS
    assert server.count == 60
    assert results.report.calls == 60
    assert len(workers - {os.getpid()}) == 2
    assert {each.body["user"] for each in server.requests} == workers

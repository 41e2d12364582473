"""A batch that goes on where it stopped: what its file holds, what it refuses, and kill -9."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from batches import QA, EchoLM, rows, said
from flights import until
from servers import ChatServer, Reply

import progkit
from progkit import BatchStoppedError, CheckpointError, Example, Module, Predict, Prediction
from progkit.batch import checkpoint as module
from progkit.errors import LMServerError


@pytest.fixture
def lm():
    lm = EchoLM()
    progkit.configure(lm=lm)
    progkit.configure_cache(enable_disk_cache=False, enable_memory_cache=False)
    return lm


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.checkpoint"


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class TestGoingOn:
    def test_asks_nothing_twice(self, lm, path):
        """Not even without a cache; what a stop left is all that is asked."""
        lm.script = {"4": LMServerError("down")}
        with pytest.raises(BatchStoppedError):
            Predict(QA).batch(rows(10), checkpoint=path, max_errors=0, concurrency=1)
        before = lm.count
        lm.script = {}

        results = Predict(QA).batch(rows(10), checkpoint=path)

        assert [each.answer for each in results] == [str(number) for number in range(10)]
        assert (before, lm.count - before) == (5, 6)
        assert (results.report.resumed, results.report.calls) == (4, 6)
        assert "4 from the checkpoint" in str(results.report)

    def test_of_a_finished_batch_gives_its_results_again(self, lm, path):
        """Equal to the first, in every form of the call; more inputs may follow."""
        first = Predict(QA).batch(rows(5), checkpoint=path)

        again = Predict(QA).batch(rows(7), checkpoint=path)
        one_by_one = dict(Predict(QA).batch_iter(iter(rows(5)), checkpoint=path))

        assert again[:5] == first
        assert [one_by_one[number] for number in range(5)] == first
        assert lm.count == 7

    def test_many_finished_items_are_not_held_at_once(self, lm, path):
        """No more are read from the file than are handed on."""
        Predict(QA).batch(rows(100), checkpoint=path)
        read = []

        def questions():
            for each in rows(100):
                read.append(each)
                yield each

        iterator = Predict(QA).batch_iter(questions(), checkpoint=path, concurrency=2)
        next(iterator)
        iterator.close()

        assert len(read) < 30

    def test_items_with_ids_may_come_in_another_order(self, lm, path):
        """They are known by their ids, not by their places."""
        named = [(f"row-{each['question']}", each) for each in rows(6)]
        Predict(QA).batch(named[:3], checkpoint=path)

        results = Predict(QA).batch(reversed(named), checkpoint=path, ordered=False)

        assert lm.count == 6
        assert {name: each.answer for name, each in results} == {f"row-{n}": str(n) for n in range(6)}

    def test_whatever_a_program_returns_comes_back(self, lm, path):
        """Predictions with types of their own, examples, plain values, unicode."""

        class Various(Module):
            async def aforward(self, question):
                return {
                    "0": Prediction(answer="ü", score=1.5),
                    "1": Example(a=[1, (2, 3)], b=None).with_inputs("a"),
                    "2": "plain\ntext \U0001f600",
                    "3": None,
                    "4": [Prediction(answer="x")],
                }[question]

        first = Various().batch(rows(5), checkpoint=path)
        again = Various().batch(rows(5), checkpoint=path)

        assert again == first
        assert again.report.resumed == 5

    def test_what_cannot_be_written_is_asked_again(self, lm, path):
        """Told once."""

        class Odd(Module):
            async def aforward(self, question):
                return object()

        with pytest.warns(RuntimeWarning, match="does not hold the results") as told:
            Odd().batch(rows(3), checkpoint=path)
        assert len(told) == 1
        with pytest.warns(RuntimeWarning, match="does not hold the results"):
            again = Odd().batch(rows(3), checkpoint=path)

        assert again.report.resumed == 0


class TestRefusing:
    def test_another_program(self, lm, path):
        """By name."""

        class Other(Module):
            def __init__(self):
                self.ask = Predict(QA)

        Predict(QA).batch(rows(1), checkpoint=path)

        with pytest.raises(CheckpointError, match=r"is of another program, progkit.program.predict:Predict"):
            Other().batch(rows(1), checkpoint=path)

    def test_another_state_of_the_program(self, lm, path):
        """New demos, another LM: its results would not be these."""
        predict = Predict(QA)
        predict.batch(rows(1), checkpoint=path)
        predict.demos = [Example(question="a", answer="b")]

        with pytest.raises(CheckpointError, match=r"is of another state of .*Predict") as caught:
            predict.batch(rows(1), checkpoint=path)

        assert str(path) in str(caught.value)
        assert "give another path" in str(caught.value)

    def test_other_inputs(self, lm, path):
        """At the first row that is not what it was, before it is asked."""
        Predict(QA).batch(rows(3), checkpoint=path)

        with pytest.raises(CheckpointError, match="other inputs: item 1 is not what it was"):
            Predict(QA).batch([{"question": "0"}, {"question": "new"}], checkpoint=path)

        assert lm.count == 3

    def test_ids_that_json_cannot_hold(self, lm, path):
        """Text and whole numbers."""
        with pytest.raises(CheckpointError, match=r"knows items by text or whole numbers, not \(1, 2\)"):
            Predict(QA).batch([((1, 2), {"question": "0"})], checkpoint=path)

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ('{"format":"other"}\n', "is no checkpoint, but 'other'"),
            ('{"format":"progkit.checkpoint","version":[2,0]}\n', r"version \[2, 0\]"),
            ("once upon a time\n", "line 1 cannot be read"),
            ("[1]\n", "line 1 cannot be read"),
        ],
    )
    def test_what_is_no_checkpoint(self, lm, path, text, told):
        """And leaves it as it is."""
        path.write_text(text)

        with pytest.raises(CheckpointError, match=told):
            Predict(QA).batch(rows(1), checkpoint=path)

        assert path.read_text() == text

    def test_a_file_in_use(self, lm, path):
        """Two batches would each ask for everything."""
        iterator = Predict(QA).batch_iter(rows(3), checkpoint=path)
        next(iterator)

        with pytest.raises(CheckpointError, match="is in use by another batch"):
            Predict(QA).batch(rows(3), checkpoint=path)
        iterator.close()

    def test_not_a_program_that_holds_a_client(self, lm, path):
        """What has no content to compare is left out: its class and predictors decide."""

        class Desk(Module):
            def __init__(self):
                self.client = object()
                self.ask = Predict(QA)

            async def aforward(self, question):
                return (await self.ask.acall(question=question)).answer

        Desk().batch(rows(2), checkpoint=path)

        assert Desk().batch(rows(2), checkpoint=path).report.resumed == 2


class TestTheFile:
    def test_has_a_head_and_a_line_for_each_item(self, lm, path):
        """Failures among them, to be read by people."""
        lm.script = {"1": LMServerError("down")}
        Predict(QA).batch(rows(2), checkpoint=path)

        head, *items = lines(path)

        assert (head["format"], head["version"]) == ("progkit.checkpoint", [1, 0])
        assert head["program"] == "progkit.program.predict:Predict"
        by_id = {each["id"]: each for each in items}
        assert by_id[0]["result"] == ["prediction", [{"answer": "0"}], None]
        assert by_id[0]["used"] == {"calls": 1, "hits": 0, "cost": 0.01, "billed": {"echo/lm": {"total_tokens": 10}}}
        assert by_id[1]["error"]["type"] == "LMServerError"

    @pytest.mark.parametrize("cut", [1, 10, 60])
    def test_that_was_cut_short_loses_its_last_line(self, lm, path, cut):
        """And nothing else."""
        Predict(QA).batch(rows(3), checkpoint=path, concurrency=1)
        path.write_bytes(path.read_bytes()[:-cut])

        results = Predict(QA).batch(rows(3), checkpoint=path)

        assert results.report.resumed == 2
        assert [each.answer for each in results] == ["0", "1", "2"]
        assert len(lines(path)) == 4

    def test_that_was_cut_in_its_head_begins_anew(self, lm, path):
        """Nothing was in it."""
        path.write_text('{"format":"progk')

        Predict(QA).batch(rows(1), checkpoint=path)

        assert len(lines(path)) == 2

    def test_is_on_the_disk_from_time_to_time(self, lm, path, monkeypatch):
        """Not after each line, and at the end."""
        synced = []
        real = os.fsync
        monkeypatch.setattr(module.os, "fsync", lambda file: (synced.append(file), real(file)))
        Predict(QA).batch(rows(3), checkpoint=path)
        once = len(synced)
        monkeypatch.setattr(module, "SYNC", -1.0)

        Predict(QA).batch(rows(6), checkpoint=path)

        assert (once, len(synced) - once) == (1, 3 + 1)

    def test_that_cannot_be_written_stops_the_batch(self, lm, path):
        """A full disk is told, nothing more is asked, and what was written counts."""
        resource = pytest.importorskip("resource")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            with pytest.raises(OSError, match="too large"):
                Predict(QA).batch(rows(500), checkpoint=path, concurrency=2)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        before = lm.count

        results = Predict(QA).batch(rows(10), checkpoint=path)

        assert before < 20
        assert results.report.resumed == len(lines(path)) - 1 - results.report.calls > 2

    def test_is_a_file(self, lm, tmp_path):
        """A device would give lines for ever."""
        with pytest.raises(CheckpointError, match="is no file"):
            Predict(QA).batch(rows(1), checkpoint="/dev/null")
        with pytest.raises(OSError, match="directory"):
            Predict(QA).batch(rows(1), checkpoint=tmp_path)


# --- kill -9 --------------------------------------------------------------------------------------

DESK = """
import http.client, json, os
import progkit

PORT = int(os.environ["DESK_PORT"])


class Line:
    '''An LM behind a real connection.'''

    identity = {"model": "line/lm"}
    cache = True

    def complete(self, request):
        line = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
        body = json.dumps({"model": "line/lm", "messages": request.messages, "user": os.getpid()})
        line.request("POST", "/v1/chat/completions", body)
        said = json.loads(line.getresponse().read())
        line.close()
        return progkit.Response.of(said["choices"][0]["message"]["content"], model="line/lm", usage=said["usage"])


class Desk(progkit.Module):
    def __init__(self):
        self.ask = progkit.Predict("question -> answer")

    def forward(self, question):
        return self.ask(question=question)


def from_state(path):
    program = Desk()
    program.load(path)
    return program


progkit.configure(lm=Line())
"""


class Answering:
    """Answers each question with itself; after ``most`` answers it holds what comes, and never answers that."""

    def __init__(self):
        self.lock = threading.Lock()
        self.answered = []
        self.held = []
        self.most = 0

    def __call__(self, body):
        question = body["messages"][-1]["content"].split("[[ ## question ## ]]\n")[1].split("\n")[0]
        with self.lock:
            if len(self.answered) >= self.most:
                self.held.append(question)
                return Reply(hang=True)
            self.answered.append(question)
        return Reply(said(f"to {question}"))


class TestKilled:
    ROWS, DISTINCT, WORKERS = 900, 600, 12

    def begin(self, place, server):
        env = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_"))}
        env |= {"DESK_PORT": server.url.split(":")[2].split("/")[0], "PROGKIT_CACHE_DIR": str(place / "cache")}
        env |= {"PYTHONPATH": os.pathsep.join([str(place), str(Path(progkit.__file__).parent.parent)])}
        command = [sys.executable, "-m", "progkit", "batch", "desk.json", "--program", "desk:Desk"]
        command += ["--input", "rows.jsonl", "--output", "out.jsonl", "--concurrency", str(self.WORKERS), "--json"]
        return subprocess.Popen(command, cwd=place, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_three_times_it_ends_with_every_result_and_one_answer_for_each_input(self, tmp_path):
        """The LM answers as often as there are distinct inputs.

        What is under way when a process is killed has been sent and is sent again: no client can know whether a
        provider bills for it. So the server holds some requests, and the process is killed when all that was answered
        has arrived; of those that it held, and no others, each is asked twice.
        """
        (tmp_path / "desk.py").write_text(DESK)
        questions = [str(number % self.DISTINCT) for number in range(self.ROWS)]
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"question": each}) + "\n" for each in questions))
        progkit.configure(lm=EchoLM())
        state = {"ask": Predict(QA)}

        class Desk(Module):
            def __init__(self):
                self.ask = state["ask"]

        Desk().save(tmp_path / "desk.json")
        answering = Answering()
        checkpoint = tmp_path / "out.jsonl.checkpoint"

        def arrived():
            if not checkpoint.exists():
                return set()
            kept = [json.loads(line) for line in checkpoint.read_bytes().split(b"\n")[1:-1]]
            return {each["result"][1][0]["answer"] for each in kept}

        with ChatServer(answering) as server:
            for kills, most in enumerate((100, 250, 420), 1):
                answering.most = most
                running = self.begin(tmp_path, server)
                until(lambda most=most: len(arrived()) == most)
                until(lambda kills=kills: len(answering.held) == kills * self.WORKERS)
                running.send_signal(signal.SIGKILL)
                running.communicate(timeout=20)
                assert not (tmp_path / "out.jsonl").exists()
            answering.most = 10**6
            done = self.begin(tmp_path, server)
            told, trouble = done.communicate(timeout=50)

        assert done.returncode == 0, trouble
        written = lines(tmp_path / "out.jsonl")
        assert written == [{"id": n, "outputs": {"answer": f"to {each}"}} for n, each in enumerate(questions)]
        assert sorted(answering.answered) == sorted(set(questions))
        assert set(answering.held) <= set(answering.answered)
        assert server.count == self.DISTINCT + 3 * self.WORKERS
        report = json.loads(told)
        assert (report["done"], report["failed"]) == (self.ROWS, 0)
        assert report["resumed"] >= 420
        assert sorted(each.name for each in tmp_path.glob("out*")) == ["out.jsonl"]

    def test_by_ctrl_c_it_ends_at_once(self, tmp_path):
        """Though threads still wait for replies that nobody wants any more; what was finished is kept."""
        (tmp_path / "desk.py").write_text(DESK)
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows(50)))
        progkit.configure(lm=EchoLM())

        class Desk(Module):
            def __init__(self):
                self.ask = Predict(QA)

        Desk().save(tmp_path / "desk.json")
        answering = Answering()
        answering.most = 5
        with ChatServer(answering) as server:
            running = self.begin(tmp_path, server)
            until(lambda: len(answering.held) == self.WORKERS)
            running.send_signal(signal.SIGINT)
            _, trouble = running.communicate(timeout=20)

        assert running.returncode == 130
        assert "interrupted" in trouble
        assert len(lines(tmp_path / "out.jsonl.checkpoint")) == 1 + 5
        assert not (tmp_path / "out.jsonl.part").exists()

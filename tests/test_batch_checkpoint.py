"""A batch that goes on where it stopped: what its file holds, what it refuses, and kill -9."""

import os

import pytest
from batches import QA, EchoLM, lines, rows

import progkit
from progkit import BatchStoppedError, CheckpointError, Example, Module, Predict, Prediction
from progkit.batch import checkpoint as module
from progkit.batch import locking
from progkit.errors import LMServerError
from progkit.program.batching import codec_of


@pytest.fixture
def lm():
    lm = EchoLM()
    progkit.configure(lm=lm)
    progkit.configure_cache(enable_disk_cache=False, enable_memory_cache=False)
    return lm


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.checkpoint"


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

    def test_nobody_where_there_are_no_locks(self, tmp_path):
        """Some file systems have none; a file that is not open has none either."""
        with open(tmp_path / "file", "wb") as file:
            closed = os.dup(file.fileno())
        os.close(closed)

        assert locking.lock(closed)

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
        assert path.read_bytes().endswith(b"}\n")

        results = Predict(QA).batch(rows(10), checkpoint=path)

        assert before < 20
        assert results.report.resumed == len(lines(path)) - 1 - results.report.calls > 2

    def test_is_a_file(self, lm, tmp_path):
        """A device would give lines for ever."""
        with pytest.raises(CheckpointError, match="is no file"):
            Predict(QA).batch(rows(1), checkpoint="/dev/null")
        with pytest.raises(OSError, match="directory"):
            Predict(QA).batch(rows(1), checkpoint=tmp_path)


class TestOfItsOwn:
    """An open checkpoint, as ``progkit batch`` has it: locked before anything else is written."""

    def test_is_used_and_stays_open(self, lm, path):
        """Twice; and is taken away while it is locked."""
        checkpoint = module.Checkpoint(path, codec_of(Predict(QA)))

        first = Predict(QA).batch(rows(3), checkpoint=checkpoint)
        again = Predict(QA).batch(rows(3), checkpoint=checkpoint)
        checkpoint.remove()
        checkpoint.remove()
        checkpoint.close()

        assert (first.report.calls, again.report.resumed, lm.count) == (3, 3, 3)
        assert not path.exists()

    def test_begins_afresh(self, lm, path):
        """Only what is a checkpoint, or the beginning of one, is forgotten; and only if nobody uses it."""
        Predict(QA).batch(rows(3), checkpoint=path)
        checkpoint = module.Checkpoint(path, codec_of(Predict(QA)), fresh=True)
        with pytest.raises(CheckpointError, match="is in use"):
            module.Checkpoint(path, codec_of(Predict(QA)), fresh=True)
        checkpoint.close()

        assert len(lines(path)) == 1
        for text in ("", '{"form', "rows of somebody's\n"):
            path.write_text(text)
            if text.startswith("rows"):
                with pytest.raises(CheckpointError, match="is no checkpoint, and is not written over"):
                    module.Checkpoint(path, codec_of(Predict(QA)), fresh=True)
                assert path.read_text() == text
            else:
                module.Checkpoint(path, codec_of(Predict(QA)), fresh=True).close()
                assert len(lines(path)) == 1

    def test_that_was_removed_meanwhile_is_made_anew(self, lm, path, monkeypatch):
        """Between opening and locking it another batch may end: what is locked must have the name."""
        lock = locking.lock
        ends = [path.unlink]

        def locked_late(file):
            if ends:
                ends.pop()()
            return lock(file)

        monkeypatch.setattr(locking, "lock", locked_late)

        results = Predict(QA).batch(rows(1), checkpoint=path)

        assert results.report.calls == 1
        assert len(lines(path)) == 2

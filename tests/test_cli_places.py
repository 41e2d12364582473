"""What commands write: never over what they read, whole or not at all, and each batch its own."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from batches import DESK, QA, EchoLM, lines, said
from flights import until
from servers import ChatServer, Reply

import progkit
from progkit import Module, Predict
from progkit.cli import main, places

ROW = json.dumps({"question": "a"}) + "\n"


@pytest.fixture
def lm():
    lm = EchoLM()
    progkit.configure(lm=lm)
    return lm


@pytest.fixture
def place(tmp_path, monkeypatch, lm):
    monkeypatch.chdir(tmp_path)
    Predict(QA).save("qa.json")
    (tmp_path / "rows.jsonl").write_text(ROW)
    (tmp_path / "hard.jsonl").hardlink_to(tmp_path / "rows.jsonl")
    (tmp_path / "soft.jsonl").symlink_to("rows.jsonl")
    return tmp_path


class TestApart:
    @pytest.mark.parametrize("verb", ["run", "batch"])
    @pytest.mark.parametrize(
        ("output", "told"),
        [
            ("rows.jsonl", "would write over --input, rows.jsonl"),
            ("hard.jsonl", "would write over --input, rows.jsonl"),
            ("soft.jsonl", "would write over --input, rows.jsonl"),
            ("./x/../rows.jsonl", "would write over --input"),
            ("qa.json", "would write over the program's file, qa.json"),
            (".", "--output . is a directory: name a file in it"),
            ("nodir/out.jsonl", "--output nodir/out.jsonl: No such file or directory: there is no directory"),
        ],
    )
    def test_what_is_read_is_not_written(self, place, lm, capsys, verb, output, told):
        """By whatever name; nothing was opened, and nobody asked."""
        (place / "x").mkdir()
        before = {each: each.read_bytes() for each in place.iterdir() if each.is_file()}

        status = main([verb, "qa.json", "--input", "rows.jsonl", "--output", output])

        assert status == 2
        assert told in capsys.readouterr().err
        assert {each: each.read_bytes() for each in place.iterdir() if each.is_file()} == before
        assert lm.count == 0

    @pytest.mark.parametrize("checkpoint", ["rows.jsonl", "qa.json", "out.jsonl", "x", "no/where"])
    def test_nor_by_the_checkpoint(self, place, lm, capsys, checkpoint):
        """Not with --fresh either, and not where the output goes."""
        (place / "x").mkdir()
        words = ["--output", "out.jsonl", "--checkpoint", checkpoint, "--fresh"]

        assert main(["batch", "qa.json", "--input", "rows.jsonl", *words]) == 2
        assert f"--checkpoint {checkpoint}" in capsys.readouterr().err
        assert (place / "rows.jsonl").read_text() == ROW

    def test_nor_by_the_checkpoint_that_nobody_named(self, place, capsys):
        """OUTPUT.checkpoint."""
        (place / "rows.jsonl").rename("out.checkpoint")
        words = ["--input", "out.checkpoint", "--input-format", "jsonl", "--output", "out"]

        assert main(["batch", "qa.json", *words]) == 2
        assert "--checkpoint out.checkpoint would write over --input" in capsys.readouterr().err
        assert (place / "out.checkpoint").read_text() == ROW

    def test_nothing_is_written_into_a_bundle(self, place, capsys):
        """Named as a directory, or by its state."""
        (place / "shipped").mkdir()
        (place / "shipped" / "MANIFEST.json").write_text('{"format": "progkit.bundle"}')
        Predict(QA).save("shipped/state.json")

        for name in ("shipped", "shipped/state.json"):
            assert main(["run", name, "--input", "rows.jsonl", "--output", "shipped/out.jsonl"]) == 2
            assert "would write over the program's file, shipped" in capsys.readouterr().err
        assert not (place / "shipped" / "out.jsonl").exists()

    def test_a_file_at_a_revision_is_a_file(self, place, capsys):
        """The one in the work tree is what somebody works on."""
        words = ["run", "qa.json", "--at", "v1", "--input", "rows.jsonl", "--output", "qa.json"]

        assert main(words) == 2
        assert "would write over the program's file, qa.json" in capsys.readouterr().err


class TestWritten:
    def test_whole_or_not_at_all(self, place, capsys):
        """What was there stays if the run fails; its permissions stay if not."""
        (place / "out.jsonl").write_text("before\n")
        (place / "out.jsonl").chmod(0o600)
        (place / "bad.jsonl").write_text(ROW + "{\n")
        words = ["run", "qa.json", "--output", "out.jsonl", "--input"]

        failed = main([*words, "bad.jsonl"])
        kept = (place / "out.jsonl").read_text()
        status = main([*words, "rows.jsonl"])

        assert (failed, kept, status) == (2, "before\n", 0)
        assert lines(place / "out.jsonl") == [{"answer": "a"}]
        assert stat.S_IMODE((place / "out.jsonl").stat().st_mode) == 0o600
        assert [each.name for each in place.iterdir() if each.name.startswith(".")] == []

    def test_through_a_link(self, place):
        """The file that it leads to is replaced."""
        (place / "there").mkdir()
        (place / "out.jsonl").symlink_to("there/out.jsonl")

        assert main(["run", "qa.json", "--input", "rows.jsonl", "--output", "out.jsonl"]) == 0
        assert lines(place / "there" / "out.jsonl") == [{"answer": "a"}]
        assert (place / "out.jsonl").is_symlink()

    def test_a_pipe_is_written_to(self, place):
        """It is not replaced, and has no checkpoint beside it."""
        os.mkfifo(place / "pipe")
        reader = os.open(place / "pipe", os.O_RDONLY | os.O_NONBLOCK)

        assert main(["batch", "qa.json", "--input", "rows.jsonl", "--output", "pipe"]) == 0

        assert json.loads(os.read(reader, 1000)) == {"id": 0, "outputs": {"answer": "a"}}
        os.close(reader)
        assert stat.S_ISFIFO((place / "pipe").stat().st_mode)
        assert not (place / "pipe.checkpoint").exists()
        assert main(["run", "qa.json", "--input", "rows.jsonl", "--output", os.devnull]) == 0

    def test_an_error_names_what_was_asked_for(self, tmp_path):
        """And no temporary."""
        path = str(tmp_path / ("x" * 250))

        with pytest.raises(OSError, match="too long") as caught, places.written(path):
            pass

        assert caught.value.filename == path


def begin(place, server, verb="batch"):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_"))}
    env |= {"DESK_PORT": server.url.split(":")[2].split("/")[0], "PROGKIT_CACHE_DIR": str(place / "cache")}
    env |= {"PYTHONPATH": os.pathsep.join([str(place), str(Path(progkit.__file__).parent.parent)])}
    command = [sys.executable, "-m", "progkit", verb, "desk.json", "--program", "desk:Desk"]
    command += ["--input", "rows.jsonl", "--output", "out.jsonl"]
    return lambda *more: subprocess.Popen(
        [*command, *more], cwd=place, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def put_desk(place, rows):
    """A desk whose LM is elsewhere, and rows for it."""

    class Desk(Module):
        def __init__(self):
            self.ask = Predict(QA)

    (place / "desk.py").write_text(DESK)
    (place / "rows.jsonl").write_text("".join(json.dumps({"question": str(n)}) + "\n" for n in range(rows)))
    Desk().save(place / "desk.json")


def test_a_run_that_is_killed_leaves_the_output_as_it_was(tmp_path):
    """Not the part of it that was answered."""
    put_desk(tmp_path, 2)
    (tmp_path / "out.jsonl").write_text("before\n")

    def answering(body):
        return Reply(said("yes"), hang="ion ## ]]\n1" in body["messages"][-1]["content"])

    with ChatServer(answering) as server, begin(tmp_path, server, "run")() as running:
        until(lambda: server.count == 2)
        running.kill()
        running.communicate(timeout=60)

    assert (tmp_path / "out.jsonl").read_text() == "before\n"


class TestTwoAtOnce:
    @pytest.mark.parametrize("words", [[], ["--fresh"], ["--as-completed"]])
    def test_the_second_is_refused_and_harms_nothing(self, tmp_path, words):
        """The first one ends with every answer, as if it had been alone."""
        put_desk(tmp_path, 4)
        let: list[int] = []

        def answering(body):
            until(lambda: let or "ion ## ]]\n0" in body["messages"][-1]["content"])
            return Reply(said("yes"))

        with ChatServer(answering) as server:
            batch = begin(tmp_path, server)
            with batch("--as-completed") if "--as-completed" in words else batch() as first:
                until(lambda: server.count == 4)
                with batch(*words) as second:
                    _, refused = second.communicate(timeout=60)
                let.append(1)
                out, err = first.communicate(timeout=60)

        assert (first.returncode, second.returncode) == (0, 2), err
        assert "out.jsonl.checkpoint is in use by another batch" in refused
        assert out.startswith("4 answered, 4 calls")
        assert sorted(each["id"] for each in lines(tmp_path / "out.jsonl")) == [0, 1, 2, 3]
        assert sorted(each.name for each in tmp_path.iterdir() if each.name.startswith((".", "out"))) == ["out.jsonl"]

"""Kill -9 and Ctrl-C in the middle of a batch: nothing that was finished is lost, or asked for again."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from batches import DESK, QA, EchoLM, lines, rows, said
from flights import until
from servers import ChatServer, Reply

import progkit
from progkit import Module, Predict


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


def heed_interrupts():
    """In a child: what runs in the background of a shell, as these tests may, ignores SIGINT, and so would it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class TestKilled:
    ROWS, DISTINCT, WORKERS = 900, 600, 12

    def begin(self, place, server):
        env = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_"))}
        env |= {"DESK_PORT": server.url.split(":")[2].split("/")[0], "PROGKIT_CACHE_DIR": str(place / "cache")}
        env |= {"PYTHONPATH": os.pathsep.join([str(place), str(Path(progkit.__file__).parent.parent)])}
        command = [sys.executable, "-m", "progkit", "batch", "desk.json", "--program", "desk:Desk"]
        command += ["--input", "rows.jsonl", "--output", "out.jsonl", "--concurrency", str(self.WORKERS), "--json"]
        return subprocess.Popen(
            command,
            cwd=place,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_interrupts,
        )

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

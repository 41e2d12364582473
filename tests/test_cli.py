"""The command: what it prints where, and its exit status."""

import fcntl
import io
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from scripted import ScriptedLM
from servers import ChatServer, Reply
from test_program import says

import progkit
from progkit import Example, Module, Predict
from progkit.cli import main
from progkit.cli.showcase import STATE, SupportDesk

DESK = "progkit.cli.showcase:SupportDesk"


class Broken(Module):
    """Not makeable without an argument."""

    def __init__(self, needed):
        self.needed = needed


class Plain(Module):
    """Answers with no prediction."""

    def forward(self, n="1"):
        return int(n) + 1


@pytest.fixture
def saved(tmp_path):
    """A predictor in a file that suffices, with three demos, one of them incomplete."""
    predict = Predict("question, count: int, kind: Literal['a', 'b'] -> answer, ok: bool")
    predict.demos = [
        Example(question="q1", count=1, kind="a", answer="a1", ok=True),
        Example(question="q2", count=2, kind="b", answer="a2", ok=False),
        Example(question="q3", answer="a3"),
    ]
    predict.save(tmp_path / "qa.json")
    return str(tmp_path / "qa.json")


@pytest.fixture
def command(capsys):
    """Run a command in this process: status, stdout, stderr."""

    def run(*words):
        status = main([str(word) for word in words])
        return (status, *capsys.readouterr())

    return run


def process(*words, **options):
    return subprocess.run(
        [sys.executable, "-m", "progkit", *map(str, words)], capture_output=True, text=True, **options
    )


class TestRun:
    def test_answers_by_field(self, command, saved):
        """A field a line; values of fields that are not text are JSON, or text where that is a value too."""
        lm = ScriptedLM(says(answer="yes", ok="True"))
        progkit.configure(lm=lm)

        status, out, err = command("run", saved, "question=Why = so?", "count=3", "kind=a")

        assert (status, out, err) == (0, "answer: yes\nok: true\n", "")
        content = lm.requests[0].messages[-1]["content"]
        assert "Why = so?" in content
        assert "[[ ## count ## ]]\n3" in content
        assert "[[ ## kind ## ]]\na" in content

    def test_prints_json(self, command, saved):
        """One object."""
        progkit.configure(lm=ScriptedLM(says(answer="ü", ok="True")))

        _, out, _ = command("run", saved, "--json", "question=x", "count=3", "kind=a")

        assert out == '{"answer": "ü", "ok": true}\n'

    def test_answers_by_line(self, command, saved, tmp_path):
        """Each line is answered or has its error; status 1 tells that one failed."""
        progkit.configure(lm=ScriptedLM(says(answer="1", ok="True"), says(answer="2", ok="True")))
        lines = [
            {"question": "a", "count": 1, "kind": "a"},
            {"question": "b"},
            {"question": "c", "count": 2, "kind": "b"},
        ]
        (tmp_path / "in.jsonl").write_text("\n\n".join(map(json.dumps, lines)), encoding="utf-8")

        status, out, err = command("run", saved, "--input", tmp_path / "in.jsonl", "--output", tmp_path / "out.jsonl")

        answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
        assert (status, out) == (1, "")
        assert answers[0] == {"answer": "1", "ok": True}
        assert (answers[1]["error"], answers[1]["line"]) == ("InputError", 3)
        assert answers[2] == {"answer": "2", "ok": True}
        assert "in.jsonl, line 3: " in err

    def test_reads_stdin_and_writes_stdout(self, command, tmp_path, monkeypatch):
        """A result that is no prediction is called answer."""
        Plain().save(tmp_path / "x.json")
        monkeypatch.setattr(sys, "stdin", io.StringIO('{"n": "4"}\n'))

        assert command("run", tmp_path / "x.json", "--program", "test_cli:Plain", "--input", "-")[:2] == (
            0,
            '{"answer": 5}\n',
        )
        assert command("run", tmp_path / "x.json", "--program", "test_cli:Plain", "n=1")[:2] == (0, "answer: 2\n")

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            ((), "FIELD=VALUE"),
            (("question=x", "--input", "y"), "one of the two"),
            (("question",), "an input is FIELD=VALUE"),
            (("question=x", "--output", "y"), "--output goes with --input"),
            (("--input", "/nowhere/x"), "No such file"),
            (("question=x",), "missing 'count', 'kind'"),
            (("question=x", "count=1", "kind=a"), "no LM is set"),
            (("question=x", "--program", "json"), "lacks the class"),
            (("question=x", "--program", "no_such_module:X"), "No module named 'no_such_module'"),
            (("question=x", "--program", "json:Nothing"), "has no attribute 'Nothing'"),
            (("question=x", "--program", "test_cli:Broken"), "callable without arguments"),
            (("question=x", "--program", "builtins:dict"), "makes a dict, not a progkit.Module"),
            (("question=x", "--program", DESK), "is for another program"),
        ],
    )
    def test_wrong_usage_is_status_2_and_a_sentence(self, command, saved, words, told):
        """Nothing on stdout."""
        if "missing" in told:
            progkit.configure(lm=ScriptedLM())

        status, out, err = command("run", saved, *words)

        assert (status, out) == (2, "")
        assert err.startswith("progkit: ")
        assert told in err

    @pytest.mark.parametrize(("text", "told"), [("{", "line 1: not JSON"), ("[1]", "a line is a JSON object")])
    def test_input_that_is_no_jsonl(self, command, saved, tmp_path, text, told):
        """File and line are named."""
        (tmp_path / "in.jsonl").write_text(text, encoding="utf-8")

        status, _, err = command("run", saved, "--input", tmp_path / "in.jsonl")

        assert status == 2
        assert told in err

    def test_a_file_that_needs_its_class_says_so(self, command):
        """With the class that wrote it."""
        status, _, err = command("run", STATE, "ticket=x")

        assert status == 2
        assert f"--program {DESK}" in err

    def test_no_strict_applies_what_fits_and_tells_the_rest(self, command, saved):
        """On stderr."""
        status, out, err = command("run", saved, "--program", "test_cli:Plain", "--no-strict", "n=1")

        assert (status, out) == (0, "answer: 2\n")
        assert "self" in err

    def test_asks_an_lm_over_http(self, command, saved, monkeypatch):
        """--lm and --api-base; the file's own endpoint needs leave."""
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        with ChatServer(Reply(says(answer="served", ok="True"))) as server:
            words = ("question=x", "count=1", "kind=a")
            assert command("run", saved, "--lm", "openai/test", "--api-base", server.url, *words)[0] == 0
            assert command("run", saved, "--lm", "openai/test", "--api-base", server.url, "--offline", *words)[0] == 0
            assert server.count == 1

    def test_inputs_that_the_program_does_not_take(self, command, tmp_path):
        """The names that it does take are told."""
        Plain().save(tmp_path / "x.json")

        status, _, err = command("run", tmp_path / "x.json", "--program", "test_cli:Plain", "m=1")

        assert status == 2
        assert err == "progkit: Plain: unexpected 'm'. Its inputs are 'n'\n"

    def test_a_program_that_raises_fails_its_line_alone(self, command, tmp_path, monkeypatch):
        """Whatever it raises."""
        Plain().save(tmp_path / "x.json")
        monkeypatch.setattr(sys, "stdin", io.StringIO('{"n": "no number"}\n{"n": "4"}\n'))

        status, out, err = command("run", tmp_path / "x.json", "--program", "test_cli:Plain", "--input", "-")

        assert status == 1
        assert [json.loads(line).get("error") for line in out.splitlines()] == ["ValueError", None]
        assert "line 1: ValueError" in err

    def test_finds_a_program_in_the_current_directory(self, tmp_path):
        """As python -m does."""
        code = "import progkit\nclass One(progkit.Module):\n    def forward(self): return 'one'\n"
        (tmp_path / "my_one.py").write_text(code, encoding="utf-8")
        Module().save(tmp_path / "x.json")
        script = "import sys; from progkit.cli import main; sys.path.remove(''); sys.exit(main(sys.argv[1:]))"
        words = ("run", "x.json", "--program", "my_one:One", "--input", "-")

        done = subprocess.run(
            [sys.executable, "-c", script, *words],
            cwd=tmp_path,
            input="{}\n",
            capture_output=True,
            text=True,
            check=True,
        )

        assert done.stdout == '{"answer": "one"}\n'


class TestInspect:
    def test_shows_header_and_predictors(self, command):
        """Paths, fields, instructions, demos, config, LM."""
        status, out, _ = command("inspect", STATE)

        assert status == 0
        assert f"program    {DESK}" in out
        assert (
            "triage.predict\n  fields       ticket: str, plan: Literal['free', 'team', 'enterprise'] -> reasoning"
            in out
        )
        assert "demos        8, 8 complete" in out
        assert "lm           none: the one in force" in out

    def test_prints_the_document(self, command, saved):
        """--json is the file's own data, and what is said about the file."""
        _, out, _ = command("inspect", saved, "--json")

        document = json.loads(out)
        about = document.pop("about")
        assert document == json.loads(Path(saved).read_text(encoding="utf-8"))
        assert about["bytes"] == Path(saved).stat().st_size

    def test_shows_an_lm(self, command, tmp_path):
        """Its settings as saved."""
        predict = Predict("a -> b")
        predict.lm = progkit.LM("openai/gpt-4o-mini", temperature=0.0)
        predict.save(tmp_path / "x.json")

        assert '"openai/gpt-4o-mini"' in command("inspect", tmp_path / "x.json")[1]

    def test_a_file_that_is_none(self, command, tmp_path):
        """Status 2, file and place."""
        (tmp_path / "x.json").write_text('{"a": 1,\n "a": 2}', encoding="utf-8")

        status, out, err = command("inspect", tmp_path / "x.json")

        assert (status, out) == (2, "")
        assert "x.json" in err
        assert command("inspect", tmp_path / "none.json")[0] == 2


class TestWarm:
    def test_warms_and_reports(self, command, saved):
        """Twice warms nothing new; the report is JSON on request."""
        first = command("warm", saved, "--lm", "progkit/demo")
        again = command("warm", saved, "--lm", "progkit/demo", "--json")

        assert first[0] == again[0] == 0
        assert first[1].startswith("2 warmed, 0 already there, 1 skipped, 0 failed")
        assert "incomplete demo: no count, kind, ok" in first[1]
        assert json.loads(again[1])["present"] == 2

    def test_a_failed_demo_is_status_1(self, command, saved):
        """Mode call with an LM that fails."""
        progkit.configure(lm=ScriptedLM(*[progkit.LMError("down")] * 2))

        status, out, _ = command("warm", saved, "--mode", "call", "--concurrency", "1")

        assert status == 1
        assert "2 x LMError: down" in out

    def test_a_terminal_sees_a_bar(self, command, saved, monkeypatch):
        """And a pipe does not."""
        assert command("warm", saved, "--lm", "progkit/demo")[2] == ""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

        with open(theirs, "w", encoding="utf-8") as terminal:
            monkeypatch.setattr(sys, "stderr", terminal)
            assert main(["warm", saved, "--lm", "progkit/demo"]) == 0

            seen = os.read(ours, 100_000)
            while b"3/3" not in seen and select.select([ours], [], [], 5)[0]:  # what is shown comes in pieces
                seen += os.read(ours, 100_000)

        os.close(ours)
        assert b"3/3" in seen

    def test_a_terminal_sees_no_bar_of_nothing(self, tmp_path, monkeypatch):
        """A program without demos has nothing to show."""
        Predict("a -> b").save(tmp_path / "x.json")
        ours, theirs = pty.openpty()

        with open(theirs, "w", encoding="utf-8") as terminal:
            monkeypatch.setattr(sys, "stderr", terminal)
            assert main(["warm", str(tmp_path / "x.json"), "--lm", "progkit/demo"]) == 0

        os.close(ours)


class TestCache:
    def test_path_stats_clear(self, command, saved):
        """Text or JSON; clear says how many."""
        command("warm", saved, "--lm", "progkit/demo")
        where = os.environ["PROGKIT_CACHE_DIR"]

        assert command("cache", "path")[1].startswith(where)
        assert json.loads(command("cache", "path", "--json")[1])["path"].startswith(where)
        assert "2 entries" in command("cache", "stats")[1]
        assert json.loads(command("cache", "stats", "--json")[1])["tiers"]["disk"]["entries"] == 2
        assert command("cache", "clear")[1].startswith("2 entries cleared")
        assert json.loads(command("cache", "clear", "--json")[1]) == {"cleared": 0}
        assert json.loads(command("cache", "stats", "--json")[1])["tiers"]["disk"]["entries"] == 0


class TestDemo:
    def test_shows_the_whole_loop(self, command, tmp_path):
        """Cold call, hit, saved file, a new process that warms, another that answers offline."""
        status, out, err = command("demo", "--keep", tmp_path / "kept")

        assert (status, err) == (0, "")
        assert "no language model" in out
        assert "2 LM calls, 0 from the cache" in out
        assert "0 LM calls, 2 from the cache" in out
        assert "14 warmed" in out
        answered = [line.strip() for line in out.splitlines() if line.strip().startswith("category: ")]
        assert answered == ["category: billing", "category: bug"]
        fresh = SupportDesk()
        assert fresh.load(tmp_path / "kept" / "support_desk.json").ok

    def test_as_data(self, command):
        """The steps, timed; nothing is left behind."""
        steps = json.loads(command("demo", "--json")[1])

        assert len(steps) == 7
        assert all(step["seconds"] > 0 for step in steps)

    def test_nothing_is_imported_from_where_one_happens_to_be(self, command, monkeypatch, tmp_path):
        """A module of a hostile directory that is called as one of ours, or as one that we use."""
        for name in ("progkit", "msgspec", "diskcache", "json", "argparse"):
            (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nraise SystemExit(3)\n")
        monkeypatch.chdir(tmp_path)

        assert command("demo", "--json")[0] == 0
        assert not (tmp_path / "ran").exists()

    def test_a_process_that_fails_is_told(self, command, monkeypatch):
        """With what it said."""
        monkeypatch.setenv("PYTHONPATH", "")
        monkeypatch.setattr("progkit.cli.tour.PROGRAM", "no_such_module:X")

        status, _, err = command("demo")

        assert status == 2
        assert "No module named 'no_such_module'" in err


class TestTheProcess:
    def test_help_is_light(self):
        """--help imports neither litellm nor pydantic nor the cache's libraries; --version says the version."""
        code = (
            "import sys\nfrom progkit.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
            "print([n for n in ('litellm', 'pydantic', 'diskcache', 'msgspec', 'asyncio') if n in sys.modules])"
        )

        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

        assert done.stdout.startswith("usage: progkit")
        assert done.stdout.endswith("[]\n")
        assert process("--version").stdout == f"progkit {progkit.__version__}\n"

    def test_no_command_is_status_2(self):
        """As any wrong usage."""
        assert process().returncode == 2

    def test_a_reader_that_goes_away(self, saved):
        """A closed pipe ends the command without a traceback."""
        words = f"{sys.executable} -m progkit inspect {saved} --json | true"

        done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=True)

        assert done.stderr == ""

    def test_a_closed_pipe_is_status_2(self, saved, monkeypatch):
        """Whatever was left to say."""
        ours, theirs = os.pipe()
        os.close(ours)

        with open(theirs, "w", encoding="utf-8") as out:
            monkeypatch.setattr(sys, "stdout", out)
            assert main(["inspect", saved]) == 2

    def test_what_is_not_understood(self, capsys):
        """Is wrong usage, wherever it stands."""
        for words in (["inspect", "x", "y=1"], ["run", "x", "--no-such-option"]):
            with pytest.raises(SystemExit) as caught:
                main(words)
            assert caught.value.code == 2
            assert "unrecognized arguments" in capsys.readouterr().err

    def test_interrupted(self, command, saved):
        """Status 130, one line."""
        progkit.configure(lm=ScriptedLM(KeyboardInterrupt()))

        status, _, err = command("run", saved, "question=x", "count=1", "kind=a")

        assert (status, err) == (130, "progkit: interrupted\n")

    def test_load_warm_and_hit_never_import_litellm(self, saved):
        """Only a miss does: asserted in a process of its own."""
        code = f"""
import sys, progkit
progkit.configure(lm=progkit.LM("openai/gpt-4o-mini"))
program = progkit.load({saved!r})
report = progkit.warm(program)
assert report.warmed == 2, report
assert program(question="q1", count=1, kind="a").answer == "a1"
from progkit.cli import main
main(["inspect", {saved!r}])
assert "litellm" not in sys.modules and "openai" not in sys.modules
"""
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

"""What the command says when something goes wrong: where, why, and which option helps."""

import io
import json
import os

import pytest
from batches import lines
from scripted import ScriptedLM
from test_program import says

import progkit
from progkit import Module, Predict
from progkit.cli import main, telling
from progkit.errors import EndpointWithheldError, LeftOutError, UntrustedError

DESK = """
import os
import progkit


class Desk(progkit.Module):
    def __init__(self):
        self.ask = progkit.Predict("question -> answer")

    def forward(self, question="x"):
        if question == "own":
            raise ValueError("no such thing")
        if question == "file":
            os.stat("/no/such/file")
        if question == "deep":
            return [].index(question)
        return self.ask(question=question)


def fails():
    raise KeyError("at once")


def needs(this):
    pass


number = 7
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "desk.py").write_text(DESK)
    (tmp_path / "broken.py").write_text("import no_such_thing_at_all\n")
    (tmp_path / "crooked.py").write_text("1 / 0\n")
    (tmp_path / "wrong.py").write_text("x = 1\ny = = 2\n")

    class Desk(Module):
        def __init__(self):
            self.ask = Predict("question -> answer")

    Desk().save("desk.json")
    Predict("question -> answer").save("qa.json")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.fixture
def command(capsys):
    def run(*words):
        status = main([str(word) for word in words])
        return (status, *capsys.readouterr())

    return run


RUN = ("run", "desk.json", "--program", "desk:Desk")


class TestUserCode:
    @pytest.mark.parametrize(
        ("question", "told"),
        [
            ("own", "progkit: ValueError: no such thing (desk.py:12)\n"),
            ("file", "progkit: FileNotFoundError: [Errno 2] No such file or directory: '/no/such/file' (desk.py:14)\n"),
        ],
    )
    def test_is_told_with_its_place(self, place, command, question, told):
        """Status 2, one line."""
        assert command(*RUN, f"question={question}") == (2, "", told)

    def test_is_told_whole_on_request(self, place, command):
        """--traceback; the sentence comes last. It is for each line of a file, too."""
        status, _, err = command(*RUN, "--traceback", "question=deep")
        (place / "rows.jsonl").write_text('{"question": "own"}\n')
        _, out, by_line = command(*RUN, "--traceback", "--input", "rows.jsonl")

        assert status == 2
        assert err.startswith("Traceback (most recent call last):")
        assert "progkit: ValueError: " in err.splitlines()[-1]
        assert err.endswith("(desk.py:16)\n")
        assert "Traceback" in by_line
        assert json.loads(out) == {
            "error": "ValueError",
            "message": "no such thing",
            "line": 1,
            "place": "desk.py:12",
        }

    def test_stands_in_a_batch_with_its_place(self, place, command):
        """Errors of ours have none: they say themselves what is wrong."""
        progkit.configure(lm=ScriptedLM(progkit.LMError("down")))
        (place / "rows.jsonl").write_text('{"question": "own"}\n{"question": "y"}\n')

        command("batch", *RUN[1:], "--input", "rows.jsonl", "--output", "out.jsonl")

        own, ours = lines(place / "out.jsonl")
        assert own["error"] == {"type": "ValueError", "message": "no such thing", "place": "desk.py:12"}
        assert ours["error"] == {"type": "LMError", "message": "down"}

    def test_of_a_module_that_fails_when_it_is_imported(self, place, command):
        """Or whose class fails when it is called."""
        assert "progkit: ZeroDivisionError: division by zero (crooked.py:1)" in command(*RUN[:3], "crooked:X", "a=1")[2]
        assert command(*RUN[:3], "wrong:X", "a=1")[2] == "progkit: SyntaxError: invalid syntax (wrong.py:2)\n"
        assert "progkit: KeyError: 'at once' (desk.py:21)" in command(*RUN[:3], "desk:fails", "a=1")[2]

    def test_an_error_from_nowhere(self, capsys):
        """No frame of the user's: the traceback is all that there is."""
        telling.tell(RuntimeError("from nowhere"), _options())
        telling.tell(OSError("plain"), _options())
        telling.tell(SyntaxError("odd", ("<text>", 1, 1, "x")), _options())

        err = capsys.readouterr().err
        assert "RuntimeError: from nowhere" in err
        assert "progkit: plain\n" in err
        assert err.endswith("SyntaxError: odd\n")


class _Options:
    def __init__(self, **values):
        vars(self).update(values)


def _options(**values):
    return _Options(**values)


class TestProgram:
    @pytest.mark.parametrize(
        ("name", "told"),
        [
            ("no_such_module:X", "No module named 'no_such_module'; it was looked for in "),
            ("desk.py:Desk", "a module is named without .py"),
            ("broken:X", "No module named 'no_such_thing_at_all' (broken.py:1)"),
            ("desk:Dest", "has no attribute 'Dest' (did you mean 'Desk'?)"),
            ("desk:number", "--program desk:number is a int: name a class, or a function"),
            ("desk:needs", "must be callable without arguments: missing a required argument: 'this'"),
            ("a/b:X", "'a/b' is no name of a module"),
            (":X", "lacks the class"),
        ],
    )
    def test_that_cannot_be_had(self, place, command, name, told):
        """Why, and what to write."""
        status, _, err = command("run", "desk.json", "--program", name, "question=x")

        assert status == 2
        assert told in err
        if "looked for" in told:
            assert str(place) in err


class TestAdvice:
    def test_to_name_an_lm(self, place, command):
        """Where there is --lm."""
        _, _, err = command("run", "qa.json", "question=x")

        assert err.endswith("on the command line: --lm MODEL, like --lm openai/gpt-4o-mini\n")

    def test_to_load_what_fits(self, place, command):
        """With the differences above it."""
        err = command("run", "qa.json", "--program", "desk:Desk", "question=x")[2]

        assert err.endswith("on the command line: --no-strict loads what fits\n")

    def test_to_allow_a_host(self, place, command):
        """Once for all rows, and for a batch that was stopped by it."""
        raw = json.loads((place / "qa.json").read_text())
        raw["state"]["predictors"]["self"]["lm"] = {"model": "openai/x", "api_base": "http://127.0.0.1:9/v1"}
        (place / "qa.json").write_text(json.dumps(raw))
        (place / "rows.jsonl").write_text('{"question": "x"}\n{"question": "y"}\n')
        hint = "on the command line: --allow-host 127.0.0.1:9 to accept it, or --lm MODEL --replace-lm to ask another"

        errs = [
            command("run", "qa.json", "question=x")[2],
            command("run", "qa.json", "--input", "rows.jsonl")[2],
            command("batch", "qa.json", "--input", "rows.jsonl")[2],
            command("batch", "qa.json", "--input", "rows.jsonl", "--max-errors", "0")[2],
        ]

        assert [err.count(hint) for err in errs] == [1, 1, 1, 1]

    def test_to_allow_a_host_for_warming(self, place, command):
        """Its failures are counted, not raised."""
        predict = Predict("question -> answer")
        predict.lm = progkit.LM("openai/x", api_base="http://127.0.0.1:9/v1")
        predict.demos = [{"question": "q", "answer": "a"}]
        predict.save("own.json")

        status, _, err = command("warm", "own.json", "--mode", "call", "--max-cost", "1")

        assert status == 1
        assert "on the command line: --allow-host HOST:PORT to accept it" in err

    def test_is_given_where_the_option_is(self):
        """By the command's options, along the causes."""
        withheld = EndpointWithheldError("here, and there")
        outer = ValueError("x")
        outer.__cause__ = LeftOutError('a["b"]', "m:C")
        listed = UntrustedError("a b", "sha256:1", "why", "m:C", "progkit trust ...")
        pinned = UntrustedError("a b", "sha256:1", "why", "m:C", "pin it")

        assert "--allow-host HOST:PORT" in telling.advice(withheld, _options(allow_host=[]))
        assert telling.advice(withheld, _options()) == ""
        assert telling.advice(outer, _options(part=[])) == (
            "on the command line: --part 'a[\"b\"]'=MODULE:CALLABLE supplies it"
        )
        assert telling.advice(listed, _options(trust=None)).endswith("progkit trust 'a b', or --trust sha256:1")
        assert telling.advice(pinned, _options(trust=None)).endswith("line: --trust sha256:1")
        assert telling.advice(pinned, _options(trust="sha256:2")) == ""


class TestLM:
    @pytest.fixture
    def named(self, place):
        program = Module()
        program.triage, program.reply = Predict("question -> answer"), Predict("a -> b")
        program.triage.lm = progkit.LM("openai/x")
        program.save("two.json")
        (place / "two.py").write_text(
            "import progkit\n\n\nclass Two(progkit.Module):\n    def __init__(self):\n"
            "        self.triage, self.reply = progkit.Predict('question -> answer'), progkit.Predict('a -> b')\n\n"
            "    def forward(self):\n"
            "        return ', '.join(str(each.lm and each.lm.model) for each in self.predictors())\n"
        )
        return ("run", "two.json", "--program", "two:Two", "--input", "-")

    def test_of_the_file_is_kept_and_told(self, named, command, monkeypatch):
        """--lm is for the others; --replace-lm is for all."""
        monkeypatch.setattr("sys.stdin", io.StringIO("{}\n"))
        kept = command(*named, "--lm", "progkit/demo")
        monkeypatch.setattr("sys.stdin", io.StringIO("{}\n"))
        replaced = command(*named, "--lm", "progkit/demo", "--replace-lm")

        told = "progkit: --lm is not used for triage: the file names openai/x; --replace-lm uses --lm everywhere\n"
        assert kept == (0, '{"answer": "openai/x, None"}\n', told)
        assert replaced == (0, '{"answer": "progkit/demo, progkit/demo"}\n', "")

    def test_that_replaces_must_be_named(self, named, command):
        """--replace-lm alone is nothing."""
        assert "--replace-lm goes with --lm MODEL" in command(*named, "--replace-lm")[2]

    def test_renders_with_the_one_that_replaces(self, place, command):
        """As run would ask."""
        predict = Predict("question -> answer")
        predict.lm = progkit.LM("openai/x")
        predict.save("own.json")

        words = ("render", "own.json", "--lm", "progkit/demo", "--json", "question=x")
        assert json.loads(command(*words)[1])["model"] == "openai/x"
        assert json.loads(command(*words, "--replace-lm")[1])["model"] == "progkit/demo"


class TestWords:
    def test_that_are_no_options(self, capsys):
        """The usage of the subcommand, and what was meant."""
        for words, usage, told in (
            (["run", "x", "--ofline"], "usage: progkit run ", "--ofline (did you mean '--offline'?)"),
            (["batch", "x", "--input", "y", "--idd=k"], "usage: progkit batch ", "(did you mean '--id'?)"),
            (["git", "status", "--chekc"], "usage: progkit git status ", "(did you mean '--check'?)"),
            (["inspect", "x", "y=1"], "usage: progkit inspect ", "unrecognized arguments: y=1\n"),
        ):
            with pytest.raises(SystemExit):
                main(words)
            err = capsys.readouterr().err
            assert err.startswith(usage)
            assert told in err

    def test_directories_that_are_not_there(self, place, command):
        """By the name that was given."""
        with pytest.raises(FileNotFoundError, match=r"no such directory, .*nodir: 'nodir/x.json'"):
            Predict("a -> b").save("nodir/x.json")
        told = command("cache", "export", "nodir/x.jsonl")[2]
        assert told == f"progkit: nodir/x.jsonl: there is no such directory, {place.resolve() / 'nodir'}\n"
        assert command("run", "qa.json", "--input", "none.jsonl")[2].startswith("progkit: none.jsonl: No such file")

    def test_a_file_that_is_no_text(self, place, command):
        """Its name, and what is wrong with it."""
        (place / "rows.jsonl").write_bytes(b"\xff\n")

        assert "progkit: rows.jsonl is not in UTF-8: " in command("run", "qa.json", "--input", "rows.jsonl")[2]

    def test_files_that_cannot_be_made(self, place, command):
        """No temporary is named."""
        long = "x" * 252
        with pytest.raises(OSError, match="too long") as caught:
            Predict("a -> b").save(f"{long[:-5]}.json")
        told = command("cache", "export", long)[2]

        assert os.path.basename(caught.value.filename) == f"{long[:-5]}.json"
        assert told == f"progkit: {long}: File name too long\n"


def test_inputs_of_a_module_are_told_by_name(place, command):
    """As those of a predictor are."""
    progkit.configure(lm=ScriptedLM(says(answer="yes")))

    assert command(*RUN, "question=x")[1] == "answer: yes\n"
    assert command(*RUN, "qestion=x")[2] == (
        "progkit: Desk: unexpected 'qestion' (did you mean 'question'?). Its inputs are 'question'\n"
    )

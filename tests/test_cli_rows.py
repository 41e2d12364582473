"""Rows of a file: what they are known by, and what is wrong with all of them."""

import json

import pytest
from batches import QA, EchoLM, lines

import progkit
from progkit import ChainOfThought, Module, Predict, Prediction, Signature
from progkit.cli import main, rows
from progkit.cli.inputs import Inputs, inputs_of
from progkit.errors import ConfigurationError, InputError
from progkit.signature import InputField, OutputField


class Desk(Module):
    """Takes a ticket, and perhaps a plan."""

    def forward(self, ticket, plan="free"):
        return Prediction(answer=f"{ticket} {plan}")


class Loose(Module):
    """Takes anything."""

    def forward(self, **inputs):
        return Prediction(answer=len(inputs))


DEFAULTS = Signature(
    {
        "question": (str, InputField()),
        "count": (int, InputField(default=7)),
        "note": (str | None, InputField(default="none")),
        "limit": (int | None, InputField()),
        "answer": (str, OutputField()),
    }
)


def listed(path, inputs=None, column=None):
    with rows.read(str(path), None, inputs or Inputs(), column) as read:
        return [(read.id_of(name), given) for name, given in read]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    progkit.configure(lm=EchoLM())
    Predict(QA).save("qa.json")
    Desk().save("desk.json")
    return tmp_path


class TestNumbers:
    def test_are_those_of_the_lines(self, place):
        """An empty line does not move those below it; the message counts as an editor does."""
        (place / "rows.jsonl").write_text('{"question": "a"}\n\n{"question": "b"}\n[]\n')

        main(["batch", "qa.json", "--input", "rows.jsonl", "--output", "out.jsonl"])

        written = lines(place / "out.jsonl")
        assert [each["id"] for each in written] == [0, 2, 3]
        assert written[2]["error"]["message"].startswith("line 4 of rows.jsonl: ")

    def test_of_csv_are_those_of_the_rows(self, tmp_path):
        """A row may have several lines, or be empty: it is told by the one in which it begins."""
        path = tmp_path / "rows.csv"
        path.write_text('\nquestion,count\n"a\nb",1\n\nc,x\n')

        first, second = listed(path, Inputs({"count": int}))

        assert first == (0, {"question": "a\nb", "count": 1})
        assert (second[0], str(second[1].error).split(":")[0]) == (1, f"line 6 of {path}")

    def test_of_no_rows(self, tmp_path):
        """Nothing at all."""
        for name in ("rows.csv", "rows.jsonl"):
            (tmp_path / name).write_text("")
            assert listed(tmp_path / name, Inputs(names=("a",))) == []


class TestColumns:
    @pytest.mark.parametrize(
        ("text", "words", "told"),
        [
            ("tiket\nx\n", [], "'tiket' is no input (did you mean 'ticket'?); 'ticket' is an input, and no column"),
            ("id,ticket\n1,x\n", [], "'id' is no input (--id id names the rows by it). The program takes 'ticket'"),
            ("id,ticket,x\n1,x,y\n", ["--id", "id"], "'x' is no input."),
            ("key,ticket\n1,x\n", ["--id", "kye"], "has no 'kye', which --id names (did you mean 'key'?), but 'key'"),
            ("ticket,plan,plan\nx,y,z\n", [], "has 'plan' as the name of several columns"),
        ],
    )
    def test_are_checked_once_before_any_row(self, place, capsys, text, words, told):
        """Status 2; no output, no checkpoint."""
        (place / "rows.csv").write_text(text)
        command = ["batch", "desk.json", "--program", f"{__name__}:Desk", "--input", "rows.csv", "--output", "out"]

        assert main([*command, *words]) == 2
        assert told in capsys.readouterr().err
        assert sorted(each.name for each in place.iterdir()) == ["desk.json", "qa.json", "rows.csv"]

    def test_that_fit(self, place):
        """With the id, and without what has a default."""
        (place / "rows.csv").write_text("key,ticket\nk,x\n")
        command = ["batch", "desk.json", "--program", f"{__name__}:Desk", "--input", "rows.csv", "--output", "out"]

        assert main([*command, "--id", "key"]) == 0
        assert lines(place / "out") == [{"id": "k", "outputs": {"answer": "x free"}}]

    def test_of_parquet(self, tmp_path):
        """The same."""
        pyarrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pyarrow.table({"tiket": ["a"]}), tmp_path / "rows.parquet")

        with pytest.raises(ConfigurationError, match="did you mean 'ticket'"):
            listed(tmp_path / "rows.parquet", inputs_of(Desk()))
        with pytest.raises(ConfigurationError, match="has no 'id', which --id names, but 'tiket'"):
            listed(tmp_path / "rows.parquet", Inputs(), "id")

    def test_of_json_lines_are_checked_row_by_row(self, place):
        """But for the id, which the first row must have."""
        (place / "rows.jsonl").write_text('{"k": 1, "ticket": "x"}\n{"ticket": "y"}\n{"k": 3, "tiket": "z"}\n')
        found = listed("rows.jsonl", inputs_of(Desk()), "k")

        assert found[0] == (1, {"ticket": "x"})
        assert str(found[1][1].error) == "line 2 of rows.jsonl: has no 'k', which --id names"
        assert isinstance(found[2][1].error, InputError)
        assert str(found[2][1].error) == (
            "Desk: missing 'ticket'; unexpected 'tiket' (did you mean 'ticket'?). Its inputs are 'ticket', 'plan'"
        )
        with pytest.raises(ConfigurationError, match="has no 'idd', which --id names, but 'k', 'ticket'"):
            listed("rows.jsonl", Inputs(), "idd")
        (place / "rows.jsonl").write_text("what\n")
        assert "line 1 of rows.jsonl: is not JSON" in str(listed("rows.jsonl", Inputs(), "idd")[0][1].error)


class TestTakes:
    def test_what_is_known(self):
        """Of predictors by their signature, of others by forward; nothing of what takes anything."""
        assert inputs_of(Predict(QA)).names == ("question",)
        assert inputs_of(ChainOfThought(DEFAULTS)).names == ("question", "count", "note", "limit")
        assert inputs_of(ChainOfThought(DEFAULTS)).optional == {"count", "note"}
        assert (inputs_of(Desk()).names, inputs_of(Desk()).optional) == (("ticket", "plan"), {"plan"})
        assert inputs_of(Loose()).names is None
        assert inputs_of(Module()).names is None
        assert (
            inputs_of(Loose()).fault(["x"])
            is inputs_of(Predict(QA)).fault(["x"])
            is inputs_of(Desk()).fault(["ticket"])
        )

    def test_an_empty_cell_is_text_a_default_or_null(self, tmp_path):
        """Text where the field takes it, else the default, else None; else it is told."""
        path = tmp_path / "rows.csv"
        path.write_text("question,count,note,limit\n,,,\n")
        plain = tmp_path / "plain.csv"
        plain.write_text("count\n\n" + '""\n')

        assert listed(path, inputs_of(Predict(DEFAULTS))) == [(0, {"question": "", "note": "", "limit": None})]
        assert "'count' is ''" in str(listed(plain, inputs_of(Predict("count: int -> answer")))[0][1].error)


class TestIds:
    def test_that_are_there_twice_are_told_once(self, place, capsys):
        """All rows are answered, and after a stop none is asked again."""
        asked = [("x", "a"), ("x", "b"), ("x (2)", "c"), ("x", "d"), (5, "e"), (5, "f"), ([1], "g")]
        (place / "rows.jsonl").write_text(
            "".join(json.dumps({"key": key, "question": each}) + "\n" for key, each in asked[:-1])
        )
        command = ["batch", "qa.json", "--input", "rows.jsonl", "--id", "key"]
        command += ["--output", "out.jsonl", "--checkpoint", "kept"]

        assert main([*command]) == 0
        told = capsys.readouterr()
        assert main([*command]) == 0

        assert told.err.count("told once") == 1
        assert "line 2 of rows.jsonl: its 'key', 'x', is that of another row, too" in told.err
        assert [(each["id"], each["outputs"]["answer"]) for each in lines(place / "out.jsonl")] == asked[:-1]
        assert "6 from the checkpoint" in capsys.readouterr().out

    def test_that_are_no_text_are_given_as_they_are(self, tmp_path):
        """A list cannot be looked up."""
        (tmp_path / "rows.jsonl").write_text('{"key": [1]}\n{"key": [1]}\n')

        assert listed(tmp_path / "rows.jsonl", column="key") == [([1], {}), ([1], {})]

    def test_what_failed_is_not_among_the_answered(self, place, capsys):
        """3 rows, 1 failed: 2 answered."""
        (place / "rows.jsonl").write_text('{"question": "a"}\n{"question": "b"}\n3\n')

        main(["batch", "qa.json", "--input", "rows.jsonl"])

        assert "2 answered, 1 failed" in capsys.readouterr().err

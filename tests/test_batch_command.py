"""``progkit batch``: rows in, lines out, and the same command again."""

import io
import json
import sys

import pytest
from batches import QA, EchoLM, lines

import progkit
from progkit import Predict
from progkit.batch import Bar
from progkit.cli import main, rows
from progkit.cli.inputs import Inputs, inputs_of
from progkit.errors import ConfigurationError, LMServerError

TYPED = "question, count: int, tags: list[str], note: str | None -> answer"


@pytest.fixture
def lm():
    lm = EchoLM()
    progkit.configure(lm=lm)
    return lm


@pytest.fixture
def place(tmp_path, monkeypatch, lm):
    monkeypatch.chdir(tmp_path)
    Predict(QA).save("qa.json")
    return tmp_path


def questions(place, *asked, name="rows.jsonl"):
    (place / name).write_text("".join(json.dumps({"question": each}) + "\n" for each in asked))


def outputs(path):
    return [(each["id"], each["outputs"]["answer"]) for each in lines(path)]


class TestCommand:
    def test_writes_a_line_for_each_row(self, place, capsys):
        """In order, all of them or none; the report goes to stdout, and no checkpoint stays."""
        questions(place, "a", "b", "c")

        status = main(["batch", "qa.json", "--input", "rows.jsonl", "--output", "out.jsonl"])

        assert status == 0
        assert outputs(place / "out.jsonl") == [(0, "a"), (1, "b"), (2, "c")]
        assert capsys.readouterr().out.startswith("3 answered, 3 calls, 0 hits")
        assert sorted(each.name for each in place.iterdir()) == ["out.jsonl", "qa.json", "rows.jsonl"]

    def test_writes_to_stdout(self, place, capsys, monkeypatch):
        """From stdin, too; the report is on stderr then."""
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"question": "a"}\n\n{"question": "b"}\n')))

        status = main(["batch", "qa.json", "--input", "-", "--json"])

        told = capsys.readouterr()
        assert status == 0
        assert [json.loads(line)["outputs"] for line in told.out.splitlines()] == [{"answer": "a"}, {"answer": "b"}]
        assert json.loads(told.err)["done"] == 2

    def test_tells_which_rows_failed(self, place, lm, capsys):
        """Status 1; run again, it asks for these alone and writes the output anew."""
        lm.script = {"b": LMServerError("down")}
        questions(place, "a", "b", "c")
        with (place / "rows.jsonl").open("a") as file:
            file.write("what\n[1]\n")
        command = ["batch", "qa.json", "--input", "rows.jsonl", "--output", "out.jsonl"]

        status = main(command)
        first = lines(place / "out.jsonl")
        lm.script = {}
        progkit.configure_cache(enable_disk_cache=False)
        again = main(command)

        assert (status, again) == (1, 1)
        assert first[1] == {"id": 1, "error": {"type": "LMServerError", "message": "down"}}
        assert first[3]["error"]["message"].startswith("line 4 of rows.jsonl: is not JSON")
        assert first[4]["error"]["message"] == "line 5 of rows.jsonl: is to be a JSON object of inputs, not [1]"
        assert [each.get("outputs") for each in lines(place / "out.jsonl")][:3] == [{"answer": n} for n in "abc"]
        assert lm.questions == ["a", "b", "c", "b"]
        assert (place / "out.jsonl.checkpoint").exists()

    def test_stops_after_too_many(self, place, lm, capsys):
        """Status 2, no output, and what was finished is kept; --fresh forgets it."""
        lm.script = {"b": LMServerError("down")}
        questions(place, "a", "b", "c")
        command = ["batch", "qa.json", "--input", "rows.jsonl", "--output", "out.jsonl", "--concurrency", "1"]

        status = main([*command, "--max-errors", "0"])
        progkit.configure_cache(enable_disk_cache=False)
        told = capsys.readouterr().err
        kept = (place / "out.jsonl.checkpoint").exists()
        any_number = main([*command, "--max-errors", "-1", "--fresh"])

        assert (status, any_number) == (2, 1)
        assert "the batch stopped: 1 failed, and max_errors is 0" in told
        assert kept
        assert lm.questions.count("a") == 2
        assert not (place / "out.jsonl.part").exists()

    def test_with_a_checkpoint_of_ones_own(self, place, lm):
        """It stays, and is used again."""
        questions(place, "a", "b")
        command = ["batch", "qa.json", "--input", "rows.jsonl", "--checkpoint", "kept", "--output", "out.jsonl"]
        main(command)
        questions(place, "a", "b", "c")
        progkit.configure_cache(enable_disk_cache=False)

        assert main(command) == 0
        assert outputs(place / "out.jsonl") == [(0, "a"), (1, "b"), (2, "c")]
        assert lm.questions == ["a", "b", "c"]

    def test_as_completed_writes_what_is_there(self, place, lm):
        """In its own order, by id; no file stands beside it."""
        lm.script = {"a": 0.05}
        (place / "rows.jsonl").write_text('{"key": "first", "question": "a"}\n{"key": "second", "question": "b"}\n{}\n')
        command = ["batch", "qa.json", "--input", "rows.jsonl", "--output", "out.jsonl", "--as-completed"]

        status = main([*command, "--id", "key"])

        written = lines(place / "out.jsonl")
        assert status == 1
        assert [each["id"] for each in written] == [2, "second", "first"]
        assert "has no 'key', which --id names" in written[0]["error"]["message"]

    def test_offline_and_within_limits(self, place, lm, capsys):
        """The options reach the batch."""
        questions(place, "a")
        assert (
            main(["batch", "qa.json", "--input", "rows.jsonl", "--rpm", "600", "--tpm", "1e6", "--timeout", "9"]) == 0
        )
        questions(place, "a", "b")

        status = main(["batch", "qa.json", "--input", "rows.jsonl", "--offline"])
        spent = main(["batch", "qa.json", "--input", "rows.jsonl", "--max-cost", "0"])

        assert status == 1
        assert "OfflineMissError" in capsys.readouterr().out
        assert spent == 2
        assert lm.questions == ["a"]

    def test_a_file_that_is_not_there(self, place, capsys):
        """Status 2, and its name."""
        assert main(["batch", "qa.json", "--input", "none.jsonl"]) == 2
        assert "none.jsonl" in capsys.readouterr().err


def listed(path, inputs=None, column=None, form=None):
    """The rows of a file, as a batch gets them."""
    with rows.read(str(path), form, inputs or Inputs(), column) as read:
        return list(read)


class TestRows:
    def test_of_csv_have_the_types_of_the_fields(self, tmp_path):
        """Plain spellings, JSON, and nothing for None; a byte order mark is none of theirs."""
        path = tmp_path / "rows.csv"
        path.write_text(
            '\ufeffquestion,count,tags,note\n"why, then?",3,"[""a"", ""b""]",\n' + "x" * 200_000 + ",4,[],n\n", "utf-8"
        )

        first, second = listed(path, inputs_of(Predict(TYPED)))

        assert first == (0, {"question": "why, then?", "count": 3, "tags": ["a", "b"], "note": ""})
        assert second[1]["count"] == 4

    def test_of_csv_that_do_not_fit_are_told(self, tmp_path):
        """By the field, or the number of fields; the others are read. Nothing is None for what is no text."""
        path = tmp_path / "rows.CSV"
        path.write_text("question,count\na,many\nb\nc,1,2\nd,\ne,5\n")

        read = listed(path, inputs_of(Predict("question, count: int | None -> answer")))

        assert str(read[0][1].error) == f"line 2 of {path}: 'count' is 'many', which is no Union[int, NoneType]"
        assert "line 3 of" in str(read[1][1].error)
        assert "has more or fewer fields than the header" in str(read[1][1].error)
        assert "line 4 of" in str(read[2][1].error)
        assert read[3:] == [(3, {"question": "d", "count": None}), (4, {"question": "e", "count": 5})]

    def test_of_csv_from_stdin(self, monkeypatch):
        """With a format said; stdin stays open."""
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"question\na\n")))

        assert listed("-", form="csv") == [(0, {"question": "a"})]
        assert not sys.stdin.buffer.closed

    def test_of_what_is_no_csv(self, tmp_path):
        """Not UTF-8."""
        path = tmp_path / "rows.csv"
        path.write_bytes(b"question\n\xff\n")

        with pytest.raises(ConfigurationError, match="is no CSV in UTF-8"):
            listed(path)

    def test_of_parquet_come_in_batches(self, tmp_path, monkeypatch):
        """With the types that the file gives them."""
        pyarrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        path = tmp_path / "rows.parquet"
        table = pyarrow.table({"question": ["a", "b", "c"], "count": [1, 2, None], "tags": [["x"], [], ["y", "z"]]})
        parquet.write_table(table, path)
        monkeypatch.setattr(rows, "ROWS", 2)

        read = listed(path, column="question")

        assert read == [
            ("a", {"count": 1, "tags": ["x"]}),
            ("b", {"count": 2, "tags": []}),
            ("c", {"count": None, "tags": ["y", "z"]}),
        ]

    def test_of_what_is_no_parquet(self, tmp_path, monkeypatch):
        """Another file, stdin, or no pyarrow."""
        path = tmp_path / "rows.parquet"
        path.write_text("hello")

        with pytest.raises(ConfigurationError, match="is no Parquet"):
            listed(path)
        with pytest.raises(ConfigurationError, match="not from stdin"):
            listed("-", form="parquet")
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(ConfigurationError, match=r"pip install 'progkit\[parquet\]'"):
            listed(path)

    def test_of_a_format_that_nobody_knows(self):
        """The name does not say it."""
        with pytest.raises(ConfigurationError, match=r"rows.txt: .* say --input-format"):
            listed("rows.txt")


class Terminal(io.StringIO):
    def isatty(self):
        return True


class TestBar:
    def test_is_for_terminals(self, lm, monkeypatch):
        """Done, rate and time left; hits, cost and failures."""
        lm.script = {"b": LMServerError("down")}
        monkeypatch.setattr(sys, "stderr", Terminal())

        Predict(QA).batch([{"question": "a"}, {"question": "b"}, {"question": "a"}], concurrency=1)

        shown = sys.stderr.getvalue()
        assert "3/3" in shown
        assert "item/s, 1 failed, 50% hits, $0.01" in shown

    def test_is_not_drawn_where_nobody_wants_it(self, lm, monkeypatch):
        """progress=False; or before the first item."""
        monkeypatch.setattr(sys, "stderr", Terminal())

        Predict(QA).batch([{"question": "a"}], progress=False)
        Predict(QA).batch([])
        Predict(QA).batch([{"question": "a"}], disable_progress_bar=True)

        assert sys.stderr.getvalue() == ""
        Bar().close()

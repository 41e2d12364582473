"""Saving and loading: the same bytes, the same prompts, all or nothing."""

import copy
import datetime
import decimal
import enum
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pydantic
import pytest
from scripted import ScriptedLM
from test_program import says

import progkit
from progkit import ChainOfThought, Example, Module, Predict
from progkit.errors import (
    ConfigurationError,
    DocumentError,
    EndpointWithheldError,
    ProgramNeededError,
    StateMismatchError,
    UnsavableError,
)


class Colour(enum.Enum):
    RED = "red"


class Item(pydantic.BaseModel):
    name: str
    when: datetime.date


class Read(progkit.Signature):
    """Read a bill."""

    bill: str = progkit.InputField(desc="as scanned")
    limit: int = progkit.InputField(default=3, ge=1)
    items: list[Item] = progkit.OutputField()
    colour: Colour = progkit.OutputField()
    sure: Literal["yes", "no"] | None = progkit.OutputField()


class Reader(Module):
    """Two predictors, one under a key."""

    def __init__(self):
        self.read = Predict(Read, temperature=0.5)
        self.steps = {"en": ChainOfThought("question -> answer")}

    def forward(self, question):
        return self.steps["en"](question=question)


def learned() -> Reader:
    """A program that has learned something of every kind."""
    program = Reader()
    item = Item(name="Käse", when=datetime.date(2026, 1, 2))
    program.read.demos = [
        Example(bill="b", limit=2**60, items=[item], colour=Colour.RED, sure=None).with_inputs("bill"),
        Example(bill="b", items=[], colour=Colour.RED, sure="no", augmented=True),
        Example(bill="b", items=[], colour=Colour.RED, sure="no", augmented=True),
    ]
    extra = {"$odd": (1, 2.0, True), "price": decimal.Decimal("1.10"), "at": datetime.datetime(2026, 1, 2, 3, 4)}
    program.steps["en"].predict.demos = [{"question": "q\n", "reasoning": "r", "answer": "a", "extra": extra, "$x": 1}]
    predict = program.steps["en"].predict
    predict.signature = predict.signature.with_instructions("First this.\n\n  Then that.").with_updated_fields(
        "answer", desc="short", prefix="A:"
    )
    predict.lm = progkit.LM("openai/gpt-4o-mini", temperature=0.0, max_tokens=100)
    return program


def prompts(program: Module) -> list[Any]:
    """What its predictors would send."""
    with progkit.context(lm=ScriptedLM()):
        asks = [
            program.read.ask({"bill": "x"}),
            program.steps["en"].predict.ask({"question": "x"}),
        ]
        return [dict(each.request(each.adapter)) for each in asks]


class TestRoundTrip:
    def test_a_fresh_instance_sends_the_same_bytes(self, tmp_path):
        """Instructions, descriptions, demos, config and LM settings come back as they were."""
        program, fresh = learned(), Reader()

        program.save(tmp_path / "x.json")
        report = fresh.load(tmp_path / "x.json")

        assert prompts(fresh) == prompts(program)
        assert report.ok
        assert report.applied == ["read", 'steps["en"].predict']
        assert fresh.read.demos == program.read.demos
        assert fresh.read.demos[0].input_keys == {"bill"}
        assert fresh.read.config == {"temperature": 0.5}
        assert dict(fresh.steps["en"].predict.demos[0].items()) == program.steps["en"].predict.demos[0]

    def test_over_http_too(self, tmp_path):
        """The bytes at a server: the saved program's and the loaded one's."""
        from servers import ChatServer, Reply

        program, fresh = learned(), Reader()
        program.save(tmp_path / "x.json")
        fresh.load(tmp_path / "x.json")
        with ChatServer(Reply(says(reasoning="r", answer="a"))) as server:
            lm = progkit.LM("openai/test", api_base=server.url, api_key="sk-test", cache=False)
            for each in (program, fresh):
                each.set_lm(lm)
                each(question="?")

        assert server.requests[0].body == server.requests[1].body

    def test_the_same_program_gives_the_same_bytes(self, tmp_path):
        """Saved, loaded and saved again; and a second save changes nothing."""
        program, fresh = learned(), Reader()
        first = program.save(tmp_path / "x.json")
        fresh.load(tmp_path / "x.json")
        fresh.save(tmp_path / "y.json")
        again = program.save(tmp_path / "x.json")

        assert (tmp_path / "x.json").read_bytes() == (tmp_path / "y.json").read_bytes()
        assert (first.changed, again.changed) == (True, False)
        assert str(first).endswith("x.json written")
        assert str(again).endswith("x.json is as it was")

    @pytest.mark.parametrize("seed", ["0", "1"])
    def test_whatever_hash_seed_directory_and_locale(self, tmp_path, seed):
        """Nothing of the process stands in the file."""
        learned().save(tmp_path / "x.json")
        code = (
            "import sys; sys.path.insert(0, sys.argv[1]); import test_program_state as t; "
            "from progkit import artifact; from progkit.program.state import capture; "
            "p = t.learned(); d = capture(p).document; d['program'] = sys.argv[2]; "
            "sys.stdout.buffer.write(artifact.encode(d))"
        )
        here = Path(__file__).parent
        environment = os.environ | {"PYTHONHASHSEED": seed, "LC_ALL": "C", "TZ": "Asia/Tokyo"}
        name = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["program"]

        done = subprocess.run(
            [sys.executable, "-c", code, str(here), name],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            check=True,
        )

        assert done.stdout == (tmp_path / "x.json").read_bytes()

    def test_dump_and_load_state(self):
        """The same state without a file."""
        program, fresh = learned(), Reader()

        state = json.loads(json.dumps(program.dump_state()))
        fresh.load_state(state)

        assert prompts(fresh) == prompts(program)

    def test_a_custom_lm_is_not_saved_and_told(self, tmp_path):
        """The report says which; the predictor has none after loading."""
        program, fresh = Reader(), Reader()
        program.read.lm = ScriptedLM()
        program.read.config = {"api_key": "sk-secretsecretsecret1", "temperature": 1}

        report = program.save(tmp_path / "x.json")
        fresh.load(tmp_path / "x.json")

        assert "read.lm: ScriptedLM is no progkit.LM" in str(report)
        assert fresh.read.lm is None
        assert fresh.read.config == {"temperature": 1}
        assert "sk-secret" not in (tmp_path / "x.json").read_text(encoding="utf-8") + str(report)


class TestRefusals:
    @pytest.mark.parametrize("value", [float("nan"), object(), lambda: 1])
    def test_what_a_file_cannot_hold(self, tmp_path, value):
        """The error has the path; nothing is written."""
        program = Reader()
        program.read.demos = [Example(bill=[value])]

        with pytest.raises(UnsavableError, match=r"read\.demos\[0\]"):
            program.save(tmp_path / "x.json")

        assert list(tmp_path.iterdir()) == []

    def test_other_names(self, tmp_path):
        """Said plainly."""
        with pytest.raises(ConfigurationError, match=r"ends in \.json"):
            Reader().save(tmp_path / "x.pkl")

    def test_a_value_that_its_type_refuses(self, tmp_path):
        """File, predictor, demo and field; nothing is changed."""
        program = learned()
        program.save(tmp_path / "x.json")
        text = (tmp_path / "x.json").read_text(encoding="utf-8")
        (tmp_path / "x.json").write_text(text.replace('"value": "red"', '"value": "blue"', 1), encoding="utf-8")
        fresh = Reader()

        with pytest.raises(DocumentError, match=r"predictor read, demos\[0\]\.values\.colour: does not fit Colour"):
            fresh.load(tmp_path / "x.json")

        assert fresh.read.demos == []


class TestTransaction:
    def corrupted(self, document: Any, path: tuple[Any, ...], value: Any) -> Any:
        new = copy.deepcopy(document)
        at = new
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value
        return new

    def places(self, node: Any, path: tuple[Any, ...] = ()) -> Any:
        if path:
            yield path
        if isinstance(node, dict):
            for key, value in node.items():
                yield from self.places(value, (*path, key))
        elif isinstance(node, list):
            for index, value in enumerate(node):
                yield from self.places(value, (*path, index))

    def test_a_load_that_fails_at_any_field_changes_nothing(self, tmp_path):
        """Every node of the file in turn is replaced by what it cannot be: refused whole, or loaded whole."""
        program = learned()
        program.save(tmp_path / "x.json")
        document = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
        failed = 0
        for path in self.places(document):
            fresh = Reader()
            before = fresh.dump_state()
            broken = self.corrupted(document, path, {"$nonsense": [1]})
            (tmp_path / "y.json").write_text(json.dumps(broken), encoding="utf-8")
            try:
                report = fresh.load(tmp_path / "y.json")
            except progkit.ArtifactError:
                failed += 1
                assert fresh.dump_state() == before, path
            else:
                assert report.applied == ["read", 'steps["en"].predict'], path
        assert failed > 100

    def test_every_difference_is_in_one_report(self, tmp_path):
        """Missing, extra, fields; strict refuses, otherwise what fits is applied."""
        learned().save(tmp_path / "x.json")

        class Other(Module):
            def __init__(self):
                self.reed = Predict(Read)
                self.steps = {"en": ChainOfThought("question, hint -> answer: int")}

        fresh = Other()
        with pytest.raises(StateMismatchError) as caught:
            fresh.load(tmp_path / "x.json")

        told = str(caught.value)
        assert "reed" in told
        assert "read" in told
        assert "hint" in told
        assert "answer" in told
        assert fresh.steps["en"].predict.demos == []

        report = fresh.load(tmp_path / "x.json", strict=False)

        assert not report.ok
        assert report.applied == ['steps["en"].predict']
        assert len(fresh.steps["en"].predict.demos) == 1


class TestEndpoints:
    def test_an_endpoint_nobody_allowed_gets_no_prompt(self, tmp_path, monkeypatch):
        """Told at load, refused at the call, kept on saving again; allowed by host."""
        from servers import ChatServer, Reply

        program, fresh = Predict("question -> answer"), Predict("question -> answer")
        with ChatServer(Reply(says(answer="a"))) as server:
            program.lm = progkit.LM("openai/test", api_base=server.url, api_key="sk-test")
            program.save(tmp_path / "x.json")
            report = fresh.load(tmp_path / "x.json")
            with pytest.raises(EndpointWithheldError):
                fresh(question="?")
            fresh.save(tmp_path / "y.json")
            assert server.count == 0
            assert server.url in str(report)

            fresh.load(tmp_path / "y.json", allow_hosts=["127.0.0.1"])
            assert isinstance(fresh.lm, progkit.LM)
            monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
            assert fresh(question="?").answer == "a"

        assert (tmp_path / "x.json").read_bytes() == (tmp_path / "y.json").read_bytes()


class TestFromTheFileAlone:
    def test_a_single_predictor_needs_no_class(self, tmp_path):
        """Types, defaults and constraints stand in the file."""
        fields = {
            "question": (str, progkit.InputField(desc="asked")),
            "tags": (list[str], progkit.InputField(default=["x"], max_length=3)),
            "answer": (Literal["yes", "no"] | None, progkit.OutputField()),
        }
        program = Predict(progkit.Signature(fields, "Say yes or no."))
        program.demos = [Example(question="q", tags=[], answer="yes")]
        program.save(tmp_path / "x.json")

        loaded = progkit.load(tmp_path / "x.json")

        assert isinstance(loaded, Predict)
        assert loaded.signature == program.signature
        assert loaded.demos == program.demos

    def test_otherwise_the_class_is_asked_for(self, tmp_path):
        """A program of several parts, or a type of its own."""
        learned().save(tmp_path / "x.json")
        Predict(Read).save(tmp_path / "y.json")

        with pytest.raises(ProgramNeededError, match=r"--program .*test_program_state:Reader"):
            progkit.load(tmp_path / "x.json")
        with pytest.raises(ProgramNeededError, match="Item"):
            progkit.load(tmp_path / "y.json")


class TestNewerMinor:
    def test_what_a_newer_version_wrote_is_kept(self, tmp_path):
        """Unknown fields of a readable newer file survive a save."""
        program = Predict("question -> answer")
        program.save(tmp_path / "x.json")
        document = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
        document["version"] = [1, 9]
        document["$schema"] = "urn:progkit:schema:state:1.9"
        document["reviewed"] = "by Ada"
        document["state"]["predictors"]["self"]["mood"] = {"a": [1]}
        (tmp_path / "new.json").write_text(json.dumps(document), encoding="utf-8")

        program.load(tmp_path / "new.json")
        program.save(tmp_path / "again.json")

        again = json.loads((tmp_path / "again.json").read_text(encoding="utf-8"))
        assert again["reviewed"] == "by Ada"
        assert again["state"]["predictors"]["self"]["mood"] == {"a": [1]}
        assert progkit.load(tmp_path / "again.json").predictors()


def test_an_lm_that_cannot_be_is_refused(tmp_path):
    """A model of no name: file, predictor and reason; nothing is changed."""
    predict = Predict("question -> answer")
    predict.lm = progkit.LM("openai/gpt-4o-mini")
    predict.save(tmp_path / "x.json")
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    (tmp_path / "x.json").write_text(text.replace('"openai/gpt-4o-mini"', '""'), encoding="utf-8")
    fresh = Predict("question -> answer")

    with pytest.raises(DocumentError, match="predictor self, lm"):
        fresh.load(tmp_path / "x.json")

    assert fresh.lm is None

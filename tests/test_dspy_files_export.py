"""Files for DSPy: what it reads is written, what its files have no place for is told.

``fixtures/dspy/exported`` holds a file that was loaded into the same program of DSPy 2.6.27, 3.0.4, 3.2.1 and 3.4.1,
which then saved the same state.
"""

import datetime
import decimal
import json
from pathlib import Path
from typing import Any

import pytest
from dspy_states import DSPY, path_of, program_of, raw_of
from hypothesis import given
from hypothesis import strategies as st

import progkit
from progkit import Code, Example, Image, InputField, Module, OutputField, Predict, Reasoning, Signature, artifact
from progkit.errors import ConfigurationError, UnsavableError
from progkit.program import state

BORN = DSPY / "exported" / "born_in_progkit.json"


class See(Signature):
    """Look.

    Look again: «é».
    """

    picture: Image = InputField(desc="what is seen")
    question: str = InputField()
    answer: str = OutputField(prefix="It is:")
    sure: bool = OutputField()


def born() -> Module:
    """A program that never saw DSPy: an LM, a list, a dict, demos of every kind."""
    program = Module()
    program.see = Predict(See, temperature=0.1)
    program.see.demos = [
        Example(sure=True, picture=Image("https://example.com/1.png"), question="Où?", answer="là", augmented=True),
        Example(question="labelled", answer="so"),
    ]
    program.steps = [progkit.ChainOfThought("question -> answer: int"), Predict("a, b: list[str] -> c")]
    program.steps[0].predict.demos = [{"question": "1+1", "reasoning": "So.", "answer": 2}]
    program.steps[1].lm = progkit.LM("openai/gpt-4o-mini", temperature=0.5, max_tokens=100, timeout=30, deadline=90.0)
    program.by = {"it's": Predict("x -> y"), 7: Predict("x -> z")}
    return program


def test_a_program_born_here_is_a_file_for_dspy(tmp_path: Path) -> None:
    """The very bytes that DSPy loaded; what it has no place for is in the report."""
    report = born().save(tmp_path / "out.json", format="dspy")

    assert json.loads((tmp_path / "out.json").read_text("utf-8")) == {
        **json.loads(BORN.read_text("utf-8")),
        "metadata": json.loads((tmp_path / "out.json").read_text("utf-8"))["metadata"],
    }
    assert report.changed
    assert report.dropped == [
        "see.config.temperature: DSPy's files hold no settings of a predictor",
        "steps[1].lm.deadline: DSPy has none",
    ]


def test_its_metadata_has_the_names_that_dspy_knows_and_no_others() -> None:
    """Any other makes DSPy fail."""
    raw, _ = artifact.export(state.capture(born()).document)

    assert set(raw["metadata"]["dependency_versions"]) == {"python", "dspy", "cloudpickle"}


def test_it_loads_here_too() -> None:
    """Back into the program, with its image and its LM."""
    program = born()
    fresh = born()
    for predictor in fresh.predictors():
        predictor.reset()

    report = fresh.load(BORN)

    assert report.ok
    assert fresh.see.demos[0].picture == Image("https://example.com/1.png")
    assert fresh.steps[1].lm.kwargs == program.steps[1].lm.kwargs
    assert fresh.see.demos == program.see.demos
    assert fresh.see.layout == "3.4"


def test_saving_the_same_twice_changes_nothing(tmp_path: Path) -> None:
    """The file is left as it is."""
    program = born()
    program.save(tmp_path / "out.json", format="dspy")

    assert not program.save(tmp_path / "out.json", format="dspy").changed


def test_a_format_that_there_is_not_is_refused(tmp_path: Path) -> None:
    """With those that there are."""
    with pytest.raises(ConfigurationError, match="'progkit', 'dspy'"):
        born().save(tmp_path / "out.json", format="DSPy")


def test_values_are_written_as_dspy_writes_them() -> None:
    """Dates as text, tuples and sets as lists, content types between marks or as their text."""
    predict = Predict("question -> answer")
    predict.demos = [
        {
            "question": (datetime.date(2024, 2, 29), datetime.time(12, 30), decimal.Decimal("1.50"), {1}),
            "answer": {"code": Code(code="x = 1"), "why": Reasoning(content="so"), "see": [Image("https://a.b/c.png")]},
        }
    ]

    demo = artifact.export(state.capture(predict, for_dspy=True).document)[0]["demos"][0]

    assert demo["question"] == ["2024-02-29", "12:30:00", "1.50", [1]]
    assert demo["answer"]["code"] == "x = 1"
    assert demo["answer"]["why"] == "so"
    assert demo["answer"]["see"][0].startswith("<<CUSTOM-TYPE-START-IDENTIFIER>>[{")


def test_a_document_alone_has_content_types_written_too() -> None:
    """Without the program: an image in a file of ours is an image in DSPy's."""
    predict = Predict("question -> answer")
    values = {"see": [Image("https://a.b/c.png")], "code": Code["java"](code="x"), "why": Reasoning(content="so")}
    predict.demos = [{"question": values, "answer": "a"}]

    direct = artifact.export(state.capture(predict, for_dspy=True).document)
    through = artifact.export(state.capture(predict).document)

    assert through == direct


@pytest.mark.parametrize(
    ("value", "reason"),
    [(2**64, "64 bits"), (b"x", "hold no bytes"), ({1: 2}, "no key 1"), (datetime.timedelta(1), "hold no timedelta")],
)
def test_what_dspy_cannot_read_is_not_written(value: Any, reason: str) -> None:
    """The place is in the error."""
    predict = Predict("question -> answer")
    predict.demos = [{"question": "q"}, {"question": {"deep": value}}]

    with pytest.raises(UnsavableError, match=reason) as caught:
        artifact.export(state.capture(predict).document)

    assert caught.value.where == "self.demos[1].question.deep"


def test_two_paths_that_are_one_to_dspy_are_refused(tmp_path: Path) -> None:
    """It writes the keys 7 and "7" alike; and what is called metadata it overwrites."""
    program = Module()
    program.by = {7: Predict("a -> b"), "7": Predict("a -> b")}
    other = Module()
    other.metadata = Predict("a -> b")

    with pytest.raises(UnsavableError, match="writes the key of a dict as text"):
        program.save(tmp_path / "out.json", format="dspy")
    with pytest.raises(UnsavableError, match="already has a 'metadata'"):
        artifact.export(state.capture(other).document)


def test_a_predictor_that_dspy_will_not_find_is_told() -> None:
    """It looks into lists, not into lists of lists."""
    program = Module()
    program.rows = [[Predict("a -> b")]]

    raw, dropped = artifact.export(state.capture(program).document)

    assert list(raw) == ["rows[0][0]", "metadata"]
    assert "will not find this one" in dropped[0]


def test_an_lms_settings_are_those_of_dspy() -> None:
    """Its defaults are said, secrets are told; a reasoning model's limit has the name that DSPy loads."""
    predict = Predict("question -> answer")
    predict.lm = progkit.LM("openai/o3-mini", max_completion_tokens=20000, api_key={"env": "KEY"})

    raw, dropped = artifact.export(state.capture(predict).document)

    assert raw["lm"] == {
        "model": "openai/o3-mini",
        "model_type": "chat",
        "temperature": None,
        "max_tokens": 20000,
        "finetuning_model": None,
        "launch_kwargs": {},
        "train_kwargs": {},
        "cache": True,
        "num_retries": 3,
    }
    assert dropped == ["self.lm.api_key: DSPy reads no secrets from the environment by a file"]


def test_an_export_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    """A directory is no file."""
    with pytest.raises(IsADirectoryError):
        artifact.write_export(tmp_path, {})


def test_a_flat_file_is_flat() -> None:
    """One predictor is the whole of DSPy's file."""
    program = program_of("3.4.1", "flat")
    program.load(path_of("3.4.1", "flat"))

    raw, _ = artifact.export(state.capture(program).document)

    assert list(raw) == ["traces", "train", "demos", "signature", "lm", "metadata"]


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64) + 1, 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(TEXT | st.sampled_from(["$x", "$model", "value"]), inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(st.dictionaries(TEXT, JSON, max_size=4), max_size=3), TEXT)
def test_any_demo_goes_through_our_document_unchanged(demos: Any, instructions: str) -> None:
    """DSPy's file, a document, its bytes, a document, DSPy's file."""
    raw = {**raw_of("3.4.1", "flat"), "demos": demos}
    raw["signature"] = {**raw["signature"], "instructions": instructions}

    received = artifact.accept(raw, "x.json")
    assert received is not None
    again = json.loads(artifact.encode(received.document))

    assert json.dumps(artifact.export(again)[0]["demos"], sort_keys=True) == json.dumps(demos, sort_keys=True)
    assert artifact.export(again)[0]["signature"] == raw["signature"]

"""Values through a whole program and a file: the same before and after, or refused with their place."""

import enum
import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from test_artifact_values import told, values

import progkit
from progkit import Example, Predict, artifact
from progkit.errors import DocumentError, StateMismatchError, UnsavableError
from progkit.program.state import capture

ANYWHERE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
tags = st.sampled_from(["$", "$$", "$int", "$$int", "$model", "$enum", "$order", "value", "$ref", "__class__", "env"])


class Colour(enum.Enum):
    RED = "red"
    MIXED = ("red", 2)


class Part(BaseModel):
    name: str
    price: Decimal
    colour: Colour | None = None
    parts: list["Part"] = []
    notes: dict[str, Any] = {}


class Order(progkit.Signature):
    """Read an order."""

    order: str = progkit.InputField()
    parts: list[Part] = progkit.OutputField()
    colours: dict[str, set[Colour]] = progkit.OutputField()
    when: datetime | date | None = progkit.OutputField()
    data: Any = progkit.OutputField()


def whole(time: datetime) -> datetime:
    """Not in the hour that a clock shows twice, which is refused."""
    return time.replace(fold=0)


parts = st.recursive(
    st.builds(
        Part, name=text, price=st.decimals(allow_nan=False, allow_infinity=False), colour=st.sampled_from(Colour)
    ),
    lambda inner: st.builds(Part, name=text, price=st.just(Decimal("1.50")), parts=st.lists(inner, max_size=3)),
    max_leaves=4,
)
demos = st.fixed_dictionaries(
    {
        "order": text | tags,
        "parts": st.lists(parts, max_size=3),
        "colours": st.dictionaries(text | tags, st.sets(st.sampled_from(Colour)), max_size=3),
        "when": st.none() | st.dates() | st.datetimes(timezones=st.just(UTC), allow_imaginary=False).map(whole),
        "data": values,
    },
    optional={"augmented": st.booleans(), "__class__": values, "$int": text},
)


def in_detail(value: Any) -> str:
    """Text that tells apart what ``==`` does not, also within models."""
    if isinstance(value, Part):
        return f"Part({', '.join(f'{name}={in_detail(each)}' for name, each in value)})"
    if type(value) is dict:
        return f"{{{', '.join(f'{in_detail(key)}: {in_detail(each)}' for key, each in value.items())}}}"
    if type(value) in (list, tuple):
        return f"{type(value).__name__}[{', '.join(map(in_detail, value))}]"
    return told(value)


@ANYWHERE
@given(st.lists(demos, max_size=3))
def test_demos_of_any_values_come_back_the_same(tmp_path: Path, given_demos: list[dict[str, Any]]) -> None:
    """Class, order and spelling of every value; models and members of enums through the types of the program."""
    program, fresh = Predict(Order), Predict(Order)
    program.demos = [Example(**each) for each in given_demos]

    program.save(tmp_path / "x.json")
    fresh.load(tmp_path / "x.json")
    fresh.save(tmp_path / "y.json")

    for demo, again in zip(program.demos, fresh.demos, strict=True):
        before, after = dict(demo.items()), dict(again.items())
        assert {name: in_detail(before[name]) for name in before} == {name: in_detail(after[name]) for name in after}
    assert (tmp_path / "x.json").read_bytes() == (tmp_path / "y.json").read_bytes()


@ANYWHERE
@given(st.dictionaries(text | tags, values, max_size=3))
@example({"a": {"$model": "Part", "value": {}}, "b": {"env": "HOME"}, "c": [{"$int": "1"}]})
def test_defaults_and_demos_of_a_file_alone_come_back_the_same(tmp_path: Path, value: dict[str, Any]) -> None:
    """What looks like a tag is a user's key, and stays one."""
    fields = {"data": (Any, progkit.InputField(default=value)), "answer": (str, progkit.OutputField())}
    program = Predict(progkit.Signature(fields))
    program.demos = [Example(data=value, answer="$int")]
    program.save(tmp_path / "x.json")

    again = progkit.load(tmp_path / "x.json").predictors()[0]

    assert told(again.signature.fields["data"].make_default()) == told(value)
    assert told(again.demos[0]["data"]) == told(value)


@ANYWHERE
@given(st.dictionaries(st.sampled_from(["n", "seed", "logit_bias", "tools", "metadata"]), values, max_size=3))
def test_settings_of_any_values_come_back_the_same(value: dict[str, Any]) -> None:
    """Those of a predictor, but for what looks like a secret or an address: that is told."""
    program, fresh = Predict("question -> answer"), Predict("question -> answer")
    program.config = dict(value)  # also what no constructor takes
    captured = capture(program)

    report = fresh.load_state(json.loads(artifact.encode(captured.document))["state"])

    if not (captured.dropped or report.dropped):
        assert told(fresh.config) == told({name: value[name] for name in sorted(value)})


def test_a_class_that_no_type_names_is_told_when_it_is_saved(tmp_path: Path) -> None:
    """Its plain value is in the file; in a field of its type it comes back as what it was, and is not told."""
    part = Part(name="a", price=Decimal(1), colour=Colour.RED)
    program = Predict(Order, mode=Colour.RED, stop=["x"])
    program.demos = [Example(order="o", parts=[part], colours={}, when=None, data={"b": [part]}, extra=Colour.RED)]

    report = program.save(tmp_path / "x.json")
    program.load(tmp_path / "x.json")

    assert report.dropped == [
        "self.config.mode: that it is a Colour, as no type there says so; its plain value is",
        "self.demos[0].data: that it is a Colour, as no type there says so; its plain value is",
        "self.demos[0].data: that it is a Part, as no type there says so; its plain value is",
        "self.demos[0].extra: that it is a Colour, as no type there says so; its plain value is",
    ]
    assert program.config == {"mode": "red", "stop": ["x"]}
    assert program.demos[0]["parts"] == [part]
    assert program.demos[0]["data"]["b"][0]["price"] == Decimal(1)


# --- what is no value of a file -----------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, Decimal("NaN"), Decimal("-Infinity")], ids=str)
def test_what_is_not_finite_is_refused_on_saving_with_its_place(tmp_path: Path, value: Any) -> None:
    """In a demo, in settings, in a default, within a model; nothing is written."""
    deep = Part.model_construct(name="a", price=Decimal(1), notes={"x": [value]})
    fields = {"data": (Any, progkit.InputField(default=[value])), "answer": (str, progkit.OutputField())}
    programs = [Predict(Order), Predict(Order), Predict("question -> answer", logit_bias={"a": value})]
    programs[0].demos = [Example(order="o"), Example(order={"a": [1, value]})]
    programs[1].demos = [Example(parts=[deep])]
    programs.append(Predict(progkit.Signature(fields)))
    places = ["self.demos[1].order.a[1]", "self.demos[0].parts[0].notes.x[0]", "self.config.logit_bias.a"]
    places.append("field data.default[0]")

    for program, place in zip(programs, places, strict=True):
        with pytest.raises(UnsavableError) as caught:
            program.save(tmp_path / "x.json")
        assert caught.value.where == place
        assert "cannot be saved" in caught.value.reason
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("spelled", ["NaN", "Infinity", "-Infinity", "1e999", '{"$decimal": "NaN"}'])
def test_what_is_not_finite_is_refused_on_loading_with_its_place(tmp_path: Path, spelled: str) -> None:
    """Whoever wrote it."""
    program = Predict("question -> answer")
    program.demos = [Example(question="q", answer=[0.5])]
    program.save(tmp_path / "x.json")
    text = (tmp_path / "x.json").read_text("utf-8").replace("0.5", spelled)
    (tmp_path / "x.json").write_text(text, "utf-8")

    with pytest.raises(DocumentError) as caught:
        Predict("question -> answer").load(tmp_path / "x.json")

    line = next(number for number, each in enumerate(text.splitlines(), 1) if spelled in each)
    expected = (f"line {line}, column 9", 'state.predictors.self.demos[0].values.answer[0]["$decimal"]')
    assert caught.value.where in expected


# --- strict and partial --------------------------------------------------------------------------------


CHANGED = [
    ("question -> answer", "question, hint -> answer", ["field 'hint' is in the program alone"]),
    ("question, hint -> answer", "question -> answer", ["field 'hint' is in the file alone"]),
    ("question -> answer", "question -> answers", ["field 'answer' is now 'answers'?"]),
    ("question -> answer", "question -> answer: int", ["field 'answer' was str, is int"]),
    ("question -> answer, why", "question, why -> answer", ["field 'why' was an input and is an output"]),
    (
        "a, question -> answer: int",
        "question, b: int -> answer",
        ["'a' is in the file alone", "'b' is in the program alone", "field 'answer' was int, is str"],
    ),
]


@pytest.mark.parametrize(("before", "after", "lines"), CHANGED, ids=lambda each: str(each)[:40])
def test_each_change_of_a_field_is_one_line_and_one_datum(
    tmp_path: Path, before: str, after: str, lines: list[str]
) -> None:
    """Refused with the report in the error; without ``strict`` what fits is applied, and the report says the same."""
    saved, fresh = Predict(before), Predict(after)
    saved.signature = saved.signature.with_instructions("Be brief.")
    saved.demos = [Example(question="q", answer=1)]
    saved.save(tmp_path / "x.json")

    with pytest.raises(StateMismatchError) as caught:
        fresh.load(tmp_path / "x.json")
    untouched = (fresh.signature.instructions, fresh.demos)
    report = fresh.load(tmp_path / "x.json", strict=False)

    assert untouched == (Predict(after).signature.instructions, [])
    for line in lines:
        assert line in str(caught.value)
        assert line in str(report)
    assert {**caught.value.report.to_dict(), "applied": ["self"]} == report.to_dict()
    assert json.loads(json.dumps(report.to_dict()))["ok"] is False
    assert fresh.signature.instructions == "Be brief."
    assert [*fresh.signature.fields] == [*Predict(after).signature.fields]


@pytest.mark.parametrize(
    ("demos", "told"),
    [
        ("abc", r"self\.demos: is a list of Examples or dicts, and not 'abc'"),
        (None, r"self\.demos: is a list of Examples or dicts, and not None"),
        ([{"a": "1", "b": "2"}, "x"], r"self\.demos\[1\]: a demo is an Example or a dict, and not 'x'"),
    ],
)
@pytest.mark.parametrize("kind", ["progkit", "dspy"])
def test_demos_that_are_none_cannot_be_saved(tmp_path: Path, demos: Any, told: str, kind: str) -> None:
    """The error says where, and what a demo is."""
    predict = progkit.Predict("a -> b")
    predict.demos = demos

    with pytest.raises(UnsavableError, match=told):
        predict.save(tmp_path / "x.json", format=kind)
    assert list(tmp_path.iterdir()) == []

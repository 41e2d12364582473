"""What is printed of an answer: JSON that the command reads back."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path

import pydantic
import pytest

import progkit
from progkit import Example, Module, Prediction
from progkit.cli import main
from progkit.cli.printing import as_json, plain, values_of


class Urgency(Enum):
    HIGH = "high"


class Level(IntEnum):
    TOP = 3


class Mixed(str, Enum):  # noqa: UP042 - as many write it
    A = "a"


class Person(pydantic.BaseModel):
    name: str
    born: date


@dataclass
class Point:
    x: int
    kind: Urgency


class Strange:
    def __str__(self):
        return "strange"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Urgency.HIGH, "high"),
        (Level.TOP, 3),
        (Mixed.A, "a"),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", "a"}), ["a", "b"]),
        ((1, (Urgency.HIGH,)), [1, ["high"]]),
        (b"x", "x"),
        (b"\xff\xfe", "__4="),
        (date(2024, 1, 2), "2024-01-02"),
        (datetime(2024, 1, 2, 3, tzinfo=UTC), "2024-01-02T03:00:00+00:00"),
        (time(3, 4), "03:04:00"),
        (timedelta(seconds=90), "PT1M30S"),
        (Decimal("1.50"), "1.50"),
        (Path("a/b"), "a/b"),
        (Person(name="Ann", born=date(2000, 1, 1)), {"name": "Ann", "born": "2000-01-01"}),
        (Point(1, Urgency.HIGH), {"x": 1, "kind": "high"}),
        (Strange(), "strange"),
        (Example(a={Urgency.HIGH}), {"a": ["high"]}),
        ({Urgency.HIGH: None, 1: True, (1, 2): 0.5, date(2024, 1, 2): "d"}, None),
        (None, None),
    ],
    ids=lambda value: f"{type(value).__name__}",
)
def test_values_are_plain_data(value, shown):
    """Whatever a program answers; keys, too."""
    if isinstance(value, dict):
        shown = {"high": None, 1: True, "[1, 2]": 0.5, "2024-01-02": "d"}

    assert plain(value) == shown
    json.loads(as_json(plain(value)))


def test_an_answer_that_is_no_prediction():
    """It is called answer."""
    assert values_of({Urgency.HIGH}) == {"answer": ["high"]}
    assert values_of(Prediction(level=Level.TOP)) == {"level": 3}


class Desk(Module):
    """Answers with values of every sort, or with what it was given."""

    def forward(self, urgency=None):
        return Prediction(
            urgency=Urgency.HIGH if urgency is None else urgency, marks={1}, raw=b"x", on=date(2024, 1, 2)
        )


def test_every_command_prints_them_so(tmp_path, capsys):
    """run, run --json and batch; and what they print is read again."""
    progkit.configure(lm=None)
    Desk().save(tmp_path / "desk.json")
    (tmp_path / "rows.jsonl").write_text("{}\n")
    words = [str(tmp_path / "desk.json"), "--program", f"{__name__}:Desk"]
    whole = {"urgency": "high", "marks": [1], "raw": "x", "on": "2024-01-02"}

    main(["run", *words, "--json", "--input", str(tmp_path / "rows.jsonl")])
    by_line = json.loads(capsys.readouterr().out)
    main(["run", *words, f"urgency={by_line['urgency']}"])
    as_text = capsys.readouterr().out
    main(["batch", *words, "--input", str(tmp_path / "rows.jsonl")])
    in_batch = json.loads(capsys.readouterr().out)

    assert by_line == whole
    assert as_text == "urgency: high\nmarks: [1]\nraw: x\non: 2024-01-02\n"
    assert in_batch == {"id": 0, "outputs": whole}

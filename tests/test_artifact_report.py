"""Documents held against programs, and settings without secrets."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from progkit import artifact
from progkit.artifact import FieldChanges, LoadReport

FULL = artifact.read(Path(__file__).parent.parent / "fixtures" / "state" / "1.0" / "full.json")
KEY = "sk-notakey0123456789abcdefghij"


def live() -> dict[str, Any]:
    """The program that the full fixture was saved from."""
    return {name: deepcopy(each["signature"]) for name, each in FULL["state"]["predictors"].items()}


def test_a_document_fits_the_program_it_came_from() -> None:
    """Nothing to tell."""
    report = artifact.compare(FULL, live())

    assert report == LoadReport()
    assert report.ok
    assert str(report) == "everything fits"


def test_every_difference_is_told_at_once() -> None:
    """Predictors and fields: missing, extra, alike by name, retyped, moved."""
    program = live()
    program["triage.predictor"] = program.pop("triage.predict")
    program["parts[1]"] = program["parts[0]"]
    del program["every.value"]
    fields = program['parts["0"]']["fields"]
    fields["question"]["role"] = "output"
    fields["answers"] = {**fields.pop("answer"), "type": "list[str]"}
    fields["extra"] = fields["question"]
    program['parts["0"]']["order"] = ["answers", "question", "extra"]
    program["parts[0]"]["fields"]["answer"]["type"] = "int"

    report = artifact.compare(FULL, program)

    assert not report.ok
    assert report.missing == ["triage.predictor", "parts[1]"]
    assert sorted(report.extra) == ["every.value", "triage.predict"]
    assert report.renamed == [("triage.predict", "triage.predictor")]
    assert report.fields == {
        'parts["0"]': FieldChanges(["answers", "extra"], ["answer"], [("answer", "answers")], moved=["question"]),
        "parts[0]": FieldChanges(retyped=[("answer", "str", "int")]),
    }
    assert str(report).splitlines() == [
        "triage.predict is now triage.predictor?",
        "every.value is in the file alone",
        "parts[1] is in the program alone",
        "parts[\"0\"]: field 'answer' is now 'answers'?",
        "parts[\"0\"]: field 'extra' is in the program alone",
        "parts[\"0\"]: field 'question' was an input and is an output, or the reverse",
        "parts[0]: field 'answer' was str, is int",
    ]


def test_a_field_that_is_gone_is_told() -> None:
    """Also where nothing is like it."""
    program = live()
    program["parts[0]"]["order"].remove("answer")
    del program["parts[0]"]["fields"]["answer"]

    report = artifact.compare(FULL, program)

    assert str(report) == "parts[0]: field 'answer' is in the file alone"
    assert not report.ok


def test_another_order_of_fields_fits_and_is_told() -> None:
    """Fields go by name; but the prompt shows their order."""
    program = live()
    program["parts[0]"]["order"].reverse()

    report = artifact.compare(FULL, program)

    assert report.ok
    assert str(report) == "parts[0]: the fields are in another order, which changes the prompt"


def test_a_report_is_plain_data_too() -> None:
    """As JSON it has the same parts."""
    report = artifact.compare(FULL, live())
    report.dropped.append("a.lm.api_key: a secret")
    report.applied.extend(["a", "b"])

    assert json.loads(json.dumps(report.to_dict())) == {
        "ok": True,
        "missing": [],
        "extra": [],
        "renamed": [],
        "fields": {},
        "dropped": ["a.lm.api_key: a secret"],
        "notes": [],
        "applied": ["a", "b"],
        "commit": "",
        "environment": [],
    }
    assert str(report) == "not taken over: a.lm.api_key: a secret\napplied: a, b"


# --- secrets ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "clean", "told"),
    [
        ({"max_tokens": 9, "stop": ["a"]}, {"max_tokens": 9, "stop": ["a"]}, []),
        ({"api_key": KEY, "n": 2}, {"n": 2}, ["api_key: a secret"]),
        ({"api_key": None}, {}, []),
        ({"api_key": {"env": "KEY"}}, {"api_key": {"env": "KEY"}}, []),
        ({"extra_headers": {"X-Team": "a"}}, {}, ["extra_headers: a secret"]),
        ({"extra_headers": {"X-Team": {"env": "TEAM"}}}, {"extra_headers": {"X-Team": {"env": "TEAM"}}}, []),
        ({"extra_headers": {}}, {}, ["extra_headers: a secret"]),
        ({"extra_body": {"user": 1, "api_key": KEY}}, {"extra_body": {"user": 1}}, ["extra_body.api_key: a secret"]),
        ({"extra_body": {"env": "BODY"}}, {"extra_body": {"env": "BODY"}}, []),
        ({"note": f"use {KEY}"}, {}, ["note: looks like a secret"]),
        ({"stop": [{"x": ("Bearer abcdef123456",)}, 1]}, {"stop": [{}, 1]}, ["stop[0].x: looks like a secret"]),
        (
            {"api_base": "https://ann:pass@llm.example.com:8080/v1?api-version=2"},
            {"api_base": "https://llm.example.com:8080/v1?api-version=2"},
            ["api_base: the user in its URL"],
        ),
        ({"api_base": f"https://ann:pass@llm.example.com/?key={KEY}"}, {}, ["api_base: looks like a secret"]),
    ],
    ids=lambda each: str(each)[:40],
)
def test_secrets_are_taken_out_and_told(settings: dict[str, Any], clean: dict[str, Any], told: list[str]) -> None:
    """By name, by looks, and in URLs; where a secret is may be said."""
    found, dropped = artifact.scrub(settings, "answer.config")

    assert found == clean
    assert len(dropped) == len(told)
    assert all(said.startswith(f"answer.config.{start}") for said, start in zip(dropped, told, strict=True))
    assert KEY not in str(dropped)

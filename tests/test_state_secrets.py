"""Secrets: none reaches a file from settings, and what looks like one in a text is told."""

import json
from pathlib import Path
from typing import Any

import pytest
from state_files import (
    a_document,
    a_program,
    put,
)
from test_program_state import Reader

import progkit
from progkit import Example, Predict
from progkit.artifact.suspecting import suspects
from progkit.cli import main
from progkit.program.state import capture


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.json"


KEY = "sk-notakey0123456789abcdefghij"


def test_no_secret_reaches_a_file_from_any_setting(path: Path) -> None:
    """By name, by its looks, in headers, in a URL, in lists and in what lies deeper; each is told."""
    settings: dict[str, Any] = {
        "api_key": KEY,
        "extra_headers": {"Authorization": f"Bearer {KEY}", "x-api-key": KEY},
        "headers": {"Cookie": "session=1"},
        "aws_secret_access_key": "short",
        "extra_body": {"nested": [{"token": "short"}, {"password": "short"}]},
        "api_base": f"https://user:{KEY}@host.test/v1",
        "stop": ["fine", KEY],
        "user": f"Basic {KEY}",
    }
    program = Reader()
    program.read.config = {"temperature": 0.1, **settings}
    program.read.lm = progkit.LM("openai/x", **{name: each for name, each in settings.items() if name != "stop"})

    report = program.save(path)

    text = path.read_text("utf-8") + str(report)
    for secret in (KEY, "session=1", "short"):
        assert secret not in text
    for name in settings:
        assert any(each.startswith(f"read.config.{name}") for each in report.dropped), name
    for name in ("api_key", "extra_headers", "headers", "aws_secret_access_key", "api_base"):
        assert any(each.startswith(f"read.lm.{name}") for each in report.dropped), name


def test_a_secret_that_somebody_wrote_into_a_file_is_dropped_and_told(path: Path) -> None:
    """From settings, at load; the error of a broken value does not show one either."""
    document = put(a_document(), ("state", "predictors", "read", "config", "api_key"), KEY)
    document = put(document, ("state", "predictors", 'steps["en"].predict', "lm", "extra_headers"), {"a": KEY})
    path.write_text(json.dumps(document), "utf-8")
    program = a_program()

    report = program.load(path)

    assert [each.partition(":")[0] for each in report.dropped] == [
        "read.config.api_key",
        'steps["en"].predict.lm.extra_headers',
    ]
    assert KEY not in str(report) + repr(program.read.config) + repr(program.steps["en"].predict.lm)


def test_an_address_that_is_none_is_an_error_of_ours_or_none(path: Path) -> None:
    """Brackets around what is no number of version 6 are more than ``urllib`` can stand."""
    program = Reader()
    program.read.config = {"stop": f"https://user:{KEY}@[no]/", "user": "https://[no]/"}
    program.read.lm = progkit.LM("openai/x", api_base="http://[no]/v1")

    report = program.save(path)
    program.load(path)

    assert report.dropped == ["read.config.stop: looks like a secret"]
    assert program.read.lm.withheld == "http://[no]/v1"


# --- texts that look like credentials -------------------------------------------------------------------

LOOKS = [
    ("sk-proj-abcdefgh0123456789ABCDEF", "an API key"),
    ("the key is sk_live_0123456789abcdefghij.", "an API key"),
    ("AIza" + "a1" * 17 + "b", "an API key"),
    ("AKIAABCDEFGHIJKLMNOP", "an AWS key"),
    ("ghp_" + "a1B2" * 9, "a token"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.abcdefghijklmno", "a token"),
    ("postgresql://shop:hunter22@db.test/orders", "a password in a URL"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "a private key"),
]
WORDS = [
    "basic knowledge of bearer bonds, and a token of thanks",
    "skateboarding-accidents-happen-often",
    "sk-learn-is-a-library-for-machine-learning",
    "a risk-based-approach-to-the-problem-2024",
    "https://docs.test/a:b/c@d",
    "mail ada@example.com: AKIA is a prefix",
]


@pytest.mark.parametrize(("said", "what"), LOOKS)
def test_a_credential_in_a_text_is_told_with_its_place_and_not_shown(said: str, what: str) -> None:
    """In instructions, descriptions, defaults, demos, and what another library left."""
    program = Predict("question -> answer")
    document = capture(program).document
    node = document["state"]["predictors"]["self"]
    node["signature"]["instructions"] = ["Fine.", said]
    node["signature"]["fields"]["question"] |= {"desc": said, "default": {"x": [said]}}
    node["demos"] = [{"id": "d-000000000000", "values": {"question": "fine", said: 1, "answer": [said]}}]
    node["kept"] = {"traces": [said]}
    document["state"]["others"] = {"retriever": {"x": said}}

    found = suspects(document)

    assert [each.partition(": holds what looks like ")[2] for each in found] == [what] * 7
    assert not [each for each in found if said in each]
    places = {each.partition(": holds")[0] for each in found}
    assert places >= {
        "retriever.x",
        "self.demos[0].values.answer[0]",
        "self.kept.traces[0]",
        "self.signature.fields.question.default.x[0]",
        "self.signature.fields.question.desc",
        "self.signature.instructions[1]",
    }


@pytest.mark.parametrize("said", WORDS)
def test_words_are_no_credentials(said: str) -> None:
    """Prose may speak of keys, tokens and risks."""
    program = Predict(progkit.Signature("question -> answer", said))
    program.demos = [Example(question=said, answer=said)]

    assert suspects(capture(program).document) == []


def test_validate_tells_a_credential_in_a_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1, as for one in settings: it would go into git."""
    program = Predict("question -> answer")
    program.demos = [Example(question="What is sk-notakey0123456789abcdefghij?", answer="A key.")]
    program.save(tmp_path / "x.json")

    assert main(["validate", str(tmp_path / "x.json")]) == 1
    said = capsys.readouterr().out
    assert said == f"{tmp_path / 'x.json'}: self.demos[0].values.question: holds what looks like an API key\n"

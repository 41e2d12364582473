"""The text of a document, which git diff compares."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from repositories import Document, changed, document, predictor
from test_git_merging_properties import DOCUMENTS

from progkit import artifact, schema
from progkit.artifact.printing import printed
from progkit.cli import main

DESK = document(answer=predictor("a", temperature=0.0))
TOP = Path(__file__).parent.parent

FULL = artifact.read(TOP / "fixtures" / "state" / "1.0" / "full.json")


def test_the_text_of_a_document() -> None:
    """A line for each thing, by predictor."""
    node = predictor("a", instructions=("One.", "", 'It is "so".', '"quoted"'), temperature=0.0, stop=["\n"])
    node |= {"layout": "3.4", "lm": {"model": "m"}, "kept": {}}
    node["demos"][0] |= {
        "inputs": ["question"],
        "values": {"question": "two\nlines ", "answer": "1", "x": 1, "y": "\x1b[2J"},
    }
    node["signature"]["fields"]["answer"] |= {"default": {}, "constraints": {"max_length": 9}, "desc": " a "}

    assert printed({**document(answer=node), "origin": {"dspy": "3.4.1"}}).splitlines() == [
        "progkit.state 1.0",
        "saved with progkit 0.1.0, Python 3.11",
        "program desk:Desk",
        "origin dspy: 3.4.1",
        "",
        "predictor answer",
        "  signature QA",
        "  instructions",
        "    One.",
        "",
        '    It is "so".',
        '    "\\"quoted\\""',
        "  input question: str",
        "    prefix Question:",
        "    desc ${question}",
        "  output answer: str",
        "    prefix Answer:",
        '    desc " a "',
        '    constraints {"max_length": 9}',
        "    default {}",
        '  config stop: ["\\n"]',
        "  config temperature: 0.0",
        "  lm model: m",
        "  kept nothing",
        "  layout 3.4",
        f"  demo {node['demos'][0]['id']} (inputs question)",
        '    answer: "1"',
        "    question: |",
        "      two",
        '      "lines "',
        "    x: 1",
        '    y: "\\u001b[2J"',
    ]


def test_what_a_newer_minor_knows_is_shown() -> None:
    """As data, under its place."""
    newer = {**DESK, "$schema": schema.urn((1, 7)), "version": [1, 7], "new": {"b": "\u202e"}}

    assert printed(newer).splitlines()[-3:] == [
        "unknown new " + '{"b": "\\u202e"}',
        "unknown requires []",
        "unknown version [1, 7]",
    ]


def test_fixtures_have_texts() -> None:
    """With parts of another library, guessed names and every kind of value."""
    assert "\npart flex\n  data {" in printed(artifact.read(TOP / "fixtures/state/1.0/from_dspy.json"))
    assert printed(FULL).isprintable() is False
    assert {each for each in printed(FULL) if not each.isprintable()} == {"\n", "\t"}


@settings(max_examples=80, deadline=None)
@given(DOCUMENTS, DOCUMENTS)
def test_other_documents_have_other_texts(one: Document, other: Document) -> None:
    """What git diff leaves out would be a change that nobody sees."""
    assert (printed(one) == printed(other)) == (artifact.encode(one) == artifact.encode(other))


TEXTS = st.text(st.sampled_from('a 1-|"\\{[\n\t\r\u202e\xa0'), max_size=4)
VALUES = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from([0.0, 1.0, "true", "NULL", "1e5"]) | TEXTS


@settings(max_examples=200, deadline=None)
@given(VALUES | st.lists(VALUES, max_size=2), VALUES | st.lists(VALUES, max_size=2))
def test_other_values_have_other_texts(one: object, other: object) -> None:
    """Text that looks like a number, a list, or the head of several lines; and what does not show."""
    texts = [
        printed(changed(DESK, lambda all_, v=v: all_["answer"]["config"].update(x=v, y="z"))) for v in (one, other)
    ]

    assert (texts[0] == texts[1]) == (artifact.canonical(one) == artifact.canonical(other))


ESCAPE = "\x1b[2J\u202e"


def test_nothing_in_a_file_is_an_order_to_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of what the commands print of a file, and its name, what a terminal would obey is spelled out."""
    monkeypatch.chdir(tmp_path)
    one = document(**{f"a{ESCAPE}": predictor(f"q{ESCAPE}", instructions=(f"Do{ESCAPE}.",))})
    other = document(**{f"a{ESCAPE}": predictor(f"r{ESCAPE}", instructions=(f"Other{ESCAPE}.",), **{f"k{ESCAPE}": 1})})
    node = other["state"]["predictors"][f"a{ESCAPE}"]
    node["signature"]["fields"]["question"]["type"] = "int"
    node["demos"][0]["id"] = "d-000000000000"
    names = [f"one{ESCAPE}.json", f"other{ESCAPE}.json"]
    for name, each in zip(names, (one, other), strict=True):
        Path(name).write_bytes(artifact.encode(each))

    told = []
    for words in (["diff", *names], ["diff", "--prompts", *names], ["compat", *names]):
        assert main(words) == 1
        told.append(capsys.readouterr())
    assert main(["validate", "--canonical", *names]) == 1
    told.append(capsys.readouterr())
    assert main(["migrate", "--check", *names]) == 0
    told.append(capsys.readouterr())

    assert all("a\\x1b[2J\\u202e" in each.out or "one\\x1b[2J\\u202e" in each.out for each in told)
    assert not any(bad in each.out + each.err for each in told for bad in "\x1b\u202e")

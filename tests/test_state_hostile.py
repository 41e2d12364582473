"""State files from an enemy, or from a mishap: refused with an error that is documented, and the program untouched."""

import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from state_files import (
    a_document,
    a_file,
    a_program,
    a_value,
    at,
    load,
    places,
    put,
    snapshot,
    spoil_bytes,
    spoil_tree,
    without,
)
from test_program_state import learned

import progkit
from progkit import Example, Predict, schema
from progkit.errors import DocumentError, ProgramNeededError, SignatureError, VersionError
from progkit.program import state
from progkit.program.loading import rebuilt

APPLIED = ["read", 'steps["en"].predict']


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.json"


def refusal(path: Path, data: bytes) -> DocumentError:
    """The error of a file with this content, at which the program stays what it was."""
    path.write_bytes(data)
    program = a_program()
    before = snapshot(program)
    with pytest.raises(DocumentError) as caught:
        program.load(path)
    assert snapshot(program) == before
    return caught.value


# --- cut off, and wrong at any place ------------------------------------------------------------------


def test_cut_off_at_any_byte(path: Path) -> None:
    """Only the file without its last line break is still the file."""
    whole = a_file()
    program = a_program()
    before = snapshot(program)
    for length in range(len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DocumentError):
            program.load(path)
        assert length % 50 or snapshot(program) == before
    assert snapshot(program) == before

    path.write_bytes(whole[:-1])
    assert (report := load(program, path)) is not None
    assert report.applied == APPLIED


WRONG: list[Any] = [None, True, 7, 1.5, "text", [], {}, [None], {"$model": "Item", "value": {}}, {"$enum": "Colour"}]


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_wrong_at_any_place(path: Path, value: Any) -> None:
    """Each value of the file in turn becomes another one: refused, and nothing is changed, or loaded whole."""
    document = a_document()
    program = a_program()
    refused = 0
    for place in places(document):
        if at(document, place) == value:
            continue
        path.write_text(json.dumps(put(document, place, value)), "utf-8")
        report = load(program, path)
        refused += report is None
        if report is not None:
            assert report.applied == APPLIED, place
            program = a_program()

    assert refused > 50


def test_missing_at_any_place(path: Path) -> None:
    """Each value of the file in turn is left out."""
    document = a_document()
    for place in places(document):
        path.write_text(json.dumps(without(document, place)), "utf-8")
        report = load(a_program(), path)
        assert report is None or report.applied == APPLIED, place


class Stubborn(Predict):
    """A predictor of somebody's own that refuses what it is given."""

    refuses = ""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == self.refuses:
            raise KeyboardInterrupt(name)
        super().__setattr__(name, value)


@pytest.mark.parametrize("name", ["signature", "demos", "config", "lm", "layout"])
def test_a_part_that_refuses_in_the_midst_of_it(path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was already put is taken back, down to the object; an interrupt comes at any moment, too."""
    learned().save(path)
    program = a_program()
    last = program.steps["en"].predict
    last.__class__ = Stubborn
    before = snapshot(program)
    monkeypatch.setattr(Stubborn, "refuses", name)

    with pytest.raises(KeyboardInterrupt, match=name):
        program.load(path)

    assert snapshot(program) == before


# --- keys -----------------------------------------------------------------------------------------------

DUNDERS = ["__class__", "__dict__", "__init__", "__reduce__", "__setstate__", "__del__", "__globals__", "__proto__"]


@pytest.mark.parametrize("key", [*DUNDERS, "$int", "$new", "_unknown", "forward"])
@pytest.mark.parametrize(
    "place",
    [(), ("saved_with",), ("state",), ("state", "predictors", "read"), ("state", "predictors", "read", "signature")]
    + [("state", "predictors", "read", "signature", "fields", "bill"), ("state", "predictors", "read", "demos", 0)],
    ids=str,
)
def test_a_key_of_no_meaning_is_refused_where_it_stands(path: Path, place: Any, key: str) -> None:
    """Never set on anything, and never passed over."""
    error = refusal(path, json.dumps(put(a_document(), (*place, key), {"py/object": "os.system"})).encode())

    assert error.where == schema.show(place)
    assert f"unknown key {key!r}" in error.reason


@pytest.mark.parametrize("key", DUNDERS)
def test_a_dunder_among_values_is_a_name_like_any_other(path: Path, key: str) -> None:
    """In a demo, in its values, in settings; also as the name of a predictor, which then is for another program."""
    document = put(a_document(), ("state", "predictors", "read", "config", key), {key: [key]})
    document = put(document, ("state", "predictors", "read", "demos", 0, "values", key), {key: "os.system"})
    path.write_text(json.dumps(document), "utf-8")
    program = a_program()

    program.load(path)

    demo = program.read.demos[0]
    assert type(demo) is Example
    assert dict(demo.items())[key] == {key: "os.system"}
    assert program.read.config == {"temperature": 0.5, key: {key: [key]}}
    assert type(program.read) is Predict
    path.write_text(json.dumps(put(document, ("state", "predictors", key), document["state"]["predictors"]["read"])))
    assert load(program, path) is None


def test_every_key_of_the_file_twice(path: Path) -> None:
    """What a merge that kept both sides leaves; msgspec alone would take the later one."""
    lines = a_file().decode().splitlines()
    doubled = 0
    for number, line in enumerate(lines):
        if '": ' not in line or line.endswith(("{", "[")):
            continue
        again = line if line.endswith(",") else f"{line},"
        error = refusal(path, "\n".join([*lines[:number], again, *lines[number:]]).encode())
        assert "twice" in error.reason, line
        doubled += 1

    assert doubled > 60


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        (lambda text: f"<<<<<<< HEAD\n{text}", "an unresolved merge conflict"),
        (lambda text: text.replace(' "state"', '<<<<<<< ours\n "state"'), "an unresolved merge conflict"),
        (lambda text: text.replace(' "state"', '>>>>>>> theirs\n "state"'), "an unresolved merge conflict"),
        (lambda text: text.replace(' "state"', '=======\n "state"'), "not JSON"),
        (lambda text: text.replace(' "state"', '||||||| base\n "state"'), "not JSON"),
        (lambda text: text + text, "more follows the document"),
        (lambda text: text.replace("},\n", "}\n", 1), "not JSON"),
    ],
    ids=["whole", "ours", "theirs", "middle", "base", "both", "comma"],
)
def test_what_a_merge_leaves_behind(path: Path, spoiled: Any, reason: str) -> None:
    """Markers, both sides, a comma that is gone: never a guess at what was meant."""
    assert reason in refusal(path, spoiled(a_file().decode()).encode()).reason


def test_both_sides_of_a_merge_kept_as_demos(path: Path) -> None:
    """A demo that is there twice has its id twice; two others stand side by side."""
    document = a_document()
    place = ("state", "predictors", "read", "demos")
    demos = at(document, place)

    error = refusal(path, json.dumps(put(document, place, [demos[0], *demos])).encode())

    assert error.where == "state.predictors.read.demos[1].id"
    assert "is there twice" in error.reason


# --- what a file alone is rebuilt from -----------------------------------------------------------------------

SIGNATURE = ("state", "predictors", "self", "signature")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("name",), "\0"),
        (("fields", "answer", "constraints"), {"$dict": [[1, 2]]}),
        (("fields", "answer", "constraints"), {"desc": "of its own"}),
        (("fields", "answer", "constraints"), {"default_factory": "os.getcwd"}),
        (("fields", "answer", "constraints"), {"max_length": -1}),
        (("fields", "answer", "type"), "list[" * 5000 + "int" + "]" * 5000),
        (("fields", "answer", "type"), "(" * 20_000),
        (("fields", "answer", "type"), "-" * 50_000 + "1"),
        (("fields", "answer", "type"), "Literal[" + "9" * 5000 + "]"),
        (("fields", "answer", "type"), "str\0"),
        (("fields", "answer", "type"), "__import__('os').system('true')"),
        (("fields", "answer", "type"), "antigravity.Flight"),
        (("fields", "answer", "type"), "[x for x in ().__class__.__base__.__subclasses__()]"),
        (("fields", "answer", "type"), "f'{x}'"),
    ],
    ids=lambda each: str(each)[:40],
)
def test_a_signature_that_nothing_can_be_made_of_needs_the_program(path: Path, place: Any, value: Any) -> None:
    """Texts of types are looked at, never run; what is no type, name or constraint is an error that says what to do."""
    document = state.capture(Predict("question -> answer")).document
    path.write_text(json.dumps(put(document, (*SIGNATURE, *place), value)), "utf-8")

    with pytest.raises(ProgramNeededError, match="--program"):
        progkit.load(path)


def test_a_file_of_no_program_says_so(path: Path) -> None:
    """Without a class to name, the signature is what is suggested."""
    document = state.capture(Predict("question -> answer")).document
    document = put(document, (*SIGNATURE, "fields", "answer", "type"), "Price")
    path.write_text(json.dumps({**document, "program": ""}), "utf-8")

    with pytest.raises(ProgramNeededError, match="--program 'question -> answer'"):
        progkit.load(path)


def test_names_that_a_class_has_itself_are_names_of_fields(path: Path) -> None:
    """``mro`` or ``__init__`` as a field: found by name in the signature, and nowhere else."""
    document = state.capture(Predict("question -> answer")).document
    node = at(document, SIGNATURE)
    for name in ("mro", "fields", "instructions", "__init__", "__class__", "__slots__", "__dict__"):
        fields = {"question": node["fields"]["question"], name: node["fields"]["answer"]}
        signature = rebuilt({**node, "fields": fields, "order": ["question", name]})

        assert [*signature.fields] == ["question", name]
        assert isinstance(signature.with_instructions("x"), type)
    with pytest.raises(SignatureError):
        rebuilt({**node, "fields": {"class": node["fields"]["answer"]}, "order": ["class"]})


# --- anything at all ----------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32), st.booleans())
def test_a_file_spoiled_in_any_way_is_refused_or_loaded_whole(path: Path, seed: int, as_text: bool) -> None:
    """Only documented errors, and the program is what it was; what loads can be saved, loaded and validated again."""
    chance = random.Random(seed)
    spoiled = spoil_bytes(a_file(), chance) if as_text else json.dumps(spoil_tree(a_document(), chance)).encode()
    path.write_bytes(spoiled)
    program = a_program()

    report = load(program, path)

    if report is not None:
        assert report.applied == APPLIED
        program.save(path)
        assert a_program().load(path).applied == APPLIED


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32))
def test_a_value_of_any_sort_in_the_place_of_any_other(path: Path, seed: int) -> None:
    """Also where the file alone must do: the reader rebuilds the predictor, or says that it needs its program."""
    chance = random.Random(seed)
    document = state.capture(Predict("question, n: int -> answer: list[str]")).document
    place = chance.choice([*places(document)])
    path.write_text(json.dumps(put(document, place, a_value(chance))), "utf-8")

    with suppress(progkit.ArtifactError):
        progkit.load(path)


def test_a_version_error_is_told_before_anything_else(path: Path) -> None:
    """However broken the rest may be: who needs another progkit is told so."""
    path.write_text(json.dumps({**schema.header(), "version": [9, 0], "state": {"__class__": 1}}), "utf-8")
    with pytest.raises(VersionError):
        a_program().load(path)

"""``progkit compat``: whether callers of one saved program would break with another."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dspy_states import path_of
from hypothesis import example, given, settings
from hypothesis import strategies as st
from repositories import Document, changed, demos, document, field, predictor

from progkit import artifact
from progkit.artifact.compatibility import breaks
from progkit.artifact.subtyping import is_within
from progkit.cli import main
from progkit.signature.text import parse_type
from progkit.signature.types import type_adapter, type_text

BASE = document(answer=predictor("a"))
Change = Callable[[Document], Any]


def verdicts(*changes: Change, base: Document = BASE) -> list[tuple[str, str]]:
    return [(each.part, each.verdict) for each in breaks(base, changed(base, *changes))]


def fields(name: str, **given: Any) -> Change:
    """Give the field *name* these parts; one that is there keeps its others."""

    def change(all_: Document) -> None:
        signature = all_["answer"]["signature"]
        if name not in signature["fields"]:
            signature["order"].append(name)
        signature["fields"][name] = {**field("input", name), **signature["fields"].get(name, {}), **given}

    return change


def without(name: str) -> Change:
    def change(all_: Document) -> None:
        all_["answer"]["signature"]["order"].remove(name)
        del all_["answer"]["signature"]["fields"][name]

    return change


# --- compat ---------------------------------------------------------------------------------------


def test_what_callers_do_not_notice() -> None:
    """Instructions, demos, settings, descriptions, order; an output more, an input more that has a default."""
    assert (
        verdicts(
            lambda all_: all_["answer"].update(demos=demos("b"), config={"n": 2}, lm={"model": "m"}, layout="3.4"),
            lambda all_: all_["answer"]["signature"].update(instructions=["New."], order=["answer", "question"]),
            fields("question", desc="other", prefix="Q:"),
            fields("mood", role="output"),
            fields("size", type="int", default=1),
            lambda all_: all_.update(judge=predictor("j")),
        )
        == []
    )


def test_what_breaks_callers() -> None:
    """Inputs and outputs that are gone, inputs that must be passed now, roles that changed."""
    assert verdicts(without("question")) == [("input question", "breaking")]
    assert verdicts(without("answer")) == [("output answer", "breaking")]
    assert verdicts(fields("size")) == [("input size", "breaking")]
    assert verdicts(fields("answer", role="input")) == [("output answer", "breaking")]
    with_default = changed(BASE, fields("question", default="?"))
    assert [each.reason for each in breaks(with_default, BASE)] == ["has no default any more: callers must pass it"]
    renamed = breaks(BASE, changed(BASE, without("question"), fields("questions")))
    assert [each.reason for each in renamed] == ["is now questions", "is new and has no default: callers must pass it"]


def test_predictors_that_are_gone() -> None:
    """The new path is told, where there is one with the same fields, or a similar name."""

    def reason(change: Change) -> str:
        (found,) = breaks(BASE, changed(BASE, change))
        assert (found.path, found.part, found.verdict) == ("answer", "predictor", "breaking")
        return found.reason

    assert reason(lambda all_: all_.update({"writer.first": all_.pop("answer")})) == "is now writer.first"
    assert reason(lambda all_: all_.update(answers=all_.pop("answer"))) == "is now answers"
    assert reason(lambda all_: all_.clear()) == "is gone"


@pytest.mark.parametrize(
    ("old", "new", "as_input", "as_output"),
    [
        ("str", "str | None", None, "breaking"),
        ("str | None", "str", "breaking", None),
        ("Literal['a', 'b']", "Literal['a']", "breaking", None),
        ("Literal['a']", "Literal['a', 'b']", None, "breaking"),
        ("int", "float", None, "breaking"),
        ("list[int]", "list[str]", "breaking", "breaking"),
        ("Invoice", "Bill", "unknown", "unknown"),
        ("Invoice", "Invoice | None", None, "breaking"),
        ("", "str", "unknown", "unknown"),
    ],
)
def test_types(old: str, new: str, as_input: str | None, as_output: str | None) -> None:
    """An input may take more, an output may give less."""
    for name, expected in (("question", as_input), ("answer", as_output)):
        base = changed(BASE, fields(name, type=old), lambda all_: all_["answer"]["signature"].update(guessed=[]))

        assert [verdict for _, verdict in verdicts(fields(name, type=new), base=base)] == [expected] * bool(expected)


@pytest.mark.parametrize(
    ("old", "new", "narrowed", "widened"),
    [
        ({}, {"ge": 0}, True, False),
        ({"ge": 0}, {"ge": 1}, True, False),
        ({"ge": 0}, {"gt": 0}, True, False),
        ({"gt": 0}, {"gt": 0.0}, False, False),
        ({"le": 5}, {"lt": 6}, False, True),
        ({"max_length": 9}, {"max_length": 10}, False, True),
        ({"min_length": 2, "ge": 3}, {"min_length": 3}, True, True),
        ({"multiple_of": 4}, {"multiple_of": 2}, False, True),
        ({"multiple_of": 4}, {"multiple_of": 3}, True, True),
        ({"allow_inf_nan": False}, {"allow_inf_nan": True}, False, True),
        ({"ge": {"$date": "2024-01-01"}}, {"ge": 3}, True, True),
        ({"multiple_of": 2}, {"multiple_of": 0}, True, False),
        ({}, {"multiple_of": 2}, True, False),
    ],
)
def test_constraints(old: Document, new: Document, narrowed: bool, widened: bool) -> None:
    """A tighter one on an input refuses what callers pass, a looser one on an output breaks a promise to readers."""
    for name, expected in (("question", narrowed), ("answer", widened)):
        base = changed(BASE, fields(name, constraints=old))

        found = verdicts(fields(name, constraints=new), base=base)
        assert bool(found) == expected
        assert all(verdict == "breaking" for _, verdict in found)


@pytest.mark.parametrize(
    ("kind", "old", "new", "narrowed"),
    [
        ("str", {}, {"min_length": 0}, False),
        ("int", {"gt": 0}, {"ge": 1}, False),
        ("int", {"lt": 10}, {"le": 9}, False),
        ("int", {"ge": 1}, {"gt": 0}, False),
        ("int", {"gt": 0.5}, {"gt": 0}, False),
        ("int", {"gt": 0}, {"ge": 2}, True),
        ("float", {"gt": 0}, {"ge": 1}, True),
        ("int", {}, {"allow_inf_nan": False}, False),
        ("float", {}, {"allow_inf_nan": False}, True),
        ("int", {}, {"multiple_of": 1}, False),
        ("float", {}, {"multiple_of": 1}, True),
        ("bool", {}, {"ge": 0}, False),
        ("Literal['abc', 'de']", {}, {"max_length": 3}, False),
        ("Literal['abc', 'de']", {}, {"min_length": 3}, True),
        ("Literal['abc', 'de']", {}, {"ge": 3}, True),
        ("Literal[2, 4] | bool", {}, {"multiple_of": 2}, True),
        ("Literal[2, 4]", {}, {"multiple_of": 2}, False),
        ("Literal[Colour.RED]", {}, {"ge": 3}, True),
        ("Invoice", {}, {"ge": 3}, True),
        ("???", {}, {"ge": 3}, True),
    ],
)
def test_constraints_that_the_type_keeps_anyway(kind: str, old: Document, new: Document, narrowed: bool) -> None:
    """What holds for every value that callers could pass before is no news to them."""
    base = changed(BASE, fields("question", type=kind, constraints=old))

    assert bool(verdicts(fields("question", constraints=new), base=base)) == narrowed


def test_files_of_dspy() -> None:
    """They say neither names nor types: guessed names give way to the other file's, and types stay unknown."""
    chain = artifact.read(path_of("3.4.1", "cot"))
    named = changed(chain, lambda all_: all_["predict"]["signature"].pop("guessed"))
    for each in named["state"]["predictors"]["predict"]["signature"]["fields"].values():
        each.update(role=each["role"] or "input", type=each["type"] or "str")

    assert breaks(chain, chain) == []
    assert {each.verdict for each in breaks(chain, named)} == {"unknown"}
    assert {each.verdict for each in breaks(named, chain)} == {"unknown"}


def test_compat_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 0, 1 and 2; what is unknown can be allowed."""

    def run(*words: str) -> tuple[int, str]:
        status = main(["compat", *(str(tmp_path / word) if word.endswith(".json") else word for word in words)])
        return status, capsys.readouterr().out

    (tmp_path / "old.json").write_bytes(artifact.encode(changed(BASE, fields("answer", type="Invoice"))))
    (tmp_path / "new.json").write_bytes(artifact.encode(changed(BASE, fields("answer", type="Bill"))))
    (tmp_path / "bad.json").write_bytes(artifact.encode(changed(BASE, without("answer"))))

    assert run("old.json", "old.json") == (0, f"callers of {tmp_path}/old.json can use {tmp_path}/old.json\n")
    said = "unknown: answer, output answer: Invoice became Bill: what callers read may be something else\n"
    assert run("old.json", "new.json") == (1, said)
    assert run("old.json", "new.json", "--allow-unknown") == (0, said)
    assert run("old.json", "bad.json", "--allow-unknown")[0] == 1
    assert json.loads(run("old.json", "bad.json", "--json")[1]) == [
        {"path": "answer", "part": "output answer", "verdict": "breaking", "reason": "is gone"}
    ]
    assert run("old.json", "none.json")[0] == 2


# --- types ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("bool", "float", True),
        ("float", "int", False),
        ("Optional[str]", "None | str", True),
        ("Union[int, str]", "str | int | bytes", True),
        ("NoneType", "Optional[Invoice]", True),
        ("Any", "str", False),
        ("Literal['a', 1]", "str | int", True),
        ("Literal[1]", "Literal[True]", False),
        ("Literal[None]", "None", True),
        ("Literal[Colour.RED]", "Colour", True),
        ("Literal[Colour.RED]", "Literal[Colour.RED, Colour.BLUE]", True),
        ("Colour", "Literal['a']", None),
        ("str", "Literal['a']", False),
        ("list", "list[int]", False),
        ("list[int]", "list", True),
        ("List[int]", "list[int | str]", True),
        ("list[int]", "Sequence[int]", True),
        ("Sequence[int]", "list[int]", False),
        ("dict[str, int]", "Mapping[str, Any]", True),
        ("dict[str, str]", "dict[str, int]", False),
        ("dict[str, Invoice]", "dict[str, Bill]", None),
        ("tuple[int, str]", "Sequence[Union[int, str]]", True),
        ("tuple[int, str]", "Sequence[int]", False),
        ("tuple", "Sequence[int]", False),
        ("tuple[int, ...]", "tuple[int, int]", False),
        ("tuple[int, int]", "tuple[int, ...]", True),
        ("tuple[int, str]", "tuple[int, int]", False),
        ("tuple[()]", "tuple[int, ...]", True),
        ("tuple[()]", "tuple[int]", False),
        ("Callable[[int], str]", "Callable[[bool], str]", None),
        ("Callable[[int], str]", "Callable[[ int ], str]", True),
        ("list[int, str]", "list[int]", None),
        ("shop.Invoice", "Invoice", None),
        ("Invoice", "str", None),
        ("str", "Invoice", False),
        ("Invoice", "None", False),
        ("Page[int]", "Page[str]", False),
        ("str", "not a type", None),
        ("str", "a + b", None),
        ("str", "3", None),
        ("", "str", None),
        ("str", "", None),
        ("weird (", "weird (", True),
        ("str", "list[" * 500, None),
    ],
)
def test_whether_a_type_is_within_another(one: str, other: str, expected: bool | None) -> None:
    """As far as the texts can tell; what a class of the program's own is, they cannot."""
    assert is_within(one, other) is expected


SIMPLE = st.sampled_from([str, int, bool, float, type(None), bytes])


def literals(values: list[Any]) -> Any:
    return parse_type(f"Literal[{', '.join(map(repr, values))}]")


TYPES = st.recursive(
    SIMPLE | st.lists(st.sampled_from(["a", "b", 1, True]), min_size=1, max_size=3).map(literals),
    lambda inner: st.one_of(
        st.builds(lambda a, b: a | b, inner, inner),
        inner.map(lambda each: list[each]),
        inner.map(lambda each: dict[str, each]),
        st.builds(lambda a, b: tuple[a, b], inner, inner),
    ),
    max_leaves=4,
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.sampled_from([0, 1, 1.5, "a", "b", "c", b"x"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.tuples(inner, inner) | st.dictionaries(st.just("k"), inner, max_size=1)
    ),
    max_leaves=4,
)


@settings(max_examples=200, deadline=None)
@given(TYPES, TYPES, PLAIN)
@example(bool, int, False)
def test_what_is_within_is_taken(one: Any, other: Any, value: Any) -> None:
    """No value of the one is refused for the other, where False is 0: an answer of True can be relied on."""
    if is_within(type_text(one), type_text(other)) and is_valid(one, value):
        assert is_valid(other, value, strict=False)


def is_valid(annotation: Any, value: Any, strict: bool = True) -> bool:
    try:
        type_adapter(annotation).validate_python(value, strict=strict)
    except ValueError:
        return False
    return True

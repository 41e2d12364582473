"""How values are written and read: what is worked out without pydantic agrees with it."""

import json
import math
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Optional, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from progkit.adapters.layouts import LAYOUTS
from progkit.adapters.plain import fits, plain_schema
from progkit.adapters.plan import Plan
from progkit.adapters.reading import reader
from progkit.adapters.repair import first_object
from progkit.adapters.values import format_value, json_object, jsonable
from progkit.errors import AdapterParseError
from progkit.signature import InputField, OutputField, Signature

SCALARS = [str, int, float, bool, type(None), Any, list, dict]
TYPES = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: st.one_of(
        inner.map(lambda each: list[each]),  # type: ignore[valid-type]
        inner.map(lambda each: dict[str, each]),  # type: ignore[valid-type]
        inner.map(lambda each: Optional[each]),  # noqa: UP045 - made from values
        st.tuples(inner, inner).map(lambda two: Union[two[0], two[1]]),  # noqa: UP007
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner), st.tuples(inner, inner)),
    max_leaves=8,
)


class Color(Enum):
    """Values that are not the names."""

    RED = "rouge"
    ROUGE = "red"


class Unserialisable:
    """Neither pydantic nor JSON can say it."""

    def __init__(self, *held: Any) -> None:
        self.held = held

    def __str__(self) -> str:
        return "unserialisable"


class TestPlain:
    @given(annotation=TYPES)
    def test_schemas_are_pydantics(self, annotation: Any) -> None:
        """The note in a prompt reads the same whether pydantic was asked or not."""
        assert plain_schema(annotation) == TypeAdapter(annotation).json_schema()

    @pytest.mark.parametrize("annotation", [list | list[Any], list[None], dict[str, None] | None, bool | None | int])
    def test_schemas_of_odd_spellings_are_too(self, annotation: Any) -> None:
        """What is the same twice is told once, and null last."""
        assert plain_schema(annotation) == TypeAdapter(annotation).json_schema()

    @given(annotation=TYPES, value=VALUES)
    def test_what_fits_is_what_pydantic_leaves_as_it_is(self, annotation: Any, value: Any) -> None:
        """A value that is let through would have come out of pydantic unchanged."""
        if not fits(value, annotation):
            return

        validated = TypeAdapter(annotation).validate_python(value)

        assert repr(validated) == repr(value)

    @pytest.mark.parametrize("annotation", [Color, tuple[int, ...], set[str], dict[int, str], list[Color], int | Color])
    def test_other_types_are_left_to_pydantic(self, annotation: Any) -> None:
        """None stands for: ask pydantic."""
        assert plain_schema(annotation) is None

    @pytest.mark.parametrize(
        ("value", "annotation"),
        [(1, float), (True, int), ([1], list[float]), ({1: 2}, dict[str, int]), ((1,), list[int]), ("1", int | None)],
    )
    def test_what_needs_conversion_does_not_fit(self, value: Any, annotation: Any) -> None:
        """It is for pydantic to convert."""
        assert not fits(value, annotation)


class TestWriting:
    @given(value=VALUES)
    def test_plain_values_are_written_as_pydantic_would(self, value: Any) -> None:
        """The quick way and the thorough one give the same text."""
        dumped = TypeAdapter(type(value)).dump_python(value, mode="json", fallback=str)
        told = json.dumps(dumped, ensure_ascii=False) if isinstance(dumped, (dict, list)) else str(dumped)

        assert format_value(value, Any) == told
        assert json.loads(json_object({"x": value})) == json.loads(json.dumps({"x": self.finite(value)}))

    def finite(self, value: Any) -> Any:
        """*value* as pydantic writes it to JSON: what is no number becomes null."""
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        if isinstance(value, dict):
            return {key: self.finite(each) for key, each in value.items()}
        return [self.finite(each) for each in value] if isinstance(value, (list, tuple)) else value

    def test_one_bad_value_does_not_spoil_the_others(self) -> None:
        """Where DSPy makes one string of the whole object."""
        assert json.loads(json_object({"a": b"\xff", "b": [1], "c": 2})) == {"a": "b'\\xff'", "b": [1], "c": 2}

    def test_what_contains_itself_is_printed(self) -> None:
        """Not a RecursionError."""
        endless: list[Any] = []
        endless.append(endless)

        assert jsonable(endless) == "[[...]]"

    def test_values_of_any_class_are_printed(self) -> None:
        """An exact decimal keeps its zeros, an unknown class its str()."""
        assert format_value(Decimal("1.50"), str) == "1.50"
        assert format_value(Unserialisable(1), Any) == "unserialisable"
        assert format_value([Color.RED, Decimal("1.0")], str) == "[1] «rouge»\n[2] «1.0»"


class TestReading:
    @given(number=st.integers())
    def test_whole_numbers_come_back(self, number: int) -> None:
        """Of any length."""
        assert reader(int)(str(number)) == number

    @given(number=st.floats(allow_nan=False, allow_infinity=False))
    def test_numbers_come_back(self, number: float) -> None:
        """To the last bit."""
        assert reader(float)(repr(number)) == number

    @pytest.mark.parametrize("value", [[], {}, None, 1.5, [["red"]]])
    def test_an_enum_takes_no_odd_values(self, value: Any) -> None:
        """A list is no member, and no TypeError."""
        with pytest.raises(ValueError, match="neither a value nor a name of Color"):
            reader(Color)(value)

    def test_an_enum_is_known_by_value_before_name(self) -> None:
        """``rouge`` is a value; ``ROUGE`` is only a name."""
        assert [reader(Color)(each) for each in ("rouge", "ROUGE", "red", "RED")] == [
            Color.RED,
            Color.ROUGE,
            Color.ROUGE,
            Color.RED,
        ]

    @pytest.mark.parametrize("text", ["[" * 200_000, "(" * 500 + ")" * 500, "{[]: 1}", "\x00"])
    def test_hostile_texts_are_refused_in_the_usual_way(self, text: str) -> None:
        """ValueError or its kin, whatever Python's own parser does with it."""
        with pytest.raises(ValueError):  # noqa: PT011 - pydantic's and ours
            reader(set[int])(text)


class TestPlan:
    @pytest.mark.parametrize(
        "annotation", [type(None), str | None, Annotated[int | None, "x"], int | Annotated[None, "y"]]
    )
    def test_outputs_that_may_be_none_may_be_missing(self, annotation: Any) -> None:
        """They are None then."""
        plan = Plan(Signature({"q": InputField(), "a": (annotation, OutputField())}), LAYOUTS["3.4"], "")

        assert plan.read("X", "reply", {}) == {"a": None}

    @pytest.mark.parametrize("annotation", [str, Any, int | str, Annotated[int, "x"]])
    def test_others_may_not(self, annotation: Any) -> None:
        """Any is a type like any other here."""
        plan = Plan(Signature({"q": InputField(), "a": (annotation, OutputField())}), LAYOUTS["3.4"], "")

        with pytest.raises(AdapterParseError) as raised:
            plan.read("X", "reply", {})

        assert raised.value.missing == ["a"]


class TestFirstObject:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a {b} {c}", "{b}"),
            ("{ {a} {b}", "{a}"),
            ("} {a {b} c} {", "{a {b} c}"),
            ("{{}", "{}"),
            ("none", None),
            ("{", None),
        ],
    )
    def test_is_the_leftmost_that_closes(self, text: str, expected: str | None) -> None:
        """Braces that never close, or never opened, are passed over."""
        assert first_object(text) == expected

    @given(text=st.text("{}a"))
    def test_is_balanced(self, text: str) -> None:
        """As many open as close, and nothing before it closes within it."""
        found = first_object(text)

        assert found is None or (found in text and found.count("{") == found.count("}"))


def test_the_slow_way_is_pydantics() -> None:
    """What the quick ways leave is validated with every conversion that pydantic has."""
    with pytest.raises(ValidationError):
        reader(int)("many")
    assert reader(int)("5.0") == 5

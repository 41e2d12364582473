"""The types of fields: names, sameness, pydantic's adapters."""

import datetime
import enum
import typing
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional, Union

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from progkit.signature import parse_type, same_type, type_adapter, type_name, type_text


class Mood(enum.Enum):
    GOOD = "good"


class Grade(str, enum.Enum):  # noqa: UP042 - users have these
    TOP = "top's"


class Invoice(pydantic.BaseModel):
    total: float


LEAVES = [str, bool, int, float, bytes, list, dict, tuple, set, frozenset, Any, type(None), Decimal]
LEAVES += [datetime.date, datetime.datetime, datetime.time, datetime.timedelta, Sequence, Mapping]
VALUES = st.one_of(st.text(max_size=6), st.integers(), st.booleans(), st.none(), st.binary(max_size=4))
LITERALS = st.lists(VALUES, min_size=1, max_size=4).map(lambda values: Literal[tuple(values)])


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    one = [list, set, frozenset, Sequence, Optional]
    return st.one_of(
        st.tuples(st.sampled_from(one), inner).map(lambda pair: pair[0][pair[1]]),
        st.tuples(inner, inner).map(lambda pair: dict[pair[0], pair[1]]),
        st.tuples(inner, inner).map(lambda pair: Mapping[pair[0], pair[1]]),
        st.lists(inner, max_size=3).map(lambda each: tuple[tuple(each)]),
        inner.map(lambda each: tuple[each, ...]),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: Union[tuple(each)]),  # noqa: UP007
        st.tuples(st.lists(inner, max_size=2), inner).map(lambda pair: Callable[pair[0], pair[1]]),
        inner.map(lambda each: Callable[..., each]),
    )


TYPES = st.recursive(st.one_of(st.sampled_from(LEAVES), LITERALS), nested, max_leaves=6)


class TestNames:
    @pytest.mark.parametrize(
        ("annotation", "name"),
        [
            (str, "str"),
            (type(None), "NoneType"),
            (Any, "Any"),
            (list[str], "list[str]"),
            (typing.List[int], "list[int]"),  # noqa: UP006
            (dict[str, Any], "dict[str, Any]"),
            (str | None, "Union[str, NoneType]"),
            (Optional[str], "Union[str, NoneType]"),  # noqa: UP045
            (tuple[int, ...], "tuple[int, Ellipsis]"),
            (Literal["a", 1, True, None, b"x"], "Literal['a', 1, True, None, b'x']"),
            (Literal["it's"], 'Literal["it\'s"]'),
            (Literal['it\'s "so"'], "Literal['it\\'s \"so\"']"),
            (Literal[Mood.GOOD], "Literal[Mood.GOOD]"),
            (list[Optional[Invoice]], "list[Union[Invoice, NoneType]]"),  # noqa: UP045
            (Mood, "Mood"),
            (datetime.date, "date"),
            (Sequence[int], "Sequence[int]"),
            (Callable[[int], str], "Callable[[<class 'int'>], str]"),
            (typing.List, "list[]"),  # noqa: UP006
            (tuple[()], "tuple[]"),
            (typing.NewType("Metres", int), "Metres"),
            (Annotated[int, 3], "Annotated[int, 3]"),
        ],
    )
    def test_are_those_of_the_prompt(self, annotation: Any, name: str):
        """Measured: ``get_annotation_name`` of DSPy 3.4.1."""
        assert type_name(annotation) == name

    @pytest.mark.parametrize(
        ("annotation", "text"),
        [
            (Callable[[int], str], "Callable[[int], str]"),
            (tuple[()], "tuple[()]"),
            (tuple[int, ...], "tuple[int, ...]"),
            (typing.Dict, "dict"),  # noqa: UP006
            (Literal["back\\slash", "line\nbreak"], "Literal['back\\\\slash', 'line\\nbreak']"),
            (Literal[Mood.GOOD, Grade.TOP], "Literal[Mood.GOOD, Grade.TOP]"),
        ],
    )
    def test_the_text_form_is_python_where_the_prompt_is_not(self, annotation: Any, text: str):
        """So that it parses back, given the classes that it names."""
        assert type_text(annotation) == text
        assert same_type(parse_type(text, {"Mood": Mood, "Grade": Grade}), annotation)

    @given(TYPES)
    def test_the_text_form_parses_back(self, annotation: Any):
        """Any type made of Python's own."""
        assert same_type(parse_type(type_text(annotation)), annotation)

    @given(
        st.recursive(
            st.sampled_from(LEAVES),
            lambda inner: st.one_of(
                inner.map(lambda each: list[each]),
                st.tuples(inner, inner).map(lambda pair: dict[pair[0], pair[1]]),
                inner.map(lambda each: Optional[each]),  # noqa: UP045
                inner.map(lambda each: tuple[each, ...]),
            ),
        )
    )
    def test_the_prompt_form_parses_back(self, annotation: Any):
        """For the types that prompts are made of."""
        assert same_type(parse_type(type_name(annotation)), annotation)


class TestSameness:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (typing.List[int], list[int]),  # noqa: UP006
            (typing.List, list),  # noqa: UP006
            (Optional[int], int | None),  # noqa: UP045
            (None, type(None)),
            (typing.Sequence[str], Sequence[str]),
            (Callable[[int], str], typing.Callable[[int], str]),
            (Annotated[list[int], "x"], Annotated[list[int], "x"]),
        ],
    )
    def test_spellings_of_one_type(self, one: Any, other: Any):
        """They make the same prompts."""
        assert same_type(one, other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (int, str),
            (list, list[int]),
            (list[int], list[str]),
            (Literal["a", "b"], Literal["b", "a"]),
            (list[Literal["a", "b"]], list[Literal["b", "a"]]),
            (Literal[1], Literal[True]),
            (int | str, str | int),
            (tuple, tuple[()]),
            (Annotated[int, "x"], Annotated[int, "y"]),
            (Annotated[int, "x"], int),
        ],
    )
    def test_types_that_read_differently(self, one: Any, other: Any):
        """Python holds some of these to be equal; a prompt does not."""
        assert not same_type(one, other)


class TestAdapter:
    def test_validates(self):
        """It is pydantic's own."""
        assert type_adapter(list[int]).validate_python(["1"]) == [1]
        assert type_adapter(Invoice).validate_python({"total": 3}) == Invoice(total=3)

    def test_is_made_once(self):
        """For one type; the order of a Literal makes another one."""
        first, second = list[Literal["x1", "x2"]], list[Literal["x2", "x1"]]

        assert type_adapter(first) is type_adapter(list[Literal["x1", "x2"]])
        assert type_adapter(first).json_schema()["items"]["enum"] == ["x1", "x2"]
        assert type_adapter(second).json_schema()["items"]["enum"] == ["x2", "x1"]

    def test_is_made_for_annotations_that_cannot_be_hashed(self):
        """Each time anew."""
        annotation = Annotated[int, pydantic.WithJsonSchema({"type": "number"}), ["unhashable"]]

        assert type_adapter(annotation).json_schema() == {"type": "number"}
        assert same_type(annotation, annotation)

    def test_types_that_pydantic_does_not_know_are_its_errors(self):
        """Whether the annotation can be hashed or not."""

        class Strange:
            @classmethod
            def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
                raise TypeError("not this one")

        with pytest.raises(TypeError, match="not this one"):
            type_adapter(Strange)
        with pytest.raises(pydantic.PydanticSchemaGenerationError):
            type_adapter(type("Plain", (), {}))

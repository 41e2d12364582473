"""Values as nodes: exact there and back, or refused in words."""

import math
import re
import sys
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, RootModel, TypeAdapter, computed_field, field_validator

from progkit import artifact
from progkit.artifact.encoding import canonical
from progkit.errors import DocumentError, UnsavableError


class Colour(Enum):
    RED = "red"
    GREEN = ("green", 2)


class Level(IntEnum):
    LOW = 1


class Access(Flag):
    READ = 1
    WRITE = 2


class Line(BaseModel):
    what: str
    amount: Decimal
    colour: Colour | None = None


class Discount(Line):
    percent: int = 0


class Invoice(BaseModel):
    model_config = ConfigDict(extra="allow")
    number: int = Field(alias="no")
    lines: list[Line] = []

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> Decimal:
        return sum((each.amount for each in self.lines), Decimal(0))


class Tags(RootModel[list[str]]):
    pass


class Key(BaseModel):
    model_config = ConfigDict(frozen=True)
    name: str


class Loud(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def louder(cls, value: str) -> str:
        return value + "!"


class Cross(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def refuse(cls, value: str) -> str:
        raise KeyError(value)


class Secretive(BaseModel):
    _seen: int = PrivateAttr(0)


@dataclass
class Plain:
    x: int = 1


Point = namedtuple("Point", "x y")


def restore(annotation: Any, plain: Any) -> Any:
    return TypeAdapter(annotation).validate_python(plain)


def through_file(node: Any) -> Any:
    """The node as it is after a file: keys sorted."""
    return msgspec.json.decode(canonical(node))


def told(value: Any) -> str:
    """Text that tells apart what == does not: 1, 1.0 and True, -0.0 and 0.0, the order of a dict."""
    if type(value) in (list, tuple):
        return f"{type(value).__name__}[{', '.join(map(told, value))}]"
    if type(value) in (set, frozenset):
        return f"{type(value).__name__}[{', '.join(sorted(map(told, value)))}]"
    if type(value) is dict:
        return f"dict[{', '.join(f'{told(key)}: {told(each)}' for key, each in value.items())}]"
    return f"{type(value).__name__}({value!r})"


text = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(["$", "$$", "$int", "$order", "value"])
a_second = timedelta(seconds=1)
offsets = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).filter(lambda each: abs(each) >= a_second)
zones = st.none() | st.just(UTC) | offsets.map(timezone)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**52, 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
    | st.binary()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.dates()
    | st.times(timezones=zones).map(lambda each: each.replace(fold=0))
    | st.datetimes(timezones=zones).map(lambda each: each.replace(fold=0))
    | st.timedeltas()
)
hashable = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4)
    | st.lists(inner, max_size=3).map(tuple)
    | st.sets(hashable, max_size=3)
    | st.dictionaries(text, inner, max_size=4)
    | st.dictionaries(hashable, inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(values)
def test_a_value_comes_back_the_same(value: Any) -> None:
    """Class, sign, spelling and order included, through the bytes of a file."""
    node = artifact.encode_value(value)

    assert told(artifact.decode_value(through_file(node))) == told(value)


@given(values)
@settings(max_examples=50)
def test_equal_values_have_equal_bytes(value: Any) -> None:
    """What comes back is written as it was: nothing drifts from save to save."""
    data = canonical(artifact.encode_value(value))

    assert canonical(artifact.encode_value(artifact.decode_value(msgspec.json.decode(data)))) == data


@given(st.dictionaries(text, scalars))
def test_names_of_values_need_no_escape(value: dict[str, Any]) -> None:
    """A container of named nodes is no node: any name stands for itself there."""
    nodes = artifact.encode_values(value, "here")

    assert set(nodes) == set(value)
    assert artifact.decode_values(nodes) == value


def test_the_order_of_a_dict_is_kept_because_a_prompt_shows_it() -> None:
    """Sorted keys stay readable; any other order is written beside them."""
    assert artifact.encode_value({"a": 1, "b": 2}) == {"a": 1, "b": 2}
    assert artifact.encode_value({"b": 1, "$a": 2}) == {"$order": ["b", "$a"], "value": {"b": 1, "$$a": 2}}


def test_a_set_has_one_spelling() -> None:
    """Members are sorted by their own bytes, not by the hash seed."""
    assert artifact.encode_value({"b", "a", 1, None}) == {"$set": ["a", "b", 1, None]}


# --- enums and models ---------------------------------------------------------------------------

TYPED: list[tuple[Any, Any]] = [
    (Colour, Colour.RED),
    (Colour, Colour.GREEN),
    (Level, Level.LOW),
    (Access, Access.READ | Access.WRITE),
    (Colour | str, Colour.RED),
    (Colour | str, "red"),
    (dict[str, list[Colour]], {"b": [Colour.RED], "a": []}),
    (Line | None, Line(what="tea", amount=Decimal("2.10"), colour=Colour.RED)),
    (list[Line], [Line(what="tea", amount=Decimal(2)), Discount(what="sale", amount=Decimal(-1), percent=10)]),
    (Invoice, Invoice(no=3, lines=[Discount(what="sale", amount=Decimal(-1))], z=1, a="x")),
    (Tags, Tags(["b", "a"])),
    (set[Key], {Key(name="a"), Key(name="b")}),
    (dict[Key, int], {Key(name="a"): 1}),
]


@pytest.mark.parametrize(("annotation", "value"), TYPED, ids=lambda each: str(each)[:40])
def test_enums_and_models_come_back_through_the_live_type(annotation: Any, value: Any) -> None:
    """The class in hand makes them, down to subclasses and models inside models."""
    node = through_file(artifact.encode_value(value))

    assert repr(artifact.decode_value(node, annotation, restore=restore)) == repr(value)


def test_without_a_live_type_they_are_plain_data() -> None:
    """No class is looked for: the member's value, the model's dict in the order of its fields."""
    line = artifact.encode_value({"lines": [Line(what="tea", amount=Decimal("2.10"), colour=Colour.RED)]})
    plain = {"what": "tea", "amount": Decimal("2.10"), "colour": "red"}

    assert told(artifact.decode_value(through_file(line))) == told({"lines": [plain]})
    assert artifact.decode_value(line, restore=restore) == {"lines": [plain]}
    assert artifact.decode_value(line, dict[str, Any]) == {"lines": [plain]}
    assert artifact.decode_value(artifact.encode_value({Key(name="a")})) == [{"name": "a"}]


def test_a_class_that_was_renamed_still_restores() -> None:
    """The live type decides, not the name in the file."""
    renamed = {"$enum": "Color", "value": "red"}

    assert artifact.decode_value([renamed], list[Colour], restore=restore) == [Colour.RED]


def test_a_value_that_the_live_type_refuses_is_an_error_with_its_place() -> None:
    """A member that is gone from the enum is told, not guessed."""
    node = [{"$enum": "Colour", "value": "blue"}]

    with pytest.raises(DocumentError) as caught:
        artifact.decode_value(node, list[Colour], "demos[0].values.colour", restore, "x.json")

    assert (caught.value.source, caught.value.where) == ("x.json", "demos[0].values.colour[0]")
    assert caught.value.reason.startswith("does not fit Colour: ")


def test_the_types_of_named_values_are_found_by_name() -> None:
    """Each value is restored through its own field's annotation."""
    nodes = artifact.encode_values({"colour": Colour.RED, "other": Colour.RED, "text": "red", "n": 1})

    found = artifact.decode_values(nodes, {"colour": Colour}, restore=restore)

    assert found == {"colour": Colour.RED, "other": "red", "text": "red", "n": 1}


def test_the_demos_of_a_predictor_are_decoded_together() -> None:
    """As each alone would be, with the place of whatever is wrong."""
    nodes = [artifact.encode_values(each) for each in ({"q": "a", "c": None}, {"q": "b", "c": Colour.RED})]
    demos = [{"id": "d", "values": each} for each in nodes]

    assert artifact.decode_demos(demos[:1]) == [{"q": "a", "c": None}]
    assert artifact.decode_demos(demos, {"c": Colour}, restore=restore)[1] == {"q": "b", "c": Colour.RED}
    with pytest.raises(DocumentError) as caught:
        artifact.decode_demos(demos, {"c": int}, "a.demos", restore, "x.json")
    assert (caught.value.source, caught.value.where) == ("x.json", "a.demos[1].values.c")


# --- what cannot be saved -----------------------------------------------------------------------

endless: list[Any] = []
endless.append(endless)
REFUSED: list[tuple[Any, str]] = [
    (math.nan, "nan cannot be saved"),
    ([-math.inf], "value[0]: -inf cannot be saved"),
    ({"a": Decimal("NaN")}, "value.a: NaN cannot be saved"),
    ("\ud800", "lone surrogate"),
    ({"\ud800": 1}, "lone surrogate"),
    (datetime(2024, 1, 1, tzinfo=ZoneInfo("UTC")), "named zone"),
    (time(1, fold=1), "fold"),
    (datetime(2026, 1, 1, tzinfo=timezone(timedelta(microseconds=-1))), "a UTC offset below a second"),
    (endless, "is nested too deep, or holds itself"),
    (Plain(), "a test_artifact_values.Plain cannot be saved"),
    (Point(1, 2), "cannot be saved; tuple(...) of it can"),
    (OrderedDict(a=1), "cannot be saved; dict(...) of it can"),
    ({"f": print}, "value.f: a builtins.builtin_function_or_method cannot be saved"),
    (1j, "a builtins.complex cannot be saved"),
    (bytearray(b"x"), "cannot be saved; bytearray"),
    ({(1, print): 1}, "value[0][1]: "),
    (Loud.model_construct(text="hey"), "a Loud that does not come back equal"),
    (Cross.model_construct(text="hey"), "cannot be saved: does not fit Cross"),
    (Line.model_construct(what=1, amount="x"), "cannot be saved: does not fit Line"),
]


@pytest.mark.parametrize(("value", "reason"), REFUSED, ids=lambda each: str(each)[:40])
def test_what_cannot_come_back_exactly_is_refused_in_words(value: Any, reason: str) -> None:
    """The place and the reason, before anything is written."""
    with pytest.raises(UnsavableError, match=re.escape(reason).replace("test_artifact_values", ".*")):
        artifact.encode_value(value)


def test_an_integer_beyond_pythons_own_limit_is_refused() -> None:
    """Python itself refuses to write more than 4300 digits, unless told otherwise."""
    with pytest.raises(UnsavableError, match="cannot be saved"):
        artifact.encode_value(1 << 100_000)


def test_an_integer_beyond_our_limit_is_refused_whatever_python_allows() -> None:
    """A file written under a raised limit must still read under the usual one."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        with pytest.raises(UnsavableError, match="more than 4300 digits"):
            artifact.encode_value(-(10**4300))
        assert artifact.decode_value(artifact.encode_value(-(10**4300) + 1)) == -(10**4300) + 1
    finally:
        sys.set_int_max_str_digits(before)


def test_a_model_with_private_state_is_refused() -> None:
    """What a file would lose is not dropped in silence."""
    value = Secretive()
    value._seen = 3

    with pytest.raises(UnsavableError, match="does not come back equal"):
        artifact.encode_value(value)


def test_a_name_must_be_text() -> None:
    """Named values have names that a file can hold."""
    with pytest.raises(UnsavableError, match=r"demos\[0\]: the name 1 is not text"):
        artifact.encode_values({1: "x"}, "demos[0]")  # type: ignore[dict-item]
    with pytest.raises(UnsavableError, match="lone surrogate"):
        artifact.encode_values({"\ud800": "x"})

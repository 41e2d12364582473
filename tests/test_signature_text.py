"""The text of a signature: what it means, and where it is wrong."""

import collections
import datetime
import decimal
import enum
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, Optional, TypeVar, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progkit.errors import SignatureError, SignatureSyntaxError
from progkit.signature import Signature, parse, parse_type, same_type

T = TypeVar("T")


class Mood(enum.Enum):
    GOOD = "good"


class Outer:
    class Inner:  # noqa: D106
        pass


class Box(Generic[T]):
    pass


CUSTOM = {"Mood": Mood, "Outer": Outer, "Box": Box, "shop.Invoice": Outer, "Names": list[str]}


def told(text: str) -> list[tuple[str, str, Any]]:
    return [(each.name, each.role, each.type) for each in parse(text, CUSTOM)]


class TestMeaning:
    def test_names_and_sides(self):
        """What stands left of the arrow goes in; a field without a type is a str."""
        assert told("question, context: list[str] -> answer, score: float") == [
            ("question", "input", str),
            ("context", "input", list[str]),
            ("answer", "output", str),
            ("score", "output", float),
        ]

    @pytest.mark.parametrize(
        "text", ["a,b->c", " a , b -> c ", "a,\n  b\n->\n  c\n", "a, b, -> c,", "\ta,\r\n\tb -> c\r\n"]
    )
    def test_white_space_does_not_matter(self, text: str):
        """Nor does a comma after the last field."""
        assert [each[0] for each in told(text)] == ["a", "b", "c"]

    @pytest.mark.parametrize(
        ("text", "type_"),
        [
            ("str", str),
            ("bytes", bytes),
            ("dict", dict),
            ("None", type(None)),
            ("NoneType", type(None)),
            ("Any", Any),
            ("date", datetime.date),
            ("datetime", datetime.datetime),
            ("datetime.datetime", datetime.datetime),
            ("datetime.date", datetime.date),
            ("time", datetime.time),
            ("timedelta", datetime.timedelta),
            ("Decimal", decimal.Decimal),
            ("List[int]", list[int]),
            ("typing.List[int]", typing.List[int]),  # noqa: UP006
            ("Dict[str, list[int]]", dict[str, list[int]]),
            ("Optional[int]", Optional[int]),  # noqa: UP045
            ("typing.Optional[int]", Optional[int]),  # noqa: UP045
            ("int | None", Optional[int]),  # noqa: UP045
            ("int | str | list[int | None]", Union[int, str, list[int | None]]),  # noqa: UP007
            ("Union[int, str]", Union[int, str]),  # noqa: UP007
            ("tuple[int, ...]", tuple[int, ...]),
            ("tuple[int, Ellipsis]", tuple[int, ...]),
            ("tuple[()]", tuple[()]),
            ("tuple[int, str, bool]", tuple[int, str, bool]),
            ("Sequence[Mapping[str, Any]]", Sequence[Mapping[str, Any]]),
            ("Callable[[int, str], bool]", Callable[[int, str], bool]),
            ("Callable[..., bool]", Callable[..., bool]),
            ("Mood", Mood),
            ("Names", list[str]),
            ("Outer.Inner", Outer.Inner),
            ("shop.Invoice", Outer),
            ("Box[int]", Box[int]),
            ("collections.OrderedDict[str, int]", collections.OrderedDict[str, int]),
            ("(list[\n  int\n])", list[int]),
            ("Literal['yes', 'no']", Literal["yes", "no"]),
            ("Literal[1, -2, True, None, b'x']", Literal[1, -2, True, None, b"x"]),
            ("Literal[Mood.GOOD]", Literal[Mood.GOOD]),
            ("Literal[('a', 'b')]", Literal["a", "b"]),
            ("""Literal['a -> b', "it's", '[,]:', 'say "x"', 'a\\'b']""",
             Literal["a -> b", "it's", "[,]:", 'say "x"', "a'b"]),
            ('Literal["""a\n->"b""", r"\\d"]', Literal['a\n->"b', r"\d"]),
            ("Literal['é', '日本']", Literal["é", "日本"]),
        ],
    )  # fmt: skip
    def test_types(self, text: str, type_: Any):
        """Python's own by name, others as given or by their module."""
        assert same_type(told(f"x: {text} -> y")[0][2], type_)
        assert same_type(parse_type(f" {text}\n", CUSTOM), type_)

    def test_custom_types_come_first(self):
        """A name of Python's can be given another meaning."""
        assert parse("x: date -> y", {"date": Mood})[0].type is Mood

    def test_names_may_be_of_any_script(self):
        """And are normalised as Python does with its own."""
        assert [each[0] for each in told("straße, ﬁeld -> 答え: int")] == ["straße", "field", "答え"]

    def test_nothing_is_imported(self):
        """A module is looked at if it is there already, and never through its own code."""
        module = type(typing)("lazy_one")
        module.__getattr__ = lambda name: pytest.fail(f"asked for {name}")  # type: ignore[method-assign]
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(__import__("sys").modules, "lazy_one", module)
            with pytest.raises(SignatureSyntaxError, match=r"unknown type 'lazy_one\.Thing'"):
                parse("x: lazy_one.Thing -> y")


WRONG = [
    # text with ‸ where the error points, a part of the reason
    ("‸", "text is empty"),
    ("‸  \n ", "text is empty"),
    ("question‸", "no '->'"),
    ("question‸ \n", "no '->'"),
    ("question ‸=> answer", "arrow is written '->'"),
    ("question ‸→ answer", "arrow is written '->'"),
    ("a -> b ‸-> c", "second '->'"),
    ("‸-> b", "no input field left"),
    ("  ‸-> b", "no input field left"),
    ("a ->‸", "no output field right"),
    ("a ->‸ ", "no output field right"),
    ("a,‸, b -> c", "field is missing before ','"),
    ("‸, a -> c", "field is missing before ','"),
    ("‸, -> c", "field is missing before ','"),
    ("a -> c,‸,", "field is missing before ','"),
    ("a, b, ‸a -> c", "second field 'a'"),
    ("a -> ‸a", "second field 'a'"),
    ("‸class -> a", "word of Python"),
    ("‸\uff43lass -> a", "word of Python"),
    ("a, ‸1b -> c", "letters, digits and _"),
    ("a, ‸²b -> c", "letters, digits and _"),
    ("‸$a -> c", "letters, digits and _"),
    ("a ‸b -> c", "expected ',', ':' or '->'"),
    ("a‸-b -> c", "expected ',', ':' or '->'"),
    ("a‸[0] -> c", "expected ',', ':' or '->'"),
    ("a -> the‸'b'", "expected ',', ':' or '->'"),
    ("‸*a -> b", "* has no place"),
    ("a‸: -> b", "type is missing after ':'"),
    ("‸: int -> b", "name is missing before ':'"),
    ("a:‸: int -> b", "second ':'"),
    ("a: int b‸: int -> c", "second ':'"),
    ("a: int ‸= 3 -> b", "default has no place"),
    ("a ‸# note\n-> b", "comment has no place"),
    ("a: list‸[str -> b", "'[' is never closed"),
    ("a -> b: dict[str, list‸[int", "'[' is never closed"),
    ("a: list[str]‸] -> b", "']' closes nothing"),
    ("a: (str‸] -> b", "']' does not close '('"),
    ("it‸'s -> b", "quote is never closed"),
    ("a: Literal[‸'x -> b", "quote is never closed"),
    ("a: Literal[‸'x\n'] -> b", "quote is never closed"),
    ('a: Literal[‸"""x] -> b', "quote is never closed"),
    ("a: Literal[‸'x\\", "quote is never closed"),
    ("a: ‸foo -> b", "unknown type 'foo'"),
    ("a: ‸Lst[int] -> b", "did you mean 'List'?"),
    ("a: list[‸Flaot] -> b", "did you mean"),
    ("a: ‸Moood -> b", "did you mean 'Mood'?"),
    ("é: Literal['ü', 'ö'], ö: dict[‸ßtr, int] -> b", "unknown type 'ßtr'"),
    ("a: dict[\n  str,\n  ‸foo\n] -> b", "unknown type 'foo'"),
    ("a: dict[\r\n  'ü',\r\n  int] -> b".replace("'ü'", "‸'ü'"), "no quotes around it"),
    ("a: ‸nowhere.Thing -> b", "module 'nowhere' is not imported"),
    ("a: ‸os.path.Thing -> b", "unknown type 'os.path.Thing'"),
    ("a: ‸Outer.Other -> b", "unknown type 'Outer.Other'"),
    ("a: ‸shop.Order -> b", "unknown type 'shop.Order'"),
    ("a: ‸os.sep.join -> b", "unknown type 'os.sep.join'"),
    ("a: ‸Mood.GOOD -> b", "Mood.GOOD is not a type"),
    ("a: ‸os.environ -> b", "os.environ is not a type"),
    ("a: ‸os.environ[int] -> b", "os.environ is not a type"),
    ("a: ‸os.path -> b", "os.path is not a type"),
    ("a: ‸Optional -> b", "Optional needs brackets"),
    ("a: list[‸Literal] -> b", "Literal needs brackets"),
    ("a: Optional[‸int, str] -> b", "Optional takes one type"),
    ("a: Union[‸()] -> b", "Union takes types"),
    ("a: list[‸int, str] -> b", "list takes one type in its brackets, not 2"),
    ("a: dict[‸str] -> b", "dict takes 2 types in its brackets, not 1"),
    ("a: ‸int[str] -> b", "int does not take these types"),
    ("a: ‸Box[int, str] -> b", "Box does not take these types"),
    ("a: list[‸...] -> b", "... is not a type"),
    ("a: tuple[‸..., int] -> b", "... is not a type"),
    ("a: Callable[‸int, str] -> b", "Callable takes its parameters in brackets"),
    ("a: ‸'str' -> b", "no quotes around it"),
    ("a: ‸3 -> b", "3 is not a type"),
    ("a: ‸() -> b", "() is not a type"),
    ("a: ‸int + 1 -> b", "int + 1 is not a type"),
    ("a: ‸[\nint] -> b", "[ is not a type"),
    ("a: ‸open('x') -> b", "open('x') is not a type"),
    ("a: ‸open('x').thing -> b", "open('x').thing is not a type"),
    ("a: list[‸(lambda: int)()] -> b", "is not a type"),
    ("a: int ‸str -> b", "cannot be read: invalid syntax"),
    ("a: dict[str ‸int] -> b", "cannot be read: invalid syntax"),
    ("a: Literal['a' ‸b] -> b", "cannot be read: invalid syntax"),
    ("a: list[‸] -> b", "cannot be read: invalid syntax"),
    ("a: int |‸ -> b", "cannot be read: invalid syntax"),
    ("a: int‸! -> b", "cannot be read"),
    ("a: ‸*int -> b", "cannot be read"),
    ("a: Literal[‸()] -> b", "Literal takes at least one value"),
    ("a: Literal['x', ‸1.5] -> b", "a Literal holds text"),
    ("a: Literal[-‸'x'] -> b".replace("-‸", "‸-"), "a Literal holds text"),
    ("a: Literal[‸-True] -> b", "a Literal holds text"),
    ("a: Literal[‸f'x'] -> b", "a Literal holds text"),
    ("a: Literal[‸Outer.Inner] -> b", "a Literal holds text"),
    ("a: Literal['x', ‸yes] -> b", "write 'yes' with its quotes"),
    ("a: x‸\0 -> b", "U+0000 has no place"),
    ("a: 'é', b: ‸\ud800 -> b".replace("'é'", "int"), "U+D800 has no place"),
]


class TestMistakes:
    @pytest.mark.parametrize(("marked", "reason"), WRONG, ids=range(len(WRONG)))
    def test_are_told_with_their_place(self, marked: str, reason: str):
        """In characters, whatever the script and the line."""
        text = marked.replace("‸", "")
        with pytest.raises(SignatureSyntaxError) as caught:
            parse(text, CUSTOM)

        error = caught.value
        assert reason in error.reason
        assert text[: error.position] + "‸" + text[error.position :] == marked
        assert error.text == text

    def test_the_error_shows_the_line(self):
        """With a caret under the place."""
        with pytest.raises(SignatureSyntaxError) as caught:
            Signature("question,\ncontext: list[sr] -> answer")

        reason, line, caret = str(caught.value).split("\n")
        assert reason.startswith("unknown type 'sr' (did you mean 'str'?)")
        assert line[caret.index("^") :].startswith("sr]")

    @pytest.mark.parametrize("type_", ["(" * 300 + "int" + ")" * 300, "|".join(["int"] * 100_000), "~" * 9000 + "int"])
    def test_nesting_without_end_is_an_error_too(self, type_: str):
        """Not one of Python's."""
        with pytest.raises(SignatureSyntaxError, match="nested"):
            parse(f"a: {type_} -> b")

    def test_deep_nesting_is_none(self):
        """As deep as Python reads."""
        depth = 100
        found = parse_type("list[" * depth + "int" + "]" * depth)
        for _ in range(depth):
            (found,) = typing.get_args(found)
        assert found is int

    @pytest.mark.parametrize("parser", [parse, parse_type])
    def test_arguments_of_the_wrong_kind(self, parser: Any):
        """Text is text, a custom type is a type."""
        with pytest.raises(SignatureError, match="is a str, not 3"):
            parser(3)
        with pytest.raises(SignatureError, match=r"custom_types\['x'\] is not a type: 'int'"):
            parser("x -> y", {"x": "int"})

    @pytest.mark.parametrize("text", ["", " \n"])
    def test_a_type_of_no_text(self, text: str):
        """Is none."""
        with pytest.raises(SignatureSyntaxError, match="text of a type is empty"):
            parse_type(text)


PIECES = st.sampled_from([*"ab1é:,->[]()'\"\\ \n\r\t=|.*#{}", " -> ", "int", "list", "Literal", "日"])


def place_of(wrong: Callable[[], Any]) -> SignatureSyntaxError | None:
    try:
        wrong()
    except SignatureSyntaxError as error:
        return error
    return None


class TestProperties:
    @given(st.lists(PIECES, max_size=20).map("".join))
    def test_any_text_is_a_signature_or_an_error_with_a_place(self, text: str):
        """Nothing else is raised, and the place is in the text."""
        error = place_of(lambda: parse(text))

        if error is None:
            assert Signature(Signature(text).signature) == Signature(text)
            assert {each.role for each in parse(text)} == {"input", "output"}
        else:
            assert 0 <= error.position <= len(text)
            assert str(error)

    @given(st.text())
    def test_any_text_at_all(self, text: str):
        """Whatever characters there are."""
        for wrapped in (text, f"a: {text} -> b", f"a -> b: Literal['{text}']"):
            error = place_of(lambda wrapped=wrapped: parse(wrapped))
            assert error is None or 0 <= error.position <= len(wrapped)

    @given(st.lists(st.text(), min_size=1, max_size=4))
    def test_any_text_can_be_a_literal(self, values: list[str]):
        """Quotes, brackets, arrows and line breaks of a value do no harm."""
        made = Signature("a -> b").with_updated_fields("a", Literal[tuple(values)])

        if any("\ud800" <= char <= "\udfff" for value in values for char in value):
            return
        assert Signature(made.signature) == made

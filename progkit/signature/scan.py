"""The text of a signature cut into fields: arrow, commas, colons; brackets and quotes respected."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from progkit.errors import SignatureSyntaxError

Role: TypeAlias = Literal["input", "output"]
_CLOSES = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of *text*, from *start* to *end* in characters, without the white space around it."""

    text: str
    start: int
    end: int

    @classmethod
    def of(cls, text: str, start: int, end: int) -> "Span":
        """The piece between *start* and *end*, its white space cut off; an empty one stands at *end*."""
        piece = text[start:end]
        first = start + len(piece) - len(piece.lstrip())
        return cls(text, first, max(first, start + len(piece.rstrip())))

    @property
    def value(self) -> str:
        """The piece itself."""
        return self.text[self.start : self.end]

    def error(self, reason: str, offset: int = 0) -> SignatureSyntaxError:
        """An error that points *offset* characters into the piece."""
        return SignatureSyntaxError(reason, self.text, self.start + offset)


@dataclass(frozen=True, slots=True)
class Part:
    """One field as written: its side, its name, and its type if there is a colon."""

    role: Role
    name: Span
    type: Span | None


def scan(text: str) -> Iterator[Part]:
    """The fields of *text*, in order.

    Raises:
        SignatureSyntaxError: if arrow, commas, colons, brackets or quotes are not in order.
    """
    marks = list(_marks(text))
    arrows = [at for at, mark in marks if mark == "->"]
    if not text.strip():
        raise SignatureSyntaxError("the text is empty: write 'question -> answer'", text, 0)
    if not arrows:
        raise SignatureSyntaxError("no '->' between inputs and outputs", text, len(text.rstrip()))
    if len(arrows) > 1:
        raise SignatureSyntaxError("a second '->': there is one, between inputs and outputs", text, arrows[1])
    yield from _side(text, 0, arrows[0], [each for each in marks if each[0] < arrows[0]], "input")
    yield from _side(text, arrows[0] + 2, len(text), [each for each in marks if each[0] > arrows[0]], "output")


def _side(text: str, start: int, end: int, marks: list[tuple[int, str]], role: Role) -> Iterator[Part]:
    if not text[start:end].strip():
        side = "left" if role == "input" else "right"
        at = end if role == "input" else start
        raise SignatureSyntaxError(f"no {role} field {side} of '->'", text, at)
    commas = [at for at, mark in marks if mark == ","]
    edges = [start - 1, *commas, end]
    for index, (before, after) in enumerate(pairwise(edges)):
        whole = Span.of(text, before + 1, after)
        if not whole.value:
            if index == len(commas) and index:  # a comma after the last field does no harm
                return
            raise SignatureSyntaxError("a field is missing before ','", text, after)
        yield _part(text, before + 1, after, [at for at, mark in marks if mark == ":" and before < at < after], role)


def _part(text: str, start: int, end: int, colons: list[int], role: Role) -> Part:
    if not colons:
        return Part(role, Span.of(text, start, end), None)
    if len(colons) > 1:
        raise SignatureSyntaxError("a second ':' in one field; fields are parted by ','", text, colons[1])
    name, type_ = Span.of(text, start, colons[0]), Span.of(text, colons[0] + 1, end)
    if not name.value:
        raise SignatureSyntaxError("a name is missing before ':'", text, colons[0])
    if not type_.value:
        raise SignatureSyntaxError("a type is missing after ':'", text, colons[0])
    return Part(role, name, type_)


def _marks(text: str) -> Iterator[tuple[int, str]]:
    """``->``, ``,`` and ``:`` outside brackets and quotes, with their positions."""
    opened: list[int] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char in "'\"":
            at = _end_of_string(text, at)
            continue
        arrow = text.startswith("->", at)
        if arrow and opened:
            break
        _refuse_stranger(text, at)
        if char in "([{":
            opened.append(at)
        elif char in ")]}":
            _close(text, at, opened)
        elif not opened and (arrow or char in ",:"):
            yield at, "->" if arrow else char
        at += 2 if arrow else 1
    if opened:
        raise SignatureSyntaxError(f"{text[opened[-1]]!r} is never closed", text, opened[-1])


def _refuse_stranger(text: str, at: int) -> None:
    """Raise for what stands in no signature but is written by mistake."""
    if text[at] in "→⇒➔" or text.startswith("=>", at):
        raise SignatureSyntaxError("the arrow is written '->'", text, at)
    if text[at] == "=":
        reason = "a default has no place in text: use a class, with InputField(default=...)"
        raise SignatureSyntaxError(reason, text, at)
    if text[at] == "#":
        raise SignatureSyntaxError("a comment has no place in the text of a signature", text, at)


def _close(text: str, at: int, opened: list[int]) -> None:
    if not opened:
        raise SignatureSyntaxError(f"{text[at]!r} closes nothing", text, at)
    if text[opened[-1]] != _CLOSES[text[at]]:
        raise SignatureSyntaxError(f"{text[at]!r} does not close {text[opened[-1]]!r}", text, at)
    opened.pop()


def _end_of_string(text: str, start: int) -> int:
    """The position after the string that begins at *start*."""
    quote = text[start] * 3 if text.startswith(text[start] * 3, start) else text[start]
    at = start + len(quote)
    while at < len(text):
        if text.startswith(quote, at):
            return at + len(quote)
        if text[at] == "\n" and len(quote) == 1:
            break
        at += 2 if text[at] == "\\" else 1
    raise SignatureSyntaxError("a quote is never closed", text, start)

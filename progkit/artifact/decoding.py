"""JSON read strictly: RFC 8259 without the parts on which readers differ.

Refused: duplicate keys, NaN and Infinity, numbers beyond a float, integers of more than MAX_DIGITS
digits, a byte order mark, anything but UTF-8, lone surrogates, text after the document, nesting
deeper than MAX_DEPTH.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from progkit.artifact.encoding import indented, is_too_deep
from progkit.errors import DocumentError
from progkit.schema.limits import MAX_DEPTH, MAX_DIGITS

# A string that does not end is a token, too: to look for its end anew at each quote in it would take the time squared.
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_COLON = re.compile(r"\s*:")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONFLICT = re.compile(r"^(<{7}|>{7}) ", re.MULTILINE)


def decode(data: bytes, source: str) -> Any:
    """The JSON document *data*; *source* is its name in errors.

    Raises:
        DocumentError: with line and column, and the reason.
    """
    document, fault = decode_loosely(data, source)
    if fault is not None:
        raise fault
    return document


def decode_loosely(data: bytes, source: str) -> tuple[Any, DocumentError | None]:
    """The JSON document *data*, NaN and Infinity in it as floats; and the error of the first of them, if any.

    Raises:
        DocumentError: for everything else that ``decode`` refuses.
    """
    document = proven(data, msgspec.json.decode)
    if document is not None:
        return document, None
    strict = _Strict(_text(data, source), source)
    return strict.document(), strict.not_finite


def proven(data: bytes, read: Callable[[bytes], Any]) -> Any:
    """What *read* makes of *data*, if that is all there is in *data*; None if there may be more or it fails.

    msgspec keeps the last of duplicate keys, and leaves out keys that a shape does not name. So what was read is
    written again: equal to the text but for its layout, nothing was lost.
    """
    try:
        document = read(data)
        again = indented(msgspec.json.encode(document))
        is_same = data.startswith(again) and data[len(again) :] == b"\n"  # spares a copy of a canonical text
        if (is_same or indented(data) == again) and not is_too_deep(again):
            return document
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass  # the slow way says where and why
    return None


def _text(data: bytes, source: str) -> str:
    """*data* as text."""
    if not data.strip():
        raise DocumentError(source, "", "is empty")
    if data.startswith(b"\x80"):
        hint = "Save it as .json with the library that wrote it"
        raise DocumentError(source, "line 1, column 1", "is a pickle, which runs code when it is read", hint)
    if data.startswith(b"\xef\xbb\xbf"):
        raise DocumentError(source, "line 1, column 1", "begins with a byte order mark", "Save it as UTF-8 without one")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4]:
        raise DocumentError(source, "line 1, column 1", "is UTF-16 or UTF-32", "Save it as UTF-8")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        raise DocumentError(source, _place(before, len(before)), "is not UTF-8 text") from error


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"line {line}, column {position - text.rfind(chr(10), 0, position)}"


class _Strict:
    """The slow way: every token looked at, then Python's own reader."""

    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.source = source
        self.around: list[set[str] | None] = []
        """The containers around the current token: the keys so far of an object, None for an array."""
        self.not_finite: DocumentError | None = None
        """The error of the first NaN or Infinity, which Python's own reader lets pass."""

    def document(self) -> Any:
        """The document."""
        if conflict := _CONFLICT.search(self.text):  # no line of a JSON text can begin like this
            self.fail(conflict.start(), "an unresolved merge conflict")
        for token in _TOKEN.finditer(self.text):
            self.look(token.group(), token.start(), token.end())
        try:
            return json.loads(self.text)
        except json.JSONDecodeError as error:
            reason = "more follows the document" if error.msg == "Extra data" else f"not JSON: {error.msg}"
            self.fail(error.pos, reason)
        except ValueError as error:  # Python's own limit on digits, lower than ours or in what is no number
            self.fail(0, f"an integer of too many digits: {error}")

    def look(self, token: str, start: int, end: int) -> None:
        """Refuse *token* if it is one of what a grammar alone lets pass."""
        if token in ",:":
            return
        if token in "]}":
            del self.around[-1:]
            return
        if len(self.around) > MAX_DEPTH:
            self.fail(start, f"nested deeper than {MAX_DEPTH}")
        if token in "[{":
            self.around.append(set() if token == "{" else None)
        elif token[0] == '"':
            self.string(token, start, end)
        else:
            self.number(token, start)

    def string(self, token: str, start: int, end: int) -> None:
        """Refuse a lone surrogate, and a key that the object has already."""
        try:
            value = json.loads(token) if "\\" in token else token[1:-1]
        except json.JSONDecodeError:
            return  # a bad escape, which the grammar refuses
        if _SURROGATE.search(value):
            self.fail(start, f"{token[:80]} holds a lone surrogate")
        keys = self.around[-1] if self.around else None
        if keys is not None and _COLON.match(self.text, end):
            if value in keys:
                self.fail(start, f"the key {value!r} is there twice in one object")
            keys.add(value)

    def number(self, token: str, start: int) -> None:
        """Refuse what is too large, or not a number to JSON."""
        if token.lstrip("-") in ("NaN", "Infinity"):
            self.not_finite = self.not_finite or self.error(start, f"{token} is not JSON")
            return
        if token.lstrip("-").isdecimal():
            if len(token) > MAX_DIGITS:
                self.fail(start, f"an integer of more than {MAX_DIGITS} digits")
            return
        try:
            if math.isinf(float(token)):
                self.fail(start, f"{token[:80]} is beyond any float")
        except ValueError:
            return  # true, false, null, or something that the grammar refuses

    def fail(self, position: int, reason: str) -> NoReturn:
        """Raise the error of a place in the text."""
        raise self.error(position, reason)

    def error(self, position: int, reason: str) -> DocumentError:
        """The error of a place in the text."""
        return DocumentError(self.source, _place(self.text, position), reason)

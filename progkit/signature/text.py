"""The text form of a signature, ``question, context: list[str] -> answer: Literal['yes', 'no']``, parsed.

Types are read from Python's own syntax tree and never evaluated: a name means what ``KNOWN_TYPES`` or the
caller's *custom_types* say, or a class of a module that is already imported.
"""

import re
from collections.abc import Mapping
from keyword import iskeyword
from typing import Any
from unicodedata import normalize

from progkit.errors import SignatureError
from progkit.signature.expression import read_type
from progkit.signature.field import Field
from progkit.signature.scan import Span, scan
from progkit.signature.types import is_type


def parse(text: str, custom_types: Mapping[str, Any] | None = None) -> list[Field]:
    """The fields that *text* names, in order; a field without a type is a str.

    custom_types: what names mean that are not Python's own, ``{"Invoice": Invoice}``; dotted ones too.

    Raises:
        SignatureSyntaxError: with the place in *text*.
        SignatureError: if *text* is no text or *custom_types* holds something that is no type.
    """
    _check(text, custom_types or {})
    fields: dict[str, Field] = {}
    for part in scan(text):
        name = _name(part.name)
        if name in fields:
            raise part.name.error(f"a second field {name!r}")
        type_ = str if part.type is None else read_type(part.type, custom_types or {})
        fields[name] = Field("", part.role).attach(name, type_)
    return list(fields.values())


def parse_type(text: str, custom_types: Mapping[str, Any] | None = None) -> Any:
    """The type that *text* says, as ``type_text`` writes it: ``list[str]``, ``Literal['a', 'b']``.

    Raises:
        SignatureSyntaxError: with the place in *text*.
        SignatureError: if *text* is no text or *custom_types* holds something that is no type.
    """
    _check(text, custom_types or {})
    span = Span.of(text, 0, len(text))
    if not span.value:
        raise span.error("the text of a type is empty")
    return read_type(span, custom_types or {})


def _check(text: Any, custom_types: Mapping[str, Any]) -> None:
    if not isinstance(text, str):
        raise SignatureError(f"the text of a signature is a str, not {text!r}")
    for name, type_ in custom_types.items():
        if not is_type(type_):
            raise SignatureError(f"custom_types[{name!r}] is not a type: {type_!r}")


def _name(span: Span) -> str:
    name = span.value
    if name.startswith("*"):
        raise span.error("a field has a name of its own; * has no place here")
    word = re.match(r"[^\W\d]\w*", name)
    if word is None or not word[0].isidentifier():
        raise span.error("a field's name is letters, digits and _, and no digit first")
    rest = name[word.end() :].lstrip()
    if rest:
        raise span.error("expected ',', ':' or '->'", len(name) - len(rest))
    name = normalize("NFKC", name)  # as Python does with the names in its own source
    if iskeyword(name):
        raise span.error(f"{name!r} is a word of Python and no name for a field")
    return name

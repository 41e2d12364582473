"""How the text of a field, or its value in a JSON object, becomes a value of the field's type.

The rules are DSPy 3.4's. A ``Reader`` takes what the model wrote and returns the value; it raises
ValueError (pydantic's ``ValidationError`` is one) or TypeError if that cannot be had.
"""

import ast
import re
from collections.abc import Callable
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin

from progkit.adapters.plain import fits
from progkit.adapters.repair import loads
from progkit.content import Content
from progkit.signature.types import type_adapter

Reader: TypeAlias = Callable[[Any], Any]

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?")
"""Numbers that JSON, Python and pydantic all take for the same."""

_TRUTHS = {"True": True, "False": False, "true": True, "false": False}


def reader(annotation: Any) -> Reader:
    """The reader of a field of type *annotation*."""
    if annotation is str:
        return str
    if annotation is int:
        return _read_int
    if annotation is float:
        return _read_float
    if annotation is bool:
        return _read_bool
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return lambda value: _member(annotation, value)
    if isinstance(annotation, type) and issubclass(annotation, Content):
        return lambda value: _content(annotation, value)
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return lambda value: _one_of(annotation, args, value)
    if (origin is Union or origin is UnionType) and str in args and NoneType in args:
        only_text = len(args) == 2
        # What stands in the reply is already a value of the type: no unpacking of its text.
        return lambda value: value if only_text and type(value) is str else _validated(annotation, value)
    return lambda value: _read(annotation, value)


def _read(annotation: Any, value: Any) -> Any:
    return _validated(annotation, _unpacked(value) if isinstance(value, str) else value)


def _content(kind: type[Content], value: Any) -> Any:
    """A value of a content type, which may have a reading of text of its own."""
    try:
        return _read(kind, value)
    except ValueError:
        if not isinstance(value, str):
            raise
        try:
            return _validated(kind, value)
        except ValueError:
            pass
        raise


def _validated(annotation: Any, value: Any) -> Any:
    return value if fits(value, annotation) else type_adapter(annotation).validate_python(value)


def _unpacked(text: str) -> Any:
    """What *text* says: JSON, mended JSON, a Python literal, or itself."""
    value = loads(text)
    if value == "" and text:
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return text
    return value


def _read_int(value: Any) -> Any:
    if type(value) is str and (number := _NUMBER.fullmatch(value)) and number[1] is None:
        return int(value)
    return _read(int, value)


def _read_float(value: Any) -> Any:
    if type(value) is str and (number := _NUMBER.fullmatch(value)):
        return float(value) if number[1] else float(int(value))
    return _read(float, value)


def _read_bool(value: Any) -> Any:
    if type(value) is str and value in _TRUTHS:
        return _TRUTHS[value]
    return _read(bool, value)


def _member(kind: type[Enum], value: Any) -> Enum:
    """The member with this value, else the one with this name."""
    for member in kind:
        if member.value == value:
            return member
    if isinstance(value, str) and value in kind.__members__:
        return kind[value]
    raise ValueError(f"{value!r} is neither a value nor a name of {kind.__name__}")


def _one_of(annotation: Any, allowed: tuple[Any, ...], value: Any) -> Any:
    """The allowed value that *value* is, bare, in quotes, or within the name of the type."""
    if value in allowed:
        return value
    if not isinstance(value, str):
        return _validated(annotation, value)
    bare = value.strip()
    if bare.startswith(("Literal[", "str[")) and bare.endswith("]"):
        bare = bare[bare.index("[") + 1 : -1]
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'":
        bare = bare[1:-1]
    return bare if bare in allowed else _read(annotation, bare)

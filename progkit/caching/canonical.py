"""Canonical JSON: one text for whatever means the same, to be hashed.

Names sorted, no spaces, UTF-8, tuples as lists, ``1.0`` as ``1`` and ``-0.0`` as ``0``; but ``true`` is not ``1``.
Enums are their values, pydantic objects what they dump, pydantic classes their JSON Schema. What
has no content of its own that is the same tomorrow is refused.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from progkit.errors import UncacheableError

LONGEST_INTEGER = 10_000
"""Bits; Python writes no integer of more than 4,300 digits."""

_encode = msgspec.json.Encoder(order="sorted").encode
_schemas: WeakKeyDictionary[type, dict[str, Any]] = WeakKeyDictionary()


def encode(clean: Any) -> bytes:
    """The text of what ``plain`` returned.

    Raises:
        UncacheableError: at a lone surrogate, which has no UTF-8.
    """
    try:
        return _encode(clean)
    except UnicodeEncodeError:
        raise UncacheableError(_unwritable(clean) or "", "holds a lone surrogate, which has no UTF-8") from None


def plain(value: Any, where: str = "") -> Any:
    """*value* as str, int, float, bool, None, list and dict alone, ready to ``encode``.

    where: how to name the value in an error.

    Raises:
        UncacheableError: naming the place below *where*.
    """
    try:
        return _plain(value)
    except UncacheableError as error:
        raise UncacheableError(where + error.where, error.reason) from None
    except RecursionError:
        raise UncacheableError(where, "is nested too deeply or contains itself") from None


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is dict:
        return _mapping(value)
    if kind is list or kind is tuple:
        return _sequence(value)
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, int):
        return _integer(int(value))
    if isinstance(value, float):
        return _number(float(value))
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, (list, tuple)):
        return _sequence(value)
    return _foreign(value)


def _integer(value: int) -> int:
    if value.bit_length() > LONGEST_INTEGER:
        raise UncacheableError("", f"is an integer of {value.bit_length()} bits")
    return value


def _number(value: float) -> int | float:
    if value.is_integer():  # False for NaN and the infinities
        return int(value)
    if value - value != 0:
        raise UncacheableError("", f"is {value}, which JSON cannot write")
    return value


def _sequence(values: Any) -> list[Any]:
    clean = []
    for number, each in enumerate(values):
        try:
            clean.append(_plain(each))
        except UncacheableError as error:
            raise UncacheableError(f"[{number}]{error.where}", error.reason) from None
    return clean


def _mapping(values: Mapping[Any, Any]) -> dict[str, Any]:
    clean: dict[str, Any] = {}
    for name, each in values.items():
        text = _name(name)
        if text in clean:
            raise UncacheableError("", f"has the name {text!r} both as text and as a number")
        try:
            clean[text] = _plain(each)
        except UncacheableError as error:
            raise UncacheableError(f".{text}{error.where}", error.reason) from None
    return clean


def _name(name: Any) -> str:
    """A name as JSON has it: text; integers (``logit_bias``) are written out, as they are on the wire."""
    if isinstance(name, str):
        return str.__str__(name)
    if isinstance(name, int) and not isinstance(name, bool):
        return str(_integer(int(name)))
    raise UncacheableError("", f"has a name that is no text: {type(name).__name__}")


def _foreign(value: Any) -> Any:
    """A pydantic class or object, known by what it can do so that pydantic stays unimported."""
    try:
        if isinstance(value, type) and hasattr(value, "model_json_schema"):
            schema = _schemas.get(value)
            if schema is None:
                schema = _schemas[value] = _plain(value.model_json_schema())
            return {"$class": f"{value.__module__}.{value.__qualname__}", "schema": schema}
        if not isinstance(value, type) and hasattr(value, "model_dump"):
            return _plain(value.model_dump(mode="json"))
    except UncacheableError:
        raise
    except Exception as error:  # the user's own class runs here, and may raise anything
        raise UncacheableError("", f"cannot be dumped: {type(error).__name__}: {error}") from None
    name = value.__qualname__ if isinstance(value, type) else type(value).__qualname__
    kind = "the class" if isinstance(value, type) else "an object of"
    raise UncacheableError("", f"is {kind} {name}, which has no stable content")


def _unwritable(value: Any) -> str | None:
    """The place in *value* of the first text that has no UTF-8; None if there is none."""
    if isinstance(value, str):
        return "" if any("\ud800" <= each <= "\udfff" for each in value) else None
    steps = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    for step, each in steps:
        if _unwritable(step) is not None:
            return ""
        place = _unwritable(each)
        if place is not None:
            return f"[{step}]{place}" if isinstance(value, list) else f".{step}{place}"
    return None

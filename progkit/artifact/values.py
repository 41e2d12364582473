"""Python values as the nodes of a document, exactly or not at all; see ``progkit.schema.nodes`` for the nodes.

Exactly: what ``decode_value`` gives back equals the value, is of the same class, and prints the same in a
prompt. So a subclass of a plain class is refused, and the order of a dict is kept.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

from progkit.artifact.encoding import canonical
from progkit.errors import DocumentError, UnsavableError
from progkit.schema import Path, decode_value, show
from progkit.schema.limits import MAX_DEPTH, MAX_DIGITS, MAX_PLAIN_INT
from progkit.schema.live import live_class, model_fields
from progkit.schema.scalars import SCALARS

_WORDS = frozenset((str, bool, type(None)))
_OUTSIDE = 11
"""Containers that a document has around a value of a demo, counted generously."""


def encode_value(value: Any, where: str = "value") -> Any:
    """The node for *value*, whose place in the program is *where*.

    Raises:
        UnsavableError: for what a document cannot hold exactly.
    """
    return _encode(value, where, (), MAX_DEPTH - _OUTSIDE)


def encode_values(values: Mapping[str, Any], where: str = "values") -> dict[str, Any]:
    """The nodes of several values by name.

    Raises:
        UnsavableError: as ``encode_value``, and for a name that is not text.
    """
    if _are_words(values):  # as most demos are: nothing is to be changed or told
        return dict(values)
    for name in values:
        if type(name) is not str:
            raise UnsavableError(where, f"the name {name!r} is not text")
        _encode_text(name, where, (name,))
    return {name: encode_value(value, show((name,), where)) for name, value in values.items()}


def _are_words(values: Mapping[str, Any]) -> bool:
    """Whether *values*, and their names, are text that UTF-8 can say, booleans or null, which are their own nodes."""
    kinds = set(map(type, values.values()))
    if not kinds <= _WORDS or not set(map(type, values)) <= {str}:
        return False
    text = "".join([*values, *(each for each in values.values() if type(each) is str)])
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def lost_classes(node: Any, annotation: Any = None) -> list[str]:
    """The enums and models in *node*, by name, that come back as plain data: *annotation* holds none of that name."""
    return sorted(name for name in set(_classes_in(node)) if live_class(annotation, name) is None)


def _classes_in(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (node[tag] for tag in ("$enum", "$model") if tag in node)
        node = node.values()
    elif not isinstance(node, list):
        return
    for each in node:
        yield from _classes_in(each)


def _encode(value: Any, where: str, path: Path, room: int) -> Any:
    """The node for the *value* at *path*, with *room* for so many containers more."""
    kind = type(value)
    if kind is str:
        return _encode_text(value, where, path)
    if value is None or kind is bool:
        return value
    if kind is int and abs(value) <= MAX_PLAIN_INT:
        return value
    if kind is float:
        if not math.isfinite(value):
            raise UnsavableError(show(path, where), f"{value} cannot be saved: JSON has no word for it")
        return value
    if kind in _SCALARS:
        return _encode_scalar(value, where, path)
    if room <= 0:
        raise UnsavableError(show(path, where), "is nested too deep, or holds itself")
    if kind in _CONTAINERS:
        return _CONTAINERS[kind](value, where, path, room)
    if isinstance(value, Enum):
        return _encode_enum(value, where, path, room)
    if getattr(kind, "is_saved_as_text", False):
        return _encode_text(str(value), where, path)
    if model_fields(kind) is not None:
        return _encode_model(value, where, path, room)
    plain = next((each for each in _PLAIN if isinstance(value, each)), None)
    advice = f"; {plain.__name__}(...) of it can" if plain else ""
    raise UnsavableError(show(path, where), f"a {kind.__module__}.{kind.__qualname__} cannot be saved{advice}")


def _encode_text(value: str, where: str, path: Path) -> str:
    try:
        value.isascii() or value.encode()
    except UnicodeEncodeError:
        raise UnsavableError(show(path, where), f"{value!r} holds a lone surrogate, which UTF-8 cannot say") from None
    return value


def _encode_scalar(value: Any, where: str, path: Path) -> dict[str, Any]:
    scalar = _SCALARS[type(value)]
    if isinstance(value, Decimal) and not value.is_finite():
        raise UnsavableError(show(path, where), f"{value} cannot be saved")
    if isinstance(value, (datetime, time)) and (value.fold or type(value.tzinfo) not in (type(None), timezone)):
        reason = "a time with a named zone, or with fold, cannot be saved exactly; .astimezone(timezone.utc) can"
        raise UnsavableError(show(path, where), reason)
    offset = abs(value.utcoffset() or timedelta(0)) if isinstance(value, (datetime, time)) else timedelta(0)
    if timedelta(0) < offset < timedelta(seconds=1):
        raise UnsavableError(show(path, where), "a UTC offset below a second cannot be saved: Python reads it as 0")
    try:
        text = scalar.spell(value)
    except ValueError as error:  # Python's own limit on an integer's digits
        raise UnsavableError(show(path, where), f"cannot be saved: {error}") from error
    if type(value) is int and len(text.lstrip("-")) > MAX_DIGITS:
        raise UnsavableError(show(path, where), f"an integer of more than {MAX_DIGITS} digits cannot be saved")
    return {scalar.tag: text}


def _encode_list(value: Any, where: str, path: Path, room: int) -> list[Any]:
    return [_encode(each, where, (*path, index), room - 1) for index, each in enumerate(value)]


def _encode_tuple(value: Any, where: str, path: Path, room: int) -> dict[str, Any]:
    return {"$tuple": _encode_list(value, where, path, room - 1)}


def _encode_set(value: Any, where: str, path: Path, room: int) -> dict[str, Any]:
    return {f"${type(value).__name__}": sorted(_encode_list(value, where, path, room - 1), key=canonical)}


def _encode_dict(value: dict[Any, Any], where: str, path: Path, room: int) -> dict[str, Any]:
    if not all(type(key) is str for key in value):
        pairs = [
            [_encode(key, where, (*path, index), room - 3), _encode(each, where, (*path, index), room - 3)]
            for index, (key, each) in enumerate(value.items())
        ]
        return {"$dict": pairs}
    names = [_encode_text(key, where, path) for key in value]
    in_order = names == sorted(names)
    below = room - 1 if in_order else room - 2
    nodes = {
        f"${key}" if key.startswith("$") else key: _encode(each, where, (*path, key), below)
        for key, each in value.items()
    }
    return nodes if in_order else {"$order": names, "value": nodes}


def _encode_enum(value: Enum, where: str, path: Path, room: int) -> dict[str, Any]:
    node = {"$enum": type(value).__name__, "value": _encode(value.value, where, path, room - 1)}
    return _proven(node, value, show(path, where))


def _encode_model(value: Any, where: str, path: Path, room: int) -> dict[str, Any]:
    """A pydantic model by its fields as they are: ``model_dump`` would add computed fields and apply serialisers."""
    kind = type(value)
    plain: Any = dict(value.model_extra or {})
    for name, field in (model_fields(kind) or {}).items():
        alias = field.validation_alias
        plain[alias if isinstance(alias, str) else name] = getattr(value, name)
    if getattr(kind, "__pydantic_root_model__", False):
        plain = value.root
    node = {"$model": kind.__name__, "value": _encode(plain, where, path, room - 1)}
    return _proven(node, value, show(path, where))


def _proven(node: dict[str, Any], value: Any, where: str) -> dict[str, Any]:
    """*node*, if the class of *value* makes an equal of it again."""
    try:
        restored = decode_value(node, type(value), where, _revive)
    except DocumentError as error:
        raise UnsavableError(where, f"cannot be saved: {error.reason}") from error
    if type(restored) is not type(value) or restored != value:
        raise UnsavableError(where, f"a {type(value).__qualname__} that does not come back equal cannot be saved")
    return node


def _revive(kind: Any, plain: Any) -> Any:
    try:
        return kind(plain) if issubclass(kind, Enum) else kind.model_validate(plain)
    except Exception as error:  # a validator is the user's code and may raise anything
        raise ValueError(str(error)) from error


_SCALARS = {each.type: each for each in SCALARS}
_CONTAINERS: dict[type, Callable[[Any, str, Path, int], Any]] = {
    dict: _encode_dict,
    list: _encode_list,
    tuple: _encode_tuple,
    set: _encode_set,
    frozenset: _encode_set,
}
_PLAIN = (str, int, float, dict, list, tuple, set, frozenset, bytes, bytearray, datetime)

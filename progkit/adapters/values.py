"""How a value is written into a message."""

import json
from collections.abc import Container, Iterable
from math import isfinite
from typing import Any

from progkit.signature.types import type_adapter


def format_value(value: Any, annotation: Any) -> str:
    """*value* as the text of a field of type *annotation*.

    Text as it stands, JSON for what is an object or an array in JSON, ``str()`` of the rest; a
    list for a field of plain text is a numbered list. Layout: DSPy 3.4.
    """
    if type(value) is str:
        return value
    if annotation is str and isinstance(value, list):
        return _numbered(value)
    return _text(value)


def json_object(values: dict[str, Any]) -> str:
    """*values* as a JSON object over several lines.

    A value that JSON cannot say in any way is given as its ``str()``.
    """
    plain: Any = values
    if not _is_plain(values):
        try:
            plain = _dumped(values)
        except Exception:  # serialisers are anybody's code; one bad value must not spoil the others
            plain = {name: jsonable(value) for name, value in values.items()}
    return json.dumps(plain, indent=2, ensure_ascii=False)


def jsonable(value: Any) -> Any:
    """*value* as data that JSON can say; its ``str()`` if there is none."""
    if _is_plain(value):
        return value
    try:
        return _dumped(value)
    except Exception:  # serialisers are anybody's code; what they refuse is still printed
        return str(value)


def _text(value: Any) -> str:
    plain = jsonable(value)
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, (dict, list, tuple)) else str(plain)


def _dumped(value: Any) -> Any:
    return type_adapter(type(value)).dump_python(value, mode="json", fallback=str)


def _is_plain(value: Any) -> bool:
    """Whether *value* is JSON as it stands, so that pydantic need not be asked (nor imported)."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return True
    if kind is float:
        return isfinite(value)
    try:
        if kind is list or kind is tuple:
            return all(map(_is_plain, value))
        return kind is dict and all(type(key) is str for key in value) and all(map(_is_plain, value.values()))
    except RecursionError:
        return False


def _numbered(items: Iterable[Any]) -> str:
    blobs = list(map(_blob, items))
    if len(blobs) < 2:
        return blobs[0] if blobs else "N/A"
    return "\n".join(f"[{number}] {blob}" for number, blob in enumerate(blobs, 1))


def _blob(item: Any) -> str:
    """*item* between marks. DSPy prints what ``in`` can look into as Python does, and fails at the rest."""
    if not isinstance(item, str):
        return f"«{item if isinstance(item, (Container, Iterable)) else _text(item)}»"
    if "\n" not in item and "«" not in item and "»" not in item:
        return f"«{item}»"
    indented = item.replace("\n", "\n    ")
    return f"«««\n    {indented}\n»»»"

"""How a value is written into a message."""

import json
from collections.abc import Container, Iterable
from math import isfinite
from typing import Any

from progkit.adapters.layouts import LAYOUTS, NEWEST, Layout
from progkit.content import LAYOUT, SINK, Content, Sink, marked
from progkit.signature.types import type_adapter

_NEWEST = LAYOUTS[NEWEST]


def format_value(value: Any, annotation: Any, layout: Layout = _NEWEST, sink: Sink = marked) -> str:
    """*value* as the text of a field of type *annotation*.

    Text as it stands, JSON for what is an object or an array in JSON, ``str()`` of the rest; a
    list for a field of plain text is a numbered list. What is no text goes to *sink*.
    """
    if type(value) is str:
        return value
    if annotation is str and isinstance(value, list):
        return _numbered(value, sink)
    return _text(value, layout, sink)


def json_object(values: dict[str, Any], layout: Layout = _NEWEST) -> str:
    """*values* as a JSON object over several lines.

    A value that JSON cannot say in any way is given as its ``str()``.
    """
    plain: Any = values
    if not _is_plain(values):
        try:
            plain = _dumped(values, marked, layout, part_by_part=not layout.whole_text)
        except Exception:  # serialisers are anybody's code; one bad value must not spoil the others
            plain = {name: jsonable(value, layout) for name, value in values.items()}
    return json.dumps(plain, indent=2, ensure_ascii=layout.ascii_json)


def jsonable(value: Any, layout: Layout = _NEWEST, sink: Sink = marked) -> Any:
    """*value* as data that JSON can say; its ``str()`` if there is none."""
    if _is_plain(value):
        return value
    try:
        return _dumped(value, sink, layout, part_by_part=not layout.whole_text)
    except Exception:  # serialisers are anybody's code; what they refuse is still printed
        return str(value)


def plain_copy(value: Any) -> Any:
    """*value* as JSON data that nobody else holds.

    Raises:
        Exception: whatever pydantic or a serialiser raises, if JSON cannot say it.
    """
    if not _is_plain(value):
        return _dumped(value, marked, _NEWEST, part_by_part=False)
    return _copied(value)


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copied(each) for name, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, (list, tuple)) else value


def _text(value: Any, layout: Layout, sink: Sink) -> str:
    plain = jsonable(value, layout, sink)
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, (dict, list, tuple)) else str(plain)


def _dumped(value: Any, sink: Sink, layout: Layout, part_by_part: bool) -> Any:
    adapter, context = type_adapter(type(value)), {SINK: sink, LAYOUT: layout.version}
    if part_by_part:
        return adapter.dump_python(value, mode="json", fallback=str, context=context)
    return adapter.dump_python(value, mode="json", context=context)


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


def _numbered(items: Iterable[Any], sink: Sink) -> str:
    blobs = [_blob(item, sink) for item in items]
    if len(blobs) < 2:
        return blobs[0] if blobs else "N/A"
    return "\n".join(f"[{number}] {blob}" for number, blob in enumerate(blobs, 1))


def _blob(item: Any, sink: Sink) -> str:
    """*item* between marks. DSPy prints what ``in`` can look into as Python does, and fails at the rest."""
    if isinstance(item, str):
        if "\n" not in item and "«" not in item and "»" not in item:
            return f"«{item}»"
        indented = item.replace("\n", "\n    ")
        return f"«««\n    {indented}\n»»»"
    printed = isinstance(item, (Container, Iterable)) and not isinstance(item, Content)
    return f"«{item if printed else _text(item, _NEWEST, sink)}»"

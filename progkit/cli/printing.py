"""What a program answered, as JSON that the same command reads back as an input."""

import base64
import json
from collections.abc import Mapping
from datetime import date, time
from enum import Enum
from typing import Any

from progkit.example import Example, Prediction
from progkit.signature import type_adapter


def values_of(answer: Any) -> dict[str, Any]:
    """What a program said, by name, as plain data; an answer that is no prediction is ``answer``."""
    found = dict(answer.items()) if isinstance(answer, Prediction) else {"answer": answer}
    return {name: plain(value) for name, value in found.items()}


def as_json(value: Any) -> str:
    """The JSON of plain data, on one line."""
    return json.dumps(value, ensure_ascii=False)


def plain(value: Any) -> Any:
    """*value* as plain data: an Enum's value, lists for sets, dates as ISO 8601 says, bytes as text or as base64.

    Whatever else is no plain data is as pydantic writes it, or its text.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Example):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, Mapping):
        return {_name(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, set | frozenset):
        return sorted(map(plain, value), key=as_json)
    if isinstance(value, date | time):
        return value.isoformat()
    return _bytes(value) if isinstance(value, bytes) else _other(value)


def _name(key: Any) -> Any:
    """*key* as a key of a JSON object."""
    found = plain(key)
    return found if found is None or isinstance(found, str | int | float) else as_json(found)


def _bytes(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.urlsafe_b64encode(value).decode()


def _other(value: Any) -> Any:
    """What pydantic makes of *value*, of whatever class."""
    try:
        return plain(type_adapter(type(value)).dump_python(value, mode="json"))
    # Classes are anybody's: of one that pydantic does not know, or cannot write, there is its text.
    except Exception:
        return str(value)

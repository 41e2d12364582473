"""Documents as bytes, in the one form that equal documents share."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from progkit import schema
from progkit.errors import DocumentError
from progkit.schema.limits import MAX_DEPTH

_TOO_DEEP = b"\n" + b" " * (MAX_DEPTH + 1)


def encode(document: dict[str, Any]) -> bytes:
    """*document* as a file holds it: UTF-8, keys sorted, indent 1, a line for each value, a final newline.

    Raises:
        DocumentError: if it is not valid as the version it claims.
    """
    schema.validate(document)
    try:
        data = canonical(document)
    except UnicodeEncodeError as error:
        raise DocumentError("document", "", "holds a lone surrogate, which UTF-8 cannot say") from error
    text = indented(data) + b"\n"
    if is_too_deep(text):
        raise DocumentError("document", "", f"is nested deeper than {MAX_DEPTH}")
    return text


def canonical(node: Any) -> bytes:
    """Plain data on one line: keys sorted, no spaces. Equal data, equal bytes (int and float told apart)."""
    return msgspec.json.encode(node, order="sorted")


def alike(one: Any, other: Any) -> bool:
    """Whether both are the same plain data; to Python, 1, 1.0 and True are equal."""
    return bool(one == other) and canonical(one) == canonical(other)


def indented(data: bytes) -> bytes:
    """JSON text laid out anew, a line for each value."""
    return msgspec.json.format(data, indent=1)


def is_too_deep(text: bytes) -> bool:
    """Whether a value of an ``indented`` *text* stands in more than MAX_DEPTH containers."""
    return _TOO_DEEP in text  # a line break inside a string is escaped, so each one here opens a line


def demo_id(values: Mapping[str, Any]) -> str:
    """The id of a demo with these nodes as its values: ``d-`` and 12 hex digits of their SHA-256."""
    return f"d-{hashlib.sha256(canonical(values)).hexdigest()[:12]}"


def demo_ids(demos: Iterable[Mapping[str, Any]]) -> list[str]:
    """The ids of the demos of one predictor, in order; an equal one later is told apart: ``d-..``, ``d-..-2``."""
    seen: Counter[str] = Counter()
    ids = []
    for values in demos:
        name = demo_id(values)
        seen[name] += 1
        ids.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return ids

"""How much a text may hold, judged before anything is made of it."""

import re

from progkit.errors import DocumentError
from progkit.schema.limits import MAX_PARTS

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_OPENERS = (b",", b"[", b"{")
"""Of these, a JSON text has one for each value and container in it, but for the first."""


def check_parts(data: bytes, source: str) -> None:
    """Nothing, unless the JSON text *data* holds more than MAX_PARTS values and containers.

    A text of empty lists would need thirty times its size of memory.

    Raises:
        DocumentError: if it does.
    """
    if len(data) > MAX_PARTS and _count(data) > MAX_PARTS and _count(_STRING.sub(b"", data)) > MAX_PARTS:
        raise DocumentError(source, "", f"holds more than {MAX_PARTS:,} values")


def _count(data: bytes) -> int:
    return sum(map(data.count, _OPENERS))

"""How much a text may hold, judged before anything is made of it."""

import re

from progkit.artifact.counting import BLOCK, counts
from progkit.errors import DocumentError
from progkit.schema.limits import MAX_PARTS

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_OPENERS = (b",", b"[", b"{")
"""Of these, a JSON text has one for each value and container in it, but for the first."""
_FEW = MAX_PARTS * 3 // 2
"""Bytes that cannot hold too many of them: no text has more than two in three bytes, as ``[],[],`` has."""


def check_parts(data: bytes, source: str) -> None:
    """Nothing, unless the JSON text *data* holds more than MAX_PARTS values and containers.

    A text of empty lists would need thirty times its size of memory.

    Raises:
        DocumentError: if it does.
    """
    if len(data) > _FEW and _holds_too_many(data) and _holds_too_many(_STRING.sub(b"", data)):
        raise DocumentError(source, "", f"holds more than {MAX_PARTS:,} values")


def _holds_too_many(data: bytes) -> bool:
    """Whether there are more than MAX_PARTS openers in *data*; looks no further than that takes."""
    found, left = 0, len(data)
    blocks = counts(data, _OPENERS, 0, len(data))
    while found <= MAX_PARTS < found + left:
        found += next(blocks)
        left -= BLOCK
    return found > MAX_PARTS

"""What a tier holds for a key: a response as msgpack, with the key, the version and the time.

Data alone: decoding builds the classes named here and no others, so bytes from anywhere are safe
to decode. Whoever changes ``Entry``, or a ``Response`` in a way that old bytes do not fit, raises
``VERSION``; an entry of another version is a miss.
"""

import time
from dataclasses import replace
from typing import Final, Literal

import msgspec

from progkit.errors import EntryError
from progkit.lm.response import Response

VERSION: Final = 1


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """version, key, seconds since 1970 at which it was written, and the response as the LM gave it."""

    version: Literal[1]
    key: str
    created: float
    response: Response


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode


def encode(key: str, response: Response) -> bytes:
    """The entry that keeps *response* under *key*; a hit is kept as what it was before it was one.

    Raises:
        EntryError: if the response holds something that is no plain data.
    """
    if response.cache_hit:
        usage, cost = response.saved, response.saved_cost
        response = replace(response, usage=usage, cost=cost, cache_hit=False, saved={}, saved_cost=None)
    try:
        return _encode(Entry(VERSION, key, time.time(), response))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise EntryError(f"this response cannot be kept: {error}") from None


def decode(key: str, entry: bytes) -> Response:
    """The response in *entry*, a new one each time.

    Raises:
        EntryError: if these are no bytes of ours, of another version, or of another key.
    """
    try:
        found = _decode(entry)
    except (msgspec.DecodeError, TypeError, ValueError, RecursionError) as error:
        raise EntryError(f"no entry of version {VERSION}: {error}") from None
    if found.key != key:
        raise EntryError(f"an entry of another key, {found.key}")
    return found.response

"""What a tier holds for a key: a response as msgpack, with the key, the version, the times and the tags.

Data alone: decoding builds the classes named here and no others, so bytes from anywhere are safe
to decode. Whoever changes ``Entry``, or a ``Response`` in a way that old bytes do not fit, raises
``VERSION``; an entry of a version that is not named in ``Entry`` is a miss.
"""

import time
from dataclasses import replace
from typing import Final, Literal

import msgspec

from progkit.errors import EntryError
from progkit.lm.response import Response

VERSION: Final = 2


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """What is kept under *key*: the response as the LM gave it. Times are seconds since 1970.

    created: when the LM gave it. soft: from then on it is served while it is asked for again; expires: from then on
    it is not served; None: never. tags: names by which it can be invalidated. Version 1 ends with the response.
    """

    version: Literal[1, 2]
    key: str
    created: float
    response: Response
    soft: float | None = None
    expires: float | None = None
    tags: tuple[str, ...] = ()


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode


def encode(
    key: str,
    response: Response,
    *,
    created: float | None = None,
    soft: float | None = None,
    expires: float | None = None,
    tags: tuple[str, ...] = (),
) -> bytes:
    """The entry that keeps *response* under *key*; a hit is kept as what it was before it was one.

    created: None means now. The rest as in ``Entry``.

    Raises:
        EntryError: if the response holds something that is no plain data.
    """
    if response.cache_hit:
        usage, cost = response.saved, response.saved_cost
        response = replace(response, usage=usage, cost=cost, cache_hit=False, saved={}, saved_cost=None, stale=False)
    if response.keys == (key,):  # as the entry says already
        response = response.kept_under(())
    created = time.time() if created is None else created
    try:
        return _encode(Entry(VERSION, key, created, response, soft, expires, tags))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise EntryError(f"this response cannot be kept: {error}") from None


def open_entry(key: str, entry: bytes) -> Entry:
    """What *entry* holds, a new one each time.

    Raises:
        EntryError: if these are no bytes of ours, of another version, or of another key.
    """
    try:
        found = _decode(entry)
    except (msgspec.DecodeError, TypeError, ValueError, RecursionError) as error:
        raise EntryError(f"no entry of version {VERSION}: {error}") from None
    if found.key != key:
        raise EntryError(f"an entry of another key, {found.key}")
    return found


def decode(key: str, entry: bytes) -> Response:
    """The response in *entry*, a new one each time, whatever its age.

    Raises:
        EntryError: as ``open_entry``.
    """
    return open_entry(key, entry).response

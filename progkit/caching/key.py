"""The key of a request: SHA-256 over canonical JSON of everything that can change the answer.

What is hashed is one array, the messages in order and then the rest::

    [message, message, ..., {"key_version": 1, "namespace": "", "params": {"model": ..., ...}}]

Since the messages stand first, the hash of those that a predictor sends every time (its
``Prefix``) is worked out once and kept in ``Prefix.memo``. Whoever changes what is hashed, here or
in ``canonical``, raises ``KEY_VERSION``: entries of the old one are then never found again.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from progkit.caching.canonical import encode, plain
from progkit.errors import UncacheableError
from progkit.lm.request import CREDENTIALS, TRANSPORT, Request

KEY_VERSION = 1

LEFT_OUT = CREDENTIALS | TRANSPORT
"""Parameters that are no part of a key."""

_APART = LEFT_OUT | {"messages"}
ENDPOINTS = ("api_base", "base_url")
_USERINFO = re.compile(r"(?<=://)[^/?#]*@")
_SMALL = 2**53
_MEMO = f"caching.key.{KEY_VERSION}"


def cache_key(request: Mapping[str, Any], namespace: str = "") -> str:
    """The key of *request*: 64 hexadecimal digits.

    request: a ``Request``, or a mapping of ``messages``, ``model`` and the other parameters. Credentials and what only
    concerns the transport are left out, and so are user and password in an endpoint.
    namespace: keeps apart what may not be shared.

    Raises:
        UncacheableError: if a value has no stable content (NaN, an object, a lone surrogate).
    """
    if isinstance(request, Request):
        opening = request.prefix.messages
        known = request.prefix.memo.get(_MEMO)
        if known is None:
            known = request.prefix.memo[_MEMO] = hashlib.sha256(_opening(opening))
        digest = known.copy()
        text = _closing(request.tail, len(opening), request.params, namespace)
    else:
        digest = hashlib.sha256(b"[")
        text = _closing(request.get("messages") or (), 0, request, namespace)
    digest.update(text)
    key: str = digest.hexdigest()
    return key


def _opening(messages: Iterable[Any]) -> bytes:
    """The array's text up to the place of the next message."""
    array = _messages(messages, 0)
    try:
        text = encode(array)[:-1]
    except UncacheableError as error:
        raise _named(error, 0, len(array)) from None
    return text + b"," if array else text


def _closing(messages: Iterable[Any], first: int, params: Mapping[str, Any], namespace: str) -> bytes:
    """The array's text from message number *first* on."""
    array = _messages(messages, first)
    rest = len(array)
    array.append({"key_version": KEY_VERSION, "namespace": namespace, "params": _params(params)})
    try:
        return encode(array)[1:]
    except UncacheableError as error:
        raise _named(error, first, rest) from None


def _named(error: UncacheableError, first: int, rest: int) -> UncacheableError:
    """*error* at ``[2].content`` of an array that begins with message *first*, and has no message at *rest*."""
    number, _, below = error.where[1:].partition("]")
    where = below[1:] if int(number) == rest else f"messages[{first + int(number)}]{below}"
    return UncacheableError(where, error.reason)


def _messages(messages: Iterable[Any], first: int) -> list[Any]:
    clean: list[Any] = []
    for message in messages:
        if type(message) is dict:
            for name, value in message.items():
                if type(value) is not str or type(name) is not str:
                    break
            else:  # nothing but text, as nearly always: plain as it is
                clean.append(message)
                continue
        clean.append(plain(message, f"messages[{first + len(clean)}]"))
    return clean


def _params(params: Mapping[str, Any]) -> dict[str, Any]:
    clean: dict[str, Any] = {}
    for name, value in params.items():
        if name in _APART:
            continue
        kind = type(value)
        if kind is str:
            if name in ENDPOINTS:
                value = without_user(value)
        # A float with a fraction is hashed as it is; of NaN and the infinities there is no fraction above 0.
        elif not ((kind is float and value % 1.0 > 0.0) or (kind is int and -_SMALL < value < _SMALL)):
            value = plain(value, f"params.{name}")
        clean[name] = value
    return clean


def without_user(endpoint: str) -> str:
    """*endpoint* as it is hashed: without user and password."""
    return _USERINFO.sub("", endpoint)

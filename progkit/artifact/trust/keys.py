"""Public keys as a caller names them: a PEM file, its text, or the base64 of the raw key."""

import base64
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from progkit.artifact.trust import ed25519
from progkit.errors import ConfigurationError

MAX_BYTES = 64 * 2**10
"""The largest file that is read as a key."""
PUBLIC = b"-----BEGIN PUBLIC KEY-----"
PRIVATE = (b"-----BEGIN PRIVATE KEY-----", b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
"""How keys as PKCS#8 begin."""
_BEGIN = b"-----BEGIN "
_WAYS = "a key is named by a PEM file, its text, or the base64 of 32 bytes"

Named: TypeAlias = "str | bytes | os.PathLike[str]"
"""A key as a caller names it."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An ed25519 key to verify with: *raw* (32 bytes), and its *fingerprint*, as signatures name it."""

    raw: bytes
    fingerprint: str


def public_keys(keys: "Iterable[Named] | Named") -> list[PublicKey]:
    """The keys that *keys* name, one or several.

    Raises:
        ConfigurationError: for what names none, or a private one, or without ``cryptography``.
    """
    if isinstance(keys, str | bytes | os.PathLike):
        keys = [keys]
    try:
        named = list(keys)
    except TypeError:
        raise ConfigurationError(f"keys= is a list of keys, not a {type(keys).__name__}; {_WAYS}") from None
    return [_public_key(each) for each in named]


def read_key(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file with a key.

    Raises:
        ConfigurationError: if it cannot be read, or is no such file.
    """
    source = os.fspath(path)
    try:
        found = os.stat(source)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BYTES:
            raise ConfigurationError(f"{source}: is no file with a key; {_WAYS}")
        with open(source, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:  # the latter for a NUL in the name
        said = getattr(error, "strerror", "") or "no name of a file"
        raise ConfigurationError(f"{_brief(source)} cannot be read as a file with a key: {said}; {_WAYS}") from None


def require_one(pem: bytes, source: str) -> None:
    """Nothing, if *pem* is one block: of several, a reader would choose.

    Raises:
        ConfigurationError: if it is not.
    """
    if pem.count(_BEGIN) != 1:
        raise ConfigurationError(f"{source}: holds {pem.count(_BEGIN) or 'no'} PEM blocks; a key's file holds one")


def _public_key(named: Named) -> PublicKey:
    if not isinstance(named, str | bytes | os.PathLike):
        raise ConfigurationError(f"a key cannot be a {type(named).__name__}; {_WAYS}")
    if isinstance(named, str | bytes):
        data = named.encode(errors="replace") if isinstance(named, str) else named
        if _BEGIN in data:
            return _from_pem(data, "the key given")
        if raw := _from_base64(data):
            return PublicKey(raw, ed25519.fingerprint(raw))
        if isinstance(named, bytes) or not named.strip():
            raise ConfigurationError(f"what was given names no key; {_WAYS}")
    return _from_pem(read_key(named), os.fspath(named))


def _from_pem(pem: bytes, source: str) -> PublicKey:
    if b"PRIVATE KEY-----" in pem:
        raise ConfigurationError(f"{source}: is a private key; name the public one, and keep this one away from here")
    require_one(pem, source)
    if PUBLIC not in pem:
        raise ConfigurationError(f"{source}: is no public key as PEM, which begins with {PUBLIC.decode()}")
    raw = ed25519.public_from_pem(pem, source)
    return PublicKey(raw, ed25519.fingerprint(raw))


def _from_base64(data: bytes) -> bytes:
    """The 32 bytes that *data* is the base64 of, white space around it left aside; nothing if it is not."""
    with suppress(ValueError):
        raw = base64.b64decode(data.strip(), validate=True)
        if len(raw) == ed25519.KEY_BYTES and base64.b64encode(raw) == data.strip():
            return raw
    return b""


def _brief(source: str) -> str:
    return repr(source) if len(source) <= 100 else f"{source[:50]!r}..."


def as_base64(raw: bytes) -> str:
    """A public key as text."""
    return base64.b64encode(raw).decode()

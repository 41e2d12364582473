r"""Encryption at rest, around any tier: AES-256-GCM, with keys that can be changed while entries stay readable.

An entry is::

    b"\x00E1"  length of the key's id (1 byte)  id  nonce (12 bytes)  ciphertext and tag

What stands before the nonce is authenticated, and so is the cache key: an entry under another key, or of another
namespace, does not open. Each namespace has a key of its own, derived from the one given by HKDF-SHA-256
(RFC 5869). The cache keys themselves stay readable; they are hashes of requests.
"""

import base64
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

from progkit.caching import forking
from progkit.caching.tiers import Tier
from progkit.errors import ConfigurationError, EntryError

VARIABLE = "PROGKIT_CACHE_KEYS"
AGAIN = 60.0
"""Seconds until the keys are asked for again, because of an entry whose key is unknown."""

Keys: TypeAlias = Mapping[str, bytes | str] | Callable[[], Mapping[str, bytes | str]]
"""Keys by their ids, 32 bytes each or the base64 of them; the first one encrypts, all of them decrypt."""

MAGIC = b"\x00E1"
"""How an entry begins that is encrypted."""

_NONCE = 12
_INFO = b"progkit.cache.1\x00"


class EncryptedTier(Tier):
    """*tier*, whose entries only holders of the keys can read or make.

    keys: by id; see ``Keys``. None means the environment variable ``PROGKIT_CACHE_KEYS``, ``id:base64,id:base64``, the
    first one for new entries. To change keys, put a new one first and take an old one away when its entries have
    expired; keys that come from a callable, or from the environment, are asked for again when an entry has one
    that is not known. namespace: of the derived keys; in a ``Cache`` it is the cache's. clock: seconds.

    Raises:
        ConfigurationError: without ``cryptography``, or for keys that are none.
    """

    def __init__(
        self,
        tier: Tier,
        keys: Keys | None = None,
        namespace: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.inner = tier
        self.namespace = namespace
        self._keys = _from_environment if keys is None else keys
        self._clock = clock
        self._lock = threading.Lock()
        self._asked = clock()
        self._first, self._ciphers = self._made()
        forking.track(self)

    def __repr__(self) -> str:
        return f"EncryptedTier({self.inner!r})"

    def __getattr__(self, name: str) -> Any:
        if name in ("read", "write", "lease", "release"):
            return getattr(self.inner, name)
        if name == "get_many" and hasattr(self.inner, name):
            return self._get_many
        raise AttributeError(f"EncryptedTier has no attribute {name!r}")

    @property
    def name(self) -> str:
        """The inner tier's."""
        return self.inner.name

    def within(self, namespace: str) -> "EncryptedTier":
        """The same for *namespace*, unless it has one already."""
        if self.namespace or not namespace:
            return self
        return EncryptedTier(self.inner, self._keys, namespace, self._clock)

    def get(self, key: str) -> bytes | None:
        """What is kept under *key*, or None.

        Raises:
            EntryError: if it is not encrypted, by a key that is not known, or not what was put there.
        """
        entry = self.inner.get(key)
        return None if entry is None else self._opened(key, entry)

    def _get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """What is kept under those of *keys* that are here and can be read, from an inner tier that gives many."""
        found: dict[str, bytes] = {}
        for key, entry in self.inner.get_many(keys).items():  # type: ignore[attr-defined] # asked of tiers that have it
            try:
                found[key] = self._opened(key, entry)
            except EntryError:
                continue
        return found

    def put(self, key: str, value: bytes) -> None:
        """Keep *value*, encrypted."""
        head = _head(self._first)
        nonce = secrets.token_bytes(_NONCE)
        sealed = self._ciphers[self._first].encrypt(nonce, value, head + key.encode())
        self.inner.put(key, head + nonce + sealed)

    def delete(self, key: str) -> bool:
        """Forget *key*; whether it was here."""
        return self.inner.delete(key)

    def clear(self) -> None:
        """Forget everything, whoever can read it."""
        self.inner.clear()

    def keys(self) -> Iterator[str]:
        """Every key kept here, whoever can read its entry."""
        return self.inner.keys()

    def stats(self) -> dict[str, int]:
        """The inner tier's."""
        return self.inner.stats()

    def close(self) -> None:
        """Close the inner tier."""
        self.inner.close()

    @property
    def locks(self) -> tuple[threading.Lock]:
        """The one lock."""
        return (self._lock,)

    def forked(self) -> None:
        """A child goes on with what it inherited."""

    def _opened(self, key: str, entry: bytes) -> bytes:
        nonce = len(MAGIC) + 1 + entry[len(MAGIC)] if len(entry) > len(MAGIC) else 0
        if not entry.startswith(MAGIC) or len(entry) < nonce + _NONCE:
            raise EntryError("an entry that is not encrypted")
        head, name = entry[:nonce], entry[len(MAGIC) + 1 : nonce].decode(errors="replace")
        cipher = self._ciphers.get(name) or self._asked_again().get(name)
        if cipher is None:
            raise EntryError(f"an entry encrypted by a key that is not known, {name!r}")
        sealed = entry[nonce + _NONCE :]
        try:
            value: bytes = cipher.decrypt(entry[nonce : nonce + _NONCE], sealed, head + key.encode())
        except cipher.refusal:
            raise EntryError(
                f"an entry that the key {name!r} does not open: it is of another key or was changed"
            ) from None
        return value

    def _asked_again(self) -> dict[str, "_Cipher"]:
        """The ciphers, after a look for new keys if the last one is long ago."""
        with self._lock:
            if callable(self._keys) and self._clock() - self._asked >= AGAIN:
                self._asked = self._clock()
                self._first, self._ciphers = self._made()
            return self._ciphers

    def _made(self) -> tuple[str, dict[str, "_Cipher"]]:
        keys = self._keys() if callable(self._keys) else self._keys
        ciphers = {name: _Cipher(_binary(name, key), self.namespace) for name, key in keys.items()}
        if not ciphers:
            raise ConfigurationError("EncryptedTier needs a key: {'an id': 32 bytes, or the base64 of them}")
        return next(iter(ciphers)), ciphers


class _Cipher:
    """AES-256-GCM by a key derived from *key* for *namespace*. ``refusal``: what ``decrypt`` raises."""

    __slots__ = ("decrypt", "encrypt", "refusal")

    def __init__(self, key: bytes, namespace: str) -> None:
        try:
            # 30 ms, which a process that encrypts nothing never pays
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # all of it together
            from cryptography.hazmat.primitives.hashes import SHA256
            from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # likewise
        except ImportError:
            raise ConfigurationError("EncryptedTier needs cryptography: pip install 'progkit[encrypt]'") from None
        derived = HKDF(SHA256(), 32, None, _INFO + namespace.encode()).derive(key)
        cipher = AESGCM(derived)
        self.encrypt = cipher.encrypt
        self.decrypt = cipher.decrypt
        self.refusal = InvalidTag


def _head(name: str) -> bytes:
    encoded = name.encode()
    return MAGIC + bytes([len(encoded)]) + encoded


def _binary(name: str, key: bytes | str) -> bytes:
    """*key* as 32 bytes; an error shows its id and never the key."""
    if not 0 < len(name.encode()) < 256:
        raise ConfigurationError(f"the id of a key is a text of 1 to 255 bytes, not {name!r}")
    found: bytes | None = None
    with suppress(ValueError):  # which that of base64 is, too
        found = key if isinstance(key, bytes) else base64.b64decode(key, validate=True)
    if found is None or len(found) != 32:
        # Outside the `except`, or the traceback would go on about the key.
        raise ConfigurationError(
            f"the key {name!r} is not 32 bytes, or the base64 of them: "
            "python -c 'import base64, os; print(base64.b64encode(os.urandom(32)).decode())' makes one"
        )
    return found


def _from_environment() -> dict[str, bytes | str]:
    pairs = [each.partition(":") for each in os.environ.get(VARIABLE, "").split(",") if each.strip()]
    return {name.strip(): key.strip() for name, _, key in pairs}

"""The door to ``cryptography``: ed25519 (RFC 8032) by raw keys, and private keys as PEM (PKCS#8, RFC 5958)."""

import hashlib
from contextlib import suppress
from typing import Any

from progkit.errors import ConfigurationError

ALGORITHM = "ed25519"
KEY_BYTES = 32
SIGNATURE_BYTES = 64


def fingerprint(raw: bytes) -> str:
    """How a public key is called: ``ed25519:`` and the SHA-256 of its 32 bytes in hex."""
    return f"{ALGORITHM}:{hashlib.sha256(raw).hexdigest()}"


def is_signature(raw: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the holder of the public key *raw* signed *message*.

    Raises:
        ConfigurationError: without ``cryptography``.
    """
    door = _Door()
    try:
        door.ed25519.Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
    except door.refusal:
        return False
    return True


def public_from_pem(pem: bytes, source: str) -> bytes:
    """The raw public key in *pem*; *source* is its name in errors.

    Raises:
        ConfigurationError: for another kind of key, or without ``cryptography``.
    """
    door = _Door()
    key = None
    with suppress(ValueError, door.unsupported):
        key = door.serialization.load_pem_public_key(pem)
    if key is None:
        raise ConfigurationError(f"{source}: no public key can be read from it")
    if not isinstance(key, door.ed25519.Ed25519PublicKey):
        raise ConfigurationError(f"{source}: is a public key, and none of ed25519")
    return _raw(door, key)


class PrivateKey:
    """A private key: ``sign`` makes 64 bytes of a message; ``public`` is its 32 bytes to be known by. Never shown."""

    __slots__ = ("public", "sign")

    def __init__(self, key: Any, door: "_Door") -> None:
        self.sign = key.sign
        self.public = _raw(door, key.public_key())


def private_from_pem(pem: bytes, password: bytes | None, source: str) -> PrivateKey:
    """The private key in *pem*, PKCS#8; *source* is its name in errors.

    Raises:
        ConfigurationError: for another kind of key, a wrong password, or without ``cryptography``.
    """
    door = _Door()
    key = None
    with suppress(ValueError, TypeError, door.unsupported):
        key = door.serialization.load_pem_private_key(pem, password)
    # Outside any `except`: a traceback says nothing about what was in the file.
    if key is None:
        wrong = " with this password" if password is not None else ""
        raise ConfigurationError(f"{source}: no private key can be read from it{wrong}")
    if not isinstance(key, door.ed25519.Ed25519PrivateKey):
        raise ConfigurationError(f"{source}: is a private key, and none of ed25519")
    return PrivateKey(key, door)


def generate(password: bytes | None) -> tuple[bytes, bytes, bytes]:
    """A new pair: private PEM (PKCS#8, encrypted if there is a *password*), public PEM, raw public key.

    Raises:
        ConfigurationError: without ``cryptography``.
    """
    door = _Door()
    forms = door.serialization
    key = door.ed25519.Ed25519PrivateKey.generate()
    hiding = forms.NoEncryption() if password is None else forms.BestAvailableEncryption(password)
    private = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, hiding)
    public = key.public_key().public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo)
    return private, public, _raw(door, key.public_key())


class _Door:
    """What is used of ``cryptography``."""

    __slots__ = ("ed25519", "refusal", "serialization", "unsupported")

    def __init__(self) -> None:
        try:
            # 30 ms, which a process that neither signs nor verifies never pays
            from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
            from cryptography.hazmat.primitives import serialization  # all of it together
            from cryptography.hazmat.primitives.asymmetric import ed25519  # likewise
        except ImportError:
            raise ConfigurationError('signatures need cryptography: pip install "progkit[sign]"') from None
        self.ed25519 = ed25519
        self.serialization = serialization
        self.refusal = InvalidSignature
        self.unsupported = UnsupportedAlgorithm


def _raw(door: _Door, key: Any) -> bytes:
    raw: bytes = key.public_bytes(door.serialization.Encoding.Raw, door.serialization.PublicFormat.Raw)
    return raw

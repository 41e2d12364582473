r"""Signatures of a bundle: MANIFEST.sig, beside the manifest whose digest they sign.

A small document in the canonical form of a state file::

    {"format": "progkit.signature", "version": [1, 0],
     "signatures": [{"algorithm": "ed25519", "key": "ed25519:<SHA-256 of the public key>", "signature": "<base64>"}]}

Several keys may sign, so that one can follow another. What is signed is ``b"progkit.bundle.v1\0"`` and the digest
of the bundle as text, ``sha256:...``: no signature made for anything else fits. A key that is named here means nothing
until a caller names it, too.
"""

import base64
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

from msgspec import Meta

from progkit.artifact.decoding import decode
from progkit.artifact.encoding import canonical, indented
from progkit.artifact.trust import ed25519
from progkit.artifact.trust.keys import PublicKey
from progkit.errors import DocumentError, VersionError
from progkit.schema import shape
from progkit.schema.bundles import SIGNATURE

if TYPE_CHECKING:
    from progkit.artifact.bundle.opening import Opened

FORMAT = "progkit.signature"
DOMAIN = b"progkit.bundle.v1\0"
MAX_SIGNATURES = 16


class _Signature(TypedDict):
    algorithm: Literal["ed25519"]
    key: Annotated[str, Meta(pattern="^ed25519:[0-9a-f]{64}$", max_length=72)]
    signature: Annotated[str, Meta(min_length=88, max_length=88)]


class _Document(TypedDict):
    format: Literal["progkit.signature"]
    version: Annotated[list[int], Meta(min_length=2, max_length=2)]
    signatures: Annotated[list[_Signature], Meta(min_length=1, max_length=MAX_SIGNATURES)]


@dataclass(frozen=True, slots=True)
class Signatures:
    """The signatures of the bundle with this *digest*, none of them verified: *by_key*, fingerprint to 64 bytes."""

    digest: str
    by_key: Mapping[str, bytes] = field(default_factory=dict)

    def verified(self, keys: Iterable[PublicKey]) -> list[str]:
        """The fingerprints of those of *keys* that signed this bundle.

        Raises:
            ConfigurationError: without ``cryptography``.
        """
        signed = [each for each in keys if each.fingerprint in self.by_key]
        said = message(self.digest)
        return [
            each.fingerprint for each in signed if ed25519.is_signature(each.raw, self.by_key[each.fingerprint], said)
        ]


def message(digest: str) -> bytes:
    """What is signed for the bundle with this *digest*."""
    return DOMAIN + digest.encode()


def signatures_of(opened: "Opened") -> Signatures:
    """What stands in the bundle's MANIFEST.sig; none if it has none.

    Raises:
        DocumentError: if it is not as it should be.
        VersionError: if another progkit is needed.
    """
    if opened.signature is None:
        return Signatures(opened.digest)
    return Signatures(opened.digest, _read(opened.signature, os.path.join(opened.root, SIGNATURE)))


def encoded(by_key: Mapping[str, bytes]) -> bytes:
    """A MANIFEST.sig with these signatures."""
    signatures = [
        {"algorithm": ed25519.ALGORITHM, "key": key, "signature": base64.b64encode(by_key[key]).decode()}
        for key in sorted(by_key)
    ]
    return _bytes({"format": FORMAT, "version": [1, 0], "signatures": signatures})


def _bytes(document: dict[str, Any]) -> bytes:
    return indented(canonical(document)) + b"\n"


def _read(data: bytes, source: str) -> dict[str, bytes]:
    document = decode(data, source)
    if isinstance(document, dict) and document.get("format") == FORMAT and document.get("version") != [1, 0]:
        raise VersionError(source, "version", f"{document.get('version')!r} is not [1, 0], all that this progkit knows")
    shape.require(document, _Document, source)
    by_key: dict[str, bytes] = {}
    for index, each in enumerate(document["signatures"]):
        if each["key"] in by_key:
            raise DocumentError(source, f"signatures[{index}].key", "is there twice")
        by_key[each["key"]] = _signature(each["signature"], f"signatures[{index}].signature", source)
    if encoded(by_key) != data:
        raise DocumentError(source, "", "is not in canonical form", "It was edited: sign the bundle again")
    return by_key


def _signature(text: str, where: str, source: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raise DocumentError(source, where, "is no base64") from None
    if len(raw) != ed25519.SIGNATURE_BYTES:
        raise DocumentError(source, where, f"has {len(raw)} bytes, and one of ed25519 has {ed25519.SIGNATURE_BYTES}")
    return raw

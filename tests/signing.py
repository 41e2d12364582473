"""Keys and signed bundles, for tests."""

import json
from pathlib import Path
from typing import Any

import bundles
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from progkit.artifact import trust
from progkit.artifact.bundle.opening import Opened, open_bundle


def made(root: Path, text: str = "PRICE = 3\n", **changes: Any) -> Opened:
    """A bundle with one source file, and *changes* of its manifest."""
    files = bundles.files_of({"desk": text})
    bundles.write(root, files, bundles.manifest_of(files, **changes))
    return open_bundle(root)


def pair(path: Path) -> str:
    """A private key at *path* and the public one beside it, ``.pub``; that as base64."""
    return trust.new_key(path)


def signed(root: Path, key: Path) -> Opened:
    """The bundle at *root*, signed by the private key at *key*."""
    trust.sign(root, trust.private_key(key))
    return open_bundle(root)


def pem_of(key: Any) -> bytes:
    """The public half of a key of ``cryptography``, as PEM."""
    forms = serialization
    pem: bytes = key.public_key().public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo)
    return pem


def private_pem_of(key: Any, form: str = "PKCS8") -> bytes:
    """A private key of ``cryptography``, as PEM in this form."""
    forms = serialization
    pem: bytes = key.private_bytes(forms.Encoding.PEM, getattr(forms.PrivateFormat, form), forms.NoEncryption())
    return pem


def rewritten(root: Path, change: Any, canonical: bool = True) -> Opened:
    """The bundle at *root* after *change* was done to the document in its MANIFEST.sig."""
    path = root / "MANIFEST.sig"
    document = json.loads(path.read_text())
    change(document)
    path.write_bytes(bundles.as_json(document) if canonical else json.dumps(document).encode())
    return open_bundle(root)


def another_key() -> ed25519.Ed25519PrivateKey:
    """A key of ``cryptography``."""
    return ed25519.Ed25519PrivateKey.generate()

"""A bundle read once: every byte that is ever used of it, checked against its manifest. Nothing is run."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from progkit.artifact.bundle.swapping import whereabouts
from progkit.artifact.bundle.walking import Place, Walk, is_at, opened, stranger
from progkit.artifact.decoding import decode
from progkit.errors import DocumentError
from progkit.schema.bundles import MANIFEST, SIGNATURE, validate

MAX_MANIFEST = 16 * 2**20
"""Bytes of a manifest: 10,000 files and their dependencies take a quarter."""
MAX_SIGNATURE = 64 * 2**10
MAX_FILE = 256 * 2**20
"""Bytes of one file, as of a state file that stands alone."""
MAX_BYTES = 2**30
"""Bytes of all files together."""
ATTEMPTS = 100
"""How often a bundle is read anew because another took its place meanwhile."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle as it was when it was read.

    root: where it was. manifest: the content of MANIFEST.json, valid. digest: ``sha256:`` and the SHA-256 of its
    bytes, which names everything in the bundle. files: verified content by path; of every file that the manifest
    lists. signature: what is in MANIFEST.sig, if it is there; nobody has looked at it. commit: the id of the git commit
    that it was read from, with *notes* on that; "" for a directory as it is now.
    """

    root: str
    manifest: dict[str, Any]
    digest: str
    files: Mapping[str, bytes]
    signature: bytes | None = None
    commit: str = ""
    notes: tuple[str, ...] = ()


def is_bundle(path: str | os.PathLike[str]) -> bool:
    """Whether *path* is meant as a bundle: a directory, or about to be one again."""
    return os.path.isdir(whereabouts(os.fspath(path)))


def open_bundle(path: str | os.PathLike[str]) -> Opened:
    """The bundle in the directory *path*, whole: if it is replaced meanwhile, the old or the new one.

    Raises:
        DocumentError: for what is no bundle, or one with a file that is missing, extra, changed, or not a plain file.
        VersionError: if another progkit is needed.
    """
    source = os.fspath(path)
    for _ in range(ATTEMPTS):
        try:
            with opened(whereabouts(source)) as root:
                try:
                    return read_from(Walk(root, source))
                except DocumentError:
                    if is_at(root, whereabouts(source)):
                        raise
        except FileNotFoundError:
            if not os.path.exists(whereabouts(source)):
                raise DocumentError(source, "", "is not there") from None
        except OSError as error:
            raise DocumentError(source, "", f"cannot be read: {error.strerror}") from error
    raise DocumentError(source, "", f"was replaced {ATTEMPTS} times while it was read", "Try again")


def faults(path: str | os.PathLike[str]) -> list[DocumentError]:
    """All that is wrong with the files in the directory *path*, where that can be told; nothing for an intact bundle.

    Of a manifest that is broken, or a bundle that is replaced meanwhile, ``open_bundle`` says what is wrong.
    """
    source = os.fspath(path)
    found: list[DocumentError] = []
    try:
        with opened(whereabouts(source)) as root:
            walk = Walk(root, source)
            manifest = decode(_manifest(walk), os.path.join(source, MANIFEST))
            validate(manifest, os.path.join(source, MANIFEST))
            _require_room(walk, manifest["files"])
            for name, file in manifest["files"].items():
                try:
                    _verified(walk, name, file)
                except DocumentError as error:
                    found.append(error)
            found += [stranger(walk, each) for each in walk.strangers({MANIFEST, SIGNATURE, *manifest["files"]})]
    except (DocumentError, OSError):
        return found
    return found


def digest_of(manifest: bytes) -> str:
    """The digest of a bundle with these bytes as MANIFEST.json."""
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


def read_from(walk: Place) -> Opened:
    """The bundle in the place that *walk* reads.

    Raises:
        DocumentError: as ``open_bundle``.
        VersionError: if another progkit is needed.
    """
    manifest_bytes = _manifest(walk)
    manifest = decode(manifest_bytes, os.path.join(walk.source, MANIFEST))
    validate(manifest, os.path.join(walk.source, MANIFEST))
    listed = manifest["files"]
    _require_room(walk, listed)
    is_signed = walk.has(SIGNATURE)
    walk.require_nothing_but([MANIFEST, *([SIGNATURE] if is_signed else []), *listed])
    files = {path: _verified(walk, path, file) for path, file in listed.items()}
    signature = walk.read(SIGNATURE, MAX_SIGNATURE) if is_signed else None
    return Opened(walk.source, manifest, digest_of(manifest_bytes), MappingProxyType(files), signature)


def _manifest(walk: Place) -> bytes:
    if walk.has(MANIFEST):
        return walk.read(MANIFEST, MAX_MANIFEST)
    if walk.has("program.pkl") and walk.has("metadata.json"):
        hint = "Load it with DSPy and save its state: program.save('program.json')"
        raise DocumentError(walk.source, "", "is a program pickled by DSPy, which runs code when it is read", hint)
    reason = f"is a directory without {MANIFEST}: no bundle, or one that was not copied whole"
    raise DocumentError(walk.source, "", reason, "A bundle is what program.save(path, save_program=True) writes")


def _require_room(walk: Place, listed: Mapping[str, Mapping[str, Any]]) -> None:
    """Nothing, if what the manifest promises is within the limits; nothing was read yet."""
    for path, file in listed.items():
        if file["size"] > MAX_FILE:
            raise walk.fault(path, f"is larger than {MAX_FILE} bytes")
    if sum(file["size"] for file in listed.values()) > MAX_BYTES:
        raise walk.fault("", f"holds more than {MAX_BYTES} bytes")


def _verified(walk: Place, path: str, file: Mapping[str, Any]) -> bytes:
    data = walk.read(path, MAX_FILE, file["size"])
    if hashlib.sha256(data).hexdigest() != file["sha256"]:
        raise walk.fault(path, "is not what the manifest says: its SHA-256 is another", "It was changed or damaged")
    return data

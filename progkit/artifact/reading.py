"""Files read as documents: strictly, and as data alone."""

import os
import stat
from dataclasses import dataclass, field
from typing import Any

from progkit import schema
from progkit.artifact import dspy as foreign
from progkit.artifact.decoding import decode_loosely, proven
from progkit.errors import DocumentError
from progkit.schema import dspy

MAX_BYTES = 256 * 2**20
"""The largest file that is read."""


@dataclass(frozen=True, slots=True)
class Received:
    """A file as taken in: a valid *document* of the current version, and what it took.

    dropped: ``where: what`` of the file is not in the document (secrets, what could do harm). notes: what else a
    user should know. Both are empty for a file of progkit's own. kind: ``"progkit.state"``, ``"dspy.state"``.
    """

    document: dict[str, Any]
    dropped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kind: str = schema.STATE


def receive(path: str | os.PathLike[str]) -> Received:
    """The file at *path*, progkit's own or DSPy's (2.6 to 3.4), as a document of the current version.

    Raises:
        DocumentError: for a file that cannot be read, is not strict JSON, or is no valid document.
        VersionError: if another progkit is needed.
    """
    source = os.fspath(path)
    data = read_bytes(source)
    document: dict[str, Any] | None = proven(data, schema.read_shaped)
    if document is not None:
        schema.check(document, source)
        return Received(document)
    raw, not_finite = decode_loosely(data, source)  # another kind or version, another spelling, or wrong
    received = accept(raw, source)
    if received is not None:
        return received
    if not_finite is not None:
        raise not_finite
    return Received(schema.migrate(raw, source))


def accept(raw: Any, source: str) -> Received | None:
    """What DSPy wrote, as ``receive`` takes it in; None if *raw* is not of DSPy's.

    Raises:
        DocumentError: for a part of it that is not what DSPy 2.6 to 3.4 write.
    """
    return Received(*foreign.adopt(raw, source), dspy.KIND) if dspy.is_state(raw) else None


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The document of ``receive``, which see."""
    return receive(path).document


def read_bytes(source: str) -> bytes:
    """The content of the file *source*.

    Raises:
        DocumentError: if it is not a regular file, is too large, or the system refuses.
    """
    try:
        found = os.stat(source)
        if stat.S_ISDIR(found.st_mode):
            raise DocumentError(source, "", "is a directory", "A state file is one JSON file")
        if not stat.S_ISREG(found.st_mode):
            raise DocumentError(source, "", "is not a regular file")
        if found.st_size > MAX_BYTES:
            raise DocumentError(source, "", f"is larger than {MAX_BYTES} bytes")
        with open(source, "rb") as file:
            return file.read()
    except OSError as error:
        raise DocumentError(source, "", f"cannot be read: {error.strerror}") from error

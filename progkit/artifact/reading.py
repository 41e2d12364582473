"""Files read as documents: strictly, and as data alone."""

import os
import stat
from typing import Any

from progkit import schema
from progkit.artifact.decoding import decode, proven
from progkit.errors import DocumentError

MAX_BYTES = 256 * 2**20
"""The largest file that is read."""


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The document in the file at *path*, valid, and migrated to the current version.

    Raises:
        DocumentError: for a file that cannot be read, is not strict JSON, or is no valid document.
        VersionError: if another progkit is needed.
    """
    source = os.fspath(path)
    data = read_bytes(source)
    document: dict[str, Any] | None = proven(data, schema.read_shaped)
    if document is None:  # another version, another spelling, or wrong: step by step
        return schema.migrate(decode(data, source), source)
    schema.check(document, source)
    return document


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

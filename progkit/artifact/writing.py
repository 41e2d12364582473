"""Files replaced whole or not at all.

The bytes go to a new file beside the target, reach the disk, and take the target's name in one step;
then the directory reaches the disk. Whatever happens on the way, who opens the target sees the
whole old or the whole new document.
"""

import errno
import os
import secrets
import time
from contextlib import suppress
from typing import Any

from progkit import schema
from progkit.artifact.decoding import decode
from progkit.artifact.dspy import exporting
from progkit.artifact.encoding import canonical, encode, indented
from progkit.artifact.reading import read_bytes
from progkit.errors import DocumentError

TEMPORARY = ".progkit-tmp"
"""How the name of a temporary file of ours ends; it begins with a dot and the target's name."""
STALE = 600.0
"""Seconds after which a temporary has no writer any more: a save takes far less."""


def write(path: str | os.PathLike[str], document: dict[str, Any]) -> bool:
    """Put *document* into the file at *path*; whether that changed the file.

    A file that differs in ``saved_with`` alone is left as it is, so that another Python or progkit makes no
    difference in git. The permissions of an existing file are kept, a link is followed.

    Raises:
        DocumentError: if *document* is not valid; nothing was written.
        OSError: from the system; the old file is still there, or the new one is.
    """
    data = encode(document)
    target = _target(path)
    if _says_the_same(target, document, data):
        return False
    replace(target, data)
    return True


def write_export(path: str | os.PathLike[str], raw: dict[str, Any]) -> bool:
    """Put *raw*, what ``export`` made for DSPy, into the file at *path*; whether that changed the file.

    Raises:
        OSError: from the system; the old file is still there, or the new one is.
    """
    data = exporting.encode(raw)
    target = _target(path)
    with suppress(DocumentError):
        if read_bytes(target) == data:
            return False
    replace(target, data)
    return True


def replace(target: str, data: bytes) -> None:
    """Make *data* the content of the file *target*, which is no link."""
    directory, name = os.path.split(target)
    sweep(directory, name)
    temporary = os.path.join(directory, f".{name}.{secrets.token_hex(8)}{TEMPORARY}")
    # 0o666 less the umask is the mode of any new file; O_EXCL: no other saver has this name.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with open(descriptor, "wb") as file:
            if os.path.exists(target):
                os.fchmod(descriptor, os.stat(target).st_mode & 0o7777)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, target)
    except BaseException:  # also an interrupt: nothing of ours stays behind
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_directory(directory)


def sweep(directory: str, name: str) -> None:
    """Remove what savers of *name* that were killed left in *directory*."""
    for entry in os.scandir(directory):
        is_ours = entry.name.startswith(f".{name}.") and entry.name.endswith(TEMPORARY)
        with suppress(FileNotFoundError):  # another saver may sweep, too
            if is_ours and time.time() - entry.stat(follow_symlinks=False).st_mtime > STALE:
                os.unlink(entry.path)


def _target(path: str | os.PathLike[str]) -> str:
    """The file to replace at *path*, a link followed."""
    target = os.path.realpath(path)
    if os.path.islink(target):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path))
    if os.path.isdir(target):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if os.path.exists(target) and not os.path.isfile(target):
        # A device or a pipe would be replaced by a file.
        raise OSError(errno.EINVAL, "is no regular file", os.fspath(path))
    return target


def _says_the_same(target: str, document: dict[str, Any], data: bytes) -> bool:
    """Whether the file at *target* is *data*, but for who saved it."""
    try:
        there = read_bytes(target)
        if there == data:
            return True
        old = decode(there, target)
        schema.validate(old, target)
    except DocumentError:
        return False
    return indented(canonical({**document, "saved_with": old["saved_with"]})) + b"\n" == there


def _sync_directory(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Files replaced whole or not at all.

The bytes go to a new file beside the target, reach the disk, and take the target's name in one step;
then the directory reaches the disk. Whatever happens on the way, who opens the target sees the
whole old or the whole new document.
"""

import errno
import fcntl
import os
import re
import secrets
import stat
import time
from contextlib import suppress
from typing import Any

from progkit.artifact.dspy import exporting
from progkit.artifact.encoding import encode
from progkit.artifact.reading import read_bytes
from progkit.errors import DocumentError

TEMPORARY = ".progkit-tmp"
"""How the name of a temporary file of ours ends; it begins with a dot and the target's name."""
_SAVED_WITH = re.compile(rb'\n "saved_with": \{\n  "progkit": "[^"\\\n]*",\n  "python": "[^"\\\n]*"\n \},')
"""Who saved a canonical document: a line that begins with one space is of its head, as no text holds a line break."""
STALE = 600.0
"""Seconds after which a temporary has no writer any more: a save takes far less."""
_REMEMBERED = 1000
_next_sweep: dict[str, float] = {}
"""When to look for leavings again, by directory (``time.monotonic``); of at most _REMEMBERED."""


def write(path: str | os.PathLike[str], document: dict[str, Any]) -> bool:
    """Put *document* into the file at *path*; whether that changed the file.

    A file that differs in ``saved_with`` alone is left as it is, so that another Python or progkit makes no
    difference in git. The permissions of an existing file are kept, a link is followed.

    Raises:
        DocumentError: if *document* is not valid; nothing was written.
        OSError: from the system; the old file is still there, or the new one is.
    """
    data = encode(document)
    target, is_there = _target(path)
    with suppress(DocumentError):  # one that cannot be read
        if is_there and _says_the_same(read_bytes(target), data):
            return False
    replace(target, data)
    return True


def is_written(there: bytes, document: dict[str, Any]) -> bool:
    """Whether ``write`` would leave a file with the content *there* as it is.

    Raises:
        DocumentError: if *document* is not valid.
    """
    return _says_the_same(there, encode(document))


def write_export(path: str | os.PathLike[str], raw: dict[str, Any]) -> bool:
    """Put *raw*, what ``export`` made for DSPy, into the file at *path*; whether that changed the file.

    Raises:
        OSError: from the system; the old file is still there, or the new one is.
    """
    data = exporting.encode(raw)
    target, is_there = _target(path)
    with suppress(DocumentError):
        if is_there and read_bytes(target) == data:
            return False
    replace(target, data)
    return True


def replace(target: str, data: bytes, mode: int = 0o666) -> None:
    """Make *data* the content of the file *target*, which is no link; *mode*, less the umask, is a new file's."""
    directory, name = os.path.split(target)
    _sweep_now_and_then(directory)
    temporary = os.path.join(directory, f".{name}.{secrets.token_hex(8)}{TEMPORARY}")
    try:
        # O_EXCL: no other saver has this name.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except OSError as error:
        error.filename = target  # the file that somebody asked for, and not what we made of its name
        raise
    try:
        _fill(descriptor, target, data)
        os.replace(temporary, target)
    except BaseException:  # also an interrupt: nothing of ours stays behind
        with suppress(OSError):  # what went wrong first is what is told
            os.unlink(temporary)
        raise
    finally:
        os.close(descriptor)
    _sync_directory(directory)


def sweep(directory: str, name: str = "") -> None:
    """Remove what savers of *name*, or of anything, that were killed left in *directory*; what cannot be removed stays.

    A saver holds its temporary locked, so that one that was only stopped for a long time keeps it.
    """
    start = f".{name}." if name else "."
    with suppress(OSError):
        for entry in os.listdir(directory):
            if entry.endswith(TEMPORARY) and entry.startswith(start):
                with suppress(OSError):  # another saver may sweep, too
                    _remove_if_stale(os.path.join(directory, entry))


def _sweep_now_and_then(directory: str) -> None:
    """``sweep`` *directory*, but not at every save: before STALE seconds are over, hardly anything new can be found."""
    now = time.monotonic()
    if now >= _next_sweep.get(directory, now):
        if len(_next_sweep) >= _REMEMBERED:
            _next_sweep.clear()
        _next_sweep[directory] = now + STALE
        sweep(directory)


def _fill(descriptor: int, target: str, data: bytes) -> None:
    """Put *data* and the permissions of *target*, if it exists, into the open file, through to the disk."""
    with suppress(OSError):  # a file system without locks: then its age alone speaks for it
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with suppress(FileNotFoundError):  # any other error must not make a private file public
        os.fchmod(descriptor, os.stat(target).st_mode & 0o7777)
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
    os.fsync(descriptor)


def _remove_if_stale(path: str) -> None:
    """Remove a temporary that is old and that no saver holds."""
    if time.time() - os.lstat(path).st_mtime <= STALE:
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    finally:
        os.close(descriptor)


def _target(path: str | os.PathLike[str]) -> tuple[str, bool]:
    """The file to replace at *path*, a link followed; and whether it is there."""
    given = os.fspath(path)
    # The directory as it is now, whatever turns a link to it, or goes elsewhere, meanwhile.
    target = os.path.join(os.path.realpath(os.path.dirname(given)), os.path.basename(given))
    try:
        mode = os.lstat(target).st_mode
        if stat.S_ISLNK(mode):
            target = os.path.realpath(target)
            mode = os.lstat(target).st_mode
    except FileNotFoundError:
        above = os.path.dirname(target)
        if not os.path.isdir(above):
            raise FileNotFoundError(errno.ENOENT, f"there is no such directory, {above}", given) from None
        return target, False
    if stat.S_ISLNK(mode):  # a link in a circle leads to itself
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), given)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), given)
    if not stat.S_ISREG(mode):
        # A device or a pipe would be replaced by a file.
        raise OSError(errno.EINVAL, "is no regular file", given)
    return target, True


def _says_the_same(there: bytes, data: bytes) -> bool:
    """Whether the content *there* of a file is *data*, but for who saved it."""
    if there == data:
        return True
    old, new = _SAVED_WITH.search(there), _SAVED_WITH.search(data)
    if old is None or new is None:
        return False
    return there[: old.start()] == data[: new.start()] and there[old.end() :] == data[new.end() :]


def _sync_directory(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # those of a file system that has no such thing
            raise
    finally:
        os.close(descriptor)

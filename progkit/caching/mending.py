"""What becomes of a shard's files when they are broken, gone, or somebody else's by now."""

import logging
import os
import sqlite3
from pathlib import Path
from typing import TypeAlias

log = logging.getLogger("progkit")

Identity: TypeAlias = tuple[int, ...]
"""What tells a file from another one that stands in its place."""


def identity(file: Path, frozen: bool = False) -> Identity | None:
    """That of *file*; None if there is none. *frozen*: it is another one also if it was written to."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return (found.st_dev, found.st_ino, *((found.st_size, found.st_mtime_ns) if frozen else ()))


def is_broken(error: Exception) -> bool:
    """Whether *error* says that a database is damaged, none at all, or has other tables or indices than ours."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return True
    return code == sqlite3.SQLITE_ERROR and str(error).startswith(("no such ", "ON CONFLICT clause "))


def set_aside(directory: Path, error: Exception) -> None:
    """Rename *directory* to ``....broken``, in the place of one set aside before, and tell.

    Raises:
        OSError: if it cannot be renamed.
    """
    place = directory.with_name(f"{directory.name}.broken")
    if place.is_dir():
        for each in place.iterdir():
            each.unlink()
        place.rmdir()
    directory.rename(place)
    log.warning("the cache's files in %s are broken (%s); set aside as %s, begun anew", directory, error, place.name)


def is_writable(file: Path) -> bool:
    """Whether *file* and its directory can be written; a file system mounted read-only says no."""
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)

"""The cache in force, to a file and from one."""

import errno
import os
from collections.abc import Collection
from pathlib import Path

from progkit.caching.cache import Cache
from progkit.caching.default import current_cache
from progkit.caching.moving import Moved, export_entries, import_entries


def export_cache(path: str | os.PathLike[str], tags: Collection[str] = (), cache: Cache | None = None) -> Moved:
    """Write the entries of the cache in force, or of *cache*, to *path*, JSON Lines, whole or not at all.

    tags: only entries that bear one of them. A link is followed; a device or a pipe is written to as it is.

    Raises:
        CacheError: if a tier cannot be read.
        OSError: if the file cannot be written.
    """
    source, target = current_cache() if cache is None else cache, Path(path).resolve()
    if target.exists() and not target.is_file():
        with target.open("wb") as out:
            return export_entries(source, out, tags)
    aside = Path(f"{target}.{os.getpid()}.part")
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"there is no such directory, {target.parent}", os.fspath(path))
    try:
        out = aside.open("wb")
    except OSError as error:
        error.filename = os.fspath(path)  # what somebody asked for, and not what we made of its name
        raise
    try:
        with out:
            report = export_entries(source, out, tags)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    return report


def import_cache(path: str | os.PathLike[str], cache: Cache | None = None) -> Moved:
    """Merge what ``export_cache`` wrote to *path* into the cache in force, or into *cache*; of two the newer stays.

    Each line is verified; what is damaged is refused, and told in the report. Nothing in the file is run.

    Raises:
        DocumentError: for what is no export, or one of another version.
        CacheError: if a tier cannot keep the entries.
        OSError: if the file cannot be read.
    """
    with Path(path).open("rb") as lines:
        return import_entries(current_cache() if cache is None else cache, lines, os.fspath(path))

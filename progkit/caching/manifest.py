"""How the files of a disk tier are laid out, as a small file beside them says: ``v1/manifest.json``.

::

    {"format": "progkit.cache", "version": 1, "shards": 4}

It is born with its folder, in one step, so that of two processes that begin at once one decides. What it says counts,
whatever a tier was asked for: entries are where it says, and would not be found elsewhere.
"""

import logging
import re
import secrets
from pathlib import Path

import msgspec

from progkit.caching.directory import make_private
from progkit.errors import CacheError

FILE = "manifest.json"
FORMAT = "progkit.cache"
VERSION = 1
SHARDS = 4
MOST_SHARDS = 256

log = logging.getLogger("progkit")


class Manifest(msgspec.Struct):
    """The file as it is written."""

    format: str
    version: int
    shards: int


def shards_of(folder: Path) -> int | None:
    """How many shards there are in *folder*; None if there is none. Nothing is written.

    A folder whose manifest is lost has as many as can be seen, and no fewer than ``SHARDS``.

    Raises:
        CacheError: for files that a later progkit has laid out in another way.
    """
    try:
        found = msgspec.json.decode((folder / FILE).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return _seen(folder)
    if found.format == FORMAT and found.version > VERSION:
        raise CacheError(f"{folder} is laid out as version {found.version}: it takes a later progkit to use it")
    is_ours = found.format == FORMAT and found.version == VERSION and 0 < found.shards <= MOST_SHARDS
    return found.shards if is_ours else _seen(folder)


def make(folder: Path, shards: int) -> int:
    """Make *folder* for so many shards, or complete the one that is there; how many it has now.

    Raises:
        OSError: if it cannot be made.
        CacheError: as ``shards_of``.
    """
    if not folder.exists():
        _bear(folder, shards)
    make_private(folder)
    there = shards_of(folder) or shards
    if not _is_whole(folder, there):
        if (folder / FILE).exists():
            log.warning("%s cannot be read; written anew, for %d shards", folder / FILE, there)
        _write(folder / FILE, there)
    return there


def _bear(folder: Path, shards: int) -> None:
    cradle = folder.with_name(f"{folder.name}.{secrets.token_hex(6)}")
    make_private(cradle)
    _write(cradle / FILE, shards)
    try:
        cradle.rename(folder)
    except OSError:  # another process was first
        (cradle / FILE).unlink()
        cradle.rmdir()
        if not folder.is_dir():
            raise


def _write(file: Path, shards: int) -> None:
    aside = file.with_name(f"{file.name}.{secrets.token_hex(6)}")
    aside.write_bytes(_text(shards))
    aside.replace(file)


def _is_whole(folder: Path, shards: int) -> bool:
    try:
        return (folder / FILE).read_bytes() == _text(shards)
    except OSError:
        return False


def _text(shards: int) -> bytes:
    return msgspec.json.encode(Manifest(FORMAT, VERSION, shards)) + b"\n"


def _seen(folder: Path) -> int | None:
    if not folder.is_dir():
        return None
    numbers = [int(each.name) for each in folder.iterdir() if re.fullmatch(r"\d{3}", each.name)]
    return min(max(SHARDS, *(number + 1 for number in numbers)), MOST_SHARDS) if numbers else SHARDS

"""Recorded replies that travel with a bundle: an export of the cache, looked through before it is one of its files."""

import io
import os
from dataclasses import dataclass
from typing import Any

from progkit.artifact import trust
from progkit.artifact.bundle.opening import is_bundle, open_bundle
from progkit.artifact.reading import read_bytes
from progkit.caching import Cache, import_entries
from progkit.errors import ConfigurationError, DocumentError
from progkit.program.bundles.choosing import class_path
from progkit.program.module import Module

NAME = "cache.jsonl"


@dataclass(frozen=True, slots=True)
class Replies:
    """What travels as cache.jsonl, None if nothing does; and in *note* what a user should know of that, if anything."""

    data: bytes | None
    note: str = ""


def replies(cache: Any, path: str | os.PathLike[str], program: Module) -> Replies:
    """The replies for the bundle of *program* at *path*.

    cache: the file of an export; None keeps what the bundle has that is there now, if it is this program's and
    trusted here; False takes none.

    Raises:
        ConfigurationError: for a *cache* that is none of these.
        DocumentError: for a file that is no export of a cache, or a damaged one, with its line.
    """
    if cache is None:
        return _kept(path, program) or _missed(program)
    if cache is False:
        return Replies(None)
    if not isinstance(cache, str | os.PathLike):
        raise ConfigurationError(
            f"cache={cache!r}: name the file that `progkit cache export FILE` wrote, or say cache=False for none"
        )
    source = os.fspath(cache)
    data = read_bytes(source)
    return Replies(data, f"{NAME}: {_counted(data, source)} with it")


def _kept(path: str | os.PathLike[str], program: Module) -> Replies | None:
    """The replies in the bundle that is at *path* before it is replaced; None if there are none."""
    try:
        there = open_bundle(path) if is_bundle(path) else None
    except DocumentError:
        return None
    if there is None or NAME not in there.files:
        return None
    try:
        if there.digest not in trust.listed():
            raise ConfigurationError("it is not on the trust list")
        if there.manifest["program"] != class_path(program):
            raise ConfigurationError(f"it was {there.manifest['program']}")
        told = _counted(there.files[NAME], f"{there.root}/{NAME}")
    except (ConfigurationError, DocumentError) as error:
        return Replies(None, f"{NAME}: the recorded replies of the bundle that was there are not kept: {error}")
    return Replies(there.files[NAME], f"{NAME}: {told} as before; cache=False takes them out")


def _missed(program: Module) -> Replies:
    """Nothing, and a note if *program* was loaded from a bundle with replies."""
    report = program.load_report
    had = report is not None and any(each.startswith(f"{NAME}: ") for each in report.notes)
    told = f"{NAME}: the replies that the program was loaded with do not travel on; cache=FILE takes an export along"
    return Replies(None, told if had else "")


def _counted(data: bytes, source: str) -> str:
    """How many replies are in *data*, an export of the cache from *source*.

    Raises:
        DocumentError: for what is none, or a damaged line.
    """
    moved = import_entries(Cache(enable_disk_cache=False), io.BytesIO(data), source)
    if moved.refused:
        where, _, reason = moved.refused[0].partition(": ")
        more = f"; {len(moved.refused) - 1} more lines are refused" if len(moved.refused) > 1 else ""
        raise DocumentError(source, where, f"{reason}{more}", "`progkit cache export FILE` writes it anew")
    count = moved.moved + sum(moved.left.values())
    past = moved.left.get("expired", 0)
    spelled = "1 reply travels" if count == 1 else f"{count} replies travel"
    return f"{spelled}{f' ({past} expired)' if past else ''}"

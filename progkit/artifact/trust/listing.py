"""The trust list: the bundles whose code this user lets run, by digest.

One JSON document among the user's settings, ``trust.json``, canonical as a state file is::

    {"bundles": {"sha256:...": {"at": "2026-01-31T12:00:00Z", "by": "save", "path": "/srv/desk"}},
     "format": "progkit.trust", "version": [1, 0]}

It is replaced whole, by one process at a time. ``path`` is where the bundle was: shown, and no reason to trust what is
there. What is saved to the path of another that was only saved takes its place on the list, too.
"""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias, TypedDict

from msgspec import Meta

from progkit.artifact.bundle.opening import MAX_MANIFEST, digest_of
from progkit.artifact.decoding import decode
from progkit.artifact.encoding import canonical, indented
from progkit.artifact.trust import digests, own
from progkit.artifact.trust.locking import locked
from progkit.artifact.writing import replace
from progkit.errors import ConfigurationError, DocumentError, VersionError
from progkit.schema import shape
from progkit.schema.bundles import MANIFEST

NAME = "trust.json"
LOCK = "trust.lock"
FORMAT = "progkit.trust"
MAX_ENTRIES = 10_000
"""Beyond them the oldest of those that were only saved here go."""

By: TypeAlias = Literal["save", "trust"]
"""How a bundle came onto the list: it was saved on this machine, or somebody said so."""

log = logging.getLogger("progkit")


class _Bundle(TypedDict):
    at: Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$", max_length=20)]
    by: Literal["save", "trust"]
    path: str


class _Document(TypedDict):
    format: Literal["progkit.trust"]
    version: Annotated[list[int], Meta(min_length=2, max_length=2)]
    bundles: dict[Annotated[str, Meta(pattern=digests.PATTERN, max_length=digests.LENGTH)], _Bundle]


@dataclass(frozen=True, slots=True)
class Entry:
    """A bundle on the list: its *digest*, the *path* where it was, when (*at*, UTC, ISO 8601) and *by* what."""

    digest: str
    path: str
    at: str
    by: By

    def to_dict(self) -> dict[str, str]:
        """As plain data."""
        return {"digest": self.digest, "path": self.path, "at": self.at, "by": self.by}


def listed() -> dict[str, Entry]:
    """What is on the list, by digest, the oldest first; nothing if there is no list.

    Raises:
        DocumentError: for a list that is broken, or that others could have written; then nothing on it counts.
        VersionError: for one of a newer progkit.
    """
    data = own.read_own(NAME)
    if data is None:
        return {}
    source = os.path.join(own.directory(), NAME)
    document = decode(data, source)
    if isinstance(document, dict) and document.get("format") == FORMAT and document.get("version") != [1, 0]:
        raise VersionError(source, "version", f"{document.get('version')!r} is not [1, 0], all that this progkit knows")
    shape.require(document, _Document, source)
    entries = [Entry(digest, each["path"], each["at"], each["by"]) for digest, each in document["bundles"].items()]
    return {each.digest: each for each in sorted(entries, key=lambda each: (each.at, each.digest))}


def add(digest: str, path: str | os.PathLike[str], by: By = "trust") -> bool:
    """Put the bundle at *path* with this *digest* on the list; whether that changed the list.

    Raises:
        ConfigurationError: for what is no digest.
        DocumentError: if there is a list that cannot be used; it stays as it is.
        OSError: if the list cannot be written.
    """
    if not digests.is_digest(digest):
        raise ConfigurationError(f"{digest!r} is no digest of a bundle: that is sha256: and 64 digits, 0-9 and a-f")
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    entry = Entry(digest, _as_text(os.path.abspath(path)), at, by)

    def added(entries: dict[str, Entry]) -> dict[str, Entry]:
        if by == "save":  # what was saved there before has been replaced, unless another process was faster
            kept = (digest, _digest_at(path))
            entries = {name: each for name, each in entries.items() if name in kept or not _is_same(each, entry)}
        there = entries.get(digest)
        if there is not None and (there.by == by or by == "save"):
            return entries
        return _bounded({**entries, digest: entry})

    return _update(added)


def remember(digest: str, path: str | os.PathLike[str]) -> bool:
    """As ``add``, for a bundle just saved; whether it is on the list now.

    Never fails, as what was saved is saved: why not is logged.
    """
    try:
        add(digest, path, "save")
    except (DocumentError, OSError) as error:
        log.warning("the bundle saved at %s could not be put on the trust list: %s", os.fspath(path), error)
        return False
    return True


def forget(digest: str) -> bool:
    """Take *digest* off the list; whether it was there.

    Raises:
        DocumentError: if there is a list that cannot be used.
        OSError: if it cannot be written.
    """
    return _update(lambda entries: {name: each for name, each in entries.items() if name != digest})


def _update(change: Callable[[dict[str, Entry]], dict[str, Entry]]) -> bool:
    """Put *change* of the list in its place; whether that is another one."""
    above = own.made_directory()
    with locked(os.path.join(above, LOCK)):
        before = listed()
        after = change(before)
        if after == before:
            return False
        replace(os.path.join(above, NAME), _encoded(after), 0o600)
    return True


def _is_same(one: Entry, other: Entry) -> bool:
    """Whether both are on the list because the same path was saved to."""
    return (one.by, one.path) == (other.by, other.path)


def _digest_at(path: str | os.PathLike[str]) -> str:
    """The digest of the bundle that is at *path* now; "" if none can be read."""
    with suppress(OSError), open(os.path.join(path, MANIFEST), "rb") as file:
        return digest_of(file.read(MAX_MANIFEST))
    return ""


def _bounded(entries: dict[str, Entry]) -> dict[str, Entry]:
    """*entries* without those that were saved longest ago, if there are too many."""
    saved = sorted((each for each in entries.values() if each.by == "save"), key=lambda each: each.at)
    gone = {each.digest for each in saved[: max(len(entries) - MAX_ENTRIES, 0)]}
    return {digest: each for digest, each in entries.items() if digest not in gone}


def _encoded(entries: dict[str, Entry]) -> bytes:
    bundles = {each.digest: {"at": each.at, "by": each.by, "path": each.path} for each in entries.values()}
    document: dict[str, Any] = {"format": FORMAT, "version": [1, 0], "bundles": bundles}
    return indented(canonical(document)) + b"\n"


def _as_text(path: str) -> str:
    """*path* as UTF-8 can say it: a name need not be text."""
    return os.fsencode(path).decode(errors="backslashreplace")

"""Files read as documents: strictly, and as data alone."""

import errno
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import MsgspecError

from progkit import schema
from progkit.artifact import bundle, git
from progkit.artifact import dspy as foreign
from progkit.artifact.bounding import check_parts
from progkit.artifact.decoding import decode_loosely, proven
from progkit.artifact.proving import is_whole
from progkit.errors import DocumentError
from progkit.schema import dspy

if TYPE_CHECKING:
    from progkit.artifact.bundle.opening import Opened

Lean: TypeAlias = Callable[[], tuple[tuple[str, schema.Columns], ...]]
"""Says what the demos of each predictor are likely to hold, by its path; asked only for a file of many."""

STATE = "state.json"
"""The state file in a bundle."""
MAX_BYTES = 256 * 2**20
"""The largest file that is read."""
_MANY = 2**18
"""Bytes of a file for which it pays to make records of its own."""
_READING = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)  # a pipe without a writer is no wait
_AS_GIT_SAYS = re.compile(r"([^:/\\]{2,}):([^:/\\][^:]*)")
"""How git itself names a file at a revision: ``v1:desk.json``."""


@dataclass(frozen=True, slots=True)
class Received:
    """A file as taken in: a valid *document* of the current version, and what it took.

    dropped: ``where: what`` of the file is not in the document (secrets, what could do harm). notes: what else a
    user should know. Both are empty for a file of progkit's own. kind: ``"progkit.state"``, ``"dspy.state"``. data: the
    bytes that were read. commit: the id of the git commit that they were read from; "" for a file as it is now.
    """

    document: dict[str, Any]
    dropped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kind: str = schema.STATE
    data: bytes = field(default=b"", repr=False)
    commit: str = ""


def receive(path: str | os.PathLike[str], *, lean: Lean | None = None) -> Received:
    """The file at *path*, progkit's own or DSPy's (2.6 to 3.4), as a document of the current version.

    ``program.json@v1.2`` is the file at a revision of its git repository, if there is no file of that name.
    Of a bundle it is the state in it; nothing is run.
    lean: given if demos may come as records (``schema.are_lean``), which is faster; for who only takes over what they
    hold.

    Raises:
        DocumentError: for a file that cannot be read, is not strict JSON, or is no valid document.
        RevisionError: for a revision that git does not have, or not with this file.
        VersionError: if another progkit is needed.
    """
    found = taken(path, lean=lean)
    return found if isinstance(found, Received) else of_bundle(found, lean=lean)


def taken(path: str | os.PathLike[str], *, lean: Lean | None = None) -> "Opened | Received":
    """What is at *path*, which may name a git revision: a bundle, opened, or a state file, as ``receive`` takes it in.

    Raises:
        DocumentError: for what is neither.
        RevisionError: for a revision that git does not have.
        VersionError: if another progkit is needed.
    """
    source = os.fspath(path)
    opened, tree = _opened(source)
    if opened is not None:
        return opened
    if tree is None:
        return understand(read_bytes(source), source, lean=lean)
    received = understand(tree.read("", MAX_BYTES), source, lean=lean)
    return replace(received, commit=tree.commit, notes=received.notes + tree.notes)


def opened_at(source: str) -> "Opened | None":
    """The bundle at *source*, which may name a git revision; None if no directory is there.

    Raises:
        DocumentError: for a directory that is no bundle, or a damaged one.
        RevisionError: for a revision that git does not have.
    """
    return _opened(source)[0]


def _opened(source: str) -> "tuple[Opened | None, git.Tree | None]":
    """The bundle at *source*, if it is a directory; and what git has there, if *source* names a revision."""
    pinned = git.find_pin(source) if "@" in source else None
    if pinned is None:
        is_bundle = not os.path.isfile(source) and bundle.is_bundle(source)
        return (bundle.open_bundle(source) if is_bundle else None), None
    tree = git.Tree(pinned)
    if not tree.is_directory:
        return None, tree
    return replace(bundle.read_from(tree), commit=tree.commit, notes=tuple(tree.notes)), tree


def of_bundle(opened: "Opened", *, lean: Lean | None = None) -> Received:
    """The state in a bundle as ``receive`` takes it in, from the bytes that were verified."""
    received = understand(opened.files[STATE], os.path.join(opened.root, STATE), lean=lean)
    return replace(received, commit=opened.commit, notes=[*received.notes, *opened.notes])


def understand(data: bytes, source: str, *, lean: Lean | None = None) -> Received:
    """The content *data* of a file as ``receive`` takes it in; *source* is its name in errors."""
    check_parts(data, source)
    document = (_lean(data, lean) if lean else None) or proven(data, schema.read_shaped)
    if document is not None:
        schema.check(document, source)
        return Received(document, data=data)
    raw, not_finite = decode_loosely(data, source)  # another kind or version, another spelling, or wrong
    received = accept(raw, source)
    if received is not None:
        return replace(received, data=data)
    if not_finite is not None:
        raise not_finite
    return Received(schema.migrate(raw, source), data=data)


def _lean(data: bytes, lean: Lean) -> dict[str, Any] | None:
    """*data* as a document with lean demos, if it is a canonical one that can have them."""
    ways: list[Callable[[bytes], dict[str, Any]]] = [schema.read_lean]
    if len(data) >= _MANY:
        ways.insert(0, lambda data: schema.read_typed(data, lean()))
    for read in ways:
        # Other demos than the program has now, or nothing that can be read fast: the slow way says where and why.
        with suppress(MsgspecError, ValueError, TypeError, RecursionError):
            document = read(data)
            if is_whole(document, data):
                return document
    return None


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
        # What is looked at is what is read, whatever takes its name meanwhile.
        with open(os.open(source, _READING), "rb", buffering=0) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise DocumentError(source, "", "is not a regular file")
            if found.st_size > MAX_BYTES:
                raise DocumentError(source, "", f"is larger than {MAX_BYTES} bytes")
            return file.read()
    except OSError as error:
        asked = _AS_GIT_SAYS.fullmatch(source) if error.errno == errno.ENOENT else None
        hint = f"At a revision of git it is named {asked[2]}@{asked[1]}" if asked else ""
        raise DocumentError(source, "", f"cannot be read: {error.strerror}", hint) from error

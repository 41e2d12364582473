"""The merge of a file as git asks for it: by meaning where all three are documents of ours, else as git itself does."""

import os
from dataclasses import dataclass, field
from typing import Any

from progkit import schema
from progkit.artifact.decoding import decode
from progkit.artifact.encoding import encode
from progkit.artifact.git.running import ask
from progkit.artifact.merging import Conflict, marked, merge
from progkit.errors import DocumentError

_MOST = 127
"""Above it, the status of ``git merge-file`` is no number of conflicts but a failure (git-merge-file, DESCRIPTION)."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The files of a merge, as paths: the common *base* (empty if both sides added it), *ours* and *theirs*.

    labels: what the sides are called in markers; marker: the length of those; name: the merged file's, for errors.
    """

    base: str
    ours: str
    theirs: str
    name: str
    labels: tuple[str, str] = ("ours", "theirs")
    marker: int = 7


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a merge: *is_clean*, its *conflicts*, and why lines were merged instead of meaning, if they were.

    The result is in the file *ours*, as git wants it.
    """

    is_clean: bool
    conflicts: list[Conflict] = field(default_factory=list)
    by_line: str = ""


def drive(sides: Sides) -> Outcome:
    """Merge *sides* into the file *ours*.

    Raises:
        OSError: for a file that cannot be read or written.
        ConfigurationError: if git is needed and is not there.
    """
    try:
        base, ours, theirs = (_document(path, sides) for path in (sides.base, sides.ours, sides.theirs))
        merged = merge(base, ours, theirs)
        conflicts = merged.conflicts
        data = marked(merged.document, sides.labels, sides.marker) if conflicts else encode(merged.document)
    except DocumentError as error:
        return _by_line(sides, error)
    with open(sides.ours, "wb") as file:
        file.write(data)
    return Outcome(not conflicts, conflicts)


def _document(path: str, sides: Sides) -> Any:
    """The document in the file at *path*; None for the empty base of a file that both sides added."""
    with open(path, "rb") as file:
        data = file.read()
    if path == sides.base and not data:
        return None
    which = {sides.base: "base", sides.ours: "ours", sides.theirs: "theirs"}[path]
    return schema.migrate(decode(data, f"{sides.name} ({which})"), f"{sides.name} ({which})")


def _by_line(sides: Sides, why: DocumentError) -> Outcome:
    """The merge that git would have made without a driver."""
    base, ours, theirs = (os.path.abspath(path) for path in (sides.base, sides.ours, sides.theirs))
    were_documents = not (_fault(sides.ours, sides) or _fault(sides.theirs, sides))
    labels = [word for name in (sides.labels[0], "base", sides.labels[1]) for word in ("-L", name)]
    answer = ask(os.curdir, "merge-file", f"--marker-size={sides.marker}", *labels, ours, base, theirs)
    told = str(why)
    if answer.status > _MOST or answer.status < 0:
        # A file that is no text: ours stays as it is, and git keeps all three.
        return Outcome(False, [Conflict(sides.name, answer.reason)], told)
    fault = _fault(sides.ours, sides) if were_documents and answer.status == 0 else ""
    if fault:
        return Outcome(False, [Conflict(sides.name, f"what came of it is no valid document: {fault}")], told)
    return Outcome(answer.status == 0, [], told)


def _fault(path: str, sides: Sides) -> str:
    """Why the file at *path* is no document of ours; "" if it is one."""
    try:
        _document(path, sides)
    except DocumentError as error:
        return error.reason
    return ""

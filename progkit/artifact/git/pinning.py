"""Paths at a revision, ``program.json@v1.2``: told from plain paths, and found in their repository."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from progkit.artifact.git.running import ask
from progkit.errors import ConfigurationError, RevisionError, did_you_mean

_RANGE = re.compile(r"\.\.|\^[@!-]|^\^")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_AT = re.compile(r"@(?!\{)(?=.)", re.DOTALL)
"""An @ that may part path and revision; in ``HEAD@{1}`` it does not."""


class Pinned(str):
    """A path at a revision, as text (``program.json@v1.2``): the *path* and the *revision*."""

    path: str
    revision: str

    def __new__(cls, path: str, revision: str) -> Self:
        """The text of both."""
        made = super().__new__(cls, f"{path}@{revision}")
        made.path = path
        made.revision = revision
        return made

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), (self.path, self.revision)


def pin(path: str | os.PathLike[str], revision: str) -> Pinned:
    """*path* at *revision*: a commit, a tag, a branch, or what else git knows one commit by (``HEAD~2``).

    Raises:
        RevisionError: for what is no name of one commit; git has not been asked.
    """
    pinned = Pinned(os.fspath(path), revision)
    if "\0" in pinned.path:
        raise RevisionError(repr(str(pinned)), "", "a path holds no NUL")
    if fault := _fault_in(revision):
        raise RevisionError(pinned, "", f"the revision {revision!r} {fault}", "Name one commit, tag or branch")
    return pinned


def find_pin(source: str) -> Pinned | None:
    """What *source* pins, or None: then it is a path, and so is everything that is there.

    Of several @ the one counts before which stands the longest path that is there, else the last.

    Raises:
        RevisionError: as ``pin``.
    """
    if isinstance(source, Pinned):
        return source
    if os.path.lexists(source):
        return None
    parts = [(source[: each.start()], source[each.end() :]) for each in _AT.finditer(source) if each.start()]
    # After the last /, an empty name: "dir/@v1" pins nothing.
    parts = [(path, revision) for path, revision in parts if not path.endswith("/")]
    if not parts:
        return None
    there = [each for each in parts if os.path.lexists(each[0])]
    return pin(*(there or parts)[-1])


def _fault_in(revision: str) -> str:
    if not revision:
        return "is empty"
    if revision.startswith("-"):
        return "begins with -, like an option"
    if _RANGE.search(revision):
        return "is a range, or several commits"
    if ":" in revision:
        return "names what is inside a commit, or a commit by its message"
    return "holds a control character" if _CONTROL.search(revision) else ""


# --- in a repository ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spot:
    """A path in a commit: the directory to ask git in, the commit's id, the path from the top ("" is the top).

    notes: what git had to say about the name.
    """

    directory: str
    commit: str
    inside: str
    notes: list[str] = field(default_factory=list)


def locate(pinned: Pinned) -> Spot:
    """Where *pinned* is; the work tree is not looked at, but for finding the repository.

    Raises:
        RevisionError: if there is no such repository or commit.
    """
    directory, inside = _place(pinned)
    try:
        answer = ask(directory, "rev-parse", "--verify", "--end-of-options", f"{pinned.revision}^{{commit}}")
    except ConfigurationError as error:  # pragma: no cover - git was there a moment ago
        raise RevisionError(pinned, "", str(error)) from error
    commit = answer.out.decode(errors="replace").split("\n")[0]
    if answer.status != 0 or not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", commit):
        raise _unknown(pinned, directory)
    return Spot(directory, commit, inside, [f"git: {line}" for line in answer.err.splitlines()])


def _place(pinned: Pinned) -> tuple[str, str]:
    """The directory nearest to *pinned* that is there, and the path in the repository."""
    path = Path(os.path.abspath(pinned.path))
    # A link is followed on the way, as the system does; the last name is looked up in the commit.
    ways = [*([] if path.is_symlink() else [path]), *path.parents]
    above = next((each for each in ways if each.is_dir()), path.parent)
    directory, rest = os.path.realpath(above), path.relative_to(above).parts
    words = ("--is-bare-repository", "--is-inside-git-dir", "--absolute-git-dir", "--show-prefix")
    try:
        answer = ask(directory, "rev-parse", *words)
    except ConfigurationError as error:
        raise RevisionError(pinned, "", str(error)) from error
    if answer.status != 0:
        hint = "A revision is read from the git repository that the path is in"
        raise RevisionError(pinned, "", f"{directory}: {answer.reason}", hint)
    bare, within, git_dir, prefix = os.fsdecode(answer.out).split("\n", 3)
    if bare == "true":
        prefix = os.path.relpath(directory, os.path.realpath(git_dir))
    elif within == "true":
        raise RevisionError(pinned, "", f"{directory} belongs to git itself; name the path in the work tree")
    parts = [each for each in [*prefix.rstrip("\n").replace(os.sep, "/").split("/"), *rest] if each not in ("", ".")]
    return directory, "/".join(parts)


def _unknown(pinned: Pinned, directory: str) -> RevisionError:
    """The error for a revision that *pinned* names and the repository does not know."""
    known = ask(directory, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/tags", "refs/heads", "refs/remotes")
    names = known.out.decode(errors="replace").split("\n")[:-1]
    near = did_you_mean(pinned.revision, names)
    shallow = ask(directory, "rev-parse", "--is-shallow-repository").out.strip() == b"true"
    hint = "This clone is shallow: git fetch --unshallow --tags gets the rest" if shallow else ""
    if not (near or shallow):
        hint = f"There are: {', '.join(names[:10])}{', ..' * (len(names) > 10)}" if names else "It has no commit yet"
    return RevisionError(pinned, "", f"there is no commit {pinned.revision!r} in {directory}{near}", hint)

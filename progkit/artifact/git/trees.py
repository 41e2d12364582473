"""Files at a commit, out of git's own store: as bytes, without filters, links followed or anything written."""

import os
from collections.abc import Collection
from dataclasses import dataclass

from progkit.artifact.bundle.walking import stranger
from progkit.artifact.git.pinning import Pinned, locate
from progkit.artifact.git.running import ask
from progkit.errors import RevisionError

_FILES = {"100644", "100755"}
_KINDS = {"040000": "a directory", "120000": "a link", "160000": "a submodule"}
_LFS = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a commit: its mode, the id of its object, its size in bytes; 0 of what is no file."""

    mode: str
    object: str
    size: int


class Tree:
    """What is at and below a path at a revision, read as ``bundle.walking.Walk`` reads a directory.

    Raises:
        RevisionError: if there is no such repository, commit or path.
    """

    def __init__(self, pinned: Pinned) -> None:
        self.source = pinned
        self.spot = locate(pinned)
        self.entries = self._list(self.spot.inside, recursive=False)
        if self.is_directory:
            self.entries = self._list(self.spot.inside, recursive=True)
        if not self.entries:
            raise self.fault("", *self._why_missing())

    @property
    def commit(self) -> str:
        """The id of the commit."""
        return self.spot.commit

    @property
    def notes(self) -> list[str]:
        """What git had to say about the revision's name."""
        return self.spot.notes

    @property
    def is_directory(self) -> bool:
        """Whether the path is a directory's."""
        return not self.spot.inside or any(path or entry.mode == "040000" for path, entry in self.entries.items())

    def has(self, name: str) -> bool:
        """Whether there is a file called *name* in the directory itself."""
        return name in self.entries

    def read(self, path: str, limit: int, size: int | None = None) -> bytes:
        """The content of the file at *path*, of *limit* bytes at most, and of *size* bytes where that is known.

        Raises:
            RevisionError: if it is no file, or of another size.
        """
        data = self._content(path, limit)
        if size is not None and len(data) != size:
            raise self.fault(path, f"has {len(data)} bytes, and {size} are expected", "It was changed or damaged")
        return data

    def require_nothing_but(self, paths: Collection[str]) -> None:
        """Nothing, if there are the files *paths* and no other.

        Raises:
            RevisionError: at the first that is extra, or naming what is missing.
        """
        for path in sorted(self.entries.keys() - set(paths)):
            raise stranger(self, path)
        for path in sorted(set(paths) - self.entries.keys()):
            raise self.fault(path, "is missing: the manifest lists it")

    def fault(self, path: str, reason: str, hint: str = "") -> RevisionError:
        """The error for the file at *path*."""
        return RevisionError(self.source, path, reason, hint)

    def _content(self, path: str, limit: int) -> bytes:
        entry = self.entries.get(path)
        if entry is None:
            raise self.fault(path, "is missing" if path else "is a directory")
        if entry.mode not in _FILES:
            raise self.fault(path, f"is {_KINDS.get(entry.mode, 'no file')} at commit {self.commit[:12]}")
        if entry.size > limit:
            raise self.fault(path, f"is larger than {limit} bytes")
        answer = ask(self.spot.directory, "cat-file", "blob", entry.object)
        if answer.status != 0:
            raise self.fault(path, f"its content cannot be had: {answer.reason}", "git fsck says what is damaged")
        if answer.out.startswith(_LFS):
            raise self.fault(path, "is kept in Git LFS, and the commit has a pointer alone", "Keep it in git itself")
        return answer.out

    def _list(self, inside: str, *, recursive: bool) -> dict[str, Entry]:
        """The entries at (not *recursive*) or below the path *inside*, by their path from there."""
        where = f"{inside}/" if recursive and inside else inside
        words = ["ls-tree", "-z", "-l", "--full-tree", *(["-r"] if recursive else [])]
        answer = ask(self.spot.directory, *words, self.commit, *(["--", where] if where else []))
        if answer.status != 0:
            hint = f"A partial clone fetches it for: git archive -o {os.devnull} {self.commit[:12]} {inside}".rstrip()
            raise self.fault("", f"commit {self.commit[:12]} cannot be read: {answer.reason}", hint)
        found = {}
        for each in answer.out.split(b"\0")[:-1]:
            about, _, path = each.partition(b"\t")
            mode, _, name, size = about.decode().split()
            found[os.fsdecode(path)[len(where) :]] = Entry(mode, name, int(size) if size.isdecimal() else 0)
        return found

    def _why_missing(self) -> tuple[str, str]:
        """Reason and hint for a path of which the commit knows nothing."""
        names = self.spot.inside.split("/")
        for end in range(1, len(names)):
            above = "/".join(names[:end])
            entry = self._list(above, recursive=False).get("")
            if entry is not None and entry.mode != "040000":
                kind = _KINDS.get(entry.mode, "a file")
                return f"{above!r} is {kind} at commit {self.commit[:12]}, and nothing is looked up behind it", ""
        same = [path for path in self._list("", recursive=True) if path.rpartition("/")[2] == names[-1]]
        hint = f"There is {', '.join(same[:5])}" if same else ""
        return f"there is no {self.spot.inside!r} at commit {self.commit[:12]}", hint

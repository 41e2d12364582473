"""Files below a directory, read without following links: by descriptors, so that no name is looked up twice."""

import errno
import os
import stat
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Protocol

from progkit.errors import DocumentError

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Without O_NONBLOCK, opening a pipe waits for its writer."""
_REASONS = {
    errno.ENOENT: "is missing",
    errno.ELOOP: "is a link",
    errno.ENOTDIR: "lies behind a link, or behind what is no directory",
}


_LITTER = (".DS_Store", "Thumbs.db", "desktop.ini", "__pycache__", ".directory", ".ipynb_checkpoints")
"""What comes into a directory by itself when somebody looks at it, or runs something in it."""
_NOT_OURS = "Nothing reads it: if you know that nobody needs it, it may be removed"


class Place(Protocol):
    """Where the files of a bundle are read from."""

    @property
    def source(self) -> str:
        """Its name in errors."""
        ...

    def has(self, name: str) -> bool:
        """Whether there is anything called *name* in the directory itself."""
        ...

    def read(self, path: str, limit: int, size: int | None = None) -> bytes:
        """The content of the file at *path*, of *limit* bytes at most, and of *size* bytes where that is known."""
        ...

    def require_nothing_but(self, paths: Collection[str]) -> None:
        """Nothing, if there are the files *paths* and no other, nor a directory without one."""
        ...

    def fault(self, path: str, reason: str, hint: str = "") -> DocumentError:
        """The error for the file at *path*."""
        ...


class Walk:
    """The directory that the descriptor *root* holds; *source* is its name in errors."""

    def __init__(self, root: int, source: str) -> None:
        self.root = root
        self.source = source

    def has(self, name: str) -> bool:
        """Whether there is anything called *name* in the directory itself."""
        try:
            os.stat(name, dir_fd=self.root, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def read(self, path: str, limit: int, size: int | None = None) -> bytes:
        """The content of the file at *path*, of *limit* bytes at most, and of *size* bytes where that is known.

        Raises:
            DocumentError: if it is no regular file, or of another size.
        """
        *above, name = path.split("/")
        with self._directory(self.root, above, path) as directory, self._said(path):
            self._judge(os.stat(name, dir_fd=directory, follow_symlinks=False), path, limit, size)
            with opened(name, _FILE, directory) as file:
                found = os.fstat(file)  # what was there a moment ago may have been replaced
                self._judge(found, path, limit, size)
                data = _content(file, found.st_size)
        if len(data) != found.st_size:
            raise self.fault(path, "changed while it was read")
        return data

    def require_nothing_but(self, paths: Collection[str]) -> None:
        """Nothing, if there are the files *paths* and no other, nor a directory without one.

        Raises:
            DocumentError: at the first that is extra, or naming what is missing.
        """
        left = set(paths)
        with closing(self.strangers(left)) as found:
            for path in found:
                raise stranger(self, path)
        if left:
            raise self.fault(min(left), "is missing: the manifest lists it")

    def strangers(self, left: set[str]) -> Generator[str, None, None]:
        """What is there beside the files *left*, from which each goes that is there.

        Raises:
            DocumentError: for a directory that is none.
        """
        directories = {path[:at] for path in left for at, each in enumerate(path) if each == "/"}
        return self._list(self.root, "", left, directories)

    def fault(self, path: str, reason: str, hint: str = "") -> DocumentError:
        """The error for the file at *path*."""
        return DocumentError(self.source, path, reason, hint)

    def _list(self, above: int, start: str, left: set[str], directories: Collection[str]) -> Generator[str, None, None]:
        with os.scandir(above) as entries:
            for entry in entries:
                path = start + entry.name
                if path in directories:
                    with self._directory(above, [entry.name], path) as inner:
                        yield from self._list(inner, f"{path}/", left, directories)
                elif path in left:
                    left.remove(path)
                else:
                    yield path

    def _judge(self, found: os.stat_result, path: str, limit: int, size: int | None) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise self.fault(path, "is a link" if stat.S_ISLNK(found.st_mode) else "is not a regular file")
        if size is not None and found.st_size != size:
            raise self.fault(path, f"has {found.st_size} bytes; the manifest says {size}")
        if found.st_size > limit:
            raise self.fault(path, f"is larger than {limit} bytes")

    @contextmanager
    def _directory(self, start: int, names: Sequence[str], path: str) -> Iterator[int]:
        """The directory that *names* lead to from *start*, each opened in the one before."""
        at = os.dup(start)
        try:
            for name in names:
                with self._said(path):
                    inner = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
                os.close(at)
                at = inner
            yield at
        finally:
            os.close(at)

    @contextmanager
    def _said(self, path: str) -> Iterator[None]:
        """What the system refuses, as an error that names *path*."""
        try:
            yield
        except OSError as error:
            reason = _REASONS.get(error.errno or 0, f"cannot be read: {error.strerror}")
            raise self.fault(path, reason) from error


def stranger(place: Place, path: str) -> DocumentError:
    """The error for a file, or a directory, at *path* that no manifest lists."""
    name = path.rpartition("/")[2]
    litter = name in _LITTER or name.endswith((".pyc", ".swp", "~"))
    hint = "It may be removed: your system, an editor or Python made it" if litter else _NOT_OURS
    return place.fault(ascii(path)[1:-1], "is there, and the manifest does not list it", hint)


@contextmanager
def opened(name: str, flags: int = _DIRECTORY, above: int | None = None) -> Iterator[int]:
    """The descriptor of *name*, a directory unless *flags* say otherwise; a new file's mode is that of any."""
    descriptor = os.open(name, flags, 0o666, dir_fd=above)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def is_at(directory: int, path: str) -> bool:
    """Whether the *directory* that a descriptor holds is the one at *path*."""
    try:
        return os.path.samestat(os.fstat(directory), os.stat(path))
    except OSError:
        return False


def _content(file: int, size: int) -> bytes:
    """What is in *file*, a byte more than *size* at most."""
    parts = []
    left = size + 1
    while left and (part := os.read(file, min(left, 2**24))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)

"""Directories replaced whole or not at all, as ``artifact.writing`` does it for files.

The files go to a new directory beside the target, MANIFEST.json last, and reach the disk; the directory
is checked, and takes the target's name. Whatever happens on the way, who opens the target sees the whole old or the
whole new bundle.
"""

import errno
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from progkit.artifact.bundle.opening import MAX_MANIFEST
from progkit.artifact.bundle.swapping import ASIDE, NEW, beside, swap
from progkit.artifact.bundle.walking import Walk, is_at, opened
from progkit.artifact.decoding import decode
from progkit.errors import DocumentError
from progkit.schema.bundles import BUNDLE, MANIFEST, SIGNATURE, fault_in

STALE = 600.0
"""Seconds after which a directory of ours has no writer any more, as for a state file."""


def place(path: str | os.PathLike[str], files: Mapping[str, bytes], check: Callable[[str], None]) -> None:
    """Make *files*, content by path, all that is in the directory *path*.

    check: is called with the directory that holds them, before it takes its place; what it raises ends it all. The
    permissions of what was there are kept, a link is followed. The directory above has to be there.

    Raises:
        DocumentError: if something is there that is neither a bundle nor empty; nothing was changed.
        OSError: from the system; the old bundle is still there, or the new one is.
    """
    target = _target(path)
    _require_ours(target, os.fspath(path))
    _sweep(target)
    new = beside(target, NEW)
    try:
        _write(new, files)
        check(new)
        _require_ours(target, os.fspath(path))
        _keep_modes(target, new, files)
        old = swap(new, target)
    except BaseException:  # also an interrupt: nothing of ours stays behind
        _remove(new)
        raise
    _sync(os.path.dirname(target))
    if old is not None:
        _remove(old)


def _target(path: str | os.PathLike[str]) -> str:
    """The directory to replace at *path*, a link followed."""
    target = os.path.realpath(path)
    if os.path.islink(target):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path))
    if os.path.dirname(target) == target:
        raise DocumentError(os.fspath(path), "", "is the root of a file system, and can be no bundle")
    if os.path.lexists(target) and not os.path.isdir(target):
        raise NotADirectoryError(errno.ENOTDIR, "is a file, and a bundle is a directory", os.fspath(path))
    return target


def _require_ours(target: str, source: str) -> None:
    """Nothing, if what is at *target* may be replaced: nothing, an empty directory, or a bundle with nothing added."""
    while True:
        try:
            with opened(target) as root:
                fault = _foreign(Walk(root, source))
                if fault is None:
                    return
                if is_at(root, target):
                    raise fault
        except FileNotFoundError:  # also if another saver's came meanwhile: that one is to be looked at
            if not os.path.lexists(target):
                return


def _foreign(walk: Walk) -> DocumentError | None:
    """What is wrong with taking away the directory that *walk* reads; None if nothing is."""
    hint = "Nothing was changed. Save to another path, or remove it yourself"
    paths = list(_paths(walk.root))
    listed = _listed(walk)
    if paths and listed is None:
        return walk.fault("", "is there, and is no bundle of progkit", hint)
    known = {MANIFEST, SIGNATURE, *(listed or ())}
    extra = next((path for path in paths if path not in known), None)
    return None if extra is None else walk.fault(extra, "is no part of the bundle, and would be lost", hint)


def _listed(walk: Walk) -> list[str] | None:
    """What the manifest there lists, as far as it is one: it need not be whole, nor of a version known here."""
    with suppress(DocumentError):
        manifest = decode(walk.read(MANIFEST, MAX_MANIFEST), walk.source)
        if isinstance(manifest, dict) and manifest.get("format") == BUNDLE and isinstance(manifest.get("files"), dict):
            return list(manifest["files"])
    return None


def _paths(top: int) -> Iterator[str]:
    """The files and the links below the directory *top*."""
    for above, directories, names, at in os.fwalk(".", dir_fd=top):
        start = above.replace(os.sep, "/").removeprefix(".").removeprefix("/")
        links = [each for each in directories if stat.S_ISLNK(os.lstat(each, dir_fd=at).st_mode)]
        yield from (f"{start}/{name}".removeprefix("/") for name in names + links)


def _write(new: str, files: Mapping[str, bytes]) -> None:
    """Make the directory *new*, with *files* in it, all on the disk."""
    for path in files:
        if reason := fault_in(path):
            raise DocumentError(new, path, f"a path {reason}")
    above = sorted({path[:at] for path in files for at, each in enumerate(path) if each == "/"})
    os.mkdir(new)  # 0o777 less the umask; no other saver has this name
    for each in above:
        os.mkdir(os.path.join(new, each))
    for path in sorted(files, key=lambda each: (each == MANIFEST, each)):
        if path == MANIFEST:
            for each in reversed(above):
                _sync(os.path.join(new, each))
        _write_file(os.path.join(new, path), files[path])
    _sync(new)


def _write_file(path: str, data: bytes) -> None:
    with opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC) as file:
        left = memoryview(data)
        while left:
            left = left[os.write(file, left) :]
        os.fsync(file)


def _keep_modes(target: str, new: str, files: Mapping[str, bytes]) -> None:
    """Give *new* and what is in it the permissions of what is at *target*, where that is there."""
    above = {path[:at] for path in files for at, each in enumerate(path) if each == "/"}
    for path in sorted({*files, *above, ""}, reverse=True):  # the outer ones last, lest they bar the way
        with suppress(FileNotFoundError):
            found = os.lstat(os.path.join(target, path)).st_mode
            if not stat.S_ISLNK(found):
                os.chmod(os.path.join(new, path), stat.S_IMODE(found))


def _sweep(target: str) -> None:
    """Remove what savers of *target* that were killed left beside it."""
    above, name = os.path.split(target)
    endings = (NEW, ASIDE) if os.path.lexists(target) else (NEW,)  # one set aside may be all that there is
    with os.scandir(above) as entries:
        stale = [
            entry.path
            for entry in entries
            if entry.name.startswith(f".{name}.") and entry.name.endswith(endings) and _is_stale(entry)
        ]
    for each in stale:
        _remove(each)


def _is_stale(entry: os.DirEntry[str]) -> bool:
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > STALE
    except FileNotFoundError:  # another saver sweeps, too
        return False


def _remove(directory: str) -> None:
    """Remove *directory* as far as the system lets us: what is left is stale, and in nobody's way."""
    with suppress(OSError):
        os.chmod(directory, 0o700)
    shutil.rmtree(directory, ignore_errors=True)


def _sync(directory: str) -> None:
    with opened(directory) as descriptor:
        os.fsync(descriptor)

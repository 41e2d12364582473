"""Directories that change places, and where one is meanwhile.

Linux and macOS exchange two directories in one step. Elsewhere (an old kernel, a network's file system) the old one
is set aside under a name of ours and then the new one takes its name; in between a reader finds the one set aside.
"""

import ctypes
import errno
import os
import secrets
import sys
from contextlib import suppress

NEW = ".progkit-new"
"""How the name of a directory of ours ends that is being written; it begins with a dot and the target's name."""
ASIDE = ".progkit-old"
"""The same, of one that was set aside."""

ATTEMPTS = 100
"""How often a swap is tried anew because another saver's came in between."""

_MEANWHILE = (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST)
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_RENAME_SWAP = 2


def whereabouts(path: str) -> str:
    """Where the directory *path* is: there, or set aside, if somebody is replacing it just now or was killed doing so.

    *path* itself, if it is nowhere.
    """
    if not os.path.exists(path) and (aside := set_aside(os.path.realpath(path))):
        return aside[-1]
    return path


def set_aside(target: str) -> list[str]:
    """The directories set aside for *target*, the latest last."""
    above, name = os.path.split(target)
    with suppress(OSError), os.scandir(above or ".") as entries:
        found = [each for each in entries if each.name.startswith(f".{name}.") and each.name.endswith(ASIDE)]
        return [each.path for each in sorted(found, key=lambda each: os.lstat(each.path).st_mtime_ns)]
    return []


def beside(target: str, ending: str) -> str:
    """A new name beside *target*, which no other saver has."""
    above, name = os.path.split(target)
    return os.path.join(above, f".{name}.{secrets.token_hex(8)}{ending}")


def swap(new: str, target: str) -> str | None:
    """Put the directory *new* where *target* is or was; where the old one is now, None if there was none.

    Raises:
        OSError: from the system; *target* is what it was.
    """
    attempts = ATTEMPTS
    while True:
        attempts -= 1
        try:
            return _swapped(new, target)
        except OSError as error:
            if not attempts or error.errno not in _MEANWHILE or not os.path.lexists(new):
                raise  # else another saver was there in between


def exchange(one: str, other: str) -> bool:
    """Let two directories change names in one step; False if this system cannot.

    Raises:
        OSError: from the system; nothing was changed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    if sys.platform == "darwin":  # pragma: no cover - macOS
        failed = libc.renamex_np(*names, _RENAME_SWAP)
    elif hasattr(libc, "renameat2"):
        failed = libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)
    else:
        return False
    if not failed:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), one, None, other)


def _swapped(new: str, target: str) -> str | None:
    try:
        os.rename(new, target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return new if exchange(new, target) else _in_two_steps(new, target)
    return None  # nothing was there, or an empty directory


def _in_two_steps(new: str, target: str) -> str:
    aside = beside(target, ASIDE)
    os.utime(target)  # so that nobody takes it for a stale one
    os.rename(target, aside)
    try:
        os.rename(new, target)
    except BaseException:  # also an interrupt: the old one goes back, unless another saver's is there by now
        with suppress(OSError):
            os.rename(aside, target)
        raise
    return aside

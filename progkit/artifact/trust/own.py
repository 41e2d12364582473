"""Files of the user's own: in their directory of settings, and safe from everybody else.

What another user could have written says nothing about what this one trusts.
"""

import os
import stat
from contextlib import suppress

from progkit.errors import DocumentError

MAX_BYTES = 16 * 2**20
"""The largest such file that is read."""

_WARY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
READ = os.O_RDONLY | _WARY
APPEND = os.O_WRONLY | os.O_APPEND | _WARY
"""How such a file is opened: no link is followed, and no pipe waited for."""


def directory() -> str:
    """The user's directory of settings for progkit on this system; it need not be there.

    Raises:
        DocumentError: for a user without a home directory.
    """
    import platformdirs  # 10 ms, which a process that asks for no settings never pays

    found = ""
    with suppress(RuntimeError):  # which newer ones raise where "~" cannot be expanded
        found = platformdirs.user_config_dir("progkit")
    if not os.path.isabs(found):
        raise DocumentError("the trust list", "", "has no place: this user has no home directory", "Set HOME")
    return found


def made_directory() -> str:
    """``directory``, made for this user alone (0700) if it was not there.

    Raises:
        DocumentError: if it is not this user's alone to write.
        OSError: if it cannot be made.
    """
    found = directory()
    with suppress(FileExistsError):
        os.makedirs(found, 0o700)
    require_own(found, os.lstat(found), stat.S_IFDIR)
    return found


def read_own(name: str) -> bytes | None:
    """The content of the file *name* in ``directory``; None if there is none.

    Raises:
        DocumentError: if it cannot be read, or somebody else could have written it.
    """
    above = directory()
    path = os.path.join(above, name)
    try:
        require_own(above, os.lstat(above), stat.S_IFDIR)
        require_own(path, os.lstat(path), stat.S_IFREG)
        with open(os.open(path, READ), "rb") as file:
            found = os.fstat(file.fileno())  # what was there a moment ago may have been replaced
            require_own(path, found, stat.S_IFREG)
            if found.st_size > MAX_BYTES:
                raise DocumentError(path, "", f"is larger than {MAX_BYTES} bytes")
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DocumentError(path, "", f"cannot be read: {error.strerror}") from error


def require_own(path: str, found: os.stat_result, kind: int) -> None:
    """Nothing, if what is at *path* is of *kind*, and this user's alone to write.

    Raises:
        DocumentError: if not.
    """
    if stat.S_IFMT(found.st_mode) != kind:
        wanted = "directory" if kind == stat.S_IFDIR else "regular file"
        raise DocumentError(path, "", "is a link" if stat.S_ISLNK(found.st_mode) else f"is no {wanted}")
    if found.st_uid != os.geteuid():
        raise DocumentError(path, "", "belongs to another user")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        hint = "If you know what is in it: chmod go-w"
        raise DocumentError(path, "", "can be written by others", f"{hint} {path}")

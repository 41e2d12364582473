"""Paths inside a bundle: the spellings that mean the same file, and no other, on every system.

Relative, with ``/``, in NFC; no name that Windows reserves or changes, and no two names that a file system
without case, or one with its own Unicode form (Windows, macOS), takes for one.
"""

import re
import unicodedata
from collections.abc import Iterable

MAX_NAME = 255
"""Bytes in one name: what file systems hold."""
MAX_LENGTH = 1024
"""Bytes in a path."""
MAX_NAMES = 32
"""Names in a path."""

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE | re.DOTALL)


def fault_in(path: str) -> str:
    """Why *path* is none that a bundle may have; "" if it may."""
    if not path or len(path) > MAX_LENGTH:
        return f"must have 1 to {MAX_LENGTH} characters"
    if any("\ud800" <= each <= "\udfff" for each in path):
        return "holds a lone surrogate"
    if path.startswith("/"):
        return "is absolute"
    if found := _FORBIDDEN.search(path):
        return f"holds {found[0]!r}, which does not mean the same on every system"
    if unicodedata.normalize("NFC", path) != path:
        return "is not in the Unicode form NFC"
    names = path.split("/")
    if len(names) > MAX_NAMES or len(path.encode()) > MAX_LENGTH:
        return f"is longer than {MAX_LENGTH} bytes or {MAX_NAMES} names"
    return next((reason for name in names if (reason := _fault_in_name(name))), "")


def collisions(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of *paths* that are one file, or a file and a directory, on a system that tells less apart."""
    files: dict[str, str] = {}
    found = []
    for path in sorted(paths):
        if (other := files.setdefault(folded(path), path)) != path:
            found.append((other, path))
    # A directory under two spellings is one directory there: its files must not meet either, and it is no file.
    spelled: dict[str, str] = {}
    for path in sorted(files.values()):
        names = path.split("/")
        for end in range(1, len(names)):
            above = "/".join(names[:end])
            if (other := spelled.setdefault(folded(above), above)) != above or folded(above) in files:
                found.append((files.get(folded(above), other), path))
                break
    return found


def folded(path: str) -> str:
    """What all spellings of *path* that a file system may take for one have in common."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", path).casefold())


def _fault_in_name(name: str) -> str:
    if name in ("", ".", ".."):
        return f"is not in its shortest form: a part of it is {name!r}"
    if len(name.encode()) > MAX_NAME:
        return f"has a name of more than {MAX_NAME} bytes"
    if name[-1] in ". " or name[0] == " ":
        return f"{name!r} begins or ends with what Windows takes away"
    return f"{name!r} is a device on Windows" if _RESERVED.fullmatch(name) else ""

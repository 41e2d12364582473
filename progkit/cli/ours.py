"""Which of many files are progkit's: for commands that a hook or a CI hands everything that has changed."""

import os
from collections.abc import Iterable, Iterator

from progkit.artifact.reading import MAX_BYTES
from progkit.schema.bundles import MANIFEST

_MARKS = (b'"progkit.state"', b'"progkit.bundle"')
"""What stands in every file of progkit's own."""


def is_ours(path: str) -> bool:
    """Whether the file says that it is progkit's; it may be broken otherwise. What is no file, or unreadable, is."""
    if not os.path.isfile(path):
        return True
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES)
    except OSError:
        return True
    return any(mark in data for mark in _MARKS)


def whole(path: str) -> str:
    """The bundle that the file at *path* is the state or the manifest of, else *path* itself."""
    above, name = os.path.split(path)
    manifest = os.path.join(above, MANIFEST)
    is_part = name in (MANIFEST, "state.json") and os.path.isfile(manifest) and is_ours(manifest)
    return (above or os.curdir) if is_part else path


def found_in(paths: Iterable[str]) -> Iterator[str]:
    """*paths*, and for a directory that is no bundle, every file and bundle of progkit's below it."""
    for path in paths:
        if not os.path.isdir(path) or os.path.lexists(os.path.join(path, MANIFEST)):
            yield path
            continue
        for above, names, files in os.walk(path):
            if MANIFEST in files:
                names.clear()
                yield above
                continue
            names[:] = sorted(each for each in names if not each.startswith("."))
            whole_names = (os.path.join(above, name) for name in sorted(files) if name.endswith(".json"))
            yield from (each for each in whole_names if os.path.isfile(each) and is_ours(each))

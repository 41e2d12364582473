"""A lock on an open file, which ends with the process that holds it, however that ends."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

# Windows has none: two batches with one checkpoint are not told of each other there.
_fcntl: Any = import_module("fcntl") if find_spec("fcntl") else None


def lock(file: int) -> bool:
    """Lock the open *file* (its descriptor) for this process alone; whether that was possible."""
    if _fcntl is None:  # pragma: no cover - Windows, as above
        return True
    try:
        _fcntl.flock(file, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: nobody can be kept out
        return True
    return True

"""Where the disk tier keeps its files, when nobody says."""

import os
from pathlib import Path

VARIABLE = "PROGKIT_CACHE_DIR"


def default_directory() -> Path:
    """``PROGKIT_CACHE_DIR``, or else the user's cache directory for ``progkit`` on this system."""
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given).expanduser()
    import platformdirs  # 20 ms, which a process with a directory of its own never pays

    return Path(platformdirs.user_cache_dir("progkit"))


def make_private(directory: Path) -> None:
    """Make *directory*, its user's alone (0700); also if it was there, and open to others.

    Raises:
        OSError: if it cannot be made, or is another user's.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_mode & 0o077:
        directory.chmod(0o700)

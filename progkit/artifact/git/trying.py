"""The commands that git is configured to call, called: whether progkit answers, or what stands in for it."""

import os
import subprocess
import tempfile
from collections.abc import Sequence

from progkit import schema
from progkit.artifact.encoding import encode
from progkit.artifact.git.running import TIMEOUT

_BASE, _OURS, _THEIRS = "base.json", "ours.json", "theirs.json"


def shows_meaning(command: str) -> bool:
    """Whether *command*, a textconv of git's, prints a state file as progkit does."""
    with tempfile.TemporaryDirectory(prefix="progkit-try-") as place:
        _write(place, _OURS, "desk:Desk")
        return _run(f'{command} "$@"', [_OURS], place).startswith(b"progkit.state ")


def merges_meaning(command: str) -> bool:
    """Whether *command*, a merge driver of git's, merges state files as progkit does."""
    words = {"O": _BASE, "A": _OURS, "B": _THEIRS, "L": "7", "P": _OURS, "X": "ours", "Y": "theirs", "%": "%"}
    for mark, word in words.items():
        command = command.replace(f"%{mark}", word)
    with tempfile.TemporaryDirectory(prefix="progkit-try-") as place:
        for name in (_BASE, _OURS):
            _write(place, name, "")
        wanted = _write(place, _THEIRS, "desk:Desk")
        status = _run(f"{command} >/dev/null && echo merged", [], place)
        with open(os.path.join(place, _OURS), "rb") as file:
            return status == b"merged\n" and file.read() == wanted


def _write(place: str, name: str, program: str) -> bytes:
    saved = {"progkit": "0", "python": "3"}  # the same wherever this runs
    data = encode({**schema.header(), "saved_with": saved, "program": program, "state": {"predictors": {}}})
    with open(os.path.join(place, name), "wb") as file:
        file.write(data)
    return data


def _run(command: str, words: Sequence[str], place: str) -> bytes:
    """What git's shell prints for *command*; nothing if it does not come to an end."""
    try:
        done = subprocess.run(
            ["sh", "-c", command, "sh", *words], cwd=place, capture_output=True, timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout

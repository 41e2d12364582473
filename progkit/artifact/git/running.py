"""Git as a process that is asked, and runs nothing of the repository's.

Only plumbing is called: no hook, alias, pager, filter or textconv takes part. What could still start a program or a
connection is switched off: the file system monitor, hooks, replaced objects, fetching what a partial clone lacks.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from progkit.errors import ConfigurationError

TIMEOUT = 120.0
"""Seconds that one question to git may take: a file system that hangs is told as an error."""

_KEPT = frozenset({"GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM", "GIT_EXEC_PATH"})
_KEPT |= {"GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM"}
"""Variables of git's that say how this machine's user has set it up; all others lead elsewhere, or write files."""

_SET = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_OPTIONS = ("--no-pager", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What git said: its exit *status*, the bytes on stdout, the text on stderr."""

    status: int
    out: bytes
    err: str

    @property
    def reason(self) -> str:
        """Why it failed, in git's own words: the line that says so, else the first."""
        said = [line for line in self.err.splitlines() if line.strip()]
        fatal = [line for line in said if line.startswith(("fatal: ", "error: "))]
        first = next(iter([*fatal, *said]), f"git ended with status {self.status}")
        return first.removeprefix("fatal: ").removeprefix("error: ")


def ask(directory: str, *words: str, data: bytes = b"") -> Answer:
    """What git, run in *directory* with *words* and *data* on stdin, answers; any status is an answer.

    Raises:
        ConfigurationError: if there is no git, or it does not come to an end.
    """
    program = shutil.which("git")
    if program is None:
        raise ConfigurationError("git is needed for this, and there is none in PATH: install it")
    command = [program, "-C", directory, *_OPTIONS, *words]
    try:
        done = subprocess.run(
            command, input=data, env=_environment(), capture_output=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigurationError(f"git {words[0]} took longer than {TIMEOUT:g} s in {directory}") from error
    return Answer(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


def paths_in(out: bytes) -> Sequence[str]:
    """The names in what git printed with ``-z``."""
    return [os.fsdecode(each) for each in out.split(b"\0") if each]


def _environment() -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in _KEPT}
    return own | _SET

"""The log of what was let run and what was not: a line for each bundle, and for each state file that was loaded.

The lines go to the logger ``progkit.audit``, those of bundles as INFO, those of state files as DEBUG.
If there is a file ``audit.jsonl`` beside the trust list (nobody but the user makes it), the lines of bundles are
added to it as well.
"""

import json
import logging
import os
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from progkit.artifact.trust import own
from progkit.errors import DocumentError

if TYPE_CHECKING:
    from progkit.artifact.bundle.opening import Opened

NAME = "audit.jsonl"

log = logging.getLogger("progkit.audit")


def allowed(opened: "Opened", grounds: str, detail: str) -> None:
    """The code of a bundle may run, on these *grounds*."""
    _tell("allowed", _line(opened, {"grounds": grounds, "detail": detail}))


def refused(opened: "Opened", reason: str) -> None:
    """The code of a bundle may not run."""
    _tell("refused", _line(opened, {"reason": reason}))


def state_loaded(path: str | os.PathLike[str], kind: type) -> None:
    """A state file, which is data, was loaded into a program of this *kind*."""
    if log.isEnabledFor(logging.DEBUG):  # a load takes well under a millisecond
        program = f"{kind.__module__}:{kind.__qualname__}"
        log.debug("state loaded %s", _json({"path": _where(os.fspath(path)), "program": program}))


def _line(opened: "Opened", more: dict[str, str]) -> dict[str, str]:
    return {
        "digest": opened.digest,
        **more,
        "path": _where(opened.root),
        "program": opened.manifest["program"],
    }


def _tell(event: str, line: dict[str, str]) -> None:
    log.info("bundle %s %s", event, _json(line))
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    try:
        _append(_json({"at": at, "pid": os.getpid(), "event": event, **line}).encode() + b"\n")
    except (DocumentError, OSError) as error:
        log.warning("the line could not be added to %s: %s", NAME, error)


def _append(line: bytes) -> None:
    """Add *line* to the file, if there is one: in one step, so that lines of several processes do not mix."""
    try:
        path = os.path.join(own.directory(), NAME)
        found = os.lstat(path)
    except (DocumentError, OSError):  # no home, none that may be looked into, or no such file: nobody asked for one
        return
    own.require_own(path, found, stat.S_IFREG)
    with open(os.open(path, own.APPEND), "ab", buffering=0) as file:
        file.write(line)


def _json(line: Mapping[str, object]) -> str:
    """*line* as ASCII on one line, whatever a manifest or a path says."""
    return json.dumps(line)


def _where(path: str) -> str:
    return os.fsencode(os.path.abspath(path)).decode(errors="backslashreplace")

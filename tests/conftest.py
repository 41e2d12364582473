"""What every test stands on: a cache and settings of its own, as at the start of a process, and no network.

``scripted`` and ``servers`` (an LM that says its script, a server that speaks chat completions) are
imported by the tests that want them, as are the contracts in ``contracts/``.
"""

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from progkit import runtime
from progkit.caching import reset_default_cache
from progkit.lm import history

# A busy machine is no failure: how long an example takes is nobody's promise.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")
pytest.register_assert_rewrite("contracts", "scripted", "servers")

LOOPBACK = ("localhost", "127.0.0.1", "::1", "0.0.0.0", "::", "", None)
OURS = ("PROGKIT_",)
KEYS = ("_API_KEY", "_API_BASE", "_BASE_URL")


class NetworkError(AssertionError):
    """A test reached for another machine."""


def _stay_at_home(event: str, args: tuple[Any, ...]) -> None:
    """Let sockets reach this machine alone; an audit hook sees every library's, whatever its language."""
    if event == "socket.connect" and isinstance(args[1], tuple) and args[1][0] not in LOOPBACK:
        raise NetworkError(f"a test connects to {args[1]}")
    if event == "socket.getaddrinfo" and args[0] not in LOOPBACK:
        raise NetworkError(f"a test looks up {args[0]!r}")


sys.addaudithook(_stay_at_home)


def _forget_modules(directory: Path) -> None:
    """Forget the modules that a test wrote and imported: the next one may have others of these names."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.startswith(f"{directory}{os.sep}"):
            del sys.modules[name]


@pytest.fixture(autouse=True)
def own_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The test's own cache directory, trust list and environment; what the process remembers is put back after it."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(OURS) or name.endswith(KEYS):
            del os.environ[name]
    # Whoever configures logging (the import contracts' checker does) disables the loggers that are there already.
    for name in logging.root.manager.loggerDict:
        if name.partition(".")[0] == "progkit":
            logging.getLogger(name).disabled = False
    directory = tmp_path_factory.mktemp("own-world")
    os.environ["PROGKIT_CACHE_DIR"] = str(directory / "cache")
    os.environ["XDG_CONFIG_HOME"] = str(directory / "config")
    settings = runtime._process.settings
    path = list(sys.path)
    yield directory
    sys.path[:] = path
    _forget_modules(tmp_path_factory.getbasetemp())
    runtime._process.settings = settings
    reset_default_cache()
    history.clear()
    os.environ.clear()
    os.environ.update(before)

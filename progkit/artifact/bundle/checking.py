"""A bundle tried out: loaded in a new process that knows nothing of the project it was saved from."""

import glob
import json
import os
import secrets
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from progkit.errors import UnsavableError

SECONDS = 300.0
"""How long loading may take: heavy libraries are imported anew."""
_KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
"""What of the environment the new process has: how to run, and nothing about the project or the user's keys."""
_SAYS = "progkit-check "
"""How the line begins that tells how it went, whatever else a program prints; a number of this one time follows."""
_LOAD = """
import importlib.machinery, importlib.util, json, sys

told = json.loads(sys.argv[1])
sys.path[:] = told["path"]
# Finders of projects that are installed to be edited go; one for progkit itself comes.
sys.meta_path[:] = [each for each in sys.meta_path if getattr(each, "__module__", "").startswith("_frozen_importlib")]

class Progkit:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "progkit":
            top = told["progkit"]
            return importlib.util.spec_from_file_location(name, top + "/__init__.py", submodule_search_locations=[top])

sys.meta_path.insert(0, Progkit)
try:
    import progkit
    progkit.load(told["bundle"], trust=told["digest"])
except BaseException as error:
    chain = []
    while error is not None:
        chain.append([type(error).__name__, str(error), getattr(error, "name", None)])
        error = error.__cause__ or error.__context__
    print("\\n" + told["says"] + json.dumps(chain))
else:
    print("\\n" + told["says"] + "null")
"""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a bundle did not load: class and text of each error, the cause last, and the module that was missing."""

    errors: tuple[tuple[str, str], ...]
    missing: str | None = None

    def __str__(self) -> str:
        return self.errors[0][1] or self.errors[0][0]


def tried(bundle: str, digest: str, seconds: float = SECONDS) -> Failure | None:
    """Why the *bundle* with this *digest* cannot be loaded in a clean process; None if it can.

    The process has this Python with what is installed in it, an empty directory to work in, and progkit.

    Raises:
        UnsavableError: if no process can be started, or it is not done after *seconds*.
    """
    if not sys.executable:
        raise UnsavableError("program", "cannot be tried out: this process does not know its Python (sys.executable)")
    own = str(Path(__file__).parents[2])
    told = {"bundle": os.path.abspath(bundle), "digest": digest, "progkit": own, "path": _installed_places()}
    told["says"] = says = f"{_SAYS}{secrets.token_hex(8)}: "
    with tempfile.TemporaryDirectory(prefix="progkit-check-") as empty:
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-B", "-c", _LOAD, json.dumps(told)],
                cwd=empty,
                env=_environment(empty),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise UnsavableError("program", f"does not load in a new process within {seconds:g} seconds") from None
    return _understood(done, says)


def _understood(done: "subprocess.CompletedProcess[bytes]", says: str) -> Failure | None:
    said = done.stdout.decode("utf-8", "replace").splitlines()
    last = next((line for line in reversed(said) if line.startswith(says)), None)
    if last is None:
        tail = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        return Failure((("exit", f"the process that loads it ended with status {done.returncode}: {tail}"),))
    chain: Any = json.loads(last[len(says) :])
    if chain is None:
        return None
    missing = next((name for kind, _, name in chain if kind in ("ModuleNotFoundError", "ImportError") and name), None)
    return Failure(tuple((kind, text) for kind, text, _ in chain), missing)


def _environment(empty: str) -> Mapping[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "HOME": empty, "PROGKIT_CACHE_DIR": os.path.join(empty, "cache")}


def _installed_places() -> list[str]:
    """What of this process's path is Python's own or installed: the project's directories are not."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    tops = {os.path.realpath(sysconfig.get_path(name)) for name in names}
    return [each for each in sys.path if each and _is_installed(os.path.realpath(each), tops)]


def _is_installed(place: str, tops: set[str]) -> bool:
    if any(place == top or place.startswith(top + os.sep) for top in tops):
        return True
    if os.path.basename(place) == f"python{sys.version_info[0]}{sys.version_info[1]}.zip":
        return True
    if os.path.basename(place) in ("site-packages", "dist-packages"):  # the user's, another environment's
        return True
    return bool(glob.glob(os.path.join(glob.escape(place), "*.dist-info")))  # `pip install --target`

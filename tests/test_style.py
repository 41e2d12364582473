"""Style and types, checked by ruff and mypy; the shape of the lock and of the shell entry."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent


def run(*command: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], cwd=TOP, env=env, capture_output=True, text=True, check=False)


def test_ruff_finds_nothing() -> None:
    """``ruff check`` by the rules of ``pyproject.toml``."""
    done = run(sys.executable, "-m", "ruff", "check", "--output-format=concise", ".")

    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_finds_nothing() -> None:
    """``mypy --strict`` over the package."""
    done = run(sys.executable, "-m", "mypy")

    assert done.returncode == 0, done.stdout + done.stderr


# --- the lock ---------------------------------------------------------------------------------------


def test_the_lock_is_whole_and_names_no_place() -> None:
    """Every requirement is pinned and hashed; no URL, index, path or option stands among them."""
    text = (TOP / "requirements.lock").read_text("utf-8")

    pinned = r"[a-z0-9][a-z0-9._-]*==[^ ]+( ; [^\\]+)? \\\n"
    assert re.fullmatch(rf"(?:{pinned}(?:    --hash=sha256:[0-9a-f]{{64}}(?: \\)?\n)+)+", text)


def test_the_lock_has_every_dependency() -> None:
    """What ``pyproject.toml`` asks for is locked, extras included."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
    locked = set(re.findall(r"^([a-z0-9._-]+)==", (TOP / "requirements.lock").read_text("utf-8"), re.M))

    assert {re.split(r"[<>=!~\[]", each)[0] for each in asked} - locked == {"progkit"}


# --- ./x --------------------------------------------------------------------------------------------

needs_sh = pytest.mark.skipif(os.name == "nt", reason="./x is a POSIX shell script")


def clone(directory: Path) -> Path:
    """A directory with ./x and no environment beside it."""
    shutil.copy(TOP / "x", directory / "x")
    return directory / "x"


@needs_sh
def test_x_passes_over_a_python_that_does_not_start(tmp_path: Path) -> None:
    """A version manager's shim is in the PATH although its Python is not installed: it is no Python."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("python3", "python3.14", "python"):
        (tools / name).write_text("#!/bin/sh\necho 'not installed' >&2\nexit 127\n")
        (tools / name).chmod(0o755)
    for name in ("sh", "dirname", "cat", "cmp", "sed"):
        (tools / name).symlink_to(str(shutil.which(name)))

    done = run("/bin/sh", clone(tmp_path), "demo", env={"PATH": str(tools)})

    assert done.returncode == 2
    assert done.stdout == ""
    assert "no Python 3.11 to 3.14" in done.stderr


@needs_sh
def test_x_refuses_a_python_that_will_not_do(tmp_path: Path) -> None:
    """PYTHON=... is taken at its word, and never silently replaced by another."""
    done = run("/bin/sh", clone(tmp_path), "demo", env={**os.environ, "PYTHON": str(tmp_path / "python9")})

    assert done.returncode == 2
    assert "python9 is not a Python 3.11 to 3.14" in done.stderr


@needs_sh
def test_x_alone_says_what_it_can_do(tmp_path: Path) -> None:
    """Without arguments it prints its usage, sets nothing up, and says that this was no use of it."""
    done = run("/bin/sh", clone(tmp_path))

    assert done.returncode == 2
    assert "./x demo" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["x"]

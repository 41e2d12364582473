"""Bundles written while disks, systems and processes fail: the old one or the new one is there, whole."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bundles
import pytest

from progkit.artifact.bundle import placing, swapping
from progkit.artifact.bundle.opening import open_bundle
from progkit.errors import DocumentError

ROOT = Path(__file__).parent.parent
ENV = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
OLD = bundles.files_of({"desk": "K = 1\n", "old/__init__": "", "old/part": "X = 1\n"})
NEW = bundles.files_of({"desk": "K = 2\n", "new/__init__": "", "new/part": "X = 2\n"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "saved"


@pytest.fixture
def saved(path: Path) -> Path:
    place(path, OLD)
    return path


@pytest.fixture(params=["exchange", "two steps"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to replace a directory."""
    if request.param == "two steps":
        monkeypatch.setattr(swapping, "exchange", lambda one, other: False)
    return str(request.param)


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def place(path: Path, files: dict[str, bytes], check: Callable[[str], None] = lambda _: None) -> None:
    placing.place(path, {**files, "MANIFEST.json": bundles.as_json(bundles.manifest_of(files))}, check)


def leftovers(path: Path) -> list[str]:
    return [each.name for each in path.parent.iterdir() if each.name.startswith(".")]


# --- faults -------------------------------------------------------------------------------------

CALLS = ("open", "write", "fsync", "close", "mkdir", "rename", "chmod", "utime", "scandir", "listdir", "lstat", "stat")
CALLS += ("unlink", "rmdir", "read")


class Faults:
    """Lets the system call with this number fail, and every other through."""

    def __init__(self, at: int, kind: int) -> None:
        self.at = at
        self.kind = kind
        self.seen = 0

    def wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            self.seen += 1
            if self.seen - 1 != self.at:
                return real(*args, **more)
            if name == "close":
                real(*args, **more)  # the system closes, and then says what went wrong
            raise OSError(self.kind, os.strerror(self.kind))

        return call


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("kind", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
def test_an_error_at_any_system_call_leaves_the_old_or_the_new(saved: Path, kind: int) -> None:
    """One call after the other fails, until a save needs no more of them."""
    at = 0
    while True:
        faults = Faults(at, kind)
        with pytest.MonkeyPatch.context() as patch:
            for name in CALLS:
                patch.setattr(os, name, faults.wrap(name, getattr(os, name)))
            patch.setattr(swapping, "exchange", faults.wrap("exchange", swapping.exchange))
            try:
                place(saved, NEW)
                done = True
            except (OSError, DocumentError):
                done = False
        found = open_bundle(saved).files
        assert found == NEW if done else found in (OLD, NEW), f"after call {at}"
        if faults.seen <= at:
            break
        at += 1
        place(saved, OLD)
    assert at > 60


def test_a_full_disk_leaves_the_old_one(saved: Path) -> None:
    """The system refuses to write more than so many bytes."""
    code = (
        "import sys, bundles, test_bundle_placing_faults as here\n"
        "from pathlib import Path\n"
        "try:\n"
        "    here.place(Path(sys.argv[1]), bundles.files_of({'desk': '#' * 100_000}))\n"
        "except OSError as error:\n"
        "    sys.exit(error.errno)\n"
    )

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    done = subprocess.run([sys.executable, "-c", code, str(saved)], env=ENV, preexec_fn=limit, timeout=60, check=False)

    assert done.returncode == errno.EFBIG
    assert open_bundle(saved).files == OLD
    assert leftovers(saved) == []


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
import test_bundle_placing_faults as here
from progkit.artifact.bundle import opening, swapping

target, turns = Path(sys.argv[1]), int(sys.argv[2])
if sys.argv[3] == "two steps":
    swapping.exchange = lambda one, other: False
chance = random.Random(7)
for turn in range(turns):
    child = os.fork()
    if not child:
        while True:
            here.place(target, here.NEW)
            here.place(target, here.OLD)
    time.sleep(chance.uniform(0, 0.012))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert opening.open_bundle(target).files in (here.OLD, here.NEW), turn
"""


@pytest.mark.parametrize("way", ["exchange", "two steps"])
def test_a_saver_killed_at_any_moment_leaves_the_old_or_the_new(saved: Path, way: str) -> None:
    """A few hundred savers are killed while they save over and over."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(saved), "200", way], env=ENV, timeout=120, capture_output=True, check=False
    )

    assert done.returncode == 0, done.stderr.decode()
    assert leftovers(saved) != []
    place(saved, NEW)
    assert open_bundle(saved).files == NEW


@pytest.mark.usefixtures("way")
def test_an_interrupt_between_the_two_steps_puts_the_old_one_back(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are two."""
    real = os.rename

    def interrupted(one: Any, other: Any) -> None:
        if str(other) == str(saved) and str(one).endswith(swapping.NEW) and not saved.exists():
            raise KeyboardInterrupt
        real(one, other)

    monkeypatch.setattr(swapping.os, "rename", interrupted)
    try:
        place(saved, NEW)
        assert open_bundle(saved).files == NEW
    except KeyboardInterrupt:
        assert open_bundle(saved).files == OLD
    assert leftovers(saved) == []

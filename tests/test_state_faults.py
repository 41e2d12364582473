"""Saves that are killed, refused or starved: the file is the whole old or the whole new one."""

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from progkit import artifact
from progkit.artifact import writing

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures" / "state" / "1.0"
TEMPORARY = "*.progkit-tmp"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The file that is there, readable by its owner alone."""
    path = tmp_path / "in" / "program.json"
    path.parent.mkdir()
    artifact.write(path, artifact.read(FIXTURES / "minimal.json"))
    path.chmod(0o600)
    return path


@pytest.fixture
def new() -> dict[str, Any]:
    return artifact.read(FIXTURES / "full.json")


def run(code: str, *words: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """*code* in a Python of its own."""
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60, **options)


def leftovers(path: Path) -> list[Path]:
    return list(path.parent.glob(TEMPORARY))


# --- killed ---------------------------------------------------------------------------------------

KILLER = """
import os, random, signal, sys, time
from pathlib import Path
from progkit import artifact

path, rounds = Path(sys.argv[1]), int(sys.argv[2])
documents = [artifact.read(each) for each in sys.argv[3:]]
wholes = [artifact.encode(each) for each in documents]
chance = random.Random(5)
for _ in range(rounds):
    saver = os.fork()
    if not saver:
        at = wholes.index(path.read_bytes())
        while True:
            at = 1 - at
            artifact.write(path, documents[at])
    time.sleep(chance.uniform(0.001, 0.008))
    os.kill(saver, signal.SIGKILL)
    os.waitpid(saver, 0)
    found = path.read_bytes()
    left = list(path.parent.glob("*.progkit-tmp"))
    print(wholes.index(found) if found in wholes else "broken", len(left))
    for each in left[:-1]:
        each.unlink()
"""


def test_killed_at_random_moments_the_file_is_whole(old: Path, new: dict[str, Any]) -> None:
    """Three hundred savers, each killed while it saves over and over; what they left behind is swept once it is old."""
    rounds = 300

    said = run(KILLER, old, rounds, FIXTURES / "minimal.json", FIXTURES / "full.json").stdout.split()

    assert set(said[::2]) == {"0", "1"}
    assert len(said) == 2 * rounds
    assert sum(map(int, said[1::2])) > 20  # so many were killed in the midst of it
    for each in leftovers(old):
        os.utime(each, (time.time() - writing.STALE - 60,) * 2)
    writing._next_sweep.clear()  # a process that has not saved here just now
    artifact.write(old, {**new, "program": "m:Last"})
    assert list(old.parent.iterdir()) == [old]


STOPPED = """
import os, signal, sys
from progkit import artifact

replace = os.replace
def stop(*names):
    os.kill(os.getpid(), signal.SIGSTOP)
    replace(*names)
os.replace = stop
artifact.write(sys.argv[1], artifact.read(sys.argv[2]))
"""


def test_a_saver_that_was_stopped_for_long_keeps_its_temporary(old: Path) -> None:
    """It holds it locked: another save does not take it for what a killed one left."""
    saver = subprocess.Popen([sys.executable, "-c", STOPPED, old, FIXTURES / "full.json"], cwd=ROOT)
    try:
        os.waitpid(saver.pid, os.WUNTRACED)
        (temporary,) = leftovers(old)
        os.utime(temporary, (time.time() - writing.STALE - 60,) * 2)

        artifact.write(old, artifact.read(FIXTURES / "empty.json"))

        assert leftovers(old) == [temporary]
    finally:
        saver.send_signal(signal.SIGCONT)
        saver.wait(timeout=30)
    assert saver.returncode == 0
    assert old.read_bytes() == (FIXTURES / "full.json").read_bytes()
    assert leftovers(old) == []


# --- an error at each call of the system ------------------------------------------------------------

FAULTS = """
import builtins, errno, fcntl, os, sys
from progkit import artifact

path, new, code = sys.argv[1], artifact.read(sys.argv[2]), getattr(errno, sys.argv[3])
artifact.write                                       # imported before anything fails
old = open(path, "rb").read()
whole = artifact.encode(new)
left, failed = 0, ""

def counted(module, name):
    call = getattr(module, name)
    def wrapper(*args, **options):
        global left, failed
        left -= 1
        if left == 0:
            failed = name
            raise OSError(code, os.strerror(code))
        return call(*args, **options)
    setattr(module, name, wrapper)

for module, names in (
    (builtins, "open"), (fcntl, "flock"),
    (os, "close fchmod fsync lstat open readlink replace scandir stat unlink write"),
):
    for name in names.split():
        counted(module, name)
for step in range(1, 500):
    reader, writer = os.pipe()
    if not os.fork():
        left = step
        told = "saved"
        try:
            artifact.write(path, new)
        except OSError as error:
            told = errno.errorcode[error.errno]
        left = 0
        os.write(writer, f"{failed or 'none'} {told}".encode())
        os._exit(0)
    os.wait()
    failed_at, told = os.read(reader, 100).decode().split()
    os.close(reader), os.close(writer)
    found = open(path, "rb").read()
    state = "old" if found == old else "new" if found == whole else "broken"
    there = os.listdir(os.path.dirname(path))
    print(failed_at, told, state, len(there), oct(os.stat(path).st_mode & 0o777))
    open(path, "wb").write(old)
    if failed_at == "none":
        break
"""


@pytest.mark.parametrize("code", ["EIO", "ENOSPC"])
def test_an_error_at_any_call_of_the_system_leaves_a_whole_file(old: Path, code: str) -> None:
    """The first call fails, then the second, and so on until the save gets through: no temporary, the mode kept."""
    lines = [line.split() for line in run(FAULTS, old, FIXTURES / "full.json", code).stdout.splitlines()]

    assert {"open", "write", "fsync", "fchmod", "replace", "stat", "close"} <= {line[0] for line in lines}
    assert lines[-1] == ["none", "saved", "new", "1", "0o600"]
    for failed, told, state, there, mode in lines:
        assert (there, mode) == ("1", "0o600"), failed
        assert told in ("saved", code), failed
        assert state == "new" if told == "saved" else state in ("old", "new"), failed
    at_write = [line[2] for line in lines if line[0] in ("write", "fchmod", "replace")]
    assert set(at_write) == {"old"}


FULL = """
import os, sys
from pathlib import Path
from progkit import artifact

place, small, large = Path(sys.argv[1]), artifact.read(sys.argv[2]), artifact.read(sys.argv[3])
path = place / "program.json"
artifact.write(path, small)
old = path.read_bytes()
with open(place / "filler", "wb", buffering=0) as filler:
    try:
        while True:
            filler.write(bytes(512))
    except OSError as error:
        print(error.strerror)
try:
    artifact.write(path, large)
except OSError as error:
    print(error.strerror)
print(path.read_bytes() == old, sorted(os.listdir(place)))
(place / "filler").unlink()
artifact.write(path, large)
print(artifact.read(path) == large)
"""


def test_on_a_full_disk_the_old_file_stays(tmp_path: Path) -> None:
    """A real file system of 64 KiB, filled to the brim; with room again, the save goes through."""
    mount = 'mount -t tmpfs -o size=64k none "$1" && exec "$2" -c "$3" "$1" "$4" "$5"'
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    files = [FIXTURES / "minimal.json", FIXTURES / "full.json"]
    try:
        subprocess.run([*inside, 'mount -t tmpfs none "$1"', "sh", tmp_path], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this system lets nobody mount a file system of its own: {error}")

    done = subprocess.run(
        [*inside, mount, "sh", tmp_path, sys.executable, FULL, *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == [
        "No space left on device",
        "No space left on device",
        "True ['filler', 'program.json']",
        "True",
    ]


def failing(call: Callable[..., Any], code: int, if_: Callable[..., bool] = lambda *_: True) -> Callable[..., Any]:
    """*call*, but for an error where *if_* says so of its arguments."""

    def wrapper(*args: Any) -> Any:
        if if_(*args):
            raise OSError(code, os.strerror(code))
        return call(*args)

    return wrapper


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_a_directory_that_cannot_be_synced_is_no_failure(
    old: Path, new: dict[str, Any], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems have no such call; the file itself was."""
    is_directory = lambda each: stat.S_ISDIR(os.fstat(each).st_mode)  # noqa: E731
    monkeypatch.setattr(os, "fsync", failing(os.fsync, code, is_directory))

    assert artifact.write(old, new)
    assert artifact.read(old) == new


def test_a_directory_whose_disk_fails_is_one(old: Path, new: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file has its name, and may not have it after a loss of power: the caller is told."""
    is_directory = lambda each: stat.S_ISDIR(os.fstat(each).st_mode)  # noqa: E731
    monkeypatch.setattr(os, "fsync", failing(os.fsync, errno.EIO, is_directory))

    with pytest.raises(OSError, match="Input/output error"):
        artifact.write(old, new)
    assert artifact.read(old) == new


def test_a_file_system_without_locks_is_written_all_the_same(
    old: Path, new: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock only tells others that the saver lives."""
    monkeypatch.setattr(fcntl, "flock", failing(fcntl.flock, errno.ENOLCK))

    assert artifact.write(old, new)
    assert leftovers(old) == []


def test_what_cannot_be_swept_does_not_stop_a_save(
    old: Path, new: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's temporary, a directory that cannot be listed."""
    stale = old.parent / ".program.json.1a.progkit-tmp"
    stale.mkdir()
    os.utime(stale, (1, 1))

    assert artifact.write(old, new)
    monkeypatch.setattr(os, "scandir", failing(os.scandir, errno.EACCES))
    assert artifact.write(old, {**new, "program": "m:Other"})

    assert sorted(os.listdir(old.parent)) == [stale.name, old.name]


# --- savers and readers together ----------------------------------------------------------------------

SAVER = """
import sys
from progkit import artifact

path, document = sys.argv[1], artifact.read(sys.argv[2])
for number in range(100):
    artifact.write(path, {**document, "program": f"m:P{sys.argv[3]}_{number}"})
"""
READER = """
import os, sys
from progkit import artifact

seen = set()
while not os.path.exists(sys.argv[2]):
    seen.add(artifact.read(sys.argv[1])["program"])
print(len(seen))
"""


def test_processes_that_save_and_read_at_once_never_see_half_a_file(old: Path, tmp_path: Path) -> None:
    """Three savers, two readers: every read is a valid document, and nothing is left behind."""
    done = tmp_path / "done"
    readers = [
        subprocess.Popen([sys.executable, "-c", READER, old, done], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    savers = [
        subprocess.Popen([sys.executable, "-c", SAVER, old, FIXTURES / "full.json", str(number)], cwd=ROOT)
        for number in range(3)
    ]
    try:
        assert [each.wait(timeout=60) for each in savers] == [0, 0, 0]
    finally:
        done.touch()
        said = [each.communicate(timeout=60)[0] for each in readers]

    assert [each.returncode for each in readers] == [0, 0]
    assert all(int(each) > 1 for each in said)
    assert artifact.read(old)["program"] in {f"m:P{number}_99" for number in range(3)}
    assert leftovers(old) == []
    assert stat.S_IMODE(old.stat().st_mode) == 0o600

"""Locks for keys: bytes of a few files where the kernel can, a file for each key elsewhere."""

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from caches import ANSWER

from progkit.caching import Cache, DiskTier
from progkit.caching.keylocks import FILES, ByteLocks, FileLocks, KeyLocks
from progkit.caching.passage import Guardian

LINUX = sys.platform == "linux"

HOLDING = """
import sys
from progkit.caching import DiskTier
from progkit.caching.keylocks import KeyLocks
locks = KeyLocks(DiskTier(sys.argv[1]))
held = [locks.enter(str(number)) for number in range(100)]
print(None in held, flush=True)
sys.stdin.read()
"""


class NoByteLocks(SimpleNamespace):
    """What gVisor makes of the locks that Linux has."""

    F_WRLCK = F_UNLCK = F_OFD_SETLK = 0

    @staticmethod
    def fcntl(*_):
        raise OSError(errno.EINVAL, "Invalid argument")


def places(directory: Path) -> list[str]:
    """The names in the folder of locks."""
    return sorted(path.name for path in (directory / "locks").iterdir())


@pytest.mark.parametrize(
    "kind",
    [pytest.param(ByteLocks, marks=pytest.mark.skipif(not LINUX, reason="locks bytes as Linux does")), FileLocks],
)
class TestLocks:
    @pytest.fixture
    def make(self, tmp_path, kind):
        """Makes locks in one directory, as another process would."""
        made = []

        def make():
            made.append(kind(DiskTier(tmp_path / "cache")))
            return made[-1]

        yield make
        for each in made:
            each.close()

    def test_one_holder_for_each_key(self, make):
        """Here and elsewhere; the next one when it is let go."""
        mine, theirs = make(), make()
        held = mine.enter("a")

        assert [held is None, mine.enter("a"), theirs.enter("a")] == [False, None, None]
        other = theirs.enter("b")
        assert mine.enter("b") is None
        mine.leave(held)
        held = theirs.enter("a")
        assert held is not None
        assert mine.enter("a") is None
        theirs.leave(held)
        theirs.leave(other)
        mine.leave(mine.enter("b"))

    def test_a_folder_that_is_removed(self, make, tmp_path):
        """It is made anew, and private."""
        locks = make()
        held = locks.enter("a")
        for path in (tmp_path / "cache" / "locks").iterdir():
            path.unlink()
        (tmp_path / "cache" / "locks").rmdir()
        (tmp_path / "cache").rmdir()

        again = [locks.enter(f"{number}") for number in range(40)]

        assert None not in again
        assert make().enter("7") is None
        assert (tmp_path / "cache" / "locks").stat().st_mode & 0o77 == 0
        for each in [held, *again]:
            locks.leave(each)


@pytest.mark.skipif(not LINUX, reason="locks bytes as Linux does")
class TestByteLocks:
    @pytest.fixture
    def locks(self, tmp_path):
        locks = ByteLocks(DiskTier(tmp_path))
        yield locks
        locks.close()

    def test_few_files_however_many_keys(self, locks, tmp_path):
        """Empty ones, which stay."""
        before = len(os.listdir("/proc/self/fd"))
        held = [locks.enter(f"{number}") for number in range(1000)]

        assert None not in held
        assert len(os.listdir("/proc/self/fd")) - before == FILES
        assert places(tmp_path) == [f"keys.{number}" for number in range(FILES)]
        assert sum(path.stat().st_size for path in (tmp_path / "locks").iterdir()) == 0
        for each in held:
            locks.leave(each)
        assert len(places(tmp_path)) == FILES

    def test_a_file_that_is_removed_while_it_is_locked(self, locks, tmp_path):
        """Who comes then makes another, and meets those who come after."""
        held = locks.enter("a")
        [name] = places(tmp_path)
        (tmp_path / "locks" / name).unlink()
        other = ByteLocks(DiskTier(tmp_path))
        theirs = other.enter("a")

        assert theirs is not None
        assert locks.enter("a") is None  # as long as it has the one of before
        locks.leave(held)
        assert locks.enter("a") is None
        other.leave(theirs)
        assert locks.enter("a") is not None
        other.close()

    def test_closed_while_a_lock_is_held(self, locks, tmp_path):
        """It is let go of; leaving it is no trouble, and the files are opened again."""
        held = locks.enter("a")
        locks.close()
        other = ByteLocks(DiskTier(tmp_path))

        theirs = other.enter("a")
        assert theirs is not None
        locks.leave(held)
        assert locks.enter("a") is None
        other.close()
        assert locks.enter("a") is not None

    def test_forgotten_it_is_closed(self, tmp_path):
        """No descriptor outlives the locks, and no lock."""
        before = len(os.listdir("/proc/self/fd"))
        locks = ByteLocks(DiskTier(tmp_path))
        assert locks.enter("a") is not None
        del locks

        assert len(os.listdir("/proc/self/fd")) == before
        again = ByteLocks(DiskTier(tmp_path))
        assert again.enter("a") is not None
        again.close()

    def test_a_process_that_is_killed(self, locks, tmp_path):
        """All that it held is free at once."""
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDING, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parent.parent,
        )
        assert process.stdout.readline() == b"False\n"
        assert [locks.enter(f"{number}") for number in range(100)] == [None] * 100
        process.kill()
        process.communicate()

        assert None not in [locks.enter(f"{number}") for number in range(100)]

    def test_no_more_descriptors(self, locks):
        """It raises what the system says, and works when there are some again."""
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                locks.enter("a")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

        assert locks.enter("a") is not None

    def test_what_a_child_does_first(self, locks, tmp_path):
        """It forgets what its parent holds, and leaves it alone."""
        held = locks.enter("a")
        locks.forked()
        assert locks._open == {}
        locks.leave(held)

        again = locks.enter("a")
        assert again is not None
        locks.leave(held)
        assert locks.enter("a") is None

    @pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
    def test_a_child_neither_holds_nor_unlocks(self, locks, tmp_path):
        """What the parent has locked stays so, until the parent lets go."""
        held = locks.enter("a")
        (asks, says), (hears, tells) = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            locks.leave(held)
            before = locks.enter("a")
            os.write(says, b"." if before is None else b"!")
            os.read(hears, 1)
            os._exit(0 if locks.enter("a") is not None else 1)

        other = ByteLocks(DiskTier(tmp_path))
        assert os.read(asks, 1) == b"."
        assert other.enter("a") is None
        locks.leave(held)
        theirs = other.enter("a")
        assert theirs is not None
        other.close()
        os.write(tells, b".")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        for each in (asks, says, hears, tells):
            os.close(each)


class TestKeyLocks:
    @pytest.mark.skipif(not LINUX, reason="locks bytes as Linux does")
    def test_a_kernel_without_byte_locks(self, tmp_path, monkeypatch):
        """A file for each key then, at the first key and all that follow."""
        monkeypatch.setattr(ByteLocks, "fcntl", NoByteLocks)
        locks, other = KeyLocks(DiskTier(tmp_path)), KeyLocks(DiskTier(tmp_path))
        held = locks.enter("a")

        assert other.enter("a") is None
        locks.leave("a", held)
        held = other.enter("a")
        assert held is not None
        other.leave("a", held)
        other.close()
        assert [name for name in places(tmp_path) if not name.startswith("keys.")] == []

    def test_a_system_without_byte_locks(self, tmp_path, monkeypatch):
        """The same."""
        monkeypatch.setattr(ByteLocks, "fcntl", None)
        locks = KeyLocks(DiskTier(tmp_path))
        held = locks.enter("a")

        [name] = places(tmp_path)
        assert len(name) == 32
        locks.leave("a", held)
        assert places(tmp_path) == []

    @pytest.mark.skipif(not LINUX, reason="locks bytes as Linux does")
    @pytest.mark.parametrize("number", [errno.ENOLCK, errno.EINVAL])
    def test_what_else_fails_stands_open(self, tmp_path, monkeypatch, number):
        """A file system without locks, a folder that is none: told once, and nobody is kept waiting."""
        failing = NoByteLocks(fcntl=lambda *_: (_ for _ in ()).throw(OSError(number, "no locks")))
        monkeypatch.setattr(ByteLocks, "fcntl", failing)
        monkeypatch.setattr(FileLocks, "enter", lambda *_: (_ for _ in ()).throw(OSError(number, "no locks")))
        told = []
        guardian = Guardian(KeyLocks(DiskTier(tmp_path)), lambda *said: told.append(said))

        assert [guardian.enter("a"), guardian.enter("a")] == [(True, None)] * 2
        assert [kind for kind, _ in told] == ["lock file OSError"]

    def test_a_cache_that_is_closed(self, tmp_path):
        """It closes them, too, and opens them again."""
        cache = Cache(disk_cache_dir=tmp_path)
        for _ in range(2):
            passage = cache.passage("a")
            assert passage.enter()
            cache.put("a", ANSWER)
            passage.leave()
            cache.close()
            if LINUX:
                assert [guardian.gate._locks._open for guardian in cache._gates] == [{}]

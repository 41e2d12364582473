"""The disk tier when its files are read-only, locked, or on a full disk; and many processes that write at once."""

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from caches import ANSWER, run, told

from progkit.caching import Cache, DiskTier, MemoryTier, shard

TOP = Path(__file__).parent.parent
LINUX = sys.platform == "linux"


@pytest.fixture
def make(tmp_path):
    """Makes tiers of one shard in the test's directory, and closes them."""
    made = []

    def make(**settings):
        made.append(DiskTier(tmp_path / "cache", **{"shards": 1} | settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def looking(monkeypatch):
    """Who reads looks at the file each time."""
    monkeypatch.setattr(shard, "LOOK", -1.0)


def file_of(tier: DiskTier) -> Path:
    return tier.directory / "v1" / "000" / "cache.db"


def without_root(*args: str) -> None:
    """In a child: no longer write what the mode forbids, as root does."""
    for capability in (1, 2):  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, see capability.h
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


class TestReadOnly:
    READ = """if True:
        import warnings
        from caches import ANSWER
        from progkit.caching import Cache, DiskTier, MemoryTier
        cache = Cache(tiers=[MemoryTier(), DiskTier(sys.argv[1])])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            kept = cache.safe_get("kept")
            for number in range(5):
                cache.safe_put(f"{number}", ANSWER)
            answers = [cache.safe_get(f"{number}") == ANSWER for number in range(5)]
        print(kept == ANSWER, set(answers), len(caught))
        print(list(cache._tiers[1].tier.keys()), cache.stats()["tiers"]["disk"]["entries"])
        """

    @pytest.fixture
    def warm(self, tmp_path):
        cache = Cache(tiers=[DiskTier(tmp_path / "cache")])
        cache.put("kept", ANSWER)
        cache.close()
        yield tmp_path / "cache"
        for path in [tmp_path / "cache", *(tmp_path / "cache").rglob("*")]:
            path.chmod(0o700)

    def close_up(self, directory):
        for path in [*directory.rglob("*"), directory]:
            path.chmod(0o500 if path.is_dir() else 0o400)

    @pytest.mark.skipif(not LINUX, reason="takes root's rights away as Linux does")
    def test_what_is_kept_is_served(self, warm):
        """A cache that was shipped warm, on a disk that cannot be written: hits, and one warning for the writing."""
        self.close_up(warm)

        said = run(self.READ, warm, preexec_fn=without_root)

        assert said == "True {True} 1\n['kept'] 1\n"

    @pytest.mark.skipif(not LINUX, reason="takes root's rights away as Linux does")
    def test_while_others_write(self, warm):
        """Through the files that the one who writes has beside it."""
        tier = DiskTier(warm)
        tier.put("other", b"x")
        self.close_up(warm)
        script = """if True:
            from progkit.caching import DiskTier
            print(DiskTier(sys.argv[1]).get("other"))
            """

        assert run(script, warm, preexec_fn=without_root) == "b'x'\n"
        tier.close()

    @pytest.mark.skipif(not LINUX, reason="mounts as Linux does")
    def test_a_file_system_mounted_so(self, warm, may_mount):
        """The same, for root too."""
        mount = f'mount --bind "{warm}" "{warm}" && mount -o remount,ro,bind "{warm}" && exec "$@"'

        said = run(self.READ, warm, before=[*may_mount, "sh", "-c", mount, "sh"])

        assert said == "True {True} 1\n['kept'] 1\n"

    ASK = """if True:
        import warnings
        import progkit

        class Yes:
            identity = {"model": "yes"}

            def complete(self, request):
                return progkit.Response.of("[[ ## answer ## ]]\\nyes")

        progkit.configure_cache(disk_cache_dir=sys.argv[1])
        progkit.configure(lm=Yes())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            answers = [progkit.Predict("question -> answer")(question=each).answer for each in "aab"]
        print(answers, len(caught))
        """

    @pytest.mark.skipif(not LINUX, reason="takes root's rights away as Linux does")
    @pytest.mark.parametrize("is_warm", [True, False])
    def test_nobody_waits_for_a_lock_that_cannot_be_had(self, tmp_path, warm, is_warm):
        """A lock file that may not be opened or made is no lock of somebody else's."""
        directory = warm if is_warm else tmp_path / "empty"
        directory.mkdir(exist_ok=True)
        if is_warm:
            (directory / "locks").mkdir(exist_ok=True)
            (directory / "locks" / "keys.0").touch()
        self.close_up(directory)

        said = run(self.ASK, directory, preexec_fn=without_root)

        directory.chmod(0o700)
        assert said.startswith("['yes', 'yes', 'yes'] ")
        assert int(said.split()[-1]) <= 2  # the lock, the entry

    @pytest.mark.skipif(not LINUX, reason="takes root's rights away as Linux does")
    def test_an_empty_one(self, tmp_path):
        """Memory alone, one warning."""
        (tmp_path / "cache").mkdir(mode=0o500)

        said = run(self.READ, tmp_path / "cache", preexec_fn=without_root)

        assert said == "False {True} 1\n[] 0\n"

    def test_a_frozen_file_that_changes_after_all(self, make, looking, monkeypatch):
        """It was read as one that nobody writes; somebody did, and that shows."""
        tier = make()
        tier.put("a", b"x")
        tier.close()
        monkeypatch.setattr(shard, "is_writable", lambda file: False)
        reader = make()
        assert reader.get("a") == b"x"
        assert reader._shards[0]._is_frozen

        tier.put("b", b"y")
        tier.close()

        assert reader.get("b") == b"y"
        assert reader.get("a") == b"x"


@pytest.fixture(scope="module")
def may_mount():
    """The command under which this user can mount; the test is skipped if there is none."""
    for command in (["unshare", "-m"], ["unshare", "-rm"]):
        try:
            done = subprocess.run([*command, "mount", "-t", "tmpfs", "none", "/tmp"], capture_output=True, timeout=20)
        except OSError:
            continue
        if done.returncode == 0:
            return command
    pytest.skip("this user cannot mount anything")


class TestFull:
    @pytest.mark.skipif(not LINUX, reason="mounts as Linux does")
    def test_a_disk_without_room(self, tmp_path, may_mount):
        """What is there is served, what comes is in memory; one warning; room made later is used, after the rest."""
        script = """if True:
            import warnings
            from caches import ANSWER
            from progkit.caching import Cache, DiskTier, MemoryTier
            from progkit.lm.response import Response
            now = [0.0]
            memory, disk = MemoryTier(), DiskTier(sys.argv[1] + "/cache")
            cache = Cache(tiers=[memory, disk], clock=lambda: now[0])
            cache.safe_put("first", ANSWER)
            large = Response.of("x" * 100_000)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                for number in range(60):
                    cache.safe_put(f"{number}", large)
            print(len(caught), "full" in str(caught[0].message), len(memory._kept) == 61)
            memory.clear()
            print(cache.safe_get("first") == ANSWER, cache.safe_get("0") == large, cache.safe_get("59"))
            os.unlink(sys.argv[1] + "/ballast")
            cache.safe_put("later", ANSWER)
            print(disk.get("later"))
            now[0] += 61
            cache.safe_put("later", ANSWER)
            memory.clear()
            print(cache.safe_get("later") == ANSWER)
            """
        mount = f'mount -t tmpfs -o size=4m none "{tmp_path}" && head -c 2000000 /dev/zero > "{tmp_path}/ballast"'

        said = run(script, tmp_path, before=[*may_mount, "sh", "-c", f'{mount} && exec "$@"', "sh"])

        assert said == "1 True True\nTrue True None\nNone\nTrue\n"


class TestLocked:
    def test_somebody_locks_everything(self, make, tmp_path, monkeypatch):
        """A lock that a dead client of a file server left: neither reading nor writing; memory serves, one warning."""
        monkeypatch.setattr(shard, "TIMEOUT", 0.05)
        tier = make()
        tier.put("a", b"x")
        tier.close()
        script = """if True:
            import sqlite3
            other = sqlite3.connect(sys.argv[1], isolation_level=None)
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")
            print("locked", flush=True)
            sys.stdin.read()
            """
        command = [sys.executable, "-c", f"import sys\n{script}", file_of(tier)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout.readline() == b"locked\n"
            cache = Cache(tiers=[MemoryTier(), tier])

            def act():
                for number in range(5):
                    assert cache.safe_get("a") is None
                    cache.safe_put(f"{number}", ANSWER)
                    assert cache.safe_get(f"{number}") == ANSWER

            sentences = told(act)
            other.stdin.close()

        assert 1 <= len(sentences) <= 2  # reading and writing may each have its own kind of trouble
        assert all("locked" in each for each in sentences)
        assert tier.get("a") == b"x"
        assert tier.stats()["set_aside"] == 0

    @pytest.mark.skipif(not LINUX or not shutil.which("cc"), reason="builds a library that Linux loads first")
    def test_a_file_system_without_locks(self, tmp_path):
        """As NFS without its lock service: every lock fails. Memory serves, one warning, nothing is set aside."""
        source = """
            #define _GNU_SOURCE
            #include <dlfcn.h>
            #include <errno.h>
            #include <fcntl.h>
            #include <stdarg.h>
            static int refused(int fd, int what, void *with, const char *next) {
                if (what == F_SETLK || what == F_SETLKW || what == F_OFD_SETLK) { errno = ENOLCK; return -1; }
                int (*real)(int, int, ...) = dlsym(RTLD_NEXT, next);
                return real(fd, what, with);
            }
            #define REFUSING(name) int name(int fd, int what, ...) { va_list all; va_start(all, what); \\
                void *with = va_arg(all, void *); va_end(all); return refused(fd, what, with, #name); }
            REFUSING(fcntl)
            REFUSING(fcntl64)
            """
        (tmp_path / "locks.c").write_text(source)
        library = tmp_path / "locks.so"
        built = subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "locks.c", "-ldl"], timeout=60)
        if built.returncode:
            pytest.skip("cc does not build here")
        script = """if True:
            import warnings
            from caches import ANSWER
            from progkit.caching import Cache, DiskTier, MemoryTier
            cache = Cache(tiers=[MemoryTier(), DiskTier(sys.argv[1])])
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                for number in range(5):
                    cache.safe_put(f"{number}", ANSWER)
                    assert cache.safe_get(f"{number}") == ANSWER
                    assert cache.safe_get("unknown") is None
            print([str(each.message) for each in caught])
            """

        said = run(script, tmp_path / "cache", env=os.environ | {"LD_PRELOAD": str(library)})

        assert said.count("the disk tier of the cache failed at") in (1, 2)
        assert not list((tmp_path / "cache").rglob("*.broken"))


class TestMany:
    def test_sixteen_processes_write(self, tmp_path):
        """At the same time, from the first file on: nothing fails, nothing is lost, everybody reads everything."""
        script = """if True:
            from progkit.caching import DiskTier
            tier = DiskTier(sys.argv[1])
            sys.stdin.read()
            for number in range(30):
                tier.put(f"{sys.argv[2]}-{number}", os.urandom(2000))
                assert tier.get(f"{sys.argv[2]}-{number}") is not None
            tier.close()
            """
        command = [sys.executable, "-W", "error", "-c", f"import os, sys\n{script}", tmp_path]
        processes = [subprocess.Popen([*command, f"{n}"], cwd=TOP, stdin=subprocess.PIPE) for n in range(16)]
        for process in processes:
            process.stdin.close()

        assert [process.wait(timeout=100) for process in processes] == [0] * 16
        tier = DiskTier(tmp_path)
        assert len(list(tier.keys())) == tier.stats()["entries"] == 480
        assert tier.stats()["set_aside"] == 0
        tier.close()

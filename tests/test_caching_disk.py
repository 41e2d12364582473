"""The disk tier: the contract, its directory, its files, and what can happen to them."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from zlib import adler32

import diskcache
import pytest
from contracts.tier import TierContract

from progkit.caching import DiskTier, default_directory, manifest, shard

TOP = Path(__file__).parent.parent


def file_of(directory: Path, key: str) -> Path:
    return directory / "v1" / f"00{adler32(key.encode()) % 4}" / "cache.db"


class TestDiskTier(TierContract):
    def make(self, tmp_path):
        return DiskTier(tmp_path / "cache")


class TestDirectory:
    def test_is_made_at_the_first_put_and_private(self, tmp_path):
        """Not before: looking makes nothing."""
        place = tmp_path / "deep" / "cache"
        tier = DiskTier(place)
        assert tier.get("a") is None
        assert tier.stats() == {"entries": 0, "bytes": 0, "set_aside": 0}
        assert not (tmp_path / "deep").exists()

        tier.put("a", b"x")
        tier.close()

        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert stat.S_IMODE((place / "v1").stat().st_mode) == 0o700

    def test_one_that_was_there(self, tmp_path):
        """It keeps its mode; what is below it is closed to others."""
        tmp_path.chmod(0o755)
        (tmp_path / "v1").mkdir(mode=0o755)
        tier = DiskTier(tmp_path)

        tier.put("a", b"x")
        tier.close()

        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
        assert stat.S_IMODE((tmp_path / "v1").stat().st_mode) == 0o700

    def test_by_default(self, tmp_path, monkeypatch):
        """``PROGKIT_CACHE_DIR`` when it is first used, or else the system's place for caches."""
        monkeypatch.setenv("PROGKIT_CACHE_DIR", "~/here")
        tier = DiskTier()
        monkeypatch.setenv("PROGKIT_CACHE_DIR", str(tmp_path / "there"))
        assert tier.directory == default_directory() == tmp_path / "there"

        monkeypatch.setenv("PROGKIT_CACHE_DIR", "~/here")
        assert default_directory() == Path.home() / "here"
        assert tier.directory == tmp_path / "there"

        monkeypatch.delenv("PROGKIT_CACHE_DIR")
        assert default_directory().is_absolute()
        assert "progkit" in default_directory().parts

    def test_with_a_name_that_a_url_would_misread(self, tmp_path):
        """Question marks and percent signs in a path are just that."""
        tier = DiskTier(tmp_path / "a?mode=memory#b%20c")
        tier.put("a", b"x")
        tier.close()

        assert DiskTier(tmp_path / "a?mode=memory#b%20c").get("a") == b"x"

    def test_where_none_can_be(self, tmp_path):
        """Below a file: reading finds nothing, writing raises."""
        (tmp_path / "file").write_text("")
        tier = DiskTier(tmp_path / "file" / "cache")

        assert tier.get("a") is None
        with pytest.raises(OSError, match="file"):
            tier.put("a", b"x")


class TestDiskFiles:
    def test_another_process_finds_it(self, tmp_path):
        """And it does not take diskcache to read."""
        tier = DiskTier(tmp_path)
        tier.put("a", b"x")
        script = (
            "import sys; from progkit.caching import DiskTier; tier = DiskTier(sys.argv[1]);"
            "print(tier.get('a'), list(tier.keys()), tier.stats()['entries'], 'diskcache' in sys.modules)"
        )

        done = subprocess.run([sys.executable, "-c", script, tmp_path], cwd=TOP, capture_output=True, text=True)

        assert done.stdout == "b'x' ['a'] 1 False\n", done.stderr
        tier.close()

    def test_many_processes_begin_at_once(self, tmp_path):
        """One lays out the files, the others wait their turn, and nobody loses an entry."""
        script = (
            "import sys; from progkit.caching import DiskTier; tier = DiskTier(sys.argv[1]); sys.stdin.read();"
            "[tier.put(sys.argv[2] + str(n), b'x') for n in range(25)]"
        )
        command = [sys.executable, "-W", "error", "-c", script, str(tmp_path)]
        processes = [subprocess.Popen([*command, f"{n}-"], cwd=TOP, stdin=subprocess.PIPE) for n in range(5)]
        for process in processes:
            process.stdin.close()

        assert [process.wait() for process in processes] == [0] * 5
        tier = DiskTier(tmp_path)
        assert len(list(tier.keys())) == tier.stats()["entries"] == 125
        tier.close()

    def test_are_those_of_a_fanout_cache(self, tmp_path):
        """diskcache reads what the tier writes, and the other way round."""
        tier = DiskTier(tmp_path)
        keys = [f"{number:x}" for number in range(40)]
        for key in keys[:20]:
            tier.put(key, key.encode())
        with diskcache.FanoutCache(str(tmp_path / "v1"), shards=4) as theirs:
            for key in keys[20:]:
                theirs.set(key, key.encode())

            assert [theirs.get(key) for key in keys] == [key.encode() for key in keys]
            assert [tier.get(key) for key in keys] == [key.encode() for key in keys]
            assert sorted(tier.keys()) == sorted(keys)
        tier.close()

    def test_stay_below_the_limit(self, tmp_path):
        """What was stored longest ago goes first, also if it was read since."""
        tier = DiskTier(tmp_path, size_limit_bytes=1_200_000)
        for number in range(400):
            tier.put(f"{number}", b"x" * 8000)
            tier.get("0")

        assert tier.get("399") is not None
        assert tier.get("0") is None
        assert 80 < tier.stats()["entries"] < 150
        assert tier.stats()["bytes"] < 1_400_000
        tier.close()

    def test_a_value_that_is_too_large(self, tmp_path):
        """It is not kept, and neither is the one that it replaces."""
        tier = DiskTier(tmp_path, size_limit_bytes=400_000)
        tier.put("a", b"x")

        tier.put("a", b"x" * 100_001)

        assert tier.get("a") is None
        tier.close()

    def test_reading_writes_nothing(self, tmp_path):
        """A hit leaves every file as it was."""
        tier = DiskTier(tmp_path)
        tier.put("a", b"x")
        before = {path: path.read_bytes() for path in tmp_path.rglob("cache.db*") if path.suffix != ".db-shm"}

        for _ in range(5):
            tier.get("a")
            tier.get("b")

        assert before == {path: path.read_bytes() for path in before}
        tier.close()

    def test_keys_by_the_thousand(self, tmp_path):
        """They come in pages."""
        tier = DiskTier(tmp_path)
        keys = [f"{number}" for number in range(1200 * 4)]
        for key in keys:
            if adler32(key.encode()) % 4 == 0 or int(key) < 100:
                tier.put(key, b"")

        assert len(list(tier.keys())) == len(set(tier.keys())) == tier.stats()["entries"] > 1100
        tier.close()

    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors as Linux shows them")
    def test_few_are_open_however_many_threads(self, tmp_path):
        """Two connections for each shard, three files each."""
        tier = DiskTier(tmp_path)
        go, done = threading.Barrier(31), threading.Barrier(31)

        def work(number):
            for each in range(8):
                tier.put(f"{number}-{each}", b"x")
                tier.get(f"{number}-{each}")
            go.wait()
            done.wait()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(30)]
        for thread in threads:
            thread.start()
        go.wait()
        links = [os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
        done.wait()
        for thread in threads:
            thread.join()

        assert 0 < len([link for link in links if link.startswith(str(tmp_path))]) <= 4 * 2 * 3
        tier.close()


class TestDiskTroubles:
    def test_a_database_that_is_just_being_made(self, tmp_path):
        """No table yet is nothing kept yet."""
        file_of(tmp_path, "a").parent.mkdir(parents=True)
        file_of(tmp_path, "a").touch()
        tier = DiskTier(tmp_path)

        assert tier.get("a") is None
        tier.put("a", b"x")
        assert tier.get("a") == b"x"
        tier.close()

    @pytest.mark.parametrize("opened", [True, False])
    def test_another_process_holds_the_lock(self, tmp_path, monkeypatch, opened):
        """Reading goes on; writing gives up in time, and works when the lock is gone."""
        monkeypatch.setattr(shard, "TIMEOUT", 0.05)
        tier = DiskTier(tmp_path)
        tier.put("a", b"x")
        if not opened:
            tier.close()
        other = sqlite3.connect(file_of(tmp_path, "a"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        for act in (lambda: tier.put("a", b"y"), lambda: tier.delete("a"), tier.clear):
            with pytest.raises((TimeoutError, sqlite3.OperationalError), match="locked"):
                act()
        assert tier.get("a") == b"x"

        other.execute("ROLLBACK")
        tier.put("a", b"y")
        assert tier.get("a") == b"y"
        other.close()
        tier.close()

    def test_another_thread_holds_the_pen(self, tmp_path, monkeypatch):
        """A thread that hangs in a write does not hold up the others for long."""
        monkeypatch.setattr(shard, "TIMEOUT", 0.05)
        own = shard.Shard(tmp_path, 10**6)

        with own._turn(), pytest.raises(TimeoutError, match="another thread"):
            own.put("a", b"x")

    @pytest.mark.skipif(os.name == "nt", reason="limits as POSIX has them")
    def test_a_full_disk(self, tmp_path):
        """Writing raises, what was kept can be read, and room made later is used."""
        script = """if True:
            import resource, signal, sys
            from progkit.caching import DiskTier
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            tier = DiskTier(sys.argv[1])
            tier.put("a", b"x" * 1000)
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
            try:
                tier.put("a", b"y" * 1_000_000)
            except Exception as error:
                print(type(error).__module__, tier.get("a") == b"x" * 1000)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            tier.put("a", b"z")
            print(tier.get("a"))
            """

        done = subprocess.run([sys.executable, "-c", script, tmp_path], cwd=TOP, capture_output=True, text=True)

        assert done.stdout == "sqlite3 True\nb'z'\n", done.stderr


def test_readers_do_not_undo_what_a_writer_makes(tmp_path, monkeypatch):
    """A reader that found no directory comes back after another thread has made it."""
    tier = DiskTier(tmp_path / "cache")
    look = manifest.shards_of

    def slowly(folder):
        found = look(folder)
        if found is None:
            monkeypatch.setattr(manifest, "shards_of", look)
            tier.put("ab", b"kept")
        return found

    monkeypatch.setattr(manifest, "shards_of", slowly)

    assert tier.get("ab") in (None, b"kept")
    tier.put("cd", b"too")
    assert (tier.get("ab"), tier.get("cd")) == (b"kept", b"too")

"""The disk tier when its files are broken, or gone: what is lost, what is told, what goes on."""

import logging
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from caches import run

from progkit.caching import DiskTier, shard


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


def fill(tier: DiskTier, number: int = 40) -> list[str]:
    keys = [f"{each:04}" for each in range(number)]
    for key in keys:
        tier.put(key, os.urandom(3000))
    return keys


class TestBroken:
    @pytest.mark.parametrize("opened", [True, False])
    @pytest.mark.parametrize("harm", ["rubbish", "truncated", "another database", "zeros in the middle"])
    def test_is_set_aside_and_begun_anew(self, make, caplog, harm, opened):
        """By who reads and by who writes; it is counted and logged, and nothing is raised."""
        tier = make()
        keys = fill(tier)
        tier.close()
        file = file_of(tier)
        size = file.stat().st_size
        if opened:
            tier.get(keys[0])
        match harm:
            case "rubbish":
                file.write_bytes(b"rubbish " * 1000)
            case "truncated":
                os.truncate(file, size // 3)
            case "another database":
                file.unlink()
                with sqlite3.connect(file) as other:
                    other.execute("CREATE TABLE Cache (a, b)")
                other.close()
            case "zeros in the middle":
                with file.open("r+b") as content:
                    content.seek(4096)
                    content.write(bytes(size - 8192))
        if opened:
            tier = make()

        found = [tier.get(key) for key in keys]
        fill(tier)  # which may be what meets the damage, and then goes with it
        fill(tier)

        assert None in found
        assert None not in [tier.get(key) for key in keys]
        assert tier.stats()["set_aside"] == 1
        assert (file.parent.with_name("000.broken") / "cache.db").exists()
        assert [each.levelno for each in caplog.records] == [logging.WARNING]
        assert "set aside as 000.broken" in caplog.text

    @pytest.mark.parametrize("act", ["put", "delete", "clear", "keys", "stats"])
    def test_whatever_is_done_first(self, make, act):
        """Each way in mends it."""
        tier = make()
        tier._make()
        file_of(tier).parent.mkdir()
        file_of(tier).write_bytes(b"rubbish " * 1000)

        assert {
            "put": lambda: tier.put("a", b"x"),
            "delete": lambda: tier.delete("a"),
            "clear": tier.clear,
            "keys": lambda: list(tier.keys()),
            "stats": lambda: tier.stats()["entries"],
        }[act]() in (None, False, [], 0)

        tier.put("a", b"y")
        assert tier.get("a") == b"y"
        assert tier.stats()["set_aside"] == 1

    def test_twice(self, make):
        """The one set aside last stays, so that what is broken again and again fills no disk."""
        tier = make()
        for word in (b"first", b"second"):
            tier.put("a", b"x")
            tier.close()
            file_of(tier).write_bytes(word * 2000)
            assert tier.get("a") is None

        assert tier.stats()["set_aside"] == 2
        assert file_of(tier).parent.with_name("000.broken").joinpath("cache.db").read_bytes().startswith(b"second")
        assert sorted(each.name for each in file_of(tier).parent.parent.iterdir()) == ["000.broken", "manifest.json"]

    @pytest.mark.skipif(os.name == "nt", reason="no other system lets an open file be truncated")
    def test_truncated_while_it_is_being_read(self, tmp_path):
        """The process lives, and the tier goes on."""
        script = """if True:
            import sqlite3
            from progkit.caching import DiskTier
            tier = DiskTier(sys.argv[1], shards=1)
            keys = [f"{number:04}" for number in range(400)]
            for key in keys:
                tier.put(key, os.urandom(3000))
            file = tier.directory / "v1" / "000" / "cache.db"
            other = sqlite3.connect(file)
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            other.close()
            tier.get(keys[0])
            os.truncate(file, 9000)
            lost = [tier.get(key) for key in keys].count(None)
            for key in [*keys, *keys]:
                tier.put(key, b"x")
            print(lost > 0, [tier.get(key) for key in keys] == [b"x"] * 400)
            """

        assert run(script, tmp_path) == "True True\n"

    def test_two_processes_find_it_broken(self, make, tmp_path):
        """Who comes second finds a new one in its place, and leaves it there."""
        tier, other = make(), make()
        for each in (tier, other):
            each._make()
        file_of(tier).parent.mkdir()
        file_of(tier).write_bytes(b"rubbish " * 1000)
        late, seen = other._shards[0], shard.identity(file_of(tier))

        assert tier.get("a") is None
        tier.put("a", b"x")
        late._mend(sqlite3.DatabaseError("as the first one saw it"), seen)

        assert (tier.stats()["set_aside"], other.stats()["set_aside"]) == (1, 0)
        assert other.get("a") == b"x"

    def test_what_is_no_file_at_all(self, make):
        """A directory in its place cannot be mended: everything raises, and nothing stays open."""
        tier = make()
        tier._make()
        file_of(tier).mkdir(parents=True)

        for act in (lambda: tier.get("a"), lambda: tier.put("a", b"x"), lambda: tier.delete("a"), tier.stats):
            with pytest.raises(sqlite3.OperationalError, match="unable to open"):
                act()


class TestGone:
    def test_the_directory_is_deleted(self, make, looking):
        """Under a running tier: a miss, and the next entry makes a new one; nothing comes from beyond."""
        tier = make()
        keys = fill(tier)
        assert tier.get(keys[0]) is not None

        shutil.rmtree(tier.directory)

        assert [tier.get(key) for key in keys] == [None] * 40
        assert (tier.delete("a"), list(tier.keys()), tier.stats()["entries"]) == (False, [], 0)
        tier.clear()
        tier.put("a", b"x")
        assert tier.get("a") == b"x"
        assert list(make().keys()) == ["a"]
        assert (tier.directory / "v1" / "manifest.json").exists()

    def test_writing_notices_at_once(self, make):
        """What is put then is there for others; who only reads may take a second to see it go."""
        tier = make()
        tier.put("a", b"x")
        shutil.rmtree(tier.directory)

        tier.put("b", b"y")

        assert list(make().keys()) == ["b"]

    def test_another_process_makes_it_anew(self, make, looking):
        """And both see each other's entries."""
        tier = make()
        tier.put("a", b"x")
        tier.get("a")
        shutil.rmtree(tier.directory)
        other = make()
        other.put("b", b"y")

        assert (tier.get("a"), tier.get("b")) == (None, b"y")
        tier.put("c", b"z")
        assert other.get("c") == b"z"

    def test_made_anew_with_other_shards(self, make, looking):
        """The tier goes by the new manifest as soon as it finds nothing."""
        tier = make(shards=2)
        tier.put("a", b"x")
        shutil.rmtree(tier.directory)
        other = make(shards=5)
        other.put("a", b"y")

        tier.put("b", b"z")
        shutil.rmtree(tier.directory)
        tier.put("c", b"z")

        assert tier.get("c") == b"z"
        assert len(tier._shards) in (2, 5)

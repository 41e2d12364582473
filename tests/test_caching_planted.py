"""Rows in the disk tier's database that somebody else wrote there: entries and settings."""

import os
import pickle
import sqlite3
from pathlib import Path
from zlib import adler32

import pytest

from progkit.caching import DiskTier
from progkit.caching.disk import LAYOUT


def file_of(directory: Path, key: str) -> Path:
    return directory / "v1" / f"00{adler32(key.encode()) % 4}" / "cache.db"


def plant(directory: Path, place: str, **columns: object) -> None:
    """Write a row as somebody else might, straight into the database."""
    row = {"key": place, "raw": 1, "store_time": 1.0, "mode": 1, "filename": None, "value": b"planted"} | columns
    with sqlite3.connect(file_of(directory, place)) as connection:
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        connection.execute(f"DELETE FROM Cache WHERE key = '{place}'")
        connection.execute(f"INSERT INTO Cache ({names}) VALUES ({marks})", tuple(row.values()))
    connection.close()


class Bomb:
    """Unpickling this leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


class TestPlantedRows:
    """Whoever can write the database can make diskcache run code, and read and remove files (CVE-2025-69872)."""

    @pytest.fixture
    def tier(self, tmp_path):
        tier = DiskTier(tmp_path / "cache")
        tier.put("a", b"x")
        yield tier
        tier.close()

    def misses(self, tier):
        """Neither the tier nor the store below it sees the row."""
        below = next(each._store for each in tier._shards if each._store is not None)
        assert tier.get("a") is None
        assert below.get("a") is None
        assert list(tier.keys()) == []

    def test_a_pickle(self, tier, tmp_path):
        """It is a miss, and it is not opened."""
        plant(tier.directory, "a", mode=4, value=pickle.dumps(Bomb(tmp_path / "run")))
        self.misses(tier)

        tier.put("a", b"y")

        assert tier.get("a") == b"y"
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize("mode", [1, 2, 3, 4])
    def test_a_file_name(self, tier, tmp_path, mode):
        """The file is neither read nor removed: not by reading, replacing, deleting, clearing or making room."""
        secret = tmp_path / "secret"
        secret.write_bytes(pickle.dumps(Bomb(tmp_path / "run")))
        row = {"mode": mode, "filename": str(secret), "value": None}
        plant(tier.directory, "a", **row)
        self.misses(tier)

        for act in (lambda: tier.put("a", b"y"), lambda: tier.delete("a"), tier.clear):
            plant(tier.directory, "a", **row)
            act()
        plant(tier.directory, "a", expire_time=1.0, **row)
        for number in range(40):
            tier.put(f"{number}", b"x")

        assert tier.get("a") is None
        assert secret.exists()
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize("columns", [{"value": "text"}, {"value": 5}, {"value": None}, {"mode": None}, {"raw": 0}])
    def test_other_rows(self, tier, columns):
        """Values that are no bytes, modes that are none."""
        plant(tier.directory, "a", **columns)

        self.misses(tier)

    def test_a_key_that_is_a_pickle(self, tier, tmp_path):
        """Listing the keys does not open it either."""
        plant(tier.directory, "a", key=pickle.dumps(Bomb(tmp_path / "run")), raw=0)
        plant(tier.directory, "a", key=b"bytes")

        assert list(tier.keys()) == []
        assert not (tmp_path / "run").exists()


class TestPlantedSettings:
    """diskcache makes attributes, arguments and PRAGMAs of whatever stands in the file's table of settings."""

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("disk_pickle_protocol", "rubbish"),
            ("disk_evil", 1),
            ("set", "no longer a method"),
            ("_disk", None),
            ("sqlite_mmap_size", 2**30),
            ("sqlite_foo = 1; DROP TABLE Cache; --", 1),
            ("sqlite_writable_schema", 1),
            ("eviction_policy", "no such policy"),
            ("statistics", 1),
            ("cull_limit", -1),
            ("size_limit", 0),
            ("count", "many"),
            ("size", "much"),
            (b"bytes", b"bytes"),
            (None, 1),
        ],
    )
    def test_is_not_obeyed(self, tmp_path, name, value):
        """The tier reads, writes and counts as if it were not there."""
        tier = DiskTier(tmp_path, shards=1)
        tier.put("a", b"x")
        tier.close()
        file = tmp_path / LAYOUT / "000" / "cache.db"
        with sqlite3.connect(file) as other:
            other.execute("DROP TABLE Settings")
            other.execute("CREATE TABLE Settings (key, value)")
            other.execute("CREATE UNIQUE INDEX settings_key ON Settings (key)")
            other.execute("INSERT OR REPLACE INTO Settings VALUES (?, ?)", (name, value))
        other.close()

        assert tier.get("a") == b"x"
        for number in range(20):
            tier.put(f"{number}", b"y")

        assert tier.get("a") == b"x"
        assert isinstance(tier.stats()["entries"], int)
        with sqlite3.connect(file) as other:
            settings = dict(other.execute("SELECT key, value FROM Settings").fetchall())
        other.close()
        assert settings.keys() == self.names(tmp_path / "fresh")
        assert settings["sqlite_mmap_size"] == settings["statistics"] == 0
        tier.close()

    def names(self, directory):
        tier = DiskTier(directory, shards=1)
        tier.put("a", b"x")
        tier.close()
        with sqlite3.connect(directory / LAYOUT / "000" / "cache.db") as fresh:
            names = {name for (name,) in fresh.execute("SELECT key FROM Settings").fetchall()}
        fresh.close()
        return names

    @pytest.mark.skipif(os.name == "nt", reason="an open file cannot be renamed there")
    def test_a_view_in_its_place(self, tmp_path):
        """No table at all: the file is none of ours, and is set aside."""
        tier = DiskTier(tmp_path, shards=1)
        tier.put("a", b"x")
        tier.close()
        with sqlite3.connect(tmp_path / LAYOUT / "000" / "cache.db") as other:
            other.execute("DROP TABLE Settings")
            other.execute("CREATE VIEW Settings AS SELECT 1 AS a")
        other.close()

        tier.put("b", b"y")

        assert tier.get("b") == b"y"
        assert tier.stats()["set_aside"] == 1
        tier.close()

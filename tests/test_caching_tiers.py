"""The list of tiers: order, promotion, switches; and how the disk tier's files are laid out."""

import json
import secrets
import sqlite3
from pathlib import Path

import pytest
import redis_servers
from caches import ANSWER, ask, told

import progkit
from progkit.caching import Cache, DiskTier, EncryptedTier, MemoryTier, RedisTier
from progkit.caching.codec import encode
from progkit.caching.disk import LAYOUT
from progkit.errors import CacheError, ConfigurationError


@pytest.fixture
def tiers(tmp_path):
    tiers = [
        MemoryTier(),
        DiskTier(tmp_path / "cache"),
        RedisTier(redis_servers.url(), prefix=f"test-{secrets.token_hex(4)}", timeout=20),
    ]
    yield tiers
    tiers[2].clear()
    for tier in tiers:
        tier.close()


def holding(tiers, key):
    return [tier.get(key) is not None for tier in tiers]


class TestList:
    def test_a_hit_is_copied_into_the_tiers_above(self, tiers):
        """From the last to the first, and not into those below."""
        cache = Cache(tiers=tiers)
        cache.put("k", ANSWER)
        assert holding(tiers, "k") == [True, True, True]
        for tier in tiers[:2]:
            tier.delete("k")

        assert cache.get("k") == ANSWER

        assert holding(tiers, "k") == [True, True, True]
        tiers[2].delete("k")
        assert cache.get("k") == ANSWER
        assert holding(tiers, "k") == [True, True, False]
        assert [each["hits"] for each in cache.stats()["tiers"].values()] == [1, 0, 1]

    def test_in_any_order(self, tiers):
        """A user's list is taken as it is."""
        cache = Cache(tiers=tiers[::-1])

        assert list(cache.stats()["tiers"]) == ["redis", "disk", "memory"]
        assert repr(cache) == "Cache(redis, disk, memory)"
        cache.put("k", ANSWER)
        cache.get("k")
        assert cache.stats()["tiers"]["redis"]["hits"] == 1

    def test_configured(self, tiers):
        """``configure_cache(tiers=...)`` puts them in force; they are public names."""
        progkit.configure_cache(tiers=tiers)
        progkit.cache.put("k", ANSWER)

        assert holding(tiers, "k") == [True, True, True]
        assert [progkit.MemoryTier, progkit.DiskTier, progkit.RedisTier] == [type(tier) for tier in tiers]
        assert progkit.EncryptedTier is EncryptedTier

    def test_none_at_all(self):
        """A cache that keeps nothing works."""
        cache = Cache(tiers=[])
        cache.put("k", ANSWER)

        assert cache.get("k") is None
        assert cache.directory is None


class TestSwitches:
    @pytest.mark.parametrize("switched", [0, 1, 2])
    def test_not_read(self, tiers, switched):
        """It is written all the same, and at once read again when it may be."""
        cache = Cache(tiers=tiers)
        tiers[switched].read = False
        cache.put("k", ANSWER)
        for number, tier in enumerate(tiers):
            if number != switched:
                tier.delete("k")

        assert cache.get("k") is None
        tiers[switched].read = True
        assert cache.get("k") == ANSWER

    @pytest.mark.parametrize("switched", [0, 1, 2])
    def test_not_written(self, tiers, switched):
        """Neither by a put nor by a hit further down; what it has is served."""
        tiers[switched].put("old", encode("old", ANSWER))
        tiers[switched].write = False
        cache = Cache(tiers=tiers)
        cache.put("k", ANSWER)
        cache.get("k")

        assert holding(tiers, "k") == [number != switched for number in range(3)]
        assert cache.get("old") == ANSWER

    def test_from_the_beginning(self, tmp_path):
        """Each tier takes them when it is made."""
        made = [
            MemoryTier(read=False, write=False),
            DiskTier(tmp_path, read=False, write=False),
            RedisTier(redis_servers.url(), read=False, write=False),
        ]

        assert [(tier.read, tier.write) for tier in made] == [(False, False)] * 3


class TestManifest:
    def read(self, directory):
        return json.loads((directory / LAYOUT / "manifest.json").read_text())

    def test_is_born_with_the_files(self, tmp_path):
        """It says what they are, of which version, and how many shards."""
        tier = DiskTier(tmp_path / "cache", shards=3)
        tier.get("a")
        assert not (tmp_path / "cache").exists()
        tier.put("a", b"x")
        tier.close()

        assert self.read(tmp_path / "cache") == {"format": "progkit.cache", "version": 1, "shards": 3}
        assert not [path for path in (tmp_path / "cache").iterdir() if path.name != LAYOUT]

    def test_counts_whatever_is_asked_for(self, tmp_path):
        """Entries are found by a tier that was told of another number of shards, reading or writing first."""
        with_three = DiskTier(tmp_path, shards=3)
        for number in range(30):
            with_three.put(f"{number}", b"x")
        reader, writer = DiskTier(tmp_path, shards=7), DiskTier(tmp_path)
        writer.put("30", b"x")

        assert sorted(map(int, reader.keys())) == list(range(31))
        assert all(reader.get(f"{number}") == b"x" for number in range(31))
        assert len(reader._shards) == len(writer._shards) == 3
        for tier in (with_three, reader, writer):
            tier.close()

    @pytest.mark.parametrize("text", [None, b"", b"{", b"\xff", b'{"format": "other", "version": 1, "shards": 2}'])
    @pytest.mark.parametrize("shards", [4, 6])
    def test_lost_or_spoilt(self, tmp_path, text, shards, caplog):
        """The shards that can be seen are used, and it is written anew."""
        tier = DiskTier(tmp_path, shards=shards)
        for number in range(60):
            tier.put(f"{number}", b"x")
        tier.close()
        file = tmp_path / LAYOUT / "manifest.json"
        file.unlink() if text is None else file.write_bytes(text)

        again = DiskTier(tmp_path, shards=2)
        assert all(again.get(f"{number}") == b"x" for number in range(60))
        again.put("60", b"x")

        assert self.read(tmp_path)["shards"] == shards
        assert len(caplog.records) == (text is not None)
        again.close()

    def test_of_a_later_version(self, tmp_path):
        """Its files are left alone: memory alone, one warning."""
        (tmp_path / LAYOUT).mkdir()
        text = b'{"format": "progkit.cache", "version": 2, "shards": 4, "new": true}'
        (tmp_path / LAYOUT / "manifest.json").write_bytes(text)
        cache = Cache(tiers=[MemoryTier(), DiskTier(tmp_path)])

        def act():
            for number in range(3):
                cache.safe_put(f"{number}", ANSWER)
                assert cache.safe_get(f"{number}") == ANSWER
            assert cache.safe_get("k") is None

        sentences = told(act)
        assert len(sentences) == 1
        assert "it takes a later progkit" in sentences[0]
        assert [path.name for path in (tmp_path / LAYOUT).iterdir()] == ["manifest.json"]
        with pytest.raises(CacheError, match="later progkit"):
            cache.clear()

    def test_two_begin_at_once(self, tmp_path, monkeypatch):
        """Whoever is first decides; the other one leaves nothing behind."""
        rename = Path.rename

        def late(self, target):
            monkeypatch.setattr(Path, "rename", rename)
            DiskTier(tmp_path, shards=5).put("a", b"x")
            return rename(self, target)

        monkeypatch.setattr(Path, "rename", late)
        tier = DiskTier(tmp_path, shards=2)
        tier.put("b", b"y")

        assert (tier.get("a"), tier.get("b")) == (b"x", b"y")
        assert self.read(tmp_path)["shards"] == 5
        assert [path.name for path in tmp_path.iterdir()] == [LAYOUT]
        tier.close()

    def test_where_a_file_is(self, tmp_path):
        """There can be no folder: that raises, and leaves nothing behind."""
        (tmp_path / LAYOUT).symlink_to(tmp_path / "nowhere")
        tier = DiskTier(tmp_path)

        with pytest.raises(OSError, match=LAYOUT):
            tier.put("a", b"x")
        assert [path.name for path in tmp_path.iterdir()] == [LAYOUT]

    @pytest.mark.parametrize("shards", [0, -1, 257])
    def test_numbers_that_cannot_be(self, tmp_path, shards):
        """One to 256."""
        with pytest.raises(ConfigurationError, match="1 to 256"):
            DiskTier(tmp_path, shards=shards)


class TestEntries:
    def swapped(self, tmp_path, change):
        """A cache of one disk tier that keeps two answers, after *change* of its table by somebody else."""
        tier = DiskTier(tmp_path, shards=1)
        cache = Cache(tiers=[tier])
        cache.put("a", ANSWER)
        cache.put("b", progkit.Response.of("no"))
        tier.close()
        with sqlite3.connect(tmp_path / LAYOUT / "000" / "cache.db") as other:
            change(other)
        other.close()
        return cache

    def test_values_that_were_swapped(self, tmp_path):
        """Each says whose it is: both are misses, told once, and replaced by what comes next."""

        def change(table):
            rows = dict(table.execute("SELECT key, value FROM Cache").fetchall())
            for key, other in (("a", "b"), ("b", "a")):
                table.execute("UPDATE Cache SET value = ? WHERE key = ?", (rows[other], key))

        cache = self.swapped(tmp_path, change)

        sentences = told(lambda: [cache.safe_get(key) for key in "abab"])

        assert cache.safe_get("a") is cache.safe_get("b") is None
        assert len(sentences) == 1
        assert "an entry of another key" in sentences[0]
        cache.safe_put("a", ANSWER)
        assert cache.safe_get("a") == ANSWER
        cache.close()

    def test_an_entry_of_an_unknown_version(self, tmp_path):
        """A progkit to come wrote it: a miss, told once."""

        def change(table):
            value = bytearray(encode("a", ANSWER))
            value[1] = 99
            table.execute("UPDATE Cache SET value = ? WHERE key = 'a'", (bytes(value),))

        cache = self.swapped(tmp_path, change)

        assert len(told(lambda: [cache.safe_get("a") for _ in "abc"])) == 1
        assert cache.safe_get("a") is None
        assert cache.safe_get("b") is not None
        cache.close()

    def test_two_namespaces_on_the_same_tiers(self, tmp_path):
        """The same request has two keys; each finds its own."""
        one, two = (Cache(namespace=name, tiers=[DiskTier(tmp_path)]) for name in ("one", "two"))
        one.put(one.key_for(ask()), ANSWER)

        assert two.get(two.key_for(ask())) is None
        assert one.get(one.key_for(ask())) == ANSWER
        one.close()
        two.close()

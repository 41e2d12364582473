"""Verify, gc and top: what is in the tiers."""

import os

import pytest
from caches import ANSWER

from progkit.caching import Cache, DiskTier, EncryptedTier, MemoryTier, collect, top, verify
from progkit.caching.codec import encode
from progkit.caching.listing import entries, rows
from progkit.errors import CacheError
from progkit.lm.response import Response
from progkit.lm.usage import tokens


class Broken(MemoryTier):
    name = "broken"

    def get(self, key):
        raise OSError("gone")


class Batched(MemoryTier):
    """Reads many at once, and loses some."""

    def get_many(self, keys):
        return {key: self.get(key) for key in keys if key != "lost"}


@pytest.fixture
def cache():
    cache = Cache(tiers=[MemoryTier()])
    (tier,) = cache.tiers
    cache.stamps._now = lambda: 50.0
    cache.stamps._write = lambda stamps: [tier.put(*each) for each in stamps.items()]
    for key, fields in {
        "sound": {"created": 60.0, "tags": ("old",)},
        "expired": {"created": 60.0, "expires": 99.0},
        "invalidated": {"created": 40.0, "tags": ("old",)},
    }.items():
        tier.put(key, encode(key, ANSWER, **fields))
    tier.put("unreadable", b"what?")
    cache.invalidate("old")
    return cache


class TestSweep:
    def test_verify_changes_nothing(self, cache):
        """It reads, counts and tells."""
        before = sorted(cache.tiers[0].keys())

        report = verify(cache, now=lambda: 100.0)

        assert report.tiers == {"memory": {"sound": 1, "expired": 1, "invalidated": 1, "unreadable": 1}}
        assert report.troubles[0].startswith("memory, unreadable: no entry of version")
        assert (report.ok, report.failed, report.removed) == (False, False, 0)
        assert "1 unreadable" in str(report)
        assert sorted(cache.tiers[0].keys()) == before

    def test_gc_takes_out_all_but_the_sound(self, cache):
        """Stamps stay: others may still need them."""
        report = collect(cache, now=lambda: 100.0)

        assert report.removed == 3
        assert report.freed > 5
        assert "3 entries and 0 files removed" in str(report)
        assert [key for key in list(cache.tiers[0].keys()) if "stamp" not in key] == ["sound"]
        assert verify(cache, now=lambda: 100.0).ok
        assert report.to_dict()["removed"] == 3

    def test_a_tier_that_fails_is_told(self, cache):
        """The others are looked at all the same; also one that cannot delete."""

        class Stuck(MemoryTier):
            name = "stuck"

            def delete(self, key):
                raise RuntimeError("no")

        broken, stuck = Broken(), Stuck()
        for tier in (broken, stuck):
            tier.put("k", b"what?")
        several = Cache(tiers=[broken, stuck, *cache.tiers])

        report = collect(several, now=lambda: 100.0)

        assert report.failed
        assert report.tiers["broken"] == {"sound": 0, "failed": 1}
        assert report.tiers["stuck"]["failed"] == 1
        assert report.tiers["memory"]["sound"] == 2  # it knows nothing of the stamp
        assert "the broken tier cannot be read: OSError: gone" in report.troubles
        assert "RuntimeError: no" in report.troubles

    def test_gc_removes_files_that_are_left_over(self, tmp_path):
        """Of shards that were set aside, and locks of long ago; nothing else in the directory."""
        files = ["v1/000.broken/cache.db", "locks/old", "locks/new", "locks/keys.3", "v1/notes.broken/x", "notes"]
        for name in files:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(b"1234")
        for name in ("locks/old", "locks/keys.3"):
            os.utime(tmp_path / name, (0, 0))
        cache = Cache(disk_cache_dir=tmp_path)

        report = collect(cache)

        assert [name for name in files if not (tmp_path / name).exists()] == files[:2]
        assert (report.files, report.freed, report.removed) == (2, 8, 0)
        assert "2 files removed" in str(report)
        cache.close()

    def test_what_others_have_encrypted_stays(self, tmp_path):
        """It is sealed to whoever has not its key, and not for him to take out."""
        disk = DiskTier(tmp_path)
        keys = {"a": b"k" * 32}
        mine = Cache(tiers=[EncryptedTier(disk, keys)], namespace="mine")
        other = Cache(tiers=[EncryptedTier(disk, keys)], namespace="other")
        for cache in (mine, other):
            cache.put(cache.namespace, ANSWER)
        mine.invalidate("x")

        assert collect(mine).tiers == {"disk": {"sound": 1, "sealed": 1}}
        assert collect(Cache(tiers=[disk])).tiers == {"disk": {"sound": 0, "sealed": 4}}
        assert (collect(mine).removed, verify(mine).ok) == (0, True)
        assert [entry.key for entry, _ in entries(mine)] == ["mine"]
        assert other.get("other") == ANSWER
        mine.close()

    def test_not_every_trouble_is_told(self):
        """The first are enough."""
        cache = Cache(tiers=[MemoryTier()])
        for number in range(100):
            cache.tiers[0].put(f"{number}", b"what?")

        report = verify(cache)

        assert report.tiers["memory"]["unreadable"] == 100
        assert len(report.troubles) == 20


class TestRows:
    def test_many_at_once_where_the_tier_can(self):
        """What is gone meanwhile is passed over."""
        tier = Batched()
        for number in range(1200):
            tier.put(f"{number}", b"v")
        tier.put("lost", b"v")

        assert len(list(rows(tier))) == 1200

    def test_a_tier_that_fails(self):
        """It is named."""
        tier = Broken()
        tier.put("k", b"v")
        with pytest.raises(CacheError, match="the broken tier cannot be read"):
            list(rows(tier))


class TestEntries:
    def test_the_newest_of_each_once(self):
        """Wherever it is; what cannot be read is passed over."""
        cache = Cache(tiers=[MemoryTier(), MemoryTier()])
        above, below = cache.tiers
        for tier, keys in [(above, {"a": 2.0, "b": 1.0, "c": 3.0}), (below, {"a": 1.0, "b": 2.0})]:
            for key, at in keys.items():
                tier.put(key, encode(key, ANSWER, created=at))
        below.put("d", b"what?")
        below.put("c", b"what?")
        cache.stamps._write = lambda stamps: [below.put(*each) for each in stamps.items()]
        cache.invalidate("x")

        assert sorted((entry.key, entry.created) for entry, _ in entries(cache)) == [("a", 2.0), ("b", 2.0), ("c", 3.0)]

    def test_a_tier_above_that_fails(self):
        """It is named."""
        cache = Cache(tiers=[Broken(), MemoryTier()])
        cache.tiers[1].put("a", encode("a", ANSWER))
        with pytest.raises(CacheError, match="the broken tier cannot be read"):
            list(entries(cache))


class TestTop:
    def make(self):
        cache = Cache(tiers=[MemoryTier()])

        def put(key, response, *tags, at):
            cache.tiers[0].put(key, encode(key, response, created=at, tags=tags))

        usage = {"prompt_tokens": 5, "completion_tokens": 1}
        put("a", Response.of("x", model="m", usage={"total_tokens": 3}), "program:p", "mine", at=1.0)
        put("b", Response.of("x" * 500, model="m", usage=usage, source="demo"), "model:n", at=2.0)
        put("c", Response(ANSWER.completions, "m", cost=0.5), "program:p", at=3.0)
        return cache

    @pytest.mark.parametrize(
        ("by", "names"),
        [
            ("model", {"m": 2, "n": 1}),
            ("program", {"p": 2, "(none)": 1}),
            ("version", {"(none)": 3}),
            ("tag", {"program:p": 2, "mine": 1, "model:n": 1}),
            ("source", {"lm": 2, "demo": 1}),
            ("entry", {"a": 1, "b": 1, "c": 1}),
        ],
    )
    def test_groups(self, by, names):
        """By what is asked for."""
        assert {each.name: each.entries for each in top(self.make(), by)} == names

    def test_in_order_and_so_many(self):
        """The most first."""
        cache = self.make()

        assert [each.name for each in top(cache, "entry", "bytes", 1)] == ["b"]
        assert [each.name for each in top(cache, "entry", "tokens")] == ["b", "a", "c"]
        assert top(cache, "entry", "cost")[0].name == "c"
        first = top(cache, "model")[0].to_dict()
        assert (first["oldest"], first["newest"], first["cost"]) == (2.0, 2.0, 0.0)

    def test_tokens(self):
        """The total, or what adds up to it."""
        assert tokens({"total_tokens": 3, "prompt_tokens": 9}) == 3
        assert tokens({"input_tokens": 3, "output_tokens": 4}) == 7
        assert tokens({"total_tokens": None}) == 0

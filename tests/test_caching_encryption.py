"""Encryption at rest: what stands in a tier, who can read it, and how keys are changed."""

import base64
import secrets
import sys

import pytest
import redis_servers
from caches import ANSWER, ask, told
from contracts.tier import TierContract

from progkit.caching import Cache, DiskTier, EncryptedTier, MemoryTier, RedisTier
from progkit.caching.encryption import AGAIN, VARIABLE
from progkit.errors import ConfigurationError, EntryError

OLD, NEW = b"o" * 32, b"n" * 32


class TestEncryptedMemory(TierContract):
    def make(self, tmp_path):
        return EncryptedTier(MemoryTier(), {"k": OLD})


class TestEncryptedDisk(TierContract):
    def make(self, tmp_path):
        return EncryptedTier(DiskTier(tmp_path / "cache"), {"k": OLD}, "tenant")


class TestEncryptedRedis(TierContract):
    def make(self, tmp_path):
        inner = RedisTier(redis_servers.url(), prefix=f"test-{tmp_path.name}-{secrets.token_hex(4)}", timeout=20)
        return EncryptedTier(inner, {"k": OLD})

    def test_what_else_the_inner_one_does(self, tier):
        """Many at once, without those that cannot be read; leases and switches."""
        tier.put("a", b"x")
        tier.inner.put("b", b"x")

        assert tier.get_many(["a", "b", "c"]) == {"a": b"x"}
        token = tier.lease("a", 20)
        assert tier.lease("a", 20) is None
        tier.release("a", token)
        assert (tier.read, tier.write) == (True, True)
        tier.inner.read = False
        assert tier.read is False


class TestAtRest:
    def test_nothing_can_be_read(self, tmp_path):
        """Neither in the files nor twice the same."""
        tier = EncryptedTier(DiskTier(tmp_path), {"k": OLD})
        tier.put("a", b"the patient's name" * 100)
        tier.put("b", b"the patient's name" * 100)
        tier.close()

        files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())

        assert b"patient" not in files
        assert tier.inner.get("a") != tier.inner.get("b")
        assert tier.get("a") == tier.get("b") == b"the patient's name" * 100
        tier.close()

    def test_an_entry_belongs_to_its_key(self):
        """Put under another one by somebody who can write but not read, it does not open."""
        tier = EncryptedTier(MemoryTier(), {"k": OLD})
        tier.put("a", b"of a")
        tier.inner.put("b", tier.inner.get("a"))

        with pytest.raises(EntryError, match="of another key or was changed"):
            tier.get("b")

    def test_a_change_shows(self):
        """Of any byte, and of any length."""
        tier = EncryptedTier(MemoryTier(), {"k": OLD})
        tier.put("a", b"value")
        whole = tier.inner.get("a")

        for place in range(len(whole)):
            tier.inner.put("a", whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(EntryError):
                tier.get("a")
            tier.inner.put("a", whole[:place])
            with pytest.raises(EntryError):
                tier.get("a")

    def test_what_was_there_before_is_a_miss(self):
        """Plain entries are not served, and do not put the tier to rest: the next reply takes their place."""
        memory = MemoryTier()
        Cache(tiers=[memory]).put("k", ANSWER)
        cache = Cache(tiers=[EncryptedTier(memory, {"k": OLD})])

        sentences = told(lambda: [cache.safe_get("k") for _ in "abc"])
        cache.safe_put("k", ANSWER)

        assert len(sentences) == 1
        assert "an entry that is not encrypted" in sentences[0]
        assert cache.safe_get("k") == ANSWER

    def test_a_cache_gives_a_hit_as_ever(self, tmp_path):
        """Through both tiers, encrypted with different keys; its directory is the inner tier's."""
        tiers = [EncryptedTier(MemoryTier(), {"m": NEW}), EncryptedTier(DiskTier(tmp_path), {"d": OLD})]
        cache = Cache(tiers=tiers)
        key = cache.key_for(ask())
        cache.safe_put(key, ANSWER)
        tiers[0].clear()

        assert cache.safe_get(key) == cache.safe_get(key) == ANSWER
        assert list(tiers[0].keys()) == [key]
        assert cache.directory == tmp_path
        cache.close()


class TestNamespaces:
    def test_tenants_cannot_read_each_other(self):
        """Not by asking, since their keys differ, and not by an entry that is passed from one to the other."""
        shared = EncryptedTier(MemoryTier(), {"k": OLD})
        one, two = (Cache(namespace=name, tiers=[shared]) for name in ("one", "two"))
        keys = one.key_for(ask()), two.key_for(ask())
        one.safe_put(keys[0], ANSWER)

        assert keys[0] != keys[1]
        assert two.safe_get(keys[1]) is None
        with pytest.warns(RuntimeWarning, match="of another key or was changed"):
            assert two.safe_get(keys[0]) is None
        assert one.safe_get(keys[0]) == ANSWER

    def test_of_a_tier_itself(self):
        """One that was given stays, whatever the cache has; with none at all there is nothing to change."""
        tier = EncryptedTier(MemoryTier(), {"k": OLD}, "own")
        plain = EncryptedTier(MemoryTier(), {"k": OLD})

        assert tier.within("cache") is tier
        assert plain.within("") is plain
        assert plain.within("cache").namespace == "cache"
        assert plain.within("cache").inner is plain.inner


class TestKeys:
    def test_rotation(self):
        """The first key writes; the others read what they wrote; one taken away reads nothing."""
        memory = MemoryTier()
        EncryptedTier(memory, {"1": OLD}).put("a", b"x")
        both = EncryptedTier(memory, {"2": NEW, "1": OLD})
        both.put("b", b"y")

        assert (both.get("a"), both.get("b")) == (b"x", b"y")
        new = EncryptedTier(memory, {"2": NEW})
        assert new.get("b") == b"y"
        with pytest.raises(EntryError, match="not known, '1'"):
            new.get("a")
        with pytest.raises(EntryError, match="the key '1' does not open"):
            EncryptedTier(memory, {"1": NEW}).get("a")

    def test_from_a_callable(self):
        """Asked when the tier is made, and again for an unknown key, once a minute at most."""
        memory, asked, now = MemoryTier(), [], [0.0]
        known = {"1": OLD}

        def keys():
            asked.append(dict(known))
            return known

        tier = EncryptedTier(memory, keys, clock=lambda: now[0])
        EncryptedTier(memory, {"2": NEW}).put("a", b"x")
        for _ in "abc":
            with pytest.raises(EntryError):
                tier.get("a")
        assert len(asked) == 1

        known |= {"2": NEW}
        now[0] += AGAIN

        assert tier.get("a") == b"x"
        assert len(asked) == 2

    def test_from_the_environment(self, monkeypatch):
        """``id:base64``, parted by commas; the first one writes."""
        text = {name: base64.b64encode(key).decode() for name, key in (("1", OLD), ("2", NEW))}
        monkeypatch.setenv(VARIABLE, f"2:{text['2']}, 1:{text['1']},")
        memory = MemoryTier()

        EncryptedTier(memory).put("a", b"x")

        assert EncryptedTier(memory, {"2": text["2"]}).get("a") == b"x"
        monkeypatch.delenv(VARIABLE)
        with pytest.raises(ConfigurationError, match="needs a key"):
            EncryptedTier(memory)

    @pytest.mark.parametrize("key", [b"secret", "secret", "c2VjcmV0", "", "ключ" * 8, b"secret" * 8])
    def test_a_key_that_is_none(self, key):
        """The error names its id, says how to make one, and shows nothing of it."""
        with pytest.raises(ConfigurationError, match="the key 'id' is not 32 bytes") as caught:
            EncryptedTier(MemoryTier(), {"id": key})

        assert "secret" not in str(caught.value)
        assert "c2VjcmV0" not in str(caught.value)
        assert caught.value.__context__ is None

    @pytest.mark.parametrize("name", ["", "x" * 256])
    def test_an_id_that_is_none(self, name):
        """It stands in each entry, with one byte for its length."""
        with pytest.raises(ConfigurationError, match="1 to 255 bytes"):
            EncryptedTier(MemoryTier(), {name: OLD})

    def test_are_not_shown(self):
        """Nor is a name that there is not made up."""
        tier = EncryptedTier(DiskTier("x"), {"k": b"secret" * 5 + b"!!"})

        assert "secret" not in repr(tier) + str(tier.__dict__["inner"])
        assert not hasattr(tier, "lease")
        assert not hasattr(tier, "rubbish")

    def test_in_a_fork(self):
        """Nothing has to begin anew."""
        tier = EncryptedTier(MemoryTier(), {"k": OLD})
        tier.put("a", b"x")

        for lock in tier.locks:
            lock.acquire()
            lock.release()
        tier.forked()

        assert tier.get("a") == b"x"

    def test_without_the_library(self, monkeypatch):
        """The error says what to install."""
        monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)

        with pytest.raises(ConfigurationError, match=r"needs cryptography: pip install 'progkit\[encrypt\]'"):
            EncryptedTier(MemoryTier(), {"k": OLD})

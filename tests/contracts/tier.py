"""What every tier does. A tier's own tests inherit this and say how to make one."""

import threading
from pathlib import Path

import pytest

from progkit.caching import Tier


class TierContract:
    """Inherit as ``class TestMyTier(TierContract)`` with a ``make``."""

    def make(self, tmp_path: Path) -> Tier:
        """A tier that is empty at its first call for *tmp_path*."""
        raise NotImplementedError

    @pytest.fixture
    def tier(self, tmp_path):
        tier = self.make(tmp_path)
        yield tier
        tier.close()

    def test_has_a_name(self, tier):
        """One word, for figures."""
        assert tier.name.isidentifier()

    def test_an_unknown_key_is_none(self, tier):
        """None means: not here."""
        assert tier.get("ab12") is None

    def test_gives_back_what_was_put(self, tier):
        """Byte for byte, whatever the bytes."""
        value = bytes(range(256)) * 300

        tier.put("ab12", value)

        assert tier.get("ab12") == value
        assert tier.get("ab1") is None

    def test_keeps_empty_values(self, tier):
        """An empty answer is an answer, not a miss."""
        tier.put("ab12", b"")

        assert tier.get("ab12") == b""

    def test_the_last_put_counts(self, tier):
        """One value for a key."""
        tier.put("ab12", b"old")
        tier.put("ab12", b"new")

        assert tier.get("ab12") == b"new"
        assert list(tier.keys()) == ["ab12"]

    @pytest.mark.parametrize("key", ["", "ключ 🗝", "a/b\\c:d?*", "x" * 2000, "../../etc/passwd", "AB12"])
    def test_any_text_is_a_key(self, tier, key):
        """A subclass of Cache may make keys as it likes; case counts."""
        tier.put("ab12", b"another")
        tier.put(key, b"this")

        assert tier.get(key) == b"this"
        assert set(tier.keys()) == {"ab12", key}

    def test_deletes(self, tier):
        """And says whether there was something."""
        tier.put("ab12", b"1")
        tier.put("cd34", b"2")

        assert tier.delete("ab12") is True
        assert tier.delete("ab12") is False
        assert tier.get("ab12") is None
        assert tier.get("cd34") == b"2"

    def test_clears(self, tier):
        """Everything, and goes on."""
        for number in range(10):
            tier.put(f"{number}", b"x")

        tier.clear()

        assert list(tier.keys()) == []
        tier.put("3", b"y")
        assert tier.get("3") == b"y"

    def test_an_empty_tier_can_be_asked_anything(self, tier):
        """Nothing has been made yet, and nothing breaks."""
        tier.clear()

        assert tier.delete("ab12") is False
        assert list(tier.keys()) == []
        assert tier.stats()["entries"] == 0

    def test_names_every_key(self, tier):
        """Each once."""
        keys = [f"{number:04x}" for number in range(30)]
        for key in keys:
            tier.put(key, b"v")

        assert sorted(tier.keys()) == keys

    def test_counts(self, tier):
        """Entries, and bytes that are not fewer than the values'."""
        tier.put("ab12", b"x" * 5000)
        tier.put("cd34", b"x" * 5000)

        stats = tier.stats()

        assert stats["entries"] == 2
        assert stats["bytes"] >= 10_000

    def test_closing_is_not_the_end(self, tier):
        """Closed twice, it still opens again."""
        tier.put("ab12", b"x")
        tier.close()
        tier.close()

        tier.put("cd34", b"y")

        assert tier.get("cd34") == b"y"

    def test_threads_share_it(self, tier):
        """Each finds what it put, and nothing is lost."""
        troubles = []

        def work(own):
            try:
                for number in range(25):
                    tier.put(f"{own}-{number}", f"{own}-{number}".encode())
                    assert tier.get(f"{own}-{number}") == f"{own}-{number}".encode()
                    assert tier.get("nowhere") is None
            except Exception as error:
                troubles.append(error)

        threads = [threading.Thread(target=work, args=(own,)) for own in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert troubles == []
        assert tier.stats()["entries"] == 200

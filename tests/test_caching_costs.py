"""What a miss takes with the default tiers, counted: files opened, statements, locks."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from caches import run
from scripted import ScriptedLM

import progkit
from progkit import Predict
from progkit.caching import DiskTier, current_cache, store

MISSES = 50

COUNTING = """
import asyncio, collections, progkit
from progkit import Predict

class LM:
    identity = {"model": "counted/lm"}
    def complete(self, request):
        return progkit.Response.of("[[ ## answer ## ]]\\nyes")
    async def acomplete(self, request):
        return self.complete(request)

place, misses = sys.argv[1], int(sys.argv[2])
events, seen = ("open", "os.", "sqlite3.connect", "fcntl."), collections.Counter()
sys.addaudithook(lambda event, _: seen.update([event]) if event.startswith(events) else None)
progkit.configure_cache(disk_cache_dir=place)
progkit.configure(lm=LM())
predict = Predict("question -> answer")

def misses_of(name):
    for number in range(misses):
        predict(question=f"{name} {number}")

async def async_misses():
    await asyncio.gather(*(predict.acall(question=f"async {number}") for number in range(misses)))

misses_of("first")
seen.clear()
misses_of("second")
print(sorted(seen.items()))
asyncio.run(async_misses())
for event in ("open", "os.mkdir", "os.remove", "sqlite3.connect"):
    print(event, seen[event])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="locks bytes as Linux does")
def test_a_miss_opens_no_file(tmp_path):
    """Nor does it make or remove one: two system calls lock and unlock it, among the processes of this host."""
    said = run(COUNTING, tmp_path, MISSES).splitlines()

    assert said[0] == f"[('fcntl.fcntl', {2 * MISSES})]"
    assert said[1:] == ["open 0", "os.mkdir 0", "os.remove 0", "sqlite3.connect 0"]


KILLED = """
import os, signal, sys, progkit
from progkit.caching import DiskTier

class LM:
    identity = {"model": "killed/lm"}
    def complete(self, request):
        return progkit.Response.of("[[ ## answer ## ]]\\nyes")

progkit.configure_cache(disk_cache_dir=sys.argv[1])
progkit.configure(lm=LM())
for number in range(20):
    progkit.Predict("question -> answer")(question=f"{number}")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_what_was_answered_is_kept_already(tmp_path):
    """A process that is killed right after an answer has kept it."""
    top = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=top, timeout=60)

    assert done.returncode == -signal.SIGKILL
    tier = DiskTier(tmp_path)
    assert tier.stats()["entries"] == len(list(tier.keys())) == 20
    tier.close()


class Traced:
    """What SQLite is told through *tier* from now on."""

    def __init__(self, tier: DiskTier) -> None:
        self.texts: list[str] = []
        for part in tier._shards:
            for connection in part._connections:
                connection.set_trace_callback(self.texts.append)

    def count(self) -> Counter[str]:
        """The first words; what writes is told again for each trigger, and counts once."""
        read = [text for text in self.texts if not text.lstrip().startswith("INSERT")]
        return Counter(text.split()[0] for text in [*read, *(set(self.texts) - set(read))])


class TestStatements:
    def test_of_a_miss(self, tmp_path):
        """It is looked for twice, once before it is locked and once after, and written once."""
        progkit.configure_cache(disk_cache_dir=tmp_path)
        with progkit.context(lm=ScriptedLM(*["[[ ## answer ## ]]\nyes"] * 3 * MISSES)):
            predict = Predict("question -> answer")
            for number in range(MISSES):
                predict(question=f"warm {number}")
            [_, tier] = current_cache().tiers
            said = Traced(tier)
            for number in range(MISSES):
                predict(question=f"sync {number}")
            assert said.count() == {"SELECT": 2 * MISSES, "INSERT": MISSES}

            asyncio.run(_gathered(predict))
            assert said.count() == {"SELECT": 4 * MISSES, "INSERT": 2 * MISSES}

    def test_of_a_hit(self, tmp_path):
        """One."""
        tier = DiskTier(tmp_path)
        tier.put("a", b"x")
        tier.get("a")
        said = Traced(tier)
        for _ in range(MISSES):
            tier.get("a")

        assert said.count() == {"SELECT": MISSES}
        tier.close()

    def test_of_a_file_with_room(self, tmp_path):
        """Its size is asked for each time that a share of the room is written."""
        tier = DiskTier(tmp_path, size_limit_bytes=10 * store.MOST, shards=1)
        tier.put("first", b"")
        said = Traced(tier)
        for number in range(200):
            tier.put(f"{number}", b"x" * (store.MOST // 20 - store.ROW))

        counts = said.count()
        assert counts["INSERT"] == 200
        assert 0 < counts["PRAGMA"] < 200 * store.MOST / 20 / (10 * store.MOST * store.SHARE) * 4
        tier.close()


async def _gathered(predict):
    await asyncio.gather(*(predict.acall(question=f"async {number}") for number in range(MISSES)))


class TestRoom:
    def test_many_who_write_one_file(self, tmp_path):
        """It stays near its limit, whoever of them looks."""
        tiers = [DiskTier(tmp_path, size_limit_bytes=1_000_000, shards=1) for _ in range(10)]
        for number in range(100):
            for each, tier in enumerate(tiers):
                tier.put(f"{number} {each}", b"x" * 4000)

        assert tiers[0].stats()["bytes"] < 1_200_000
        assert tiers[0].stats()["entries"] > 150
        for tier in tiers:
            tier.close()

    def test_what_diskcache_let_expire(self, tmp_path):
        """It is dropped first when room is made."""
        tier = DiskTier(tmp_path, size_limit_bytes=300_000, shards=1)
        tier.put("first", b"x" * 1000)
        tier.put("expired", b"x" * 1000)
        with sqlite3.connect(tmp_path / "v1" / "000" / "cache.db") as connection:
            connection.execute("UPDATE Cache SET expire_time = 1 WHERE key = 'expired'")
        connection.close()
        number = 0
        while tier.get("expired") is not None:
            tier.put(f"{number}", b"x" * 1000)
            number += 1
            assert number < 1000

        assert number > 100
        tier.close()

    def test_replacing_counts_once(self, tmp_path):
        """Of a key that is put again there is one row, that of the last time."""
        tier = DiskTier(tmp_path)
        for number in range(20):
            tier.put("a", b"%d" % number)

        assert (tier.get("a"), tier.stats()["entries"], list(tier.keys())) == (b"19", 1, ["a"])
        tier.close()

    def test_a_table_without_its_index(self, tmp_path):
        """A key could stand there twice: the file is set aside, as any that is not laid out as ours."""
        tier = DiskTier(tmp_path, shards=1)
        tier.put("a", b"x")
        with sqlite3.connect(tmp_path / "v1" / "000" / "cache.db") as connection:
            connection.execute("DROP INDEX Cache_key_raw")
            connection.execute("CREATE INDEX Cache_key_raw ON Cache(key)")
        connection.close()

        tier.put("a", b"y")

        assert (tier.get("a"), tier.stats()["set_aside"]) == (b"y", 1)
        tier.close()

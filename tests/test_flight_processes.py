"""One LM call, however many processes ask: locks on one host, leases on one server."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from caches import told
from flights import HeldLM, until
from redis_servers import url

import progkit
from progkit import Cache, Predict
from progkit.caching import DiskTier, MemoryTier, RedisTier, current_cache
from progkit.caching.guard import REST
from progkit.caching.keylocks import KeyLocks
from progkit.caching.passage import Guardian, Lease, Passage, gates

QA = "question -> answer"

ASKING = """
import os, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import progkit
from progkit.caching import MemoryTier, RedisTier

place, server, wait, seconds, threads = Path(sys.argv[1]), *sys.argv[2:]

class LM:
    identity = {"model": "process/lm"}

    def complete(self, request):
        with open(place / "calls", "a") as calls:
            calls.write(f"{os.getpid()}\\n")
        time.sleep(float(seconds))
        return progkit.Response.of(f"[[ ## answer ## ]]\\nfrom {os.getpid()}", usage={"total_tokens": 7})

tiers = [MemoryTier()] + ([RedisTier(server, prefix=place.name, timeout=5)] if server else [])
progkit.configure_cache(tiers=tiers if server else None, disk_cache_dir=place / "cache", wait=float(wait))
progkit.configure(lm=LM())
predict = progkit.Predict("question -> answer")
(place / f"{os.getpid()}.ready").touch()
while not (place / "go").exists():
    time.sleep(0.001)
with ThreadPoolExecutor(int(threads)) as pool:
    for answer in pool.map(lambda _: predict(question="?"), range(int(threads))):
        print(answer.answer, answer.get_lm_usage(), sep="|")
"""


class Processes:
    """*count* processes that ask the same when they are let."""

    def __init__(self, place, count, server="", wait=60, seconds=0.3, threads=4):
        self.place = place
        arguments = [sys.executable, "-c", ASKING, str(place), server, str(wait), str(seconds), str(threads)]
        top = Path(progkit.__file__).parent.parent
        env = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_"))}
        self.running = [
            subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=top, env=env) for _ in range(count)
        ]
        until(lambda: len(list(place.glob("*.ready"))) == count)

    def go(self):
        """Let them ask."""
        (self.place / "go").touch()

    def answers(self):
        """What they print, each its lines."""
        return [each.communicate(timeout=30)[0].split("\n")[:-1] for each in self.running]

    @property
    def calls(self):
        """Which of them have asked the LM, in order."""
        calls = self.place / "calls"
        return calls.read_text().split() if calls.exists() else []


class TestStampede:
    def test_eight_processes(self, tmp_path):
        """One of 32 calls is made; the others are answered by what it got, and no lock is left."""
        processes = Processes(tmp_path, 8)
        processes.go()
        answers = [line for lines in processes.answers() for line in lines]

        [caller] = processes.calls
        assert Counter(line.partition("|")[0] for line in answers) == {f"from {caller}": 32}
        assert Counter(line.partition("|")[2] == "{}" for line in answers) == {True: 31, False: 1}
        assert [path.read_bytes() for path in (tmp_path / "cache" / "locks").iterdir()] in ([], [b""])

    def test_two_processes_on_one_server(self, tmp_path):
        """A lease keeps the second one waiting, as a second machine's."""
        processes = Processes(tmp_path, 2, server=url())
        processes.go()
        answers = [line for lines in processes.answers() for line in lines]

        [caller] = processes.calls
        assert Counter(line.partition("|")[0] for line in answers) == {f"from {caller}": 8}

    @pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
    def test_a_process_that_dies_leading(self, tmp_path):
        """Its lock goes with it, and another one asks."""
        processes = Processes(tmp_path, 2, seconds=1, threads=1)
        processes.go()
        until(lambda: len(processes.calls) == 1)
        [first] = processes.calls
        os.kill(int(first), signal.SIGKILL)
        other = [each for each in processes.running if str(each.pid) != first]

        assert [each.communicate(timeout=30)[0] for each in other] == [
            f"from {other[0].pid}|{{'': {{'total_tokens': 7}}}}\n"
        ]
        assert processes.calls == [first, str(other[0].pid)]
        for each in processes.running:
            each.communicate()

    def test_waiting_has_an_end(self, tmp_path):
        """After ``wait`` seconds a process asks all the same."""
        processes = Processes(tmp_path, 2, wait=0.1, seconds=1, threads=1)
        processes.go()
        processes.answers()

        assert len(processes.calls) == 2


@pytest.fixture
def held(tmp_path):
    """The key that another process asks for, as far as one can see, and how to let it go."""
    progkit.configure_cache(disk_cache_dir=tmp_path, wait=20)
    lm = HeldLM()
    lm.let.set()
    with progkit.context(lm=lm):
        ask = Predict(QA).ask({"question": "?"})
        key = ask.key(ask.request(ask.adapter))
        other = Cache(disk_cache_dir=tmp_path)
        passage = other.passage(key)
        assert passage.enter()
        yield lm, other, key, passage
        passage.leave()
        other.close()


class TestWaiting:
    def test_holds_up_no_loop(self, held):
        """Other tasks go on while one waits for another process."""
        _, other, key, passage = held

        async def main():
            task = asyncio.ensure_future(Predict(QA).acall(question="?"))
            for _ in range(100):
                await asyncio.sleep(0.0005)
            assert not task.done()
            other.put(key, progkit.Response.of("[[ ## answer ## ]]\ntheirs"))
            passage.leave()
            return await task

        prediction = asyncio.run(main())

        assert (prediction.answer, prediction.get_lm_usage()) == ("theirs", {})
        assert held[0].calls == []

    def test_looks_for_the_answer_meanwhile(self, held):
        """It is taken as soon as it is there, also while the lock is still held."""
        _, other, key, _ = held
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(progkit.carry(Predict(QA)), question="?")
            until(lambda: current_cache().flights.flights)
            other.put(key, progkit.Response.of("[[ ## answer ## ]]\ntheirs"))
            assert waiting.result(10).answer == "theirs"

        stats = current_cache().stats()
        assert (stats["misses"], stats["hits"], stats["coalesced"]) == (1, 0, 1)

    def test_goes_on_when_the_other_one_got_nothing(self, held):
        """Its turn."""
        lm, _, _, passage = held
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(progkit.carry(Predict(QA)), question="?")
            until(lambda: current_cache().flights.flights)
            passage.leave()
            assert waiting.result(10).answer == "answer 1"

        assert len(lm.calls) == 1

    def test_a_miss_counts_once(self, tmp_path):
        """However often it looks."""
        progkit.configure_cache(disk_cache_dir=tmp_path)
        lm = HeldLM()
        lm.let.set()
        with progkit.context(lm=lm):
            Predict(QA)(question="?")

        stats = current_cache().stats()
        assert [stats["misses"], stats["tiers"]["memory"]["misses"], stats["tiers"]["disk"]["misses"]] == [1, 1, 1]


class Leasing(MemoryTier):
    """A tier with leases, of which it may refuse or fail."""

    name = "leasing"

    def __init__(self):
        super().__init__()
        self.leases = {}
        self.fails = False

    def lease(self, key, seconds):
        if self.fails:
            raise OSError("gone")
        return self.leases.setdefault(key, object()) if key not in self.leases else None

    def release(self, key, token):
        if self.fails:
            raise OSError("gone")
        assert self.leases.pop(key) is token


class TestGates:
    def test_come_from_the_tiers(self, tmp_path):
        """A file for the first directory, a lease for each tier that leases, found below what wraps it."""
        disks = [DiskTier(tmp_path / name) for name in "ab"]
        tiers = [MemoryTier(), *disks, Leasing(), RedisTier(url())]

        found = [guardian.gate for guardian in gates(tiers, print, time.monotonic)]

        assert [type(gate) for gate in found] == [KeyLocks, Lease, Lease]
        assert [gate.name for gate in found] == ["lock file", "leasing lease", "redis lease"]

    def test_one_after_the_other(self):
        """Who is through the first waits at the second, and lets both go."""
        first, second = Leasing(), Leasing()
        second.leases["k"] = "another's"
        guardians = gates([first, second], print, time.monotonic)
        passage = Passage(guardians, "k")

        assert not passage.enter()
        assert [len(tier.leases) for tier in (first, second)] == [1, 1]
        del second.leases["k"]
        assert passage.enter()
        assert passage.enter()
        passage.leave()
        passage.leave()

        assert [len(tier.leases) for tier in (first, second)] == [0, 0]

    def test_pauses_grow_and_end(self):
        """Up to a tenth of a second each, until the time is up."""
        tier = Leasing()
        tier.leases["k"] = "another's"

        pauses = list(Passage(gates([tier], print, time.monotonic), "k").pauses(3.0))

        assert 3.0 <= sum(pauses) <= 3.1
        assert 0.0025 <= min(pauses) < 0.01 < 0.05 < max(pauses) <= 0.1
        assert len(pauses) < 80

    @pytest.mark.parametrize("where", ["enter", "leave"])
    def test_one_that_fails_stands_open(self, where):
        """Told once, and left alone for a while."""
        tier, now = Leasing(), [0.0]
        cache = Cache(tiers=[tier], clock=lambda: now[0])
        cache.stamps._clock = lambda: 0.0

        def act():
            passage = cache.passage("k")
            tier.fails = where == "enter"
            assert passage.enter()
            tier.fails = True
            passage.leave()

        assert len(told(act)) == 1
        [guardian] = cache._gates
        assert guardian.enter("other") == (True, None)
        assert tier.leases.keys() <= {"k"}
        now[0] = REST
        tier.fails = False
        tier.leases.clear()
        assert guardian.enter("other") == (True, tier.leases["other"])

    def test_a_directory_that_cannot_be_written(self, tmp_path):
        """The calls are made all the same."""
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / "locks").write_text("not a directory")
        progkit.configure_cache(disk_cache_dir=tmp_path / "cache")
        lm = HeldLM()
        lm.let.set()

        with progkit.context(lm=lm):
            sentences = told(lambda: [Predict(QA)(question=f"{n}").answer for n in range(3)])

        assert len(lm.calls) == 3
        assert [sentence.startswith("the lock file of the cache failed") for sentence in sentences] == [True]

    def test_any_text_is_a_key(self, tmp_path):
        """A subclass may make keys that are no file names."""
        guardian = Guardian(KeyLocks(DiskTier(tmp_path / "cache")), print)

        for key in ("../../x", "a/b", "x" * 5000, "\ud800", ""):
            free, token = guardian.enter(key)
            assert free
            assert guardian.enter(key) == (False, None)
            guardian.leave(key, token)
            assert guardian.enter(key)[0]

        assert [path.name for path in tmp_path.iterdir()] == ["cache"]
        assert {path.stat().st_mode & 0o77 for path in [tmp_path / "cache", tmp_path / "cache" / "locks"]} == {0}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
class TestFork:
    def test_a_child_waits_for_nobody(self):
        """Who led and who waited in the parent is not there."""
        progkit.configure_cache(enable_disk_cache=False)
        lm = HeldLM()
        with progkit.context(lm=lm), ThreadPoolExecutor(1) as pool:
            leading = pool.submit(progkit.carry(Predict(QA)), question="?")
            until(lambda: len(lm.calls) == 1)
            child = os.fork()
            if child == 0:
                signal.alarm(10)
                lm.let.set()
                os._exit(0 if Predict(QA)(question="?").answer == "answer 2" else 1)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            lm.let.set()

            assert status == 0
            assert leading.result().answer == "answer 1"

    def test_what_a_child_does_first(self):
        """It empties the map; a call that goes on there lands without harm."""
        flights = Cache(tiers=[MemoryTier()]).flights
        with ThreadPoolExecutor(1) as pool:
            landing, leaving = flights.board("a", True), flights.board("b", True)
            follower = pool.submit(flights.board, "a", True).result()

        flights.forked()
        landing.land(progkit.Response.of("a"), progkit.cache.controls)
        landing.leave()
        leaving.leave()

        assert follower.waits
        assert not follower.signal.done()
        assert flights.board("a", True).leads

"""Tiers in a process that forks."""

import os
import signal
import threading

import pytest

from progkit.caching import DiskTier, MemoryTier


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
class TestFork:
    def forked(self, act):
        """Run *act* in a forked child; whether it returned true, within 10 seconds."""
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            try:
                os._exit(0 if act() else 1)
            finally:
                os._exit(2)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    def test_a_child_inherits_the_memory(self):
        """A process that warms up and then forks has warm children, each with a memory of its own."""
        tier = MemoryTier()
        tier.put("a", b"x")

        assert self.forked(lambda: tier.get("a") == b"x" and tier.put("a", b"y") is None and tier.get("a") == b"y")
        assert tier.get("a") == b"x"

    def test_a_child_opens_its_own_connections(self, tmp_path):
        """Parent and child write and read on, side by side."""
        tier = DiskTier(tmp_path)
        tier.put("a", b"x")
        tier.get("a")
        inherited = [each for part in tier._shards for each in part._connections]

        def child():
            found = tier.get("a") == b"x" and tier.put("b", b"y") is None
            mine = [each for part in tier._shards for each in part._connections]
            return found and not set(map(id, mine)) & set(map(id, inherited))

        assert self.forked(child)
        assert tier.get("b") == b"y"
        tier.put("a", b"z")
        assert self.forked(lambda: tier.get("a") == b"z")
        tier.close()

    def test_a_lock_of_another_thread_does_not_outlive_it(self, tmp_path):
        """Forking amid the traffic of other threads gives children that answer."""
        tiers = [MemoryTier(), DiskTier(tmp_path)]
        stop = threading.Event()

        def traffic():
            while not stop.is_set():
                for tier in tiers:
                    tier.put("a", b"x")
                    tier.get("a")

        threads = [threading.Thread(target=traffic) for _ in range(3)]
        for tier in tiers:
            tier.put("a", b"x")
        for thread in threads:
            thread.start()
        try:
            answers = [self.forked(lambda: all(tier.get("a") == b"x" for tier in tiers)) for _ in range(15)]
        finally:
            stop.set()
            for thread in threads:
                thread.join()

        assert all(answers)
        tiers[1].close()

    def test_what_a_child_does_first(self, tmp_path):
        """It lets go of what it inherited, and closes none of it."""
        tier = DiskTier(tmp_path)
        tier.put("a", b"x")
        tier.get("a")
        mine = [each for part in tier._shards for each in part._connections]

        for part in tier._shards:
            part.forked()
        MemoryTier().forked()

        assert [each.execute("SELECT 1").fetchall() for each in mine] == [[(1,)], [(1,)]]
        assert tier.get("a") == b"x"
        for each in mine:
            each.close()
        tier.close()

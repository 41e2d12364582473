"""The cache's benchmark: its work is done, its tables say what was found. The other peers are not installed here."""

import json
import sys

import pytest

from benchmarks import cache, cache_work


def figures():
    tiers = {f"{peer}.{tier}": 2e-6 for peer in cache.PEERS for tier in ("memory", "disk")}
    rates = {f"{peer}.rate.{row}": 1000.0 for peer in ("progkit", "dspy") for row in ("threads.1", "threads.8")}
    calls = {f"progkit.calls.{row}": 1.0 for row in ("threads.64", "tasks.1000", "processes.8")}
    return tiers | rates | calls | dict.fromkeys(("progkit.rate", "progkit.bytes", "progkit.open", "progkit.dead"), 0.4)


@pytest.mark.parametrize("peer", ["floor", "progkit"])
def test_hits_are_hits(tmp_path, peer):
    """The work checks each reply that it gets."""
    bench = cache.Bench({peer: sys.executable}, tmp_path, quick=True)

    assert set(bench.do("hits", peer)) == {"memory", "disk"}


def test_a_cache_of_many_entries(tmp_path):
    """Kept, measured, opened again."""
    bench = cache.Bench({"progkit": sys.executable}, tmp_path, quick=True)

    filled = bench.do("fill", "progkit", many=300)

    assert filled["bytes"] > 300
    assert bench.do("opening", "progkit", many=300)["open"] > 0
    with pytest.raises(SystemExit, match="an entry is missing"):
        bench.do("opening", "progkit", many=2000)


def test_who_asks_when_all_ask(tmp_path):
    """Threads of one process, and two processes: one call each."""
    bench = cache.Bench({"progkit": sys.executable}, tmp_path, quick=True)
    with cache.serving(0.2) as endpoint:
        assert bench.do("ask_threads", "progkit", endpoint=endpoint, many=8, salt="a") == {"answers": 1}
        assert cache.asked(endpoint) == 1


def test_a_dead_server_is_measured(tmp_path):
    """At a port that is closed."""
    bench = cache.Bench({"progkit": sys.executable}, tmp_path, quick=True)

    assert "added" in bench.do("dead", "progkit", many=20, redis=f"redis://127.0.0.1:{cache.closed_port()}/0")


def test_the_tables():
    """A column for each peer; what was not measured is empty."""
    text = "\n".join(cache.tables(figures()))

    assert "| in memory | 2.0 µs |  2.0 µs | 2.0 µs |  2.0 µs |    2.0 µs |" in text
    assert "| 1 thread          | 1,000/s | 1,000/s |" in text
    assert "| 8 processes                    |       1 |      |" in text
    assert "| 2 processes on one Redis       |         |      |" in text
    assert "400 ms to 1,000 calls" in text


def test_the_targets():
    """Met, not met, not measured; some are of another figure."""
    found = figures() | {"progkit.memory": 5e-6}

    met = {name.split(" ")[0]: value for name, value in cache.judged(found)}

    assert met["progkit.memory"] is False
    assert met["progkit.disk"] is True
    assert met["progkit.calls.tasks.1000"] is True
    assert met["progkit.calls.redis.2"] is None
    assert json.dumps(met)


def test_a_hit_that_gives_something_else_is_no_hit():
    """It is not timed."""
    with pytest.raises(AssertionError, match="something else"):
        cache_work.timed(lambda number: "what?", 1)


def test_every_task_can_be_called_by_name():
    """The command line names functions that are there."""
    assert all(callable(getattr(cache_work, task.__name__)) for task in cache_work.TASKS)

"""The benchmark of artifacts: its work is done, its tables say what was found. The peers are not installed here."""

import sys

import pytest

from benchmarks import artifacts


def bench(tmp_path):
    return artifacts.Bench({"progkit": sys.executable}, tmp_path, quick=True)


def figures():
    names = ("save", "load", "look", "load_colons", "load_quotes", "write", "read", "bytes")
    files = {
        f"{peer}.{name}.{demos}": 0.5 for peer in ("progkit", "dspy") for name in names for demos in artifacts.DEMOS
    }
    return files | {f"{peer}.bundle.{name}": 0.25 for peer in ("progkit", "dspy") for name in ("save", "load")}


def test_state_files(tmp_path):
    """Saved, loaded, and compared with what was saved."""
    found = bench(tmp_path).do("files", "progkit", "--demos=20")

    assert set(found) == {"save", "load", "look", "load_colons", "load_quotes", "write", "read", "bytes"}
    assert found["bytes"] > 20 * 100


def test_bundles(tmp_path):
    """The user's modules travel; in the process that loads they are not to be found otherwise."""
    here = bench(tmp_path)

    assert here.do("bundle_save", "progkit")["save"] > 0
    assert here.do("bundle_load", "progkit")["load"] > 0


def test_work_that_fails_ends_the_benchmark(tmp_path):
    """With what it said."""
    with pytest.raises(SystemExit, match="bundle_load failed for progkit"):
        bench(tmp_path).do("bundle_load", "progkit")


def test_the_tables():
    """A column for each peer; what was not measured is empty."""
    text = "\n".join(artifacts.tables(figures()))

    assert "| save a state file, 8 demos " in text
    assert "|                          10,000 demos |" not in text
    assert "250 ms | 250 ms |        |" in text


def test_the_targets():
    """Met or not, and by how much."""
    found = figures() | {"progkit.load.8": 1.0}

    judged = {name: (times, met) for name, times, met in artifacts.judged(found)}

    assert judged["progkit.load.8 at most 1 times dspy.load.8"] == (2.0, False)
    assert judged["progkit.save.8 at most 3 times progkit.write.8"] == (1.0, True)

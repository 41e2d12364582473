"""The benchmark does its work and says what it found: progkit's side of it, since DSPy is not installed here."""

import sys
from pathlib import Path

import pytest

from benchmarks import run


def test_the_work_is_done_and_hits_ask_nobody(tmp_path: Path) -> None:
    """Once the cache is filled, a new process gets every answer from it; ``do`` fails if the server is asked."""
    with run.server() as endpoint:
        bench = run.Bench({"progkit": sys.executable}, endpoint, tmp_path, quick=True)

        filled = bench.do("fill", "progkit", may_ask=3 * 16)
        cold = bench.do("cold", "progkit", may_ask=0)
        hits = bench.do("hits", "progkit", may_ask=0)
        files = bench.do("files", "progkit", may_ask=0)

    assert cold["answers"] == filled["answers"][16:17]
    assert {"memory.0", "memory.8", "memory.64", "disk.0", "disk.8", "disk.64"} <= set(hits)
    assert {"save.8", "save.1000", "load.8", "load.1000"} <= set(files)


def test_a_run_that_did_other_work_is_no_result(tmp_path: Path) -> None:
    """A hit that went to the server is not timed as a hit."""
    with run.server() as endpoint, pytest.raises(SystemExit, match="asked for 0 completions, not 5"):
        run.Bench({"progkit": sys.executable}, endpoint, tmp_path, quick=True).do("import", "progkit", may_ask=5)


def test_the_table_tells_medians_ratios_and_targets() -> None:
    """Each row is progkit beside DSPy; a figure divided by another is judged for progkit alone."""
    samples = {row.figure: {"progkit": [0.001, 0.003, 0.002], "dspy": [0.01, 0.01, 5.0]} for row in run.ROWS}
    samples["import"] = {"progkit": [0.03], "dspy": [0.1]}

    rows = {row["figure"]: row for row in run.results(samples)}
    table = list(run.lines(list(rows.values())))

    assert rows["memory.8"]["ratio"] == pytest.approx(0.2)
    assert not rows["memory.8"]["met"]
    assert rows["memory.64/memory.0"]["met"]
    assert rows["save.8"]["met"] is None
    assert [cell.strip() for cell in table[2].split("|")[1:-1]] == [
        "import",
        "30 ms",
        "100 ms",
        "0.30",
        "0.25 at most",
        "NOT MET",
    ]
    assert len({len(line) for line in table}) == 1

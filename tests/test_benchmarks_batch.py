"""The benchmark of many calls at once: its work is done, its tables say what was found. DSPy is not installed here."""

import sys

import pytest

from benchmarks import batch, batch_work


def figures():
    found = {f"{peer}.rate.{key}": 1000.0 for peer in batch.PEERS for key in ("0.1000", "20.1000", "200.1000")}
    found |= {f"{peer}.cpu.{key}": 0.001 for peer in batch.PEERS for key in ("0.1000", "20.1000", "200.1000")}
    return found | {"stream.rss.tenth": 36 * 2**20, "stream.rss.all": 36.5 * 2**20}


@pytest.mark.parametrize("peer", ["progkit", "client"])
def test_every_question_is_answered(tmp_path, peer):
    """The work checks each answer; the server was asked once for each."""
    bench = batch.Bench({peer: sys.executable}, tmp_path)

    with batch.serving(0.01) as endpoint:
        found = bench.do(peer, endpoint=endpoint, many=40, at_once=16)
        asked = batch.run.Bench({}, endpoint, tmp_path, False).asked()

    assert found["rate"] > 0
    assert found["cpu"] > 0
    assert asked == 40 + batch_work.WARM


def test_rows_stream_through(tmp_path):
    """Memory is looked at on the way and at the end."""
    found = batch.Bench({"stream": sys.executable}, tmp_path).do("stream", many=200)

    assert set(found) == {"rss.tenth", "rss.all"}


def test_wrong_answers_are_not_timed():
    """Nor missing ones."""
    with pytest.raises(AssertionError, match="wrong"):
        batch_work.timed(lambda questions: ["what?"] * len(questions), 3)


def test_work_that_fails_ends_the_benchmark(tmp_path):
    """With what it said."""
    with pytest.raises(SystemExit, match="client failed"):
        batch.Bench({"client": sys.executable}, tmp_path).do("client", many=1, endpoint="http://127.0.0.1:1/v1")


def test_the_tables():
    """A row for each work, a column for each peer; what was not measured is empty."""
    text = "\n".join(batch.tables(figures(), batch.WORK))

    assert "| 1,000, 200 ms  |   1,000 |" in text
    assert "| 10,000, 200 ms |         |" in text
    assert "36.0 MB after a tenth, 36.5 MB after all" in text


def test_the_targets():
    """Met or not, and by how much."""
    met = [met for _, _, met in batch.judged(figures())]

    assert met == [True, False, True, True]

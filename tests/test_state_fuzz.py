"""A hundred rounds of ``fuzz_state.py``, the same in every run."""

from pathlib import Path

import fuzz_state
import pytest


@pytest.mark.parametrize("seed", [1, 2])
def test_spoiled_files_break_no_promise(seed: int, tmp_path: Path) -> None:
    """Documented errors alone, statuses 0 to 2, no traceback, and programs that are what they were."""
    assert fuzz_state.run(50, 0.0, seed, tmp_path) == 0, f"see {[*tmp_path.iterdir()]}"


def test_what_breaks_a_promise_is_told_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The fuzzer would notice: with a command that fails, every file is one that broke a promise."""
    monkeypatch.setattr(fuzz_state, "main", lambda words: 3)

    assert fuzz_state.run(2, 0.0, 4, tmp_path) == 2
    assert "ended with 3" in capsys.readouterr().err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["broken-4-0.json", "broken-4-1.json"]

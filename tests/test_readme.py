"""The README's promises: its Python runs as it stands, and what it names exists."""

import re
from pathlib import Path

import progkit
from progkit.cli.options import parse

README = Path(__file__).parent.parent / "README.md"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_the_tour_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    """Every Python block, in one namespace, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}

    for block in blocks("python"):
        exec(compile(block, str(README), "exec", dont_inherit=True), names)

    assert (tmp_path / "desk.json").exists()
    assert "3 warmed, 0 already there, 0 skipped, 0 failed" in capsys.readouterr().out


def test_the_commands_shown_are_understood():
    """Each `progkit ...` line parses."""
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("progkit ")]

    for line in lines:
        words = re.findall(r'(?:[^\s"]|"[^"]*")+', line.split("   ")[0])
        parse([word.replace('"', "") for word in words[1:]])

    assert len(lines) >= 6


def test_every_public_name_is_there():
    """Lazy names resolve; nothing is listed that is not."""
    for name in progkit.__all__:
        assert getattr(progkit, name) is not None
    assert set(progkit.__all__) <= set(dir(progkit))

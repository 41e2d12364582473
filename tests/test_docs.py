"""The promises of ``docs/``: their Python runs as it stands, their commands parse, their links lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest

from progkit.cli.options import parse

DOCS = sorted((Path(__file__).parent.parent / "docs").glob("*.md"))


def blocks(path, language):
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_its_python_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    """In one namespace, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}

    for block in blocks(path, "python"):
        exec(compile(block, str(path), "exec", dont_inherit=True), names)


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_its_commands_are_understood(path):
    """Each ``progkit ...`` line parses."""
    for block in blocks(path, "sh"):
        for line in block.splitlines():
            if line.startswith("progkit "):
                parse(shlex.split(line.split("  #")[0])[1:])


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_its_links_lead_somewhere(path):
    """Those to files of the project."""
    for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / link).exists(), link

"""Where a state file is written: its permissions, links, and directories that take none."""

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_state_faults import FIXTURES, new, old, run

from progkit import artifact

__all__ = ["new", "old"]  # fixtures


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that every user can reach."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


NOBODY = """
import os, sys
from progkit import artifact

document, path = artifact.read(sys.argv[2]), sys.argv[1]
artifact.write
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    artifact.write(path, document)
except OSError as error:
    print(type(error).__name__, error.filename == path or os.path.dirname(error.filename) == os.path.dirname(path))
"""


def test_a_directory_that_takes_no_file_is_the_systems_error(public: Path) -> None:
    """Even where the file itself could be written: half a file is worse than an old one."""
    path = public / "program.json"
    path.write_bytes((FIXTURES / "minimal.json").read_bytes())
    path.chmod(0o666)
    public.chmod(0o555)
    try:
        said = run(NOBODY, path, FIXTURES / "full.json").stdout
    finally:
        public.chmod(0o755)

    assert said == "PermissionError True\n"
    assert path.read_bytes() == (FIXTURES / "minimal.json").read_bytes()
    assert list(public.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o640, 0o444])
def test_a_file_keeps_its_permissions(old: Path, new: dict[str, Any], mode: int) -> None:
    """A private file stays private, a shared one shared."""
    old.chmod(mode)

    artifact.write(old, new)

    assert stat.S_IMODE(old.stat().st_mode) == mode


def test_a_link_to_a_link_and_a_link_to_nothing(old: Path, new: dict[str, Any], tmp_path: Path) -> None:
    """What they name in the end is written, in its own directory; the links stay."""
    (tmp_path / "first.json").symlink_to("second.json")
    (tmp_path / "second.json").symlink_to(old)
    (tmp_path / "dangling.json").symlink_to(old.parent / "yet_to_be.json")

    artifact.write(tmp_path / "first.json", new)
    artifact.write(tmp_path / "dangling.json", new)

    assert [each.is_symlink() for each in sorted(tmp_path.glob("*.json"))] == [True, True, True]
    assert artifact.read(old) == artifact.read(old.parent / "yet_to_be.json") == new
    assert stat.S_IMODE(old.stat().st_mode) == 0o600


def test_another_name_of_the_file_keeps_the_old_one(old: Path, new: dict[str, Any]) -> None:
    """A hard link is another name of the old content: a replaced file is a new one."""
    other = old.parent / "other.json"
    other.hardlink_to(old)
    before = other.read_bytes()

    artifact.write(old, new)

    assert (artifact.read(old), other.read_bytes()) == (new, before)


def test_a_file_is_written_whole_however_little_the_system_takes_at_once(
    old: Path, new: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write may take a part of what it is given."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:100]))

    assert artifact.write(old, new)
    assert artifact.read(old) == new

"""``progkit migrate``: several files, in place, and ``--check`` for CI."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from dspy_states import path_of
from test_cli_files import NESTED, OTHER

from progkit import artifact
from progkit.cli import main

GOOD = Path(__file__).parent.parent / "fixtures" / "state" / "1.0" / "full.json"


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command in this process: status, stdout, stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        status = main([str(word) for word in words])
        return (status, *capsys.readouterr())

    return run


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """One file of each sort."""
    made = {name: tmp_path / f"{name}.json" for name in ("good", "loose", "dspy", "broken")}
    shutil.copy(GOOD, made["good"])
    made["loose"].write_text(json.dumps(json.loads(GOOD.read_text("utf-8"))), "utf-8")
    shutil.copy(path_of("3.4.1", "lm_some"), made["dspy"])
    made["broken"].write_text("{", "utf-8")
    return made


def test_check_tells_which_file_is_not_current(command: Any, files: dict[str, Path]) -> None:
    """Status 1, and nothing is written; 0 where all are current."""
    before = {path: path.read_bytes() for path in files.values()}
    good, loose, dspy, _ = files.values()

    status, out, err = command("migrate", "--check", good, loose, dspy)

    assert (status, err) == (1, "")
    assert out.splitlines() == [
        f"{good} is current",
        f"{loose} is not in the form that would be written",
        f"{dspy} is another library's (dspy.state)",
    ]
    assert {path: path.read_bytes() for path in before} == before
    assert command("migrate", good, "--check") == (0, f"{good} is current\n", "")


def test_check_fails_where_a_file_cannot_be_read(command: Any, files: dict[str, Path]) -> None:
    """Status 2; the others are judged all the same."""
    status, out, err = command("migrate", "--check", files["broken"], files["good"])

    assert status == 2
    assert out == f"{files['good']} is current\n"
    assert err.startswith(f"progkit: {files['broken']}, line 1, column 2: not JSON")


def test_check_says_it_as_data(command: Any, files: dict[str, Path]) -> None:
    """A list, in the order of the files."""
    status, out, err = command("migrate", "--check", "--json", files["loose"], files["good"], files["broken"])

    said = json.loads(out)

    assert (status, err) == (2, "")
    assert said[:2] == [
        {"path": str(files["loose"]), "current": False, "reason": "is not in the form that would be written"},
        {"path": str(files["good"]), "current": True, "reason": ""},
    ]
    assert "not JSON" in said[2]["error"]


def test_in_place_makes_files_current(command: Any, files: dict[str, Path]) -> None:
    """Each where it is; a second time changes nothing; what cannot be read stays, and is told."""
    good, loose, dspy, broken = files.values()

    status, out, err = command("migrate", "--in-place", *files.values())

    assert status == 2
    assert out.splitlines() == [f"{good} is as it was", f"{loose} written", f"{dspy} written"]
    assert f"progkit: {broken}" in err
    assert loose.read_bytes() == good.read_bytes()
    assert broken.read_text("utf-8") == "{"
    assert command("migrate", "--check", good, loose, dspy)[0] == 0
    assert command("migrate", "--in-place", good, loose, dspy)[1].count("is as it was") == 3


def test_a_file_that_differs_in_its_writer_alone_is_current(command: Any, files: dict[str, Path]) -> None:
    """As ``save`` leaves such a file alone."""
    document = json.loads(GOOD.read_text("utf-8"))
    document["saved_with"] = {"progkit": "0.0.1", "python": "3.99"}
    files["good"].write_bytes(artifact.encode(document))

    assert command("migrate", "--check", files["good"])[0] == 0


def test_check_with_the_program_looks_at_names_and_types(command: Any, files: dict[str, Path], tmp_path: Path) -> None:
    """Without it, the names of a DSPy file's fields are guesses, and stay so; another program is a failure."""
    file = tmp_path / "desk.json"
    command("migrate", files["dspy"], "-o", file)

    assert command("migrate", "--check", file)[0] == 0
    assert command("migrate", "--check", file, "--program", NESTED)[0] == 1
    assert command("migrate", "--in-place", file, "--program", NESTED)[0] == 0
    assert command("migrate", "--check", file, "--program", NESTED)[0] == 0
    status, _, err = command("migrate", "--check", file, "--program", OTHER)
    assert (status, "is for another program" in err) == (2, True)


def test_the_words_must_say_one_thing(command: Any, files: dict[str, Path], tmp_path: Path) -> None:
    """``-o`` takes one file; one of the three is needed."""
    status, _, err = command("migrate", files["good"], files["loose"], "-o", tmp_path / "x.json")

    assert (status, "-o takes one FILE" in err) == (2, True)
    for words in ([], ["--check", "--in-place"], ["--check", "-o", "x.json"]):
        with pytest.raises(SystemExit) as done:
            command("migrate", files["good"], *words)
        assert done.value.code == 2

"""``progkit validate`` on directories, bundles and whatever a hook names; and what ``diff`` tells of two files."""

import json
import os
from pathlib import Path
from typing import Any

import bundles
import pytest
from dspy_states import path_of
from repositories import changed, demos, document, predictor

from progkit import artifact
from progkit.cli import main

BASE = document(answer=predictor("a"))


# --- validate -------------------------------------------------------------------------------------


def test_validate_directories_and_bundles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every file and bundle of progkit's below; in a bundle, the integrity of all files. Nothing is run."""
    monkeypatch.chdir(tmp_path)
    canary = {"desk": "raise SystemExit('run')"}
    bundles.write(tmp_path / "all/good", bundles.files_of(canary))
    bundles.write(tmp_path / "all/bad", bundles.files_of(canary))
    (tmp_path / "all/bad/src/desk.py").write_text("raise SystemExit('gone')")
    for name in ("a.json", ".hidden/b.json", "c.txt"):
        (tmp_path / "all" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "all" / name).write_bytes(artifact.encode(BASE))
    (tmp_path / "all/other.json").write_text("{}")
    (tmp_path / "all/cut.json").write_bytes(artifact.encode(BASE)[:-9])
    os.mkfifo(tmp_path / "all/pipe.json")

    assert main(["validate", "all"]) == 1

    lines = sorted(capsys.readouterr().out.splitlines())
    assert [line.partition(":")[0] for line in lines] == ["all/a.json", "all/bad", "all/cut.json", "all/good"]
    assert "src/desk.py" in lines[1]
    assert lines[0].endswith(": valid")
    assert lines[3].endswith(": valid")
    assert main(["validate", "all/good", "all/good/MANIFEST.json", "all/good/state.json"]) == 0
    assert capsys.readouterr().out == "all/good: valid\n"
    monkeypatch.chdir(tmp_path / "all/good")
    assert main(["validate", "state.json"]) == 0
    assert capsys.readouterr().out == ".: valid\n"


def test_validate_only_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A hook names every file that changed: others' are passed over, broken ones of ours are not."""
    names = [tmp_path / name for name in ("ours.json", "conflict.json", "other.json", "gone.json")]
    names[0].write_bytes(artifact.encode(BASE))
    names[1].write_bytes(b"<<<<<<< ours\n" + artifact.encode(BASE))
    names[2].write_text("{not json")

    assert main(["validate", "--only-ours", *map(str, names)]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[2][:20] for line in lines] == ["valid", "line 1, column 1: an", "cannot be read: No s"]


def test_validate_what_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not passed over: nobody knows whose it is."""
    file = tmp_path / "x.json"
    file.write_text("{}")
    monkeypatch.setattr("builtins.open", refuse)

    assert main(["validate", "--only-ours", str(file)]) == 1


def refuse(*_: Any, **__: Any) -> Any:
    raise PermissionError(13, "Permission denied")


def test_validate_canonical(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exactly what this progkit would write: no file of DSPy's, no id that its demo has not."""
    by_hand = changed(BASE, lambda all_: all_["answer"]["demos"][0]["values"].update(answer="edited"))
    (tmp_path / "x.json").write_bytes(artifact.encode(by_hand))
    (tmp_path / "y.json").write_bytes(artifact.encode(BASE).replace(b"\n", b"\r\n"))
    files = [str(tmp_path / "x.json"), str(tmp_path / "y.json"), str(path_of("3.4.1", "flat"))]

    assert [main(["validate", each]) for each in files] == [0, 0, 0]
    capsys.readouterr()
    assert main(["validate", "--canonical", "--json", *files]) == 1

    told = [each["problems"] for each in json.loads(capsys.readouterr().out)]
    (right,) = artifact.demo_ids([by_hand["state"]["predictors"]["answer"]["demos"][0]["values"]])
    assert told[0] == [f"answer: demo {demos('a')[0]['id']} was edited by hand, the id of its values is {right}"]
    assert told[1][0].startswith("not in canonical form")
    assert told[2] == ["is another library's (dspy.state): progkit migrate FILE -o FILE writes it so"]


# --- diff -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "meant"),
    [("v1:desk.json", "desk.json@v1"), ("HEAD~2:a/desk.json", "a/desk.json@HEAD~2"), ("c:desk.json", "")],
)
def test_a_file_named_as_git_names_it(named: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The way that names it here is told; a drive of Windows is no revision."""
    assert main(["diff", named, named]) == 2

    assert capsys.readouterr().err.partition("No such file or directory")[2] == (
        f". At a revision of git it is named {meant}\n" if meant else "\n"
    )


def test_diff_tells_what_moved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The demos that are elsewhere, and not all that have another number; and one that was edited under its old id."""
    old = document(answer=predictor("a", "b", "c", "d", n=1))
    new = changed(
        old,
        lambda all_: all_["answer"].update(demos=demos("b", "c", "d", "a")),
        lambda all_: all_["answer"]["demos"][0]["values"].update(answer="by hand"),
        lambda all_: all_["answer"]["config"].update(n=1.0),
    )
    for name, each in (("a.json", old), ("b.json", new)):
        (tmp_path / name).write_bytes(artifact.encode(each))

    assert main(["diff", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 1

    names = {each: demos(each)[0]["id"] for each in "ab"}
    assert capsys.readouterr().out.splitlines() == [
        "answer",
        f"  demo {names['b']}: " + '{"answer": "b!", "question": "b"} -> {"answer": "by hand", "question": "b"}',
        f"  demos moved: {names['a']}",
        "  config.n: 1 -> 1.0",
    ]

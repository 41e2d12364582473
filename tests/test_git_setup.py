"""What a repository is told by ``progkit git install``, and the text that ``git diff`` shows."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import bundles
import pytest
from dspy_states import path_of
from repositories import Repository, changed, demos, document, isolate, predictor

from progkit import artifact
from progkit.artifact import repository as setup
from progkit.artifact.git import attributes
from progkit.cli import main
from progkit.errors import ConfigurationError

DESK = document(answer=predictor("a", temperature=0.0))
TOP = Path(__file__).parent.parent


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    isolate(monkeypatch, tmp_path)
    made = Repository(tmp_path / "repository")
    monkeypatch.chdir(made.path)
    return made


def attributes_of(repository: Repository) -> str:
    return (repository.path / ".gitattributes").read_text("utf-8")


def checked(repository: Repository, path: str) -> dict[str, str]:
    """The attributes that git gives the file at *path*."""
    told = repository.git("check-attr", "-z", "text", "diff", "merge", "--", path).split("\0")
    return dict(zip(told[1::3], told[2::3], strict=True))


OURS = {"text": "unset", "diff": "progkit", "merge": "progkit"}
NONE = dict.fromkeys(OURS, "unspecified")


# --- install --------------------------------------------------------------------------------------


def test_install_names_the_files_that_are_there(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """State files that git tracks or would add, whatever they are called; no other JSON, no link, nothing ignored."""
    names = ["desk.json", "a b/dé*sk[1].json", 'quo"te\\d #.json']
    for name in names:
        repository.write(name, DESK)
    repository.write("other.json", '{"format": "progkit.state of mind"}')
    repository.write("broken.json", '{"format": "progkit.state"')
    repository.write("ignored.json", DESK)
    repository.write(".gitignore", "ignored.json\n")
    (repository.path / "link.json").symlink_to("desk.json")

    assert main(["git", "install"]) == 0

    assert all(checked(repository, name) == OURS for name in names)
    assert [checked(repository, each) for each in ("other.json", "broken.json", "ignored.json", "link.json")] == [
        NONE
    ] * 4
    assert checked(repository, "below/desk.json") == NONE
    assert ".gitattributes: /desk.json -text diff=progkit merge=progkit\n" in capsys.readouterr().out


def test_install_takes_patterns(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """For files that are still to come; a second time adds what is new, and nothing twice."""
    assert main(["git", "install", "prompts/**/*.json"]) == 0
    assert main(["git", "install", "prompts/**/*.json", "*.state.json", "--json"]) == 0

    assert checked(repository, "prompts/x/y.json") == checked(repository, "z.state.json") == OURS
    assert attributes_of(repository).splitlines()[1:-1] == [
        "prompts/**/*.json -text diff=progkit merge=progkit",
        "*.state.json -text diff=progkit merge=progkit",
    ]
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {
        "root": str(repository.path),
        "added": ["*.state.json -text diff=progkit merge=progkit"],
    }


def test_install_keeps_what_others_wrote(repository: Repository) -> None:
    """Byte for byte, before the block and after it, with its line endings; and the mode of the file."""
    before, after = b"*.py text\r\n# caf\xe9", b"*.md text"
    path = repository.write(".gitattributes", before)
    path.chmod(0o640)
    repository.git("config", "diff.other.textconv", "cat")

    setup.install(str(repository.path), ["a.json"])
    path.write_bytes(path.read_bytes() + after)
    setup.install(str(repository.path), ["b.json"])

    text = path.read_bytes()
    assert text.startswith(before + b"\n# progkit: ")
    assert text.endswith(b"\n# progkit: end\n" + after)
    assert text.count(b"# progkit: end") == 1
    assert path.stat().st_mode & 0o777 == 0o640
    setup.uninstall(str(repository.path))
    assert path.read_bytes() == before + b"\n" + after
    assert repository.git("config", "--get", "diff.other.textconv") == "cat\n"


def test_a_checkout_with_other_line_endings(repository: Repository) -> None:
    """Git may write .gitattributes itself with CRLF: the block is found again."""
    setup.install(str(repository.path), ["a.json"])
    path = repository.path / ".gitattributes"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    assert setup.install(str(repository.path), ["a.json"]) == []
    setup.uninstall(str(repository.path))
    assert not path.exists()


def test_bundles_keep_their_bytes(repository: Repository) -> None:
    """Their manifest says them: no line ending may be translated in any of their files."""
    bundles.write(
        repository.path / "saved", {**bundles.files_of({"desk": "x = 1\n"}), "state.json": artifact.encode(DESK)}
    )
    bundles.write(repository.path, bundles.files_of())
    repository.write("broken/MANIFEST.json", "{")
    repository.git("config", "core.autocrlf", "true")

    setup.install(str(repository.path), [])
    repository.commit()
    shutil.rmtree(repository.path / "saved")
    repository.git("checkout", "--quiet", "--", "saved")

    assert checked(repository, "saved/src/desk.py") == {**NONE, "text": "unset"}
    assert checked(repository, "saved/state.json") == OURS
    assert artifact.read(repository.path / "saved") == DESK


@pytest.mark.parametrize("pattern", ["!x.json", "", " ", "a\nb.json"])
def test_patterns_that_cannot_be(repository: Repository, pattern: str) -> None:
    """Git would take them for something else, or for nothing."""
    with pytest.raises(ConfigurationError, match=r"is no pattern of \.gitattributes"):
        setup.install(str(repository.path), [pattern])


def test_patterns_are_quoted_where_they_must_be() -> None:
    """A space, a comment sign, a quote."""
    assert attributes.line("#x.json", "-text") == '"#x.json" -text'
    assert attributes.line("[attr]x", "-text") == '"[attr]x" -text'
    assert attributes.line("a\tb", "-text") == '"a\\tb" -text'


def test_where_nothing_can_be_set_up(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No state file, no work tree, a link for .gitattributes, a Python without progkit, a locked configuration."""
    assert main(["git", "install"]) == 2
    assert "has no state file of progkit's yet" in capsys.readouterr().err
    (repository.path / ".gitattributes").symlink_to("elsewhere")
    with pytest.raises(ConfigurationError, match="is a link, which git does not follow"):
        setup.install(str(repository.path), ["*.json"])
    (repository.path / ".gitattributes").unlink()
    (repository.path / ".git/config.lock").touch()
    with pytest.raises(ConfigurationError, match="could not lock config file"):
        setup.install(str(repository.path), ["*.json"])
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(ConfigurationError, match="cannot run progkit from another directory"):
        setup.settings()
    Repository(tmp_path / "bare.git", "--bare")
    monkeypatch.chdir(tmp_path / "bare.git")
    assert main(["git", "status"]) == 2
    assert "is in no work tree of git" in capsys.readouterr().err


def test_the_command_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python in a directory with spaces, quotes and percent signs is still found by git's shell."""
    monkeypatch.setattr(sys, "executable", "/it's 100%/python")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0))

    told = setup.settings()

    assert told["diff.progkit.textconv"] == """'/it'"'"'s 100%/python' -P -m progkit git textconv --"""
    assert told["merge.progkit.driver"].startswith("""'/it'"'"'s 100%%/python' -P -m progkit git merge-driver -- %O""")


# --- status, uninstall ----------------------------------------------------------------------------


def test_status(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """What a clone lacks and what is not committed; a CI fails for the second alone."""

    def run(*words: str) -> tuple[int, str]:
        status = main(["git", *words])
        return status, capsys.readouterr().out

    repository.write("desk.json", DESK)
    assert run("status", "--check")[0] == 1
    assert run("status")[0] == 0
    assert "desk.json: no attributes" in run("status")[1]
    run("install")
    assert run("status", "--check") == (0, f"desk.json: by meaning\n{repository.path}: set up\n")
    repository.git("config", "merge.progkit.driver", "true")
    repository.git("config", "--unset", "diff.progkit.textconv")
    status, out = run("status", "--check")
    assert status == 0
    assert "git config diff.progkit.textconv: not set in this clone" in out
    assert "git config merge.progkit.driver: another command in this clone" in out
    assert json.loads(run("status", "--json")[1])["covered"] == ["desk.json"]
    assert run("uninstall", "--json") == (0, f'{{"root": "{repository.path}"}}\n')
    assert run("uninstall") == (0, f"{repository.path}: nothing of progkit's is set up any more\n")
    assert "progkit" not in repository.git("config", "--local", "--list")
    assert not (repository.path / ".gitattributes").exists()


# --- git diff -------------------------------------------------------------------------------------


def test_git_shows_meaning(repository: Repository) -> None:
    """In diff, log and show, with the predictor in the head of a hunk; and the lines of what cannot be read."""
    repository.write("desk program.json", DESK)
    main(["git", "install"])
    repository.commit()
    repository.write("desk program.json", changed(DESK, lambda all_: all_["answer"].update(demos=demos("a", "b"))))

    diff = repository.git("diff")

    lines = [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert lines == [f"+  demo {demos('b')[0]['id']}", "+    answer: b!", "+    question: b"]
    assert " @@ predictor answer\n" in diff
    repository.commit()
    assert "+    question: b\n" in repository.git("log", "-p", "-1") == repository.git("show")
    repository.write("desk program.json", "<<<<<<< broken\n")
    assert "+<<<<<<< broken\n" in repository.git("diff")


def test_textconv_never_fails(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """What is no saved state is shown as it is; DSPy's files are shown by meaning, too."""
    for content in (b"", b"\xff\xfe", b"[" * 1000, b'{"format": "progkit.state"}', b'{"a": 1}\n'):
        (tmp_path / "x.json").write_bytes(content)
        assert main(["git", "textconv", str(tmp_path / "x.json")]) == 0
        assert capsysbinary.readouterr().out == content
    assert main(["git", "textconv", str(path_of("3.4.1", "cot"))]) == 0
    assert capsysbinary.readouterr().out.startswith(b"progkit.state 1.0\n")


def test_the_text_is_utf_8_everywhere(tmp_path: Path) -> None:
    """Whatever the locale says that git runs in."""
    (tmp_path / "x.json").write_bytes(
        artifact.encode(changed(DESK, lambda all_: all_["answer"].update(demos=demos("é日"))))
    )
    env = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}

    done = subprocess.run(
        [sys.executable, "-m", "progkit", "git", "textconv", tmp_path / "x.json"],
        env=env,
        capture_output=True,
        check=True,
    )

    assert "    question: é日\n".encode() in done.stdout


# --- hooks ----------------------------------------------------------------------------------------


def test_the_hooks_of_pre_commit_run(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """Each entry is a command of ours that takes the files that changed; other JSON is passed over."""
    text = (TOP / ".pre-commit-hooks.yaml").read_text("utf-8")
    entries = [line.partition("entry: ")[2].split() for line in text.splitlines() if "entry: " in line]
    ids = [line.partition("id: ")[2] for line in text.splitlines() if "id: " in line]
    repository.write("desk.json", DESK)
    repository.write("other.json", "{}")
    repository.write("not.json", "{")

    assert ids == ["progkit-validate", "progkit-migrate-check"]
    for program, *words in entries:
        assert program == "progkit"
        assert main([*words, "desk.json", "other.json", "not.json"]) == 0
        repository.write("bad.json", artifact.encode(DESK).replace(b"\n ", b"\n  "))
        assert main([*words, "desk.json", "bad.json"]) == 1
        assert "bad.json" in capsys.readouterr().out

"""What a repository is told by ``progkit git install``, and the text that ``git diff`` shows."""

import json
import os
import re
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
from progkit.artifact.git import attributes, trying
from progkit.artifact.printing import printed
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

    command = """'/it'"'"'s 100%/python' -P -m progkit git textconv -- "$1" """
    assert told["diff.progkit.textconv"].startswith(f"shown() {{ {command}")
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
    status, out = run("status")
    assert status == 0
    assert out.startswith("desk.json: compared by line, merged by another command\n")
    assert "git config diff.progkit.textconv: not set in this clone" in out
    assert "git config merge.progkit.driver: another command, true, in this clone" in out
    assert json.loads(run("status", "--json")[1])["covered"] == ["desk.json"]
    assert run("uninstall", "--json") == (0, f'{{"root": "{repository.path}"}}\n')
    assert run("uninstall") == (0, f"{repository.path}: nothing of progkit's is set up any more\n")
    assert "progkit" not in repository.git("config", "--local", "--list")
    assert not (repository.path / ".gitattributes").exists()


def test_status_tells_what_is_configured(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """Attributes that are there without the commands do nothing; after uninstall some may be left in another place."""
    repository.write("desk.json", DESK)
    main(["git", "install"])
    main(["git", "uninstall"])
    repository.write(".git/info/attributes", "*.json -text diff=progkit merge=progkit\n")
    capsys.readouterr()

    assert main(["git", "status", "--check"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("desk.json: by line\n")
    assert "git config merge.progkit.driver: not set in this clone" in out


BROKEN = ("/nowhere/bin/python -P -m progkit", "{python} -P -c 'raise ImportError' -m progkit", "false")


@pytest.mark.parametrize("command", BROKEN)
def test_a_progkit_that_is_gone(repository: Repository, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """Its environment was removed, or cannot import it: diffs show the file as it is, merges are made by line."""
    repository.write("desk.json", DESK)
    main(["git", "install"])
    repository.commit()
    for name, value in setup.settings().items():
        _, run, rest = value.partition(" git textconv " if "textconv" in name else " git merge-driver ")
        start = "shown() { " if "textconv" in name else ""
        if run:
            repository.git("config", name, f"{start}{command.format(python=sys.executable)}{run}{rest}")
    repository.git("switch", "--quiet", "--create", "side")
    repository.commit({"desk.json": changed(DESK, lambda all_: all_["answer"].update(demos=demos("a", "theirs")))})
    repository.git("switch", "--quiet", "main")
    repository.commit({"desk.json": changed(DESK, lambda all_: all_["answer"].update(demos=demos("a", "ours")))})

    repository.git("merge", "side", status=1)

    text = (repository.path / "desk.json").read_text("utf-8")
    assert "<<<<<<< ours\n" in text
    assert ">>>>>>> theirs\n" in text
    assert '"question": "theirs"' in text
    assert '"question": "ours"' in text
    assert "desk.json" in repository.git("diff", "--name-only", "--diff-filter=U")
    repository.git("merge", "--abort")
    assert '+       "question": "ours"' in repository.git("diff", "side", "main")
    capsys.readouterr()
    assert main(["git", "status", "--check"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("desk.json: by line\n")
    assert out.count("what it calls does not run, or is not progkit: progkit git install") == 2
    assert main(["git", "install"]) == 0
    assert main(["git", "status", "--check"]) == 0


def test_a_command_that_cannot_be_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no shell, or it hangs: it does not work."""
    monkeypatch.setattr(trying, "TIMEOUT", 0.2)
    assert not trying.shows_meaning("sleep 5;")
    monkeypatch.setenv("PATH", "/nowhere")
    assert not trying.merges_meaning("true")


# --- conflicts ------------------------------------------------------------------------------------


def test_git_shows_a_conflict_by_meaning(repository: Repository) -> None:
    """During a merge, a diff is as long as the conflict; of what else the file holds it says nothing."""
    base = document(answer=predictor(*map(str, range(50)), temperature=0.0))
    repository.write("desk.json", base)
    main(["git", "install"])
    repository.commit()
    repository.git("switch", "--quiet", "--create", "side")
    repository.commit({"desk.json": changed(base, lambda all_: all_["answer"]["config"].update(temperature=0.5))})
    repository.git("switch", "--quiet", "main")
    repository.commit({"desk.json": changed(base, lambda all_: all_["answer"]["config"].update(temperature=1.0))})
    repository.git("merge", "side", status=1)

    diff = repository.git("diff")

    told = [line for line in diff.splitlines() if line[:2] in ("++", "+ ", " +") and not line.startswith("+++")]
    named = [re.sub(r"([<>]) (HEAD|ours|side|theirs)$", r"\1", line) for line in told]  # git knows names since 2.44
    assert named == [
        "++<<<<<<<",
        " +  config temperature: 1.0",
        "++=======",
        "+   config temperature: 0.5",
        "++>>>>>>>",
    ]
    assert len(diff.splitlines()) < 20


def conflict(ours: str, theirs: str, base: str = "") -> str:
    """The text of DESK with a conflict about its temperature."""
    text = artifact.encode(DESK).decode()
    line = next(each for each in text.splitlines() if '"temperature"' in each)
    sides = [line.replace("0.0", each) for each in (ours, theirs)]
    middle = f"||||||| 123abc\n{line}\n" if base else ""
    return text.replace(line, f"<<<<<<< HEAD\n{sides[0]}\n{middle}=======\n{sides[1]}\n>>>>>>> side")


@pytest.mark.parametrize("base", ["", "base"])
def test_the_text_of_a_conflict(tmp_path: Path, capsys: pytest.CaptureFixture[str], base: str) -> None:
    """Of either style of git's; what the base had is left out."""
    (tmp_path / "x.json").write_text(conflict("1.0", "2.0", base))

    main(["git", "textconv", str(tmp_path / "x.json")])

    out = capsys.readouterr().out
    marked = "<<<<<<< HEAD\n  config temperature: 1.0\n=======\n  config temperature: 2.0\n>>>>>>> side\n"
    assert marked in out
    assert out.replace(marked, "  config temperature: 0.0\n") == printed(DESK)


def test_a_conflict_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A side that is no document, markers out of order, one that never ends: the file as it is."""
    whole = conflict("1.0", "2.0")
    wrong = [
        conflict("1.0", "nonsense"),
        whole.replace("=======\n", ""),
        whole.replace(">>>>>>> side\n", ""),
        whole.replace("<<<<<<< HEAD\n", "<<<<<<< HEAD\n<<<<<<< HEAD\n"),
    ]
    for text in wrong:
        (tmp_path / "x.json").write_text(text)
        main(["git", "textconv", str(tmp_path / "x.json")])
        assert capsys.readouterr().out == text


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

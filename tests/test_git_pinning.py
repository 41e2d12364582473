"""Saved programs read at a git revision: the work tree is not touched, nothing of a repository is run."""

import json
import os
import pickle
import shutil
import stat
from pathlib import Path

import bundles
import pytest
from repositories import Document, Repository, changed, demos, document, isolate, predictor

import progkit
from progkit import Predict, RevisionError, artifact
from progkit.artifact import git
from progkit.artifact.git import pinning, running
from progkit.cli import main
from progkit.errors import ConfigurationError, DocumentError

OLD = document(self=predictor("a"))
NEW = changed(OLD, lambda all_: all_["self"].update(demos=demos("a", "b")))
DESK = {**bundles.files_of({"desk": "class Desk: ..."}), "state.json": bundles.learned(answer="Old.")}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose tag v1.2 has OLD at ``saved/desk.json``, a bundle, a link; and whose head has NEW."""
    directory = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as monkeypatch:
        isolate(monkeypatch, directory)
        made = Repository(directory / "repository")
        made.write("saved/gone.json", OLD)
        (made.path / "saved" / "link.json").symlink_to("desk.json")
        (made.path / "linked").symlink_to("saved")
        bundles.write(made.path / "bundle", DESK)
        made.commit({"saved/desk.json": OLD, "a@b.json": OLD}, tag="v1.2")
        (made.path / "saved" / "gone.json").unlink()
        bundles.write(made.path / "bundle", {**DESK, "state.json": bundles.learned(answer="New.")})
        made.commit({"saved/desk.json": NEW}, tag="pkg@2.0")
    return made.path


@pytest.fixture
def repository(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    isolate(monkeypatch, tmp_path)
    shutil.copytree(template, tmp_path / "repository", symlinks=True)
    monkeypatch.chdir(tmp_path / "repository")
    return Repository.at(tmp_path / "repository")


def reason(path: str | Path) -> str:
    """Why *path* cannot be received, without the name of it."""
    with pytest.raises(RevisionError) as caught:
        artifact.receive(path)
    assert str(caught.value).startswith(str(path))
    return str(caught.value)[len(str(path)) :].lstrip(":, ")


# --- what is read ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("saved/desk.json@v1.2", OLD),
        ("saved/desk.json@HEAD", NEW),
        ("saved/desk.json@HEAD~1", OLD),
        ("saved/desk.json@HEAD@{1}", OLD),
        ("saved/desk.json@@{1}", OLD),
        ("saved/desk.json@pkg@2.0", NEW),
        ("saved/desk.json@main", NEW),
        ("saved/gone.json@v1.2", OLD),
        ("./saved/../saved/desk.json@v1.2", OLD),
        ("linked/desk.json@v1.2", OLD),
        ("a@b.json@v1.2", OLD),
        ("a@b.json", OLD),
    ],
)
def test_a_path_at_a_revision(repository: Repository, path: str, expected: Document) -> None:
    """A tag, a branch, a commit; also where an @ is part of the path or of the tag, and of a file that is gone."""
    received = artifact.receive(path)

    assert received.document == expected
    assert artifact.receive(Path(path)).document == expected
    revision = path.partition("json@")[2]
    assert received.commit == (repository.git("rev-parse", f"{revision}^{{commit}}").strip() if revision else "")


def test_the_commit_itself_is_a_revision(repository: Repository) -> None:
    """Whole or cut short; and from any directory."""
    commit = repository.git("rev-parse", "v1.2^{commit}").strip()
    os.chdir("/")

    for name in (commit, commit[:10]):
        assert artifact.receive(f"{repository.path}/saved/desk.json@{name}").commit == commit


def test_an_existing_file_wins(repository: Repository) -> None:
    """A file of that very name is that file, whatever git has."""
    repository.write("saved/desk.json@v1.2", NEW)

    received = artifact.receive("saved/desk.json@v1.2")

    assert (received.document, received.commit) == (NEW, "")
    assert artifact.receive(artifact.pin("saved/desk.json", "v1.2")).document == OLD


def test_the_longest_path_that_is_there_counts(repository: Repository) -> None:
    """A path and a tag may both have an @."""
    assert pinning.find_pin("saved/desk.json@pkg@2.0").revision == "pkg@2.0"
    repository.write("saved/desk.json@pkg", NEW)
    assert pinning.find_pin("saved/desk.json@pkg@2.0").revision == "2.0"
    assert pinning.find_pin("nothing@here@v1").revision == "v1"
    assert pinning.find_pin("saved/@v1") is None
    assert pinning.find_pin("@v1") is None
    assert pinning.find_pin("saved/desk.json@") is None


def test_nothing_of_the_work_tree_is_touched(repository: Repository) -> None:
    """Not a file, not the index, not the head; nor is anything read there."""
    repository.write("saved/desk.json", "{broken")
    repository.git("add", "saved/desk.json")
    before = snapshot(repository.path)

    assert artifact.read("saved/desk.json@v1.2") == OLD
    assert snapshot(repository.path) == before


def snapshot(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file below *root*, with what would change if it were written."""
    found = {}
    for path in sorted(root.rglob("*")):
        about = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(about.st_mode) else b""
        found[str(path)] = (about.st_mode, about.st_mtime_ns, content)
    return found


def test_loading_programs(repository: Repository) -> None:
    """``load`` of a program and of the package, by the path or by ``at``; the report tells the commit."""
    commit = repository.git("rev-parse", "v1.2^{commit}").strip()
    predict = Predict("question -> answer")

    report = predict.load("saved/desk.json@v1.2")

    assert (report.commit, len(predict.demos)) == (commit, 1)
    assert f"read at commit {commit}" in str(report)
    assert report.to_dict()["commit"] == commit
    assert predict.load(Path("saved/desk.json"), at="pkg@2.0").commit != commit
    assert len(predict.demos) == 2
    assert len(progkit.load("saved/desk.json@v1.2").demos) == 1
    assert len(progkit.load("saved/desk.json", at="v1.2").demos) == 1
    assert predict.load("saved/desk.json").commit == ""


def test_commands_take_revisions(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """As part of FILE, or with --at."""

    def run(*words: str) -> tuple[int, str]:
        status = main([*words])
        return status, capsys.readouterr().out

    assert run("validate", "saved/desk.json@v1.2") == (0, "saved/desk.json@v1.2: valid\n")
    assert run("validate", "saved/desk.json", "bundle", "--at", "v1.2")[1].splitlines() == [
        "saved/desk.json@v1.2: valid",
        "bundle@v1.2: valid",
    ]
    assert "demos        1, 1 complete" in run("inspect", "saved/desk.json", "--at", "v1.2")[1]
    assert run("diff", "saved/desk.json@v1.2", "saved/desk.json") == (
        1,
        f'self\n  demo {demos("b")[0]["id"]} added: {{"answer": "b!", "question": "b"}}\n',
    )
    assert run("diff", "bundle@v1.2", "bundle@HEAD")[0] == 1
    assert "a!" in run("render", "saved/desk.json", "--at", "v1.2", "question=?")[1]
    assert run("migrate", "saved/desk.json@v1.2", "-o", "old.json") == (0, "old.json written\n")
    assert artifact.read("old.json") == OLD
    assert main(["migrate", "saved/desk.json@v1.2", "--in-place"]) == 2
    assert "is at a revision, where nothing can be written" in capsys.readouterr().err
    assert main(["inspect", "saved/desk.json", "--at=-x"]) == 2
    assert "begins with -" in capsys.readouterr().err


def test_a_bundle_at_a_revision(repository: Repository) -> None:
    """Its files come out of the commit as bytes, and are verified as those of a directory are."""
    received = artifact.receive("bundle@v1.2")

    assert received.document["state"]["predictors"]["answer"]["signature"]["instructions"] == ["Old."]
    assert received.commit == repository.git("rev-parse", "v1.2^{commit}").strip()
    repository.write("bundle/src/desk.py", "class Desk: pass")
    repository.commit(tag="changed")
    repository.write("bundle/extra.txt", "")
    repository.commit(tag="extra")
    (repository.path / "bundle/extra.txt").unlink()
    (repository.path / "bundle/src/desk.py").unlink()
    repository.commit(tag="missing")
    (repository.path / "bundle/src/desk.py").symlink_to("/etc/hostname")
    repository.commit(tag="link")

    with pytest.raises(DocumentError, match=r"src/desk\.py: has 16 bytes, and 15 are expected"):
        artifact.receive("bundle@changed")
    with pytest.raises(DocumentError, match=r"extra\.txt: is there, and the manifest does not list it"):
        artifact.receive("bundle@extra")
    with pytest.raises(DocumentError, match=r"src/desk\.py: is missing: the manifest lists it"):
        artifact.receive("bundle@missing")
    with pytest.raises(DocumentError, match=r"src/desk\.py: is a link"):
        artifact.receive("bundle@link")
    with pytest.raises(DocumentError, match=r"no bundle"):
        artifact.receive("saved@v1.2")


def test_a_repository_that_is_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its top is the bundle's directory."""
    isolate(monkeypatch, tmp_path)
    made = Repository(tmp_path / "desk")
    bundles.write(made.path, DESK)
    made.commit(tag="v1")
    (made.path / "state.json").unlink()

    assert artifact.receive(f"{made.path}@v1").document["state"]["predictors"].keys() == {"answer"}


# --- other repositories ---------------------------------------------------------------------------


def test_bare_repositories_and_worktrees(repository: Repository, tmp_path: Path) -> None:
    """A path below a bare repository's directory is one in it; a worktree has its own top, and HEAD."""
    bare = tmp_path / "bare.git"
    repository.git("clone", "--quiet", "--bare", ".", str(bare))
    repository.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"), "v1.2")

    assert artifact.read(f"{bare}/saved/desk.json@v1.2") == OLD
    assert artifact.read(f"{tmp_path}/tree/saved/desk.json@HEAD") == OLD
    assert artifact.receive(f"{tmp_path}/tree/bundle@main").commit == repository.git("rev-parse", "main").strip()
    assert "there is no 'refs/desk.json'" in reason(f"{bare}/refs/desk.json@v1.2")


def test_what_is_no_file(repository: Repository, tmp_path: Path) -> None:
    """Links, what lies behind them, submodules, other paths: each is told for what it is."""
    commit = repository.git("rev-parse", "v1.2^{commit}").strip()
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},module")
    repository.git("commit", "--quiet", "-m", "a submodule")

    assert reason("saved/link.json@v1.2") == f"is a link at commit {commit[:12]}"
    assert reason("linked@v1.2") == f"is a link at commit {commit[:12]}"
    assert "'saved/link.json' is a link" in reason("saved/link.json/x@v1.2")
    assert "'saved/desk.json' is a file" in reason("saved/desk.json/x@v1.2")
    assert reason("module@HEAD").startswith("is a submodule")
    assert reason("other/desk.json@v1.2").endswith(
        f"there is no 'other/desk.json' at commit {commit[:12]}. There is saved/desk.json"
    )
    assert reason("saved/other.json@v1.2").endswith(f"there is no 'saved/other.json' at commit {commit[:12]}")


@pytest.mark.parametrize(
    ("revision", "expected"),
    [
        ("-x", "begins with -"),
        ("--output=x", "begins with -"),
        ("v1.2..HEAD", "is a range"),
        ("^v1.2", "is a range"),
        ("HEAD^@", "is a range, or several commits"),
        ("HEAD^!", "is a range, or several commits"),
        ("HEAD:saved", "names what is inside a commit"),
        (":/change", "names what is inside a commit, or a commit by its message"),
        ("v1.2\n", "holds a control character"),
        ("v1.3", "there is no commit 'v1.3'"),
        ("v1.3", "(did you mean 'v1.2'?)"),
        ("v1.2^{tree}", "there is no commit"),
        ("zzzzzzz", "There are: main, pkg@2.0, v1.2"),
        ("0" * 40, "there is no commit"),
    ],
)
def test_what_is_no_commit(repository: Repository, revision: str, expected: str) -> None:
    """Refused before git sees it where it could mean something else; else told, with what is near."""
    assert expected in reason(f"saved/desk.json@{revision}")


def test_an_empty_revision_and_a_path_with_nul() -> None:
    """They can only be said with ``at``."""
    with pytest.raises(RevisionError, match="is empty"):
        artifact.pin("x.json", "")
    with pytest.raises(RevisionError, match="a path holds no NUL"):
        artifact.pin("x\0.json", "v1")


def test_where_there_is_no_repository(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of one, inside of git's own directory, before the first commit, and without git."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert "not a git repository" in reason(f"{tmp_path}/desk.json@v1")
    assert "belongs to git itself" in reason(".git/desk.json@v1.2")
    empty = Repository(tmp_path / "empty")
    assert "It has no commit yet" in reason(f"{empty.path}/desk.json@v1")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is none in PATH: install it" in reason("saved/desk.json@v1.2")


def test_a_tag_that_is_also_a_branch(repository: Repository) -> None:
    """Git takes the tag, and says that the name means two things; so does the report."""
    repository.git("branch", "v1.2", "HEAD")

    received = artifact.receive("saved/desk.json@v1.2")

    assert received.document == OLD
    assert received.notes == ["git: warning: refname 'v1.2' is ambiguous."]


def test_what_a_clone_does_not_have(repository: Repository, tmp_path: Path) -> None:
    """A shallow clone lacks commits, a partial one files: nothing is fetched, and the error says what does it."""
    repository.git("config", "uploadpack.allowFilter", "true")
    url = f"file://{repository.path}"
    repository.git("clone", "--quiet", "--depth=1", url, str(tmp_path / "shallow"))
    repository.git("clone", "--quiet", "--filter=blob:none", "--no-checkout", url, str(tmp_path / "partial"))
    repository.git("clone", "--quiet", "--filter=tree:0", "--no-checkout", url, str(tmp_path / "treeless"))

    assert "This clone is shallow" in reason(f"{tmp_path}/shallow/saved/desk.json@v1.2")
    for name in ("partial", "treeless"):
        told = reason(f"{tmp_path}/{name}/saved/desk.json@v1.2")
        assert "cannot be read" in told
        repository.git("-C", str(tmp_path / name), *told.partition("for: git ")[2].split())
        assert artifact.read(f"{tmp_path}/{name}/saved/desk.json@v1.2") == OLD


def test_a_damaged_object(repository: Repository) -> None:
    """Git notices, and what it says is told."""
    name = repository.git("rev-parse", "v1.2:saved/desk.json").strip()
    path = repository.path / ".git/objects" / name[:2] / name[2:]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-20])

    assert "its content cannot be had" in reason("saved/desk.json@v1.2")


def test_a_pointer_of_lfs(repository: Repository) -> None:
    """The commit does not have the file: that is said, and not that it is no JSON."""
    repository.commit({"saved/desk.json": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"})

    assert "is kept in Git LFS" in reason("saved/desk.json@HEAD")


def test_a_file_that_is_too_large(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told by its size, and not read."""
    with pytest.raises(RevisionError, match="is larger than 10 bytes"):
        git.Tree(artifact.pin("saved/desk.json", "v1.2")).read("", 10)
    with pytest.raises(RevisionError, match="is missing"):
        git.Tree(artifact.pin("bundle", "v1.2")).read("other", 10)
    with pytest.raises(RevisionError, match="is a directory"):
        git.Tree(artifact.pin("bundle", "v1.2")).read("", 10)


# --- nothing runs ---------------------------------------------------------------------------------


def test_nothing_that_a_repository_says_is_run(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hooks, aliases, filters, textconv, pagers, monitors, ssh and editors: a canary that nothing wakes."""
    canary = repository.path / "woken"
    script = repository.write(".git/canary", f"#!/bin/sh\ntouch '{canary}'\ncat\n")
    script.chmod(0o755)
    for name in ("post-checkout", "post-index-change", "reference-transaction", "fsmonitor-watchman"):
        shutil.copy(script, repository.path / ".git/hooks" / name)
    for name in ("core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.askPass", "credential.helper"):
        repository.git("config", name, str(script))
    for name in ("filter.x.smudge", "filter.x.process", "diff.x.textconv", "diff.x.command", "gpg.program"):
        repository.git("config", name, str(script))
    for name in ("rev-parse", "cat-file", "ls-tree"):
        repository.git("config", f"alias.{name}", f"!{script}")
    repository.git("config", "log.showSignature", "true")
    repository.write(".git/info/attributes", "* filter=x diff=x\n")
    for name in ("GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_SSH_COMMAND", "GIT_EDITOR", "GIT_ASKPASS"):
        monkeypatch.setenv(name, str(script))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_TRACE", str(canary))

    assert artifact.read("saved/desk.json@v1.2") == OLD
    assert artifact.receive("bundle@v1.2").commit != ""
    reason("saved/desk.json@v9")
    assert not canary.exists()


def test_replaced_objects_do_not_count(repository: Repository) -> None:
    """A pinned commit has the content that its id says."""
    old, new = (repository.git("rev-parse", f"{each}:saved/desk.json").strip() for each in ("v1.2", "HEAD"))
    repository.git("replace", old, new)

    assert artifact.read("saved/desk.json@v1.2") == OLD


def test_git_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and not waited for."""
    fake = tmp_path / "git"
    fake.write_text("#!/bin/sh\nexec sleep 60\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(running, "TIMEOUT", 0.05)

    with pytest.raises(ConfigurationError, match=r"git rev-parse took longer than 0\.05 s"):
        running.ask("/", "rev-parse")


def test_git_that_says_nothing() -> None:
    """Its status is all there is to tell."""
    assert running.Answer(3, b"", "").reason == "git ended with status 3"
    assert running.Answer(128, b"", "\nwarning: hm\nfatal: no\nmore").reason == "no"
    assert running.Answer(1, b"", "hm\n").reason == "hm"


# --- the text -------------------------------------------------------------------------------------


def test_a_pinned_path_is_text() -> None:
    """It prints, pickles and goes into JSON as such."""
    pinned = artifact.pin("x.json", "v1")

    assert (pinned, pinned.path, pinned.revision) == ("x.json@v1", "x.json", "v1")
    again = pickle.loads(pickle.dumps(pinned))
    assert (again, again.path, again.revision) == (pinned, "x.json", "v1")
    assert json.dumps([pinned]) == '["x.json@v1"]'
    assert pinning.find_pin(pinned) is pinned

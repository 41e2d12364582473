"""Merges that real git makes, with progkit's driver and without it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from repositories import LINES, Document, Repository, changed, demos, document, isolate, predictor

from progkit import artifact
from progkit.artifact.git.driver import Sides, drive
from progkit.cli import main
from progkit.errors import DocumentError

NAME = "prompts/desk program.json"
BASE = document(
    answer=predictor("a", "b", "c", temperature=0.0, n=2),
    triage=predictor("x", "y", instructions=("Sort it.", "", "Be quick.")),
)
Change = Callable[[Document], Any]


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two repositories with BASE in them: ``plain``, and ``driven``, set up by ``progkit git install``."""
    directory = tmp_path_factory.mktemp("templates")
    with pytest.MonkeyPatch.context() as monkeypatch:
        isolate(monkeypatch, directory)
        plain = Repository(directory / "plain")
        plain.commit({NAME: BASE})
        shutil.copytree(plain.path, directory / "driven")
        monkeypatch.chdir(directory / "driven")
        assert main(["git", "install"]) == 0
        Repository(directory / "driven").commit()
    return directory


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolate(monkeypatch, tmp_path)


def copied(templates: Path, name: str, tmp_path: Path) -> Repository:
    shutil.copytree(templates / name, tmp_path / "it's a copy")
    return Repository.at(tmp_path / "it's a copy")


@pytest.fixture
def plain(templates: Path, tmp_path: Path) -> Repository:
    return copied(templates, "plain", tmp_path)


@pytest.fixture
def driven(templates: Path, tmp_path: Path) -> Repository:
    return copied(templates, "driven", tmp_path)


def put(path: str, *names: str) -> Change:
    return lambda all_: all_[path].update(demos=demos(*names))


def config(**given: Any) -> Change:
    return lambda all_: all_["answer"]["config"].update(given)


def instructions(*lines: str) -> Change:
    return lambda all_: all_["answer"]["signature"].update(instructions=list(lines))


def desc(name: str, text: str) -> Change:
    return lambda all_: all_["answer"]["signature"]["fields"][name].update(desc=text)


def lm(**given: Any) -> Change:
    return lambda all_: all_["answer"].update(lm=given)


def move(old: str, new: str) -> Change:
    return lambda all_: all_.update({new: all_.pop(old)})


CLEAN, CONFLICT, WRONG = "clean", "conflict", "merged, and not to what should be"


@dataclass(frozen=True)
class Case:
    """What two branches did to BASE; what the driver makes of it (None: a conflict), and what git makes without it."""

    name: str
    ours: list[Change]
    theirs: list[Change]
    merged: list[Change] | None
    alone: str


CASES = [
    Case(
        "append on both sides", [put("answer", *"abcd")], [put("answer", *"abce")], [put("answer", *"abcde")], CONFLICT
    ),
    Case(
        "other predictor",
        [put("answer", *"abcd")],
        [put("triage", *"xyz")],
        [put("answer", *"abcd"), put("triage", *"xyz")],
        CLEAN,
    ),
    Case("same predictor", [put("answer", *"abcd")], [config(n=3)], [put("answer", *"abcd"), config(n=3)], CLEAN),
    Case("adjoining keys", [config(n=3)], [config(temperature=1.0)], [config(n=3, temperature=1.0)], CONFLICT),
    Case("adjoining demos", [put("answer", *"Xbc")], [put("answer", *"aYc")], [put("answer", *"XYc")], CLEAN),
    Case("same demo added", [put("answer", *"abcd")], [put("answer", *"abcd")], [put("answer", *"abcd")], CLEAN),
    Case(
        "same demo added, and more",
        [put("answer", *"abcd")],
        [put("answer", *"abcde")],
        [put("answer", *"abcde")],
        CONFLICT,
    ),
    Case("same demo edited", [put("answer", *"aXc")], [put("answer", *"aYc")], None, CONFLICT),
    Case("delete against edit", [put("answer", *"ac")], [put("answer", *"aYc")], None, CONFLICT),
    Case("delete and append", [put("answer", *"ab")], [put("answer", *"abcd")], [put("answer", *"abd")], CONFLICT),
    Case("delete here and there", [put("answer", *"bc")], [put("answer", *"ab")], [put("answer", *"b")], CLEAN),
    Case("reorder and append", [put("answer", *"cab")], [put("answer", *"abcd")], [put("answer", *"cdab")], CONFLICT),
    Case("reorder on both sides", [put("answer", *"cab")], [put("answer", *"bac")], None, CONFLICT),
    Case("demo added twice over", [put("answer", *"dabc")], [put("answer", *"abcd")], [put("answer", *"dabc")], WRONG),
    Case("same field", [desc("answer", "A")], [desc("answer", "B")], None, CONFLICT),
    Case("same field alike", [desc("answer", "A")], [desc("answer", "A")], [desc("answer", "A")], CLEAN),
    Case(
        "other field",
        [desc("answer", "A")],
        [desc("question", "B")],
        [desc("answer", "A"), desc("question", "B")],
        CLEAN,
    ),
    Case(
        "instructions, other lines",
        [instructions("New.", *LINES[1:])],
        [instructions(*LINES[:-1], "Last.")],
        [instructions("New.", *LINES[1:-1], "Last.")],
        CLEAN,
    ),
    Case("instructions, same line", [instructions("A.", *LINES[1:])], [instructions("B.", *LINES[1:])], None, CONFLICT),
    Case("instructions anew", [instructions("A.")], [instructions("B.")], None, CONFLICT),
    Case("LM of one side", [lm(model="m")], [config(n=3)], [lm(model="m"), config(n=3)], CLEAN),
    Case(
        "LM of both, other keys",
        [lm(model="m", seed=1)],
        [lm(model="m", top_p=1.0)],
        [lm(model="m", seed=1, top_p=1.0)],
        CONFLICT,
    ),
    Case("LM of both, same key", [lm(model="m")], [lm(model="n")], None, CONFLICT),
    Case("config, same key", [config(n=3)], [config(n=4)], None, CONFLICT),
    Case("config key gone and kept", [lambda all_: all_["answer"]["config"].pop("n")], [config(n=4)], None, CONFLICT),
    Case(
        "predictor moved",
        [move("answer", "writer")],
        [put("answer", *"abcd")],
        [put("answer", *"abcd"), move("answer", "writer")],
        CLEAN,
    ),
    Case("predictor gone and edited", [lambda all_: all_.pop("answer")], [put("answer", *"abcd")], None, CONFLICT),
    Case(
        "predictor added by each",
        [lambda all_: all_.update(judge=predictor("j"))],
        [lambda all_: all_.update(critic=predictor("k"))],
        [lambda all_: all_.update(judge=predictor("j"), critic=predictor("k"))],
        CONFLICT,
    ),
]


def merge(repository: Repository, ours: Document | bytes, theirs: Document | bytes, name: str = NAME) -> bool:
    """Two branches with these contents, the second merged into the first; whether git did it alone."""
    repository.git("checkout", "--quiet", "-b", "theirs")
    repository.commit({name: theirs})
    repository.git("checkout", "--quiet", "main")
    repository.commit({name: ours})
    return merges(repository, "theirs")


def merges(repository: Repository, branch: str) -> bool:
    """Merge *branch*; whether git did it alone."""
    try:
        repository.git("merge", "--quiet", "--no-edit", branch)
    except AssertionError:
        assert repository.git("status", "--short") != ""
        return False
    return True


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_with_the_driver(driven: Repository, case: Case) -> None:
    """What should merge merges to the right program, in canonical bytes; what should conflict does, visibly."""
    is_merged = merge(driven, changed(BASE, *case.ours), changed(BASE, *case.theirs))

    assert is_merged == (case.merged is not None)
    if case.merged is not None:
        assert (driven.path / NAME).read_bytes() == artifact.encode(changed(BASE, *case.merged))
        return
    text = (driven.path / NAME).read_text("utf-8")
    assert "\n=======\n" in text
    assert driven.git("diff", "--name-only", "--diff-filter=U", "-z") == f"{NAME}\0"
    with pytest.raises(DocumentError, match="unresolved merge conflict"):
        artifact.read(driven.path / NAME)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_without_the_driver(plain: Repository, case: Case) -> None:
    """Git goes by lines: it conflicts where nothing does, and at times merges to what nobody meant."""
    is_merged = merge(plain, changed(BASE, *case.ours), changed(BASE, *case.theirs))

    assert is_merged == (case.alone != CONFLICT)
    if is_merged:
        meant = artifact.encode(changed(BASE, *case.merged or ()))
        assert ((plain.path / NAME).read_bytes() == meant) == (case.alone == CLEAN)


# --- other ways to merge ----------------------------------------------------------------------------


def read(repository: Repository, name: str = NAME) -> Document:
    return artifact.read(repository.path / name)


def test_a_merge_from_below(driven: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever git is called, and whatever lies there: a directory of the name is no place to import from."""
    driven.write("prompts/progkit/__init__.py", "raise SystemExit('not this one')")
    driven.write("progkit.py", "raise SystemExit('not this one')")
    driven.commit()
    below = Repository.at(driven.path / "prompts")
    ours, theirs = (changed(BASE, put("answer", *"abc", each)) for each in "de")
    driven.git("checkout", "--quiet", "-b", "theirs")
    driven.commit({NAME: theirs})
    driven.git("checkout", "--quiet", "main")
    driven.commit({NAME: ours})

    assert merges(below, "theirs")
    assert read(driven) == changed(BASE, put("answer", *"abcde"))


def test_rebasing_and_picking(driven: Repository) -> None:
    """They are merges, too: what is ours and what is theirs is the other way round in them."""
    driven.git("checkout", "--quiet", "-b", "topic")
    driven.commit({NAME: changed(BASE, put("answer", *"abcd"))})
    driven.git("checkout", "--quiet", "main")
    driven.commit({NAME: changed(BASE, put("answer", *"abce"))})
    driven.git("checkout", "--quiet", "topic")

    driven.git("rebase", "--quiet", "main")

    assert read(driven) == changed(BASE, put("answer", *"abced"))


@pytest.mark.parametrize("name", ["-x", "--help", "-h\n"])
def test_a_file_that_is_called_like_an_option(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is merged by meaning, and shown so; a line break in a name is no obstacle to anybody."""
    repository = Repository(tmp_path / "names")
    monkeypatch.chdir(repository.path)
    repository.commit({f"{name}.json": BASE})
    assert main(["git", "install"]) == 0
    repository.commit()
    repository.git("switch", "--quiet", "--create", "side")
    theirs = changed(BASE, lambda each: each["answer"].update(demos=demos("a", "b", "c", "d")))
    repository.commit({f"{name}.json": theirs})
    repository.git("switch", "--quiet", "main")
    ours = changed(BASE, lambda each: each["triage"]["config"].update(n=5))
    repository.commit({f"{name}.json": ours})
    repository.git("merge", "--quiet", "side")
    merged = artifact.read(repository.path / f"{name}.json")["state"]["predictors"]

    assert [each["values"]["question"] for each in merged["answer"]["demos"]] == ["a", "b", "c", "d"]
    assert merged["triage"]["config"] == {"n": 5}
    repository.write(f"{name}.json", ours)
    assert "-    question: d" in repository.git("diff")


@pytest.mark.parametrize("status", [1, 2, 126, 127])
def test_a_driver_that_does_not_run_loses_nothing(driven: Repository, status: int) -> None:
    """progkit was uninstalled, its Python is gone, or it broke: both sides are there, by line, as a conflict."""
    driver = driven.git("config", "merge.progkit.driver").strip()
    _, dash, rest = driver.partition(" git merge-driver --")
    driven.git("config", "merge.progkit.driver", f"sh -c 'exit {status}'{dash}{rest}")
    driven.git("switch", "--quiet", "--create", "side")
    theirs = changed(BASE, lambda each: (each["answer"]["config"].update(n=3), each["triage"].update(demos=[])))
    driven.commit({NAME: theirs})
    driven.git("switch", "--quiet", "main")
    driven.commit({NAME: changed(BASE, lambda each: each["answer"]["config"].update(n=4))})
    driven.git("merge", "--quiet", "side", status=1)
    text = (driven.path / NAME).read_text()

    assert driven.git("diff", "--name-only", "--diff-filter=U").strip() == NAME
    assert '"n": 4' in text
    assert '"n": 3' in text
    assert text.count("<<<<<<<") == 1
    assert '"demos": []' in text  # theirs alone


def test_a_renamed_file(driven: Repository) -> None:
    """Git finds the file that was renamed, if the new name has the attributes."""
    driven.write(".gitattributes", "*.json -text diff=progkit merge=progkit\n")
    driven.commit()
    driven.git("checkout", "--quiet", "-b", "theirs")
    driven.git("mv", NAME, "desk.json")
    driven.commit({"desk.json": changed(BASE, config(n=3))})
    driven.git("checkout", "--quiet", "main")
    driven.commit({NAME: changed(BASE, config(temperature=1.0))})

    assert merges(driven, "theirs")
    assert read(driven, "desk.json") == changed(BASE, config(n=3, temperature=1.0))


@pytest.mark.parametrize("alike", [True, False])
def test_a_file_that_both_added(driven: Repository, alike: bool) -> None:
    """There is no base: what is the same in both merges, the rest conflicts."""
    driven.git("config", "merge.renames", "false")
    driven.write(".gitattributes", "*.json -text diff=progkit merge=progkit\n")
    driven.commit()
    ours, theirs = document(answer=predictor("a", "b", n=2)), document(answer=predictor("a", "c", n=2 if alike else 3))

    assert merge(driven, ours, theirs, "new.json") == alike
    if alike:
        assert read(driven, "new.json") == document(answer=predictor("a", "b", "c", n=2))


@pytest.mark.parametrize("clash", [False, True])
def test_criss_cross(driven: Repository, clash: bool) -> None:
    """Two branches that merged each other: git first merges their two bases into one, with the driver as well.

    If the bases clash, theirs is a base with markers in it, and git's own merge has to do.
    """
    one, two = changed(BASE, config(n=3)), changed(BASE, config(n=4) if clash else config(temperature=1.0))
    both = changed(BASE, config(n=3) if clash else config(n=3, temperature=1.0))
    driven.git("checkout", "--quiet", "-b", "theirs")
    second = driven.commit({NAME: two})
    driven.git("checkout", "--quiet", "main")
    first = driven.commit({NAME: one})
    for branch, other in (("main", second), ("theirs", first)):
        driven.git("checkout", "--quiet", branch)
        assert merges(driven, other) == (not clash)
        driven.commit({NAME: changed(both, put("answer", *"abc", branch))})

    assert merges(driven, "main") == (not clash)
    if not clash:
        assert read(driven) == changed(both, put("answer", *"abc", "theirs", "main"))


# --- what is no document ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (b"{not json", artifact.encode(changed(BASE, config(n=3)))),
        (artifact.encode(changed(BASE, config(n=3))), b'{"some": "other json"}\n'),
    ],
)
def test_a_side_that_is_no_document_is_merged_by_line(driven: Repository, ours: bytes, theirs: bytes) -> None:
    """As git does it, with its markers; both sides are still there."""
    assert not merge(driven, ours, theirs)

    text = (driven.path / NAME).read_bytes()
    assert text.startswith(b"<<<<<<< ours\n" + ours[:1])
    assert theirs[:9] in text


def test_a_document_of_another_library_is_merged_by_line(driven: Repository) -> None:
    """It stays what it is: a driver that wrote it anew would change whose file it is."""
    raw = {"metadata": {"dependency_versions": {"dspy": "3.4.1"}}, "a": {"demos": [], "x": 1, "y": 2, "z": 3}}
    text = json.dumps(raw, indent=1)
    driven.commit({NAME: text})

    assert merge(driven, text.replace('"x": 1', '"x": 0').encode(), text.replace('"z": 3', '"z": 0').encode())
    assert (driven.path / NAME).read_text() == text.replace('"x": 1', '"x": 0').replace('"z": 3', '"z": 0')


def test_a_file_that_is_no_text_stays_ours(driven: Repository) -> None:
    """Git cannot merge it either: it keeps ours, and all three in its index."""
    binary = bytes(range(256))

    assert not merge(driven, binary, binary[::-1])
    assert (driven.path / NAME).read_bytes() == binary
    assert len(driven.git("ls-files", "--unmerged").splitlines()) == 3


def sides(directory: Path, *contents: Document | bytes) -> Sides:
    """The sides of a merge as files, from their contents."""
    paths = [directory / name for name in ("base", "ours", "theirs")]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(artifact.encode(content) if isinstance(content, dict) else content)
    return Sides(*map(str, paths), "desk.json")


def test_lines_that_merge_to_nonsense_are_a_conflict(tmp_path: Path) -> None:
    """The base cannot be read, both sides can, and by line the same demo is there twice: somebody has to look."""
    base = artifact.encode(BASE).replace(b'"format"', b'"formats"')
    twice = [changed(BASE, put("answer", *names)) for names in ("dabc", "abcd")]

    outcome = drive(sides(tmp_path, base, *twice))
    fine = drive(sides(tmp_path, base, twice[0], changed(BASE, desc("answer", "A"))))

    assert [str(each) for each in outcome.conflicts] == [
        f"desk.json: what came of it is no valid document: {demos('d')[0]['id']!r} is there twice"
    ]
    assert not outcome.is_clean
    assert (fine.is_clean, fine.conflicts) == (True, [])


def test_the_driver_takes_what_git_gives(tmp_path: Path) -> None:
    """An empty base is a file that both sides added; what is no text cannot be merged, and ours stays."""
    added = drive(sides(tmp_path, b"", BASE, changed(BASE, put("answer", *"abcd"))))
    assert (added.is_clean, artifact.read(tmp_path / "ours")) == (True, changed(BASE, put("answer", *"abcd")))

    binary = drive(sides(tmp_path, b"", b"a\0", b"b\0"))
    assert str(binary.conflicts[0]).startswith("desk.json: Cannot merge binary files: ")
    assert (tmp_path / "ours").read_bytes() == b"a\0"


def test_what_the_driver_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr for people, as JSON for machines; git before 2.44 leaves %X and %Y as they are."""

    def run(*words: str, ours: Document | bytes) -> tuple[int, str, str]:
        found = sides(tmp_path, BASE, ours, changed(BASE, config(n=4)))
        status = main(["git", "merge-driver", found.base, found.ours, found.theirs, "7", "desk.json", *words])
        return (status, *capsys.readouterr())

    told = "state.predictors.answer.config.n: changed by both, differently"
    three = changed(BASE, config(n=3))
    assert run("%X", "%Y", ours=three) == (1, "", f"progkit: desk.json: conflict in {told}\n")
    assert b"<<<<<<< ours\n" in (tmp_path / "ours").read_bytes()
    status, out, _ = run("HEAD", "topic", "--json", ours=three)
    assert (status, json.loads(out)["conflicts"][0]["where"]) == (1, told.partition(":")[0])
    assert b"<<<<<<< HEAD\n" in (tmp_path / "ours").read_bytes()
    assert "merged by line, as git does it: desk.json (ours): is not a progkit" in run(ours=b"{}")[2]

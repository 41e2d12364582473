"""The versions to come, simulated: a next minor read by this progkit, and a copy of it to which two were added."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import progkit
from progkit import Predict, artifact, schema
from progkit.cli import main
from progkit.errors import DocumentError, VersionError

ROOT = Path(__file__).parent.parent
STATES = ROOT / "fixtures" / "state"
MAJOR, MINOR = schema.CURRENT
NAME = f"{MAJOR}.{MINOR}"


# --- the next minor, read by this progkit -------------------------------------------------------------


def next_minor(**head: Any) -> dict[str, Any]:
    """A file of one predictor as the next minor version may write it, with something new at every level."""
    predict = Predict("question, extra: list[int] -> answer")
    predict.demos = [{"question": "q", "extra": [1], "answer": "a"}, {"question": "r", "extra": [], "answer": "b"}]
    document: dict[str, Any] = {
        **schema.header(),
        "$schema": schema.urn((MAJOR, MINOR + 1)),
        "version": [MAJOR, MINOR + 1],
        "saved_with": {"progkit": "7.8.9", "python": "3.19", "machine": "none"},
        "program": "desk:Desk",
        "state": predict.dump_state(),
        "reviewed": {"by": "Ada", "$odd": [1, None]},
    }
    predictor = document["state"]["predictors"]["self"]
    document["state"]["order"] = ["self"]
    predictor["score"] = 0.5
    predictor["signature"]["style"] = "terse"
    predictor["signature"]["fields"]["answer"]["unit"] = "words"
    predictor["demos"][1]["weight"] = 2
    return {**document, **head}


NEW = [
    ("saved_with", "machine"),
    ("reviewed",),
    ("state", "order"),
    ("state", "predictors", "self", "score"),
    ("state", "predictors", "self", "signature", "style"),
    ("state", "predictors", "self", "signature", "fields", "answer", "unit"),
    ("state", "predictors", "self", "demos", 1, "weight"),
]
"""Where the next minor has something that this progkit does not know."""


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def put(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document), "utf-8")
    return path


def test_what_the_next_minor_adds_is_in_the_next_save_at_every_level(tmp_path: Path) -> None:
    """The program learned something between the two: what is new stays with what it belongs to."""
    document = next_minor()
    program = progkit.load(put(tmp_path / "new.json", document))
    (predict,) = program.predictors()
    predict.demos.insert(0, progkit.Example(question="s", extra=[2], answer="c"))
    predict.signature = predict.signature.with_instructions("Be brief.")

    program.save(tmp_path / "again.json")

    again = json.loads((tmp_path / "again.json").read_text("utf-8"))
    for path in NEW[:-1]:
        assert at(again, path) == at(document, path), path
    assert [each.get("weight") for each in again["state"]["predictors"]["self"]["demos"]] == [None, None, 2]
    assert (again["version"], again["min_reader"]) == (document["version"], document["min_reader"])
    assert again["saved_with"]["progkit"] == progkit.__version__
    assert progkit.load(tmp_path / "again.json").predictors()[0].signature.instructions == "Be brief."


def test_what_the_next_minor_adds_outlives_the_commands(tmp_path: Path) -> None:
    """``migrate`` keeps it, and ``--check`` calls the result current."""
    file = put(tmp_path / "new.json", next_minor())

    assert main(["migrate", "--check", str(file)]) == 1
    assert main(["migrate", "--in-place", str(file)]) == 0
    assert main(["migrate", "--check", str(file)]) == 0
    assert main(["validate", str(file)]) == 0
    assert json.loads(file.read_text("utf-8")) == next_minor()


@pytest.mark.parametrize(
    ("head", "where", "named"),
    [
        ({"requires": ["tool-demos"]}, "requires", "needs 'tool-demos', which this progkit"),
        ({"requires": ["a", "b"]}, "requires", "needs 'a', 'b', which"),
        (
            {"min_reader": [MAJOR, MINOR + 1]},
            "version",
            f"needs a progkit that reads progkit.state {MAJOR}.{MINOR + 1}",
        ),
        ({"version": [MAJOR + 1, 0]}, "version", f"needs a progkit that reads progkit.state {MAJOR + 1}.0"),
        ({"version": [10**30, 0]}, "version", f"needs a progkit that reads progkit.state {10**30}.0"),
    ],
    ids=str,
)
def test_what_needs_another_progkit_names_it(tmp_path: Path, head: Any, where: str, named: str) -> None:
    """Never tried with a warning: the version needed, and who wrote the file; the program stays as it was."""
    predict = Predict("question, extra: list[int] -> answer")
    before = dict(vars(predict))

    with pytest.raises(VersionError) as caught:
        predict.load(put(tmp_path / "new.json", next_minor(**head)))

    assert caught.value.where == where
    assert named in caught.value.reason
    assert caught.value.hint == "It was saved with progkit 7.8.9: use that or a newer one"
    assert vars(predict) == before


@pytest.mark.parametrize("key", ["version", "min_reader"])
@pytest.mark.parametrize(
    "version",
    [True, 1, 1.0, "1", "1.0", [1], [1, 0, 0], [1, "0"], ["1", 0], [True, False], [1.0, 0], [1, -1], [-1, 0]]
    + [{}, None, [], [[1, 0]], {"1": 0}, [None, None]],
    ids=str,
)
def test_what_is_no_version_is_none(tmp_path: Path, key: str, version: Any) -> None:
    """``True`` is not 1, "1" is not, and two whole numbers are all there is; the key may not be missing either."""
    document = next_minor(**{key: version})
    missing = {name: value for name, value in document.items() if name != key}

    for each in (document, missing):
        with pytest.raises(DocumentError) as caught:
            artifact.read(put(tmp_path / "x.json", each))
        assert type(caught.value) is DocumentError
        assert (caught.value.where, caught.value.reason) == (key, "must be [major, minor], two whole numbers")


# --- two versions more, in a copy ---------------------------------------------------------------------

VERSIONS = r"(VERSIONS: tuple\[Version, \.\.\.\] = \()(.*)(\))"


def changed(path: Path, *changes: tuple[str, str]) -> None:
    """Edit a file of the copy, as somebody would who adds a version."""
    text = path.read_text("utf-8")
    for pattern, new in changes:
        text, count = re.subn(pattern, new, text)
        assert count == 1, f"{path.name}: {pattern} is there {count} times"
    path.write_text(text, "utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """progkit with a state 1.1 and a state 2.0, added as ``progkit.schema`` says: module, line, step."""
    top = tmp_path_factory.mktemp("next")
    for name in ("progkit", "schemas", "fixtures/state"):
        shutil.copytree(ROOT / name, top / name, ignore=shutil.ignore_patterns("__pycache__"))
    (top / "tests").mkdir()
    for name in ("conftest.py", "test_schema.py", "scripted.py", "servers.py"):
        shutil.copy(ROOT / "tests" / name, top / "tests" / name)
    shutil.copytree(ROOT / "tests" / "contracts", top / "tests" / "contracts")
    room = top / "progkit" / "schema"
    for name in ("v1_1.py", "v2_0.py"):
        shutil.copy(ROOT / "tests" / "versions" / name, room / name)
    changed(
        room / "head.py",
        (VERSIONS, r"\1\2 v1_1.VERSION, v2_0.VERSION\3"),
        (r"(from progkit\.schema import .*v1_0)", r"\1, v1_1, v2_0"),
        (r'("requires": \[\],\n)', r'\1        "reviewers": [],\n'),
    )
    changed(
        room / "steps.py",
        (r"(from progkit\.schema import .*v1_0)", r"\1, v1_1, v2_0"),
        (r"(_MODULES: .* = \{v1_0\.VERSION: v1_0)\}", r"\1, v1_1.VERSION: v1_1, v2_0.VERSION: v2_0}"),
        (r"(_STEPS: tuple\[Step, \.\.\.\] = )\(\)", r"\1((v1_1.VERSION, v1_1.upgrade), (v2_0.VERSION, v2_0.upgrade))"),
    )
    yield top
    shutil.rmtree(top)


def inside(copy: Path, *words: object, status: int = 0, **environment: str) -> str:
    """What a command of the copy says."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=copy,
        env={**kept, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(copy), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


CHAIN = """
import copy, json, sys
from pathlib import Path
import progkit
from progkit import artifact, schema
from progkit.schema import steps

assert Path(progkit.__file__).is_relative_to(Path.cwd()), progkit.__file__
assert schema.VERSIONS[-2:] == ((1, 1), (2, 0)) and schema.CURRENT == (2, 0)
for path in sorted(Path("fixtures/state/1.0").glob("*.json")):
    raw = json.loads(path.read_text("utf-8"))
    untouched = copy.deepcopy(raw)
    document = schema.migrate(raw)
    assert raw == untouched and document is not raw
    assert artifact.read(path) == document
    assert document["version"] == [2, 0] and document["reviewers"] == []
    assert document["state"] == raw["state"]
    Path(sys.argv[1], path.name).write_bytes(artifact.encode(document))
old = json.loads(Path("fixtures/state/1.0/full.json").read_text("utf-8"))
middle = {**steps._STEPS[0][1](old), "reviewed": "Ada"}
assert schema.migrate(middle)["reviewers"] == ["Ada"]
wrong = [{**middle, "reviewers": []}, {**old, "reviewed": "Ada"}, {**middle, "min_reader": [1, 1]}]
for wrong, where in zip(wrong, ("", "", "min_reader"), strict=True):
    try:
        schema.migrate(wrong)
    except progkit.DocumentError as error:
        assert error.where == where, error
    else:
        raise SystemExit(f"{wrong['version']} was accepted")
"""


def test_every_file_ever_written_climbs_step_by_step(copy: Path, tmp_path: Path) -> None:
    """1.0 to 1.1 to 2.0: valid as what it claims before each step and after, the same bytes in every process."""
    places = [tmp_path / seed for seed in ("1", "2")]
    for place in places:
        place.mkdir()
        inside(copy, "-c", CHAIN, place, PYTHONHASHSEED=place.name)

    for path in sorted(places[0].iterdir()):
        assert path.read_bytes() == (places[1] / path.name).read_bytes()
    with pytest.raises(VersionError, match=r"needs a progkit that reads progkit\.state 2\.0"):
        artifact.read(places[0] / "full.json")


def test_the_program_of_an_old_file_is_saved_in_the_new_form(copy: Path, tmp_path: Path) -> None:
    """What was learned means the same; ``migrate --check`` tells the old file from the new one."""
    predict = Predict("question -> answer", temperature=0.5)
    predict.demos = [{"question": "q", "answer": "a"}]
    predict.save(tmp_path / "x.json")
    code = (
        "import progkit, sys; p = progkit.load(sys.argv[1]); p.save(sys.argv[2]); "
        "print(p.config, [sorted(each.items()) for each in p.demos])"
    )

    said = inside(copy, "-c", code, tmp_path / "x.json", tmp_path / "y.json")
    files = [tmp_path / "x.json", tmp_path / "y.json"]
    checked = inside(copy, "-m", "progkit", "migrate", "--check", *files, status=1)
    inside(copy, "-m", "progkit", "migrate", "--in-place", *files)
    inside(copy, "-m", "progkit", "migrate", "--check", *files)

    assert said == "{'temperature': 0.5} [[('answer', 'a'), ('question', 'q')]]\n"
    assert checked.splitlines() == [f"{files[0]} is of version 1.0, not 2.0", f"{files[1]} is current"]
    old, new = (json.loads(each.read_text("utf-8")) for each in files)
    assert (old["version"], old["reviewers"], old["state"]) == ([2, 0], [], new["state"])


def test_a_version_between_two_that_nobody_wrote_is_none(copy: Path, tmp_path: Path) -> None:
    """1.7 is no newer minor any more once there is a 2.0."""
    file = put(tmp_path / "x.json", next_minor(**{"version": [1, 7], "$schema": schema.urn((1, 7))}))

    said = inside(copy, "-m", "progkit", "validate", file, status=1)

    assert said == f"{file}: version: no progkit ever wrote version 1.7\n"


def test_a_version_is_not_released_until_its_files_and_its_schema_are_frozen(copy: Path) -> None:
    """The suite's own tests fail in the copy, and pass once fixtures, printed schema and hashes are there."""
    suite = (
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-o",
        "addopts=",
        "-o",
        "pythonpath=tests",
        "tests/test_schema.py",
    )
    every_version = (*suite, "-k", "every_version_has")

    for name in ("1.1", "2.0"):
        assert "FAILED tests/test_schema.py::test_every_version_has" in inside(copy, *every_version, status=1)
        freeze(copy, name)

    inside(copy, *every_version)
    inside(copy, *suite, "-k", "not broken")


FREEZE = """
import json, sys
from pathlib import Path
from progkit import artifact, schema
from progkit.schema import steps

version = tuple(map(int, sys.argv[1].split(".")))
printed = json.dumps(schema.json_schema(version), indent=1, ensure_ascii=False, sort_keys=True) + "\\n"
Path(f"schemas/state-{sys.argv[1]}.json").write_text(printed, "utf-8")
place = Path("fixtures/state", sys.argv[1])
place.mkdir()
for path in Path("fixtures/state/1.0").glob("*.json"):
    document = json.loads(path.read_text("utf-8"))
    for step, upgrade in steps._STEPS:
        document = upgrade(document) if step <= version else document
    (place / path.name).write_bytes(artifact.encode(document))
"""


def freeze(copy: Path, name: str) -> None:
    """What a release does: print the schema, write the fixtures, hold their hashes."""
    inside(copy, "-c", FREEZE, name)
    printed = digest((copy / "schemas" / f"state-{name}.json").read_bytes())
    files = sorted((copy / "fixtures" / "state" / name).glob("*.json"))
    frozen = digest("\n".join(f"{path.name} {digest(path.read_bytes())}" for path in files).encode())
    major, minor = name.split(".")
    changed(
        copy / "tests" / "test_schema.py",
        (r"RELEASED = \{\n", f'RELEASED = {{\n    ({major}, {minor}): ("{printed}", "{frozen}"),\n'),
    )


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

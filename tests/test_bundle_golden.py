"""Bundles of every version ever released: frozen, and loaded for ever; and between the Pythons that are here."""

import hashlib
import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bundles
import pytest
from scripted import ScriptedLM

import progkit
from progkit.artifact.bundle.opening import open_bundle
from progkit.schema import bundles as manifests

ROOT = Path(__file__).parent.parent
FROZEN = ROOT / "fixtures" / "bundle"
MAKE = FROZEN / "make.py"
RELEASED = {(1, 0): "011f156c08906ad7806fbcf7fc20c2dc98f1bc1f79ec4adbffb44cd5e9a1769c"}
"""SHA-256 of the printed schema of each released version: what is released is never edited."""
DIGESTS = {"1.0/desk": "sha256:53021626a63503d9221eb52b6aa0fc478c54106292084416942c4cc116e38271"}
"""The digest of each frozen bundle."""
NAMED = os.environ.get("PROGKIT_TEST_PYTHONS", "")
"""Interpreters that have what progkit depends on, with ``os.pathsep`` between them."""


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    with bundles.forgotten():
        yield


# --- versions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", manifests.VERSIONS)
def test_every_version_has_its_bundle_and_its_printed_schema(version: manifests.Version) -> None:
    """A version without a frozen bundle, a printed schema or a held hash is not released."""
    name = f"{version[0]}.{version[1]}"
    printed = (ROOT / "schemas" / f"bundle-{name}.json").read_bytes()

    assert any(each.startswith(f"{name}/") for each in DIGESTS)
    assert json.loads(printed) == manifests.json_schema(version)
    assert hashlib.sha256(printed).hexdigest() == RELEASED[version]


def test_the_printed_schema_is_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``python -m progkit.schema bundle`` prints the published file to the byte."""
    monkeypatch.setattr(sys, "argv", ["progkit.schema", "bundle"])
    runpy.run_module("progkit.schema", run_name="__main__", alter_sys=False)

    assert capsys.readouterr().out == (ROOT / "schemas" / "bundle-1.0.json").read_text("utf-8")


@pytest.mark.parametrize("name", DIGESTS)
def test_a_frozen_bundle_is_what_it_was(name: str) -> None:
    """To the byte: its manifest names everything in it."""
    assert open_bundle(FROZEN / name).digest == DIGESTS[name]


def test_the_bundle_of_1_0_loads_and_runs() -> None:
    """With what was learned, its own types, and a place for what did not travel."""
    program: Any = progkit.load(FROZEN / "1.0/desk", trust=DIGESTS["1.0/desk"])
    sort = "[[ ## reasoning ## ]]\nIt fails.\n\n[[ ## kind ## ]]\nbug"
    program.set_lm(ScriptedLM(sort, "[[ ## answer ## ]]\nWe mend it."))

    assert program(message="It crashes.") == "We mend it. Thank you."
    triage = program.triage.predictors()[0]
    assert triage.signature.instructions == "Sort the message.\n\nIf unsure: a question."
    assert triage.demos[0]["message"] == "It crashes: naïve ☂"
    assert triage.demos[0]["kind"] is sys.modules["desk.kinds"].Kind.BUG
    assert triage.config == {"temperature": 0.0}
    assert repr(program.archive) == "LeftOut('archive', 'desk.triage:Archive')"


# --- other Pythons --------------------------------------------------------------------------------

LOAD = """
import json, sys, progkit
try:
    program = progkit.load(sys.argv[1], trust="code")
except progkit.ArtifactError as error:
    print(json.dumps([type(error).__name__, *[str(each) for each in getattr(error, "mismatches", [error])]]))
else:
    from desk import wording
    print(json.dumps([repr(program), wording.polite("Done."), program.load_report.ok]))
"""
LAMBDA = """
import sys
sys.path.insert(0, sys.argv[1] + ".project")
import rank
print(rank.Rank(lambda text: len(text)).save(sys.argv[1], save_program=True))
"""
RANK = """
import progkit
class Rank(progkit.Module):
    def __init__(self, key):
        self.key = key
    def forward(self, text):
        return self.key(text)
"""


def run(python: str, *words: str | Path, cwd: Path) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_", "PYTHON"))}
    done = subprocess.run(
        [python, "-B", *map(str, words)],
        cwd=cwd,
        env={**env, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def candidates() -> list[str]:
    """Interpreters of other minor versions that may be here."""
    if NAMED:
        return NAMED.split(os.pathsep)
    names = [f"python3.{minor}" for minor in range(11, 16)]
    found = [shutil.which(name) for name in names]
    return [each for each in found if each] + [
        str(each) for each in sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3"))
    ]


def others() -> dict[str, str]:
    """Interpreters by minor version, other than this one, in which progkit runs."""
    found: dict[str, str] = {}
    probe = (
        "import sys, cloudpickle, packaging, pydantic, progkit; progkit.Predict; print('3.%d' % sys.version_info[1])"
    )
    for python in candidates():
        done = subprocess.run(
            [python, "-B", "-c", probe],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode == 0 and (version := done.stdout.strip()) != bundles.PYTHON:
            found.setdefault(version, python)
    return found


@pytest.fixture(scope="module")
def pythons() -> dict[str, str]:
    found = others()
    if not found:
        pytest.skip("no other Python here has what progkit needs; PROGKIT_TEST_PYTHONS=/path/to/python names some")
    return found


def test_a_bundle_loads_on_every_python_that_is_here(pythons: dict[str, str], tmp_path: Path) -> None:
    """Saved here and loaded there, where its modules do not exist; and back; and the frozen one."""
    expected = ['Desk(triage.predict, answers["bug"], answers["question"])', "Done. Thank you.", True]
    run(sys.executable, MAKE, tmp_path / "here", cwd=tmp_path)

    for version, python in pythons.items():
        there = tmp_path / version
        run(python, MAKE, there, cwd=tmp_path)
        assert open_bundle(there).manifest["interpreter"]["python"] == version
        for path in (tmp_path / "here", FROZEN / "1.0/desk", there):
            assert json.loads(run(python, "-c", LOAD, path, cwd=tmp_path)) == expected, (version, path)
        assert json.loads(run(sys.executable, "-c", LOAD, there, cwd=tmp_path)) == expected, version


def test_bytecode_is_refused_by_another_python(pythons: dict[str, str], tmp_path: Path) -> None:
    """Before it could end the process; where it was saved it loads."""
    project = tmp_path / "saved.project"
    project.mkdir()
    (project / "rank.py").write_text(RANK)
    run(sys.executable, "-c", LAMBDA, tmp_path / "saved", cwd=tmp_path)
    load = LOAD.replace("from desk import wording", "").replace('wording.polite("Done.")', 'program(text="abc")')

    assert json.loads(run(sys.executable, "-c", load, tmp_path / "saved", cwd=tmp_path)) == ["Rank()", 3, True]
    for python in pythons.values():
        name, *rows = json.loads(run(python, "-c", load, tmp_path / "saved", cwd=tmp_path))
        assert name == "EnvironmentMismatchError"
        assert rows[0].startswith(f"block  bytecode of Python {bundles.PYTHON}: ")

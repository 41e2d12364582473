"""Bundles whose code may not run, or fails: nothing happened, and it is told where."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import bundles
import pytest

import progkit
from progkit.artifact.bundle.importing import FINDER
from progkit.errors import (
    DocumentError,
    ProgramNeededError,
    UnloadableError,
    UntrustedError,
)

ROOT = Path(__file__).parent.parent
DESK = """
import progkit

class Desk(progkit.Module):
    def __init__(self):
        self.answer = progkit.Predict("question -> answer")

    def forward(self, question):
        return self.answer(question=question)
"""
FILES = bundles.files_of({"desk": DESK}, bundles.calling("desk:Desk"), bundles.learned(answer="Be brief."))


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    with bundles.forgotten():
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "saved"


@pytest.fixture
def saved(path: Path) -> Path:
    bundles.write(path, FILES)
    return path


# --- trust --------------------------------------------------------------------------------------

HOSTILE = {
    "module": (b"import os; os.system('touch canary')\n", bundles.calling("desk:Desk")),
    "os.system": (b"", b"cos\nsystem\n(S'touch canary'\ntR."),
    "exec": (b"", b'cbuiltins\nexec\n(S\'open("canary", "w")\'\ntR.'),
    "reduce": (b"", b'cbuiltins\neval\n(S\'open("canary", "w")\'\ntR0N.'),
    "by value": (b"", b"ccloudpickle.cloudpickle\n_make_function\n(tR."),
    "build": (b"", b"cprogkit.program.module\nModule\n)\x81}(S'x'\ncos\ngetcwd\n(tRub."),
    "import": (b"", b"cantigravity\nfly\n."),
}
WATCH = """
import os, sys
import progkit, progkit.artifact, progkit.program.bundles.reading, progkit.artifact.bundle.opening
import progkit.artifact.trust.judging
seen = []
doors = ("pickle.find_class", "exec", "compile", "os.system", "subprocess.Popen", "os.exec", "marshal.loads")
watching = []
sys.addaudithook(lambda event, args: watching and seen.append((event, str(args)[:200])) if event in doors else None)
import progkit.cli, progkit.program.loading  # what progkit itself imports is no part of what is watched
for attempt in range(2):  # once to have imported what is needed, then watched
    if attempt:
        watching.append(1)
    try:
        if sys.argv[2] == "load":
            progkit.load(sys.argv[1])
        elif sys.argv[2] == "trusted":
            progkit.load(sys.argv[1], trust="code")
        else:
            progkit.Module().load(sys.argv[1], strict=False)
    except progkit.UntrustedError as error:
        assert sys.argv[2] == "load"
watching.clear()
print(seen, [name for name in ("desk", "antigravity", "cloudpickle") if name in sys.modules], os.path.exists("canary"))
"""


def watched(path: Path, verb: str) -> str:
    """What a process that does *verb* with the bundle sees of it."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WATCH, str(path), verb]
    done = subprocess.run(command, cwd=path.parent, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("verb", ["load", "state"])
@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_of_an_untrusted_bundle_runs(path: Path, name: str, verb: str) -> None:
    """No opcode of its pickle is read, no module of it compiled: an audit hook sees that, and the canary lives."""
    source, program = HOSTILE[name]
    bundles.write(path, {**FILES, "src/desk.py": source, "program.pkl": program})

    assert watched(path, verb) == "[] [] False\n"


def test_what_a_trusted_bundle_runs_is_seen(saved: Path) -> None:
    """Or else the watch would prove nothing."""
    seen = watched(saved, "trusted")

    assert "pickle.find_class" in seen
    assert "['desk'] False" in seen


def test_a_digest_that_is_pinned_is_that_of_every_byte(path: Path) -> None:
    """What was changed since is another bundle."""
    digest = bundles.write(path, FILES)
    assert progkit.load(path, trust=digest)

    bundles.write(path, {**FILES, "src/desk.py": DESK.encode() + b"\n"})
    with pytest.raises(UntrustedError):
        progkit.load(path, trust=digest)


# --- code that fails ----------------------------------------------------------------------------

FAILING: dict[str, tuple[dict[str, str], bytes, str, str]] = {
    "a module": ({"desk": "X = 1\n\nY = X / 0\n"}, b"desk:Desk", "module desk, line 3", "ZeroDivisionError"),
    "syntax": ({"desk": "X = 1\nY = (\n"}, b"desk:Desk", "module desk, line 2", "SyntaxError"),
    "an inner one": (
        {"desk": "import tools\n", "tools": "\n\nraise ValueError('no')\n"},
        b"desk:Desk",
        "module tools, line 3",
        "ValueError: no",
    ),
    "a distribution": ({"desk": "import no_such_thing\n"}, b"desk:Desk", "module desk, line 1", "no_such_thing"),
    "an attribute": ({"desk": ""}, b"desk:Desk.Inner", "program.pkl asks for desk.Desk.Inner", "AttributeError"),
    "no module": ({"desk": ""}, b"nothing:Desk", "program.pkl asks for nothing.Desk", "ModuleNotFoundError"),
    "an exit": ({"desk": "import sys\nsys.exit(3)\n"}, b"desk:Desk", "module desk, line 2", "SystemExit: 3"),
    "a constructor": (
        {"desk": "class Desk:\n    def __init__(self):\n        raise KeyError(1)\n"},
        b"desk:Desk",
        "module desk, line 3",
        "KeyError: 1",
    ),
    "a recursion": ({"desk": "def f(): f()\nf()\n"}, b"desk:Desk", "module desk, line 1", "RecursionError"),
    "no program": ({"desk": "class Desk: pass\n"}, b"desk:Desk", "program.pkl", "holds a Desk, and no progkit.Module"),
}


@pytest.mark.parametrize("name", FAILING)
def test_code_that_fails_says_where_and_leaves_nothing(path: Path, name: str) -> None:
    """Module and line, or what the pickle asked for; the cause is kept; all is undone."""
    sources, program, where, reason = FAILING[name]
    bundles.write(path, bundles.files_of(sources, bundles.calling(program.decode()), FILES["state.json"]))
    before = dict(sys.modules), list(sys.meta_path), list(sys.path)

    with pytest.raises(UnloadableError) as caught:
        progkit.load(path, trust="code")

    assert caught.value.where == where
    assert reason in caught.value.reason
    assert (sys.meta_path, sys.path) == before[1:]
    assert {"desk", "tools"} & sys.modules.keys() == set()
    assert name == "no program" or caught.value.__cause__ is not None


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\x80\x05", b".", b"garbage", b"\x80\x09N.", b"cdesk\n", b"\x80\x05K\x01."]
)
def test_a_pickle_that_is_none_is_an_error(path: Path, data: bytes) -> None:
    """Of the bundle, not of pickle."""
    bundles.write(path, {**FILES, "program.pkl": data})

    with pytest.raises(UnloadableError, match=r"program\.pkl"):
        progkit.load(path, trust="code")


def test_an_interrupt_stays_one_and_leaves_nothing(path: Path) -> None:
    """The user wants out."""
    bundles.write(path, {**FILES, "src/desk.py": b"raise KeyboardInterrupt\n"})

    with pytest.raises(KeyboardInterrupt):
        progkit.load(path, trust="code")
    assert "desk" not in sys.modules
    assert FINDER not in sys.meta_path


def test_an_error_of_progkit_itself_is_passed_on(path: Path) -> None:
    """A module of a bundle may load something that fails, and that says why."""
    bundles.write(path, {**FILES, "src/desk.py": b"import progkit\nprogkit.load('nothing.json')\n"})

    with pytest.raises(DocumentError, match=r"nothing\.json"):
        progkit.load(path, trust="code")


def test_a_file_needs_its_class_and_says_so(tmp_path: Path) -> None:
    """A bundle's state alone is no program."""
    bundles.write(tmp_path / "saved", FILES)
    (tmp_path / "state.json").write_bytes(FILES["state.json"])

    with pytest.raises(ProgramNeededError):
        progkit.load(tmp_path / "state.json")
    assert json.loads(FILES["state.json"])["program"] == "desk:Desk"

"""The rules of the house, kept by the machine: who imports whom, sizes, docstrings, what an import costs.

The rules are those of CONTRIBUTING.md. Style and types are checked in ``test_style.py``.
"""

import ast
import inspect
import os
import pickle
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from importlinter import cli as import_linter

from progkit import errors

TOP = Path(__file__).parent.parent
PACKAGE = TOP / "progkit"
FILES = sorted(PACKAGE.rglob("*.py"))
FILLED = [path for path in FILES if path.stat().st_size]

HEAVY = (
    "cachetools",
    "cloudpickle",
    "cryptography",
    "diskcache",
    "filelock",
    "aiohappyeyeballs", "h11",
    "httpx",
    "json_repair",
    "litellm",
    "platformdirs",
    "pydantic",
)
HEAVY += ("packaging", "pyarrow", "redis", "tiktoken", "tqdm")
"""Third-party libraries that are imported inside a function, at their door, when they are first needed."""

CONSTRUCTORS = ("__init__", "InputField", "OutputField", "configure_cache", "load")
"""Public constructors, in whatever form: they take what they make, one parameter each."""


def name_of(path: Path) -> str:
    return str(path.relative_to(TOP))


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    """Every import with the module that it names; a relative one as ``.name``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                yield node, each.name
        elif isinstance(node, ast.ImportFrom):
            yield node, "." * node.level + (node.module or "")


def is_explained(lines: list[str], at: int) -> bool:
    """Whether a comment stands on line *at* (from 1), or on the one above or below it."""
    return any("#" in line for line in lines[max(at - 2, 0) : at + 1])


# --- who imports whom -----------------------------------------------------------------------------


def test_the_import_contracts_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Rooms import downwards, and each third-party library has its door (``pyproject.toml``)."""
    monkeypatch.chdir(TOP)

    status = import_linter.lint_imports(no_cache=True)

    assert status == import_linter.EXIT_STATUS_SUCCESS, capsys.readouterr().out


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_inside_imports_the_package_root(path: Path) -> None:
    """The root gathers the rooms; a room that imported it would tie them into a knot."""
    names = [name for _, name in imports(parse(path))]

    # `from progkit import runtime` is the module runtime, and the only form in which the root is named.
    rooms = {each.stem for each in PACKAGE.iterdir()} - {"__init__"}
    taken = {
        each.name
        for node, name in imports(parse(path))
        if name == "progkit" and isinstance(node, ast.ImportFrom)
        for each in node.names
    }
    assert taken <= rooms
    assert "progkit" not in [name for name in names if not taken]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_heavy_libraries_are_imported_in_functions(path: Path) -> None:
    """An import in a function is a third-party one at its door, and a comment says why."""
    lines = path.read_text("utf-8").splitlines()
    hidden = {(node, name) for function in functions(parse(path)) for node, name in imports(function)}

    unexpected = [name for _, name in hidden if name.partition(".")[0] not in HEAVY]
    unexplained = [name for node, name in hidden if not is_explained(lines, node.lineno)]

    assert (unexpected, unexplained) == ([], [])


# --- sizes ----------------------------------------------------------------------------------------


def test_files_are_small() -> None:
    """The median file has 120 lines or fewer, the largest 350."""
    sizes = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in FILLED}

    assert {name: size for name, size in sizes.items() if size > 350} == {}
    assert median(sizes.values()) <= 120


@pytest.mark.parametrize("path", FILLED, ids=name_of)
def test_functions_are_short_and_take_few_parameters(path: Path) -> None:
    """40 lines and 6 parameters, self left out; public constructors take what they need."""
    long, wide = [], []
    for function in functions(parse(path)):
        given = function.args
        every = (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg)
        names = [each.arg for each in every if each and each.arg not in ("self", "cls")]
        if (function.end_lineno or 0) - function.lineno + 1 > 40:
            long.append(function.name)
        if len(names) > 6 and function.name not in CONSTRUCTORS:
            wide.append(function.name)

    assert (long, wide) == ([], [])


# --- what is not written ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_global_statement(path: Path) -> None:
    """State of the process is an object with a lock, not a rebound name."""
    assert not [node.lineno for node in ast.walk(parse(path)) if isinstance(node, ast.Global)]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_broad_except_says_why(path: Path) -> None:
    """Who catches everything writes beside it why nothing is lost."""
    lines = path.read_text("utf-8").splitlines()
    broad = [
        node.lineno
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")))
    ]

    assert [line for line in broad if not is_explained(lines, line)] == []


def test_no_room_for_odds_and_ends() -> None:
    """A helper lives with its user."""
    assert not [name_of(path) for path in FILES if path.stem in ("utils", "util", "helpers", "common", "core", "misc")]


# --- documentation ----------------------------------------------------------------------------------


def undocumented(node: ast.AST, inside: str = "") -> Iterator[str]:
    """Public classes, functions and methods below *node* that lack a docstring."""
    for each in ast.iter_child_nodes(node):
        if not isinstance(each, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if isinstance(each, ast.If | ast.Try):
                yield from undocumented(each, inside)
            continue
        decorators = [ast.unparse(decorator) for decorator in getattr(each, "decorator_list", ())]
        if each.name.startswith("_") or any(name.endswith((".setter", ".deleter", "overload")) for name in decorators):
            continue
        if not ast.get_docstring(each):
            yield f"{inside}{each.name}"
        if isinstance(each, ast.ClassDef):
            yield from undocumented(each, f"{inside}{each.name}.")


@pytest.mark.parametrize("path", FILLED, ids=name_of)
def test_every_public_thing_has_a_docstring(path: Path) -> None:
    """Modules, classes, functions and methods; a property is documented at its getter."""
    tree = parse(path)

    assert ast.get_docstring(tree)
    assert list(undocumented(tree)) == []


# --- what an import costs ---------------------------------------------------------------------------

WATCH = """
import sys

seen = []
sys.addaudithook(lambda event, args: seen.append((event, args)))
import progkit

# The import system lists directories and reads modules; whatever else reaches out of the process is reported.
doors = {"open", "os", "shutil", "socket", "sqlite3", "subprocess", "tempfile", "urllib"}
for event, args in seen:
    reads = event == "open" and args[1] in ("r", "rb", None)
    is_module = reads and str(args[0]).endswith((".py", ".pyc", ".so", ".pyd"))
    if event.partition(".")[0] in doors and event != "os.listdir" and not is_module:
        print(event, args[:2])
heavy = {"cloudpickle", "httpx", "msgspec", "openai", "asyncio", *sys.argv[1:]}
print(*sorted(heavy & set(sys.modules)))
"""


def test_importing_progkit_reads_modules_and_nothing_else() -> None:
    """No file, no socket, no process, and none of the libraries that take their time."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_"))}

    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCH, *HEAVY], cwd=TOP, env=env, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == ""
    assert done.stderr == ""


def test_every_public_name_is_there() -> None:
    """What ``__all__`` promises, its room delivers."""
    progkit = import_module("progkit")

    assert [name for name in progkit.__all__ if not hasattr(progkit, name)] == []
    assert set(progkit.__all__) <= set(dir(progkit))


def test_python_m_progkit_is_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The package runs as a module, and its exit status is the command's."""
    argv = sys.argv
    sys.argv = ["progkit", "--help"]
    try:
        with pytest.raises(SystemExit) as done:
            runpy.run_module("progkit", run_name="__main__")
    finally:
        sys.argv = argv

    assert done.value.code == 0
    assert "usage: progkit" in capsys.readouterr().out


# --- errors -----------------------------------------------------------------------------------------

CLASSES = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.ProgkitError)]
SAMPLES: dict[str, Any] = {
    "adapter": "ChatAdapter",
    "digest": "sha256:0",
    "endpoint": "http://127.0.0.1:1/v1",
    "finished": [(0, "yes")],
    "found": {"a": 1},
    "hint": "do this",
    "holds": "desk:Desk",
    "inputs": {"question": "?"},
    "known": ["question"],
    "message": "no",
    "mismatches": ["block  pydantic: 3.0 when saved, 2.7 here"],
    "missing": ["answer"],
    "model": "openai/x",
    "path": "retriever",
    "position": 2,
    "predictor": "answer.predict",
    "program": "module:Class",
    "reason": "it is so",
    "reasons": ["no argument 'x'"],
    "reply": "hm",
    "report": "missing: answer",
    "retry_after": 1.5,
    "seconds": 1.5,
    "source": "program.json",
    "status": 429,
    "text": "a -> b",
    "tool": "search",
    "unexpected": ["qestion"],
    "where": "line 1",
}


def test_the_tree_of_errors_is_as_drawn() -> None:
    """The tree at the top of ``progkit.errors`` shows every class under its base, and nothing else."""
    drawn: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ([│ ├└─]*)(\w+Error)\b", line)
        if not found:
            continue
        depth, name = len(found[1]), found[2]
        above = [each for each in above if each[0] < depth]
        drawn[name] = above[-1][1] if above else "Exception"
        above.append((depth, name))

    assert drawn == {each.__name__: each.__bases__[0].__name__ for each in CLASSES}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_survives_pickling(kind: type[errors.ProgkitError]) -> None:
    """An error crosses process borders with its data and its sentence."""
    has_data = kind.__init__ is not Exception.__init__
    error = kind(*[SAMPLES[name] for name in inspect.signature(kind).parameters] if has_data else ["a sentence"])

    again = pickle.loads(pickle.dumps(error))

    assert type(again) is kind
    assert again.args == error.args
    assert vars(again) == vars(error)
    assert str(again) == str(error) != ""

"""Bundles made by hand, for tests: exactly the bytes that a test wants, honest or not."""

import hashlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic
import pytest

import progkit
from progkit import schema
from progkit.artifact.bundle import importing
from progkit.schema import bundles

PYTHON = ".".join(map(str, sys.version_info[:2]))
ROLES = {"state.json": "state", "program.pkl": "program", "requirements.txt": "requirements", "cache.jsonl": "cache"}


def interpreter(**changes: Any) -> dict[str, Any]:
    """What this interpreter says of itself in a manifest."""
    return {
        "implementation": platform.python_implementation().lower(),
        "python": PYTHON,
        "magic": importlib.util.MAGIC_NUMBER.hex(),
        "pydantic": pydantic.VERSION,
        "cloudpickle": "3.1.2",
        **changes,
    }


def empty_state(program: str = "desk:Desk") -> bytes:
    """The state file of a program without predictors."""
    document = {**schema.header(), "saved_with": schema.saved_with(), "program": program, "state": {"predictors": {}}}
    return as_json(document)


def as_json(document: Any) -> bytes:
    """*document* in the canonical form."""
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def files_of(
    sources: Mapping[str, str] | None = None, program: bytes = b"\x80\x05N.", state: bytes | None = None
) -> dict[str, bytes]:
    """The files of a bundle but the manifest; *sources*: text by path below ``src/``, without ``.py``."""
    files = {
        "program.pkl": program,
        "requirements.txt": b"",
        "state.json": empty_state() if state is None else state,
    }
    return files | {f"src/{name}.py": text.encode() for name, text in (sources or {}).items()}


def manifest_of(files: Mapping[str, bytes], **changes: Any) -> dict[str, Any]:
    """An honest manifest of *files*, with *changes*."""
    listed = {
        path: {"role": ROLES.get(path, "source"), "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for path, data in files.items()
    }
    names = {path: path[len("src/") : -len(".py")] for path in files if path.startswith("src/")}
    modules = {
        name.removesuffix("/__init__").replace("/", "."): {"file": path, "package": name.endswith("/__init__")}
        for path, name in names.items()
    }
    return {
        **bundles.header(),
        "saved_with": schema.saved_with(),
        "program": "desk:Desk",
        "portability": "source",
        "interpreter": interpreter(),
        "modules": modules,
        "by_value": [],
        "left_out": {},
        "dependencies": [],
        "files": listed,
        **changes,
    }


def write(root: Path, files: Mapping[str, bytes], manifest: Any = None) -> str:
    """Write a bundle; its digest. *manifest*: bytes, a document, or None for an honest one."""
    data = manifest if isinstance(manifest, bytes) else as_json(manifest_of(files) if manifest is None else manifest)
    for path, content in {**files, "MANIFEST.json": data}.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def changed(manifest: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """A copy of *manifest* after *change* was done to it."""
    copy: dict[str, Any] = json.loads(json.dumps(manifest))
    change(copy)
    return copy


def learned(**predictors: str) -> bytes:
    """The state file of a program with these predictors: ``question -> answer``, and the instructions given."""
    nodes = {}
    for path, instructions in predictors.items():
        predictor = progkit.Predict(progkit.Signature("question -> answer", instructions))
        nodes[path] = predictor.dump_state()["predictors"]["self"]
    document = json.loads(empty_state())
    document["state"]["predictors"] = nodes
    return as_json(document)


def calling(name: str) -> bytes:
    """A pickle (protocol 0) that calls ``module:name`` without arguments."""
    module, _, attribute = name.partition(":")
    return f"c{module}\n{attribute}\n(tR.".encode()


@contextmanager
def forgotten() -> Iterator[None]:
    """Afterwards, no module of a bundle is there that was not there before, and none is missing."""
    modules, path, finders = dict(sys.modules), list(sys.path), list(sys.meta_path)
    latest = dict(importing._LATEST)
    try:
        yield
    finally:
        ours = [name for name, module in sys.modules.items() if isinstance(loader_of(module), importing.Loader)]
        for name in {*ours, *importing._LATEST}:
            sys.modules.pop(name, None)
        importing._LATEST.clear()
        importing._LATEST.update(latest)
        sys.modules.update({name: module for name, module in modules.items() if name not in sys.modules})
        sys.path[:] = path
        sys.meta_path[:] = finders


def loader_of(module: Any) -> Any:
    return getattr(getattr(module, "__spec__", None), "loader", None)


# --- projects of users --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Project:
    """A user's project in a directory of its own, which is on this process's path."""

    root: Path

    def write(self, texts: Mapping[str, str] | None = None, **more: str) -> None:
        """Write modules: ``desk="..."``, ``{"shop/tools": "..."}``."""
        for name, text in {**(texts or {}), **more}.items():
            target = self.root / f"{name}.py"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(textwrap.dedent(text).lstrip())

    def module(self, name: str) -> Any:
        """A module of the project, imported."""
        importlib.invalidate_caches()
        return importlib.import_module(name)

    def run(self, script: str, *, cwd: Path | None = None) -> str:
        """What ``script.py``, with this text, prints: run in a process of its own, in the project."""
        (self.root / "script.py").write_text(textwrap.dedent(script).lstrip())
        return run([str(self.root / "script.py")], cwd or self.root)


def run(arguments: Sequence[str], cwd: Path) -> str:
    """What a Python with these *arguments* prints. It knows this progkit, and nothing of any project."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_"))}
    top = str(Path(schema.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-B", *arguments],
        cwd=cwd,
        env={**env, "PYTHONPATH": top},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def load_elsewhere(bundle: Path, script: str, cwd: Path) -> str:
    """What *script* prints, run in a process where the project does not exist; ``program`` is what *bundle* holds."""
    cwd.mkdir(exist_ok=True)
    return run(["-c", f"import progkit\nprogram = progkit.load({str(bundle)!r})\n{textwrap.dedent(script)}"], cwd)


@contextmanager
def project(root: Path, patch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project below *root*; what was imported of it, and of bundles, is gone afterwards."""
    (root / "project").mkdir()
    patch.syspath_prepend(str(root / "project"))
    before = set(sys.modules)
    with forgotten():
        yield Project(root / "project")
    for name in set(sys.modules) - before:
        if str(root) in str(getattr(sys.modules[name], "__file__", None) or getattr(sys.modules[name], "__path__", "")):
            del sys.modules[name]

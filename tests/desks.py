"""Programs called Desk in bundles made by hand, for the tests of a bundle's modules."""

import importlib
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bundles

import progkit

STATE = bundles.learned()
HEAD = "import progkit\n"


def program(body: str, head: str = "", name: str = "Desk") -> str:
    """The source of a program whose forward is *body*."""
    return f"{HEAD}{head}\nclass {name}(progkit.Module):\n    def forward(self, *args):\n        {body}\n"


def save(path: Path, sources: dict[str, str], name: str = "desk:Desk") -> Path:
    """Write a bundle of these *sources*."""
    shutil.rmtree(path, ignore_errors=True)
    bundles.write(path, bundles.files_of(sources, bundles.calling(name), STATE))
    return path


def load(path: Path, sources: dict[str, str], name: str = "desk:Desk") -> Any:
    """``save``, and what comes of it."""
    return progkit.load(save(path, sources, name), trust="code")


def put(directory: Path, sources: dict[str, str]) -> None:
    """Write modules that can be imported there."""
    for name, text in sources.items():
        target = directory / f"{name}.py"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


@contextmanager
def on_the_path(directory: Path) -> Iterator[Path]:
    """*directory*, made, as a project's is: what is imported from it is forgotten afterwards."""
    directory.mkdir()
    sys.path.insert(0, str(directory))
    importlib.invalidate_caches()
    yield directory
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(directory)):
            del sys.modules[name]

"""Names that a package has without importing them: each comes when it is first asked for (PEP 562).

A process that loads a program and answers from the cache pays for nothing else.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazily(package: str, modules: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """The ``__getattr__`` of *package*; *modules* maps its modules, by dotted name below it, to their names."""
    module_of = {name: module for module, names in modules.items() for name in names}

    def resolve(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{module_of[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return resolve

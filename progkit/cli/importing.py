"""What MODULE:NAME on the command line stands for: imported, and called without arguments."""

import inspect
import os
import sys
import sysconfig
from importlib import import_module
from operator import attrgetter
from typing import Any

from progkit.cli import blaming
from progkit.errors import ConfigurationError, did_you_mean


def called(option: str, name: str) -> Any:
    """What the class or function ``MODULE:NAME`` makes. option: who names it, for messages.

    Raises:
        ConfigurationError: if it cannot be had, or takes arguments. Whatever the user's own code raises goes on.
    """
    maker = _found(option, name)
    if not callable(maker):
        raise ConfigurationError(f"{option} {name} is a {type(maker).__name__}: name a class, or a function")
    try:
        inspect.signature(maker).bind()
    except TypeError as error:
        raise ConfigurationError(f"{option} {name} must be callable without arguments: {error}") from error
    except ValueError:  # a built-in does not say what it takes
        pass
    return maker()


def _found(option: str, name: str) -> Any:
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise ConfigurationError(
            f"{option} is MODULE:CLASS, like my_package.desk:SupportDesk; {name!r} lacks the class"
        )
    if not all(each.isidentifier() for each in module_name.split(".")):
        raise ConfigurationError(f"{option} {name}: {module_name!r} is no name of a module, like my_package.desk")
    if "" not in sys.path and module_name.partition(".")[0] not in sys.modules:
        # As `python -m` does: a program in the current directory is found.
        sys.path.insert(0, "")
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise ConfigurationError(f"{option} {name}: {_said(error, module_name)}") from error
    try:
        return attrgetter(attribute)(module)
    except AttributeError as error:
        known = [each for each in vars(module) if not each.startswith("_")]
        raise ConfigurationError(f"{option} {name}: {error}{did_you_mean(attribute, known)}") from error


def _said(error: ImportError, module_name: str) -> str:
    """Why *module_name* cannot be imported: it is not there, or something that it imports."""
    if module_name.endswith(".py"):
        return f"{error}; a module is named without .py"
    if isinstance(error, ModuleNotFoundError) and error.name and f"{module_name}.".startswith(f"{error.name}."):
        return f"{error}; it was looked for in {_looked_in()}. PYTHONPATH can name other directories"
    where = blaming.place(error)
    return f"{error}{f' ({where})' if where else ''}"


def _looked_in() -> str:
    """The directories in which modules are looked for, the standard library's left out."""
    library = sysconfig.get_paths()["stdlib"]
    places = (os.path.abspath(each) for each in sys.path)
    shown = [each for each in places if os.path.isdir(each) and not _is_library(each, library)]
    return ", ".join(dict.fromkeys(shown)) or "no directory"


def _is_library(path: str, library: str) -> bool:
    return path.startswith(library) and "site-packages" not in path

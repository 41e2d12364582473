"""Modules found without importing them: where they stand, whose they are, and the bytes of their source."""

import ast
import os
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from importlib import metadata
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES, ModuleSpec
from importlib.metadata import Distribution
from typing import Any

from progkit.artifact.bundle.importing import Loader

US = "progkit"
_NO_SOURCE = (*EXTENSION_SUFFIXES, *BYTECODE_SUFFIXES)
_BUILT_IN = (None, "built-in", "frozen")


class Owner(Enum):
    """Whose a module is, and so how it gets to where the bundle is loaded."""

    OWN = "own"  # the user's: it travels
    INSTALLED = "installed"  # of a distribution: requirements.txt names it
    STANDARD = "standard"  # of Python
    PROGKIT = "progkit"
    NAMESPACE = "namespace"  # a package without a file: what is in it has owners of its own
    UNKNOWN = "unknown"  # nowhere to be found


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a module: its bytes as they are in its file, and whether it is a package."""

    data: bytes
    is_package: bool

    def tree(self) -> ast.Module | None:
        """What it says, or None if this Python cannot read it."""
        try:
            return ast.parse(self.data)
        except (SyntaxError, ValueError):
            return None


class Finder:
    """Finds modules by name as an import would, and runs none of them. It remembers, and so serves one save."""

    def __init__(self) -> None:
        self._specs: dict[str, ModuleSpec | None] = {}
        standard = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), os.path.dirname(os.__file__)}
        self._standard = [_real(each) for each in standard if each]

    def spec(self, name: str) -> ModuleSpec | None:
        """Where the module *name* stands; None if it is nowhere."""
        if name not in self._specs:
            self._specs[name] = self._find(name)
        return self._specs[name]

    def owner(self, name: str) -> Owner:
        """Whose the module *name* is.

        A distribution's module lies where the distribution was installed to. One that is installed to be edited
        (``pip install -e``) lies elsewhere and counts as the user's own: its version does not say what it holds.
        """
        if name.partition(".")[0] == US:
            return Owner.PROGKIT
        spec = self.spec(name)
        if spec is None:
            return Owner.UNKNOWN
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names and (spec.origin in _BUILT_IN or self._is_standard(spec.origin)):
            return Owner.STANDARD
        if spec.origin in _BUILT_IN:
            return Owner.NAMESPACE if spec.submodule_search_locations is not None else Owner.UNKNOWN
        if self.distribution(name) is not None:
            return Owner.INSTALLED
        return Owner.STANDARD if self._is_standard(spec.origin) else Owner.OWN

    def source(self, name: str) -> Source | None:
        """The source of the module *name*; None if it has none (compiled, made by ``exec``)."""
        spec = self.spec(name)
        if spec is None or spec.origin is None or spec.origin.endswith(_NO_SOURCE):
            return None
        data = _bytes(spec)
        return None if data is None else Source(data, spec.submodule_search_locations is not None)

    def is_importable(self, name: str) -> bool:
        """Whether the module *name* can be imported where only its file is: from source, or compiled from C."""
        spec = self.spec(name)
        is_compiled = spec is not None and (spec.origin or "").endswith(tuple(EXTENSION_SUFFIXES))
        return is_compiled or self.source(name) is not None

    def below(self, name: str) -> list[str]:
        """The modules in the package *name*, at any depth, found by looking at its directories."""
        spec = self.spec(name)
        found = []
        for place in (spec.submodule_search_locations or ()) if spec else ():
            for entry in sorted(os.listdir(place)) if os.path.isdir(place) else ():
                stem, ending = os.path.splitext(entry)
                is_module = ending == ".py" and stem != "__init__"
                is_package = os.path.isfile(os.path.join(place, entry, "__init__.py"))
                if stem.isidentifier() and (is_module or (is_package and not ending)):
                    found += [f"{name}.{stem}", *self.below(f"{name}.{stem}")]
        return found

    def distribution(self, name: str) -> Distribution | None:
        """The distribution that the module *name* was installed with; None if with none, or to be edited."""
        spec = self.spec(name)
        places = [spec.origin] if spec and spec.origin else [*(spec.submodule_search_locations or ())] if spec else []
        around = [each for each in self._offering(name) if any(_is_in(place, each) for place in places)]
        if len(around) > 1:  # parts of one namespace: the file says whose it is
            around = [each for each in around if any(_lists(each, place) for place in places)] or around
        return around[0] if around else None

    def _offering(self, name: str) -> list[Distribution]:
        names = dict.fromkeys(self._distributions.get(name.partition(".")[0], ()))
        return [each for each in map(metadata.distribution, names) if _is_installed(each)]

    @cached_property
    def _distributions(self) -> Any:
        return metadata.packages_distributions()

    def _is_standard(self, origin: str | None) -> bool:
        real = _real(origin or "")
        is_inside = any(real.startswith(each + os.sep) for each in self._standard)
        return is_inside and not {"site-packages", "dist-packages"} & set(real.split(os.sep))

    def _find(self, name: str) -> ModuleSpec | None:
        loaded = sys.modules.get(name)
        if loaded is not None:
            return getattr(loaded, "__spec__", None)
        above = name.rpartition(".")[0]
        places: Any = None
        if above:
            places = getattr(sys.modules.get(above), "__path__", None)
            places = places or getattr(self.spec(above), "submodule_search_locations", None)
            if places is None:
                return None
        for finder in sys.meta_path:
            try:
                spec = finder.find_spec(name, places) if hasattr(finder, "find_spec") else None
            except KeyError:  # a namespace's package asks for the package around it, which is not imported
                spec = _namespace(name, places)
            if spec is not None:
                return spec
        return None


def _namespace(name: str, places: Iterable[str]) -> ModuleSpec:
    """A package without a file, in all directories of its name."""
    spec = ModuleSpec(name, None, is_package=True)
    found = [os.path.join(each, name.rpartition(".")[2]) for each in places]
    spec.submodule_search_locations = [each for each in found if os.path.isdir(each)]
    return spec


def _bytes(spec: ModuleSpec) -> bytes | None:
    """The source as it is; from the loader if it has no file of its own (a zip, a bundle that was loaded)."""
    origin = str(spec.origin)
    if isinstance(spec.loader, Loader):  # what was verified, whatever stands there by now
        return spec.loader.source.data
    if os.path.isfile(origin):
        with open(origin, "rb") as file:
            return file.read()
    get_data, get_source = getattr(spec.loader, "get_data", None), getattr(spec.loader, "get_source", None)
    try:
        if get_data is not None:
            found: bytes = get_data(origin)
            return found
        text = None if get_source is None else get_source(spec.name)
    except (OSError, ImportError):
        return None
    return None if text is None else text.encode()


def _is_installed(distribution: Distribution) -> bool:
    """Whether it was put where it is by an installer, and is not a work tree that describes itself."""
    return distribution.read_text("RECORD") is not None or "-packages" in str(distribution.locate_file(""))


def _is_in(place: str, distribution: Distribution) -> bool:
    return _real(place).startswith(_real(str(distribution.locate_file(""))) + os.sep)


def _lists(distribution: Distribution, place: str) -> bool:
    files: Iterable[Any] = distribution.files or ()
    return any(_real(str(distribution.locate_file(each))).startswith(_real(place)) for each in files)


def _real(path: str) -> str:
    return os.path.normcase(os.path.realpath(path))

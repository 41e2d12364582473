"""The modules of bundles, imported from verified bytes. ``sys.path`` stays as it is.

A ``Scope`` is what one bundle brings, and keeps its modules to itself: its code imports within it, through the
``__import__`` among its builtins, now and later. What the latest scope to bring a name has under it is also what
everybody else's ``import`` finds, in ``sys.modules`` or through a finder that is limited to such names.
"""

import builtins
import linecache
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.abc import ExecutionLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import decode_source, module_from_spec, resolve_name
from types import CodeType, ModuleType
from typing import Any


@dataclass(frozen=True, slots=True)
class Source:
    """A module as a bundle holds it: its *name*, the *data* of its file and where that is said to be (*path*).

    locations: None unless it is a package; then where else its modules may be, those that the bundle does not bring.
    is_namespace: it has no file, and is there because modules below it are.
    """

    name: str
    path: str
    data: bytes
    locations: tuple[str, ...] | None
    is_namespace: bool = False

    def is_same(self, other: "Source") -> bool:
        """Whether a module of the one is as good as one of the other."""
        return (self.data, self.locations is None) == (other.data, other.locations is None)


@dataclass(eq=False)
class Scope:
    """What one bundle brings: *sources* by name.

    shared: modules that an earlier scope brought with the same bytes. adopted: modules that somebody else had
    imported from a file with the same bytes. modules: those of *sources* that were imported or are just being
    imported; ready: the names of the former.
    """

    sources: dict[str, Source]
    shared: dict[str, "Scope"] = field(default_factory=dict)
    adopted: dict[str, ModuleType] = field(default_factory=dict)
    modules: dict[str, ModuleType] = field(default_factory=dict)
    ready: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.builtins = {**vars(builtins), "__import__": self.import_from_here}

    def brings(self, name: str) -> bool:
        """Whether the module *name* is one of this bundle's."""
        return name in self.sources or name in self.shared or name in self.adopted

    def get(self, name: str) -> ModuleType:
        """The module *name*, imported now if it was not yet; one that is no bundle's as ever.

        Raises:
            ImportError: if it is not there; and whatever a module raises that is imported for the first time.
        """
        if name in self.ready:
            return self.modules[name]
        if name in self.adopted:
            return self.adopted[name]
        if name in self.shared:
            return self.shared[name].get(name)
        if name not in self.sources:
            return import_module(name)
        with LOCK:  # who comes here while it is imported is the importing thread itself, in a circle of imports
            parent, _, last = name.rpartition(".")
            above = self.get(parent) if parent else None
            module = self.modules.get(name) or self._import(name)
            if above is not None:
                setattr(above, last, module)
            return module

    def import_from_here(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> ModuleType:
        """``__import__`` as the code of this bundle has it."""
        package = (globals or {}).get("__package__") or ""
        absolute = resolve_name("." * level + name, package) if level else name
        chain = [absolute[:at] for at, each in enumerate(f"{absolute}.") if each == "."]
        if not (self.brings(absolute) or self.brings(chain[0])):
            return builtins.__import__(name, globals, locals, fromlist, level)
        modules = [self.get(each) for each in chain]
        if fromlist:
            self._import_parts(modules[-1], absolute, fromlist)
        return modules[-1] if fromlist or level else modules[0]

    def _import_parts(self, module: ModuleType, name: str, wanted: Sequence[str]) -> None:
        """Import what of *wanted* is a module below *module* and not there yet."""
        every = getattr(module, "__all__", ()) if "*" in wanted else wanted
        for part in [f"{name}.{each}" for each in every if not hasattr(module, each)] if is_package(module) else ():
            try:
                self.get(part)
            except ModuleNotFoundError as error:
                if error.name != part:
                    raise  # else it is no module, and who asks says what is missing

    def _import(self, name: str) -> ModuleType:
        """Run the module *name*; if it is the latest of that name, in ``sys.modules``, where its classes are sought."""
        module = module_from_spec(spec_of(self, name))
        is_latest = latest(name) is self
        self.modules[name] = module
        if is_latest:
            sys.modules[name] = module
        try:
            Loader(self, self.sources[name]).run(module)
        except BaseException:  # also an interrupt: half a module is none
            del self.modules[name]
            if is_latest and sys.modules.get(name) is module:
                del sys.modules[name]
            raise
        if is_latest:
            self.modules[name] = sys.modules.get(name, module)  # a module may put something else in its place
        self.ready.add(name)
        return self.modules[name]


class Loader(ExecutionLoader):
    """A module of a scope, from the bytes that were verified."""

    def __init__(self, scope: Scope, source: Source) -> None:
        self.scope = scope
        self.source = source
        self.is_there = False

    def run(self, module: ModuleType) -> None:
        """Run the code of *module*."""
        vars(module)["__builtins__"] = self.scope.builtins
        if self.source.is_namespace:
            return
        text = decode_source(self.source.data)
        lines = text.splitlines(keepends=True)
        linecache.cache[self.source.path] = (len(text), None, lines, self.source.path)  # no time: it is never read anew
        exec(self.get_code(self.source.name), vars(module))

    def exec_module(self, module: ModuleType) -> None:
        """Nothing, as the scope has run it; but a module that is to be reloaded runs again."""
        if not self.is_there:
            self.run(module)

    def get_filename(self, fullname: str) -> str:
        """Where the module's file is in the bundle."""
        return self.source.path

    def get_data(self, path: str) -> bytes:
        """The bytes of the module's own file; there is no other.

        Raises:
            OSError: for another *path*.
        """
        if path != self.source.path:
            raise FileNotFoundError(f"{path} does not travel: of a bundle, modules alone can be read")
        return self.source.data

    def get_source(self, fullname: str) -> str:
        """The module's text, for tracebacks and ``inspect``."""
        return decode_source(self.source.data)

    def get_code(self, fullname: str) -> CodeType:
        """The module's code, compiled now: what else lies around as bytecode is not looked at."""
        return self.source_to_code(self.source.data, self.source.path)

    def is_package(self, fullname: str) -> bool:
        """Whether it has modules below it."""
        return self.source.locations is not None


class _Published(Loader):
    """The same for everybody else's ``import``: the module that the scope has."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        self.is_there = True
        return self.scope.get(self.source.name)


class Finder(MetaPathFinder):
    """Finds what the latest scopes bring, and nothing else."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """The spec of *fullname*, if a bundle brings it."""
        scope = _LATEST.get(fullname)
        return None if scope is None else spec_of(scope, fullname, _Published)


LOCK = threading.RLock()
"""Held while a bundle is loaded: they come one after the other."""
FINDER = Finder()
_LATEST: dict[str, Scope] = {}


def latest(name: str) -> Scope | None:
    """The scope whose module ``import`` finds under *name*; None if no bundle brings it."""
    return _LATEST.get(name)


def is_package(module: ModuleType) -> bool:
    """Whether there may be modules below *module*."""
    return hasattr(module, "__path__")


def spec_of(scope: Scope, name: str, kind: type[Loader] = Loader) -> ModuleSpec:
    """The spec of the module *name* as *scope* brings it."""
    source = scope.sources[name]
    spec = ModuleSpec(name, kind(scope, source), origin=source.path or None, is_package=source.locations is not None)
    spec.has_location = not source.is_namespace
    if spec.submodule_search_locations is not None:
        spec.submodule_search_locations.extend(source.locations or ())
    return spec


@contextmanager
def in_force(scope: Scope) -> Iterator[None]:
    """Make *scope* what ``import`` finds; if the block fails, everything is again as it was. To be held: LOCK.

    What was imported meanwhile and is no bundle's stays imported.
    """
    undo = [_restoring(name) for name in scope.sources]
    is_new = FINDER not in sys.meta_path
    if is_new:
        sys.meta_path.insert(0, FINDER)
    for name in scope.sources:
        _put(name, None, None)
        _LATEST[name] = scope
    try:
        yield
    except BaseException:  # also an interrupt
        for restore in undo:
            restore()
        if is_new:
            sys.meta_path.remove(FINDER)
        raise


def _restoring(name: str) -> Callable[[], None]:
    """What puts back all that there is now under *name*."""
    before, module = _LATEST.get(name), sys.modules.get(name)

    def restore() -> None:
        _LATEST.pop(name, None)
        if before is not None:
            _LATEST[name] = before
        _put(name, module, sys.modules.get(name))

    return restore


def _put(name: str, module: ModuleType | None, instead_of: ModuleType | None) -> None:
    """Make *module* the one called *name*, in ``sys.modules`` and in its package; None: let there be none."""
    old = sys.modules.pop(name, instead_of)
    parent, _, last = name.rpartition(".")
    above = sys.modules.get(parent)
    if above is not None and old is not None and getattr(above, last, None) is old:
        delattr(above, last)
    if module is not None:
        sys.modules[name] = module
        if above is not None:
            setattr(above, last, module)

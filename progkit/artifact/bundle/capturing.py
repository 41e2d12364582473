"""The source that travels: the user's own modules that a program needs, and what these import of the user's own."""

import sys
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import FunctionType, ModuleType

from progkit.artifact.bundle.edited import edited
from progkit.artifact.bundle.finding import Finder, Owner, Source
from progkit.artifact.bundle.mentions import in_source
from progkit.errors import UnsavableError

PLACE = "src/"
_ELSEWHERE = (Owner.INSTALLED, Owner.STANDARD, Owner.PROGKIT)


@dataclass(slots=True)
class Captured:
    """Modules by dotted name, and what was met on the way.

    sources: what travels. foreign: modules of distributions, with who asks for each. absent: modules that are needed
    and do not travel, with who asks. notes: what a user should know.
    """

    sources: dict[str, Source] = field(default_factory=dict)
    foreign: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def files(self) -> dict[str, str]:
        """The file in the bundle of each module."""
        return {name: place_of(name, each.is_package) for name, each in sorted(self.sources.items())}


def place_of(name: str, is_package: bool) -> str:
    """Where the source of the module *name* stands in a bundle."""
    return PLACE + name.replace(".", "/") + ("/__init__.py" if is_package else ".py")


def capture(
    needed: Mapping[str, str],
    finder: Finder,
    chosen: Collection[str] | None = None,
    wanted: Mapping[str, str] | None = None,
    made: Mapping[str, Source] | None = None,
) -> Captured:
    """The user's own modules among those *needed* (with who asks for each), and all that these import.

    chosen: the modules that travel, exactly, be they the user's own or installed; None for all of the user's own.
    wanted: modules, with who asks, that are needed if they are there. made: modules that have another name here.

    Raises:
        UnsavableError: for a module that no source can stand for.
    """
    walk = _Walk(finder, chosen, Captured())
    for name, source in (made or {}).items():
        walk.asked.add(name)
        walk.take(name, source)
    for name, where in needed.items():
        walk.ask(name, where)
    for name in sorted(chosen or ()):
        walk.ask(name, "modules_to_serialize")
    for name, where in (wanted or {}).items():
        walk.ask(name, where, may_be_missing=True)
    walk.run()
    return walk.found


class _Walk:
    def __init__(self, finder: Finder, chosen: Collection[str] | None, found: Captured) -> None:
        self.finder = finder
        self.chosen = None if chosen is None else {above for each in chosen for above in _lineage(each)}
        self.found = found
        self.asked: set[str] = set()
        self.todo: deque[tuple[str, str]] = deque()

    def ask(self, name: str, where: str, *, may_be_missing: bool = False) -> None:
        """Look at *name*, which *where* asks for, and the packages around it."""
        for each in _lineage(name):
            if each in self.asked:
                continue
            owner = self.finder.owner(each)
            if owner is Owner.UNKNOWN and each != name and self.finder.owner(name) is not Owner.UNKNOWN:
                continue  # whoever imported the module made up a package around it
            if owner is Owner.UNKNOWN:
                if not may_be_missing:
                    self.asked.add(each)
                    self.found.absent[each] = where
                    self.found.notes.append(f"{where}: {each} is not found here")
                return
            self.asked.add(each)
            self._sort(each, where, owner)
            if owner in _ELSEWHERE and each not in (self.chosen or ()):
                return  # whatever is below it comes with it

    def run(self) -> None:
        """Read every source that travels, and ask for what it imports."""
        while self.todo:
            name, where = self.todo.popleft()
            source = self.finder.source(name)
            if source is None:
                raise UnsavableError(where, f"{name} has no source: it is compiled; install it as a distribution")
            self.take(name, source)

    def take(self, name: str, source: Source) -> None:
        """Let *source* travel as *name*, and ask for all that it imports and that the module holds."""
        self.found.sources[name] = source
        self._read(name, source)
        live = sys.modules.get(name)
        if live is not None and (function := edited(live, source.data)):
            told = f"{function} runs as it is no longer in the file, which travels: was that edited after the import?"
            self.found.notes.append(f"{name}: {told}")
        for other, attribute in _held(live):
            if self.finder.owner(other) is Owner.OWN and (self.chosen is None or other in self.chosen):
                self.ask(other, f"{name}.{attribute}")

    def _sort(self, name: str, where: str, owner: Owner) -> None:
        travels = owner is Owner.OWN if self.chosen is None else name in self.chosen
        if travels and owner in (Owner.OWN, Owner.INSTALLED):
            if name.partition(".")[0] in sys.stdlib_module_names:
                raise UnsavableError(where, f"{name} has the name of a module of Python's own library: rename it")
            self.todo.append((name, where))
        elif owner is Owner.OWN:
            self.found.absent[name] = where
            self.found.notes.append(f"{where}: {name} does not travel, modules_to_serialize does not name it")
        elif owner is Owner.INSTALLED:
            self.found.foreign[name] = where

    def _read(self, name: str, source: Source) -> None:
        tree = source.tree()
        if tree is None:
            raise UnsavableError(name, "its source cannot be read: it is no Python of this version")
        said = in_source(tree, name, source.is_package)
        for each in said.imports:
            self.ask(each.name, f"{name}, line {each.line}", may_be_missing=each.may_be_missing)
        for line in said.unknown:
            told = "imports a module whose name is only known when it runs; name it in modules_to_serialize"
            self.found.notes.append(f"{name}, line {line}: {told}")
        for line in said.files:
            self.found.notes.append(f"{name}, line {line}: uses __file__, but no file beside a module travels")


def _lineage(name: str) -> Iterator[str]:
    """*name* and the packages around it, outermost first."""
    parts = name.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def _held(module: ModuleType | None) -> Iterator[tuple[str, str]]:
    """The modules that *module* holds something of, however that came there, and under which name it stands there."""
    for attribute, value in list(vars(module).items()) if module else ():
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else (value,)
        for each in list(inside):
            name = each.__name__ if isinstance(each, ModuleType) else getattr(each, "__module__", None)
            if isinstance(each, (ModuleType, type, FunctionType)) and isinstance(name, str):
                yield name, attribute

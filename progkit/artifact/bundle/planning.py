"""Which modules of a bundle are imported from it, and which are here already. Looked at, never imported."""

import os
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType

from progkit.artifact.bundle.environment import Mismatch
from progkit.artifact.bundle.importing import Finder, Scope, Source, latest
from progkit.artifact.bundle.opening import Opened

_SAVED = "as in the bundle"


class Plan:
    """How the modules that *opened* brings come to be here; to be made under the lock of ``importing``.

    rows: what is in the way (``block``), and what ``import`` will no longer find (``warn``).
    """

    def __init__(self, opened: Opened) -> None:
        self.rows: list[Mismatch] = []
        self.sources = dict(_sources(opened))
        self.shared: dict[str, Scope] = {}
        self.adopted: dict[str, ModuleType] = {}
        self.changed: list[str] = []
        """Modules that an earlier bundle brought with other bytes."""
        for name, source in self.sources.items():
            self._look(name, source)
        if self.changed:
            self._take_over()

    def scope(self) -> Scope:
        """The scope to put in force, once nothing is in the way."""
        own = {name: source for name, source in self.sources.items() if name not in self.shared | self.adopted}
        return Scope(own, self.shared, self.adopted)

    def _look(self, name: str, source: Source) -> None:
        """Find out what is here under *name*."""
        live, owner = sys.modules.get(name), latest(name)
        if owner is not None and (live is None or live is owner.modules.get(name)):
            if owner.sources[name].is_same(source):
                self.shared[name] = owner
            else:
                self.changed.append(name)
        elif live is not None:
            if source.is_namespace or _content(getattr(live, "__spec__", None)) == source.data:
                self.adopted[name] = live
            else:
                reason = "it is imported already; load in a process that has not, or put the state alone into"
                self._block(name, f"{reason} the program that is here: program.load(path)")
        elif not source.is_namespace:
            self._look_elsewhere(name, source)

    def _look_elsewhere(self, name: str, source: Source) -> None:
        """Tell of a module that can be imported here and is another."""
        spec = elsewhere(name)
        if spec is None or spec.origin is None or _content(spec) == source.data:
            return
        if name.partition(".")[0] in sys.stdlib_module_names:
            self._block(name, "it is Python's own; rename the module and save again")
            return
        reason = "the bundle's is used, and is what `import` finds from now on in this process"
        self.rows.append(Mismatch("module", name, _SAVED, spec.origin, "warn", reason))

    def _take_over(self) -> None:
        """Bring anew what earlier bundles brought, as some of it is other; unless somebody holds on to it."""
        holding = {name for name, owner in self.shared.items() if owner.adopted} | self.adopted.keys()
        holding |= {name for name in self.changed if (owner := latest(name)) is not None and owner.adopted}
        for name in sorted(holding):
            other = ", ".join(self.changed)
            self._block(name, f"it goes with another version of {other}, which an earlier bundle brought")
        self.shared = {}

    def _block(self, name: str, reason: str) -> None:
        live = sys.modules.get(name)
        spec = elsewhere(name) if live is None else getattr(live, "__spec__", None)
        found = getattr(live, "__file__", None) or getattr(spec, "origin", None) or "another module"
        self.rows.append(Mismatch("module", name, _SAVED, str(found), "block", reason))


def elsewhere(name: str) -> ModuleSpec | None:
    """The spec of the module *name* as it is without any bundle; nothing is imported for that."""
    parent = name.rpartition(".")[0]
    path = None
    if parent:
        path = _locations(parent)
        if path is None:
            return None
    for finder in sys.meta_path:
        find = None if isinstance(finder, Finder) else getattr(finder, "find_spec", None)
        spec: ModuleSpec | None = find(name, path) if find else None
        if spec is not None:
            return spec
    return None


def _locations(name: str) -> list[str] | None:
    """Where the modules of the package *name* are, without any bundle; None if it is no package here."""
    live = sys.modules.get(name)
    if live is not None and latest(name) is None:
        return list(getattr(live, "__path__", ())) or None
    spec = elsewhere(name)
    return None if spec is None or spec.submodule_search_locations is None else list(spec.submodule_search_locations)


def _sources(opened: Opened) -> Iterator[tuple[str, Source]]:
    """What *opened* brings, packages before what is below them; a package that nobody has is one without a file."""
    modules = opened.manifest["modules"]
    above = {name[:at] for name in modules for at, each in enumerate(name) if each == "."} - modules.keys()
    root = os.path.abspath(opened.root)
    for name in sorted({*modules, *above}):
        if name not in modules:
            if (spec := elsewhere(name)) is None or spec.origin is None:
                inside = (spec.submodule_search_locations or ()) if spec else ()
                yield name, Source(name, "", b"", tuple(inside), is_namespace=True)
            continue
        file, is_package = modules[name]["file"], modules[name]["package"]
        locations = tuple(_locations(name) or ()) if is_package else None
        yield name, Source(name, os.path.join(root, *file.split("/")), opened.files[file], locations)


def _content(spec: ModuleSpec | None) -> bytes | None:
    """The bytes of the file of the module with this *spec*, as far as it is source; None if they cannot be had."""
    if spec is None or not (spec.origin or "").endswith(".py"):
        return None
    try:
        get = getattr(spec.loader, "get_data", None)
        if get is not None:
            data: bytes = get(spec.origin)  # also out of an archive
            return data
        with open(spec.origin or "", "rb") as file:
            return file.read()
    except OSError:
        return None

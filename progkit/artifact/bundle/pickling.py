"""The structure of a program as a pickle: the same bytes for the same program, and nothing of this machine in it.

Written in Python, not by pickle's C twin: that one writes a set in an order which changes from process to process,
asks nobody about strings, and cannot say where it is when it fails. cloudpickle says how code is taken apart.
"""

import functools
import io
import os
import pickle
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, ClassVar

from progkit.artifact.bundle import naming
from progkit.artifact.bundle.by_value import Taker, content_of
from progkit.artifact.bundle.named import remembering
from progkit.artifact.bundle.refusing import Enough, Refusals
from progkit.artifact.bundle.secrecy import Secrets, parts_with_names
from progkit.errors import UnsavableError
from progkit.lm.secrecy import blot
from progkit.signature import SignatureMeta

PROTOCOL = 5
ROOT = "program"
MAINS = ("__main__", "__mp_main__")
"""Names of the module that is run, which is another one wherever the bundle is loaded."""
_ALIASES = {"pathlib._local": "pathlib"}
"""Where a newer Python says that its own classes stand, and where every Python finds them."""
_LRU = type(functools.lru_cache(lambda: None))
_Pickler: Any = pickle._Pickler
_PLAIN = (str, bytes, int, float, bool, complex, type(None))

_SECRET = (
    "looks like a secret, and none goes into a bundle: read it from the environment where it is used, or leave it "
    "out in __getstate__"
)

Reduce = Callable[[Any, str], Any]
"""How an object, at a path, is written if not as pickle would: what ``__reduce__`` returns, or None."""


@dataclass(slots=True)
class Pickled:
    """What was pickled, and what that showed.

    named: every class and function that is named by its module, ``(module, name)`` to the path where it was met first.
    by_value: what travels as bytecode, with its path. imported: modules that such code imports, with who does.
    local: paths of texts that name a directory of this machine.
    """

    data: bytes = b""
    named: dict[tuple[str, str], str] = field(default_factory=dict)
    by_value: list[str] = field(default_factory=list)
    imported: dict[str, str] = field(default_factory=dict)
    local: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Rules:
    """What pickling has to know of the world: how some objects are *reduced* (None: as usual).

    is_own: whether a module is the user's. goes_by_value: whether its code travels as bytecode. aliases: the name that
    a module has in the bundle. directories: of this machine, not to be named. has_parts: whether the parts that travel
    were chosen already.
    """

    reduced: Reduce
    is_own: Callable[[str], bool]
    goes_by_value: Callable[[str], bool]
    aliases: Mapping[str, str] = field(default_factory=dict)
    directories: tuple[str, ...] = ()
    has_parts: bool = False


def pickled(program: Any, rules: Rules) -> Pickled:
    """*program* as bytes.

    Raises:
        UnsavableError: for what cannot be pickled, with its path.
    """
    out = io.BytesIO()
    writer = _Writer(out, rules)
    with suppress(Enough):
        writer.dump(program)
    if writer.refusals.by_path:
        raise writer.refusals.error() from writer.refusals.cause
    writer.found.data = out.getvalue()
    return writer.found


class _Writer(_Pickler):  # type: ignore[misc]
    dispatch: ClassVar[dict[type, Callable[..., None]]] = dict(_Pickler.dispatch)

    def __init__(self, out: io.BytesIO, rules: Rules) -> None:
        super().__init__(out, PROTOCOL)
        self.found = Pickled()
        self.rules = rules
        self.taker = Taker()
        self.dispatch_table = self.taker.dispatch_table
        self.secrets = Secrets()
        self.around: list[Any] = []
        self.refusals = Refusals(rules.has_parts)
        self.texts: dict[Any, Any] = {}

    # --- where we are -----------------------------------------------------------------------

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        depth = len(self.around)
        self.around.append(obj)
        try:
            super().save(obj, save_persistent_id)
        except (Enough, MemoryError):
            raise
        # Whatever a class raises that will not be pickled is told with the path of its object, and others are looked
        # for. What is written from here on is never read.
        except Exception as error:
            self.refusals.add(error, self.where, self._told)
        del self.around[depth:]

    def where(self) -> str:
        return naming.path_of(self.around, ROOT)

    def _told(self, error: Exception) -> tuple[str, str]:
        """Path and reason of what cannot be pickled, as *error* says."""
        at = naming.blamed(self.around, self.rules.is_own)
        told, deep = naming.path_of(self.around[: at + 1], ROOT), self.where()
        what = type(self.around[at]).__name__
        said = blot(str(error))
        inner = f" ({deep}: {said})" if deep != told else f" ({said})"
        if deep == told and said.startswith("cannot pickle"):
            inner = ""
        return told, f"{what} cannot be pickled{inner}"

    # --- plain values -----------------------------------------------------------------------

    def save_text(self, obj: str) -> None:
        kept = self.texts.setdefault(obj, obj)
        if kept is not obj and id(kept) in self.memo:
            self.write(self.get(self.memo[id(kept)][0]))
            return
        if self.secrets.in_text(kept):
            raise UnsavableError(self.where(), _SECRET)
        if any(each in kept for each in self.rules.directories):
            self.found.local.append(self.where())
        super().save_str(kept)

    def save_octets(self, obj: bytes) -> None:
        kept = self.texts.setdefault((bytes, obj), obj)
        if kept is not obj and id(kept) in self.memo:
            self.write(self.get(self.memo[id(kept)][0]))
            return
        super().save_bytes(kept)

    def save_table(self, obj: dict[Any, Any]) -> None:
        self.look(obj.items())
        super().save_dict(obj)

    def look(self, named: Iterable[tuple[Any, Any]]) -> None:
        """Refuse a secret among what is *named* by something."""
        for name, value in named:
            if isinstance(name, str) and self.secrets.in_name(name, value):
                self.around.append(value)
                raise UnsavableError(self.where(), _SECRET)

    def save_items(self, obj: set[Any]) -> None:
        self.write(pickle.EMPTY_SET)
        self.memoize(obj)
        self.write(pickle.MARK)
        for each in _ordered(obj):
            self.save(each)
        self.write(pickle.ADDITEMS)

    def save_frozen_items(self, obj: frozenset[Any]) -> None:
        self.write(pickle.MARK)
        for each in _ordered(obj):
            self.save(each)
        if id(obj) in self.memo:  # it holds itself
            self.write(pickle.POP_MARK + self.get(self.memo[id(obj)][0]))
            return
        self.write(pickle.FROZENSET)
        self.memoize(obj)

    dispatch[str] = save_text
    dispatch[bytes] = save_octets
    dispatch[dict] = save_table
    dispatch[set] = save_items
    dispatch[frozenset] = save_frozen_items

    # --- what is no plain value -------------------------------------------------------------

    def reducer_override(self, obj: Any) -> Any:
        """How *obj* is written; ``NotImplemented``: as pickle would, a class or a function by its module and name."""
        kind = type(obj)
        if kind in _PLAIN:
            return NotImplemented
        told = self.rules.reduced(obj, self.where()) if hasattr(kind, "__dict__") else None
        if told is not None:
            return told
        if hasattr(kind, "get_secret_value"):
            raise UnsavableError(self.where(), _SECRET)
        if not isinstance(obj, FunctionType):
            self.look(parts_with_names(obj))
        if isinstance(obj, io.IOBase) and kind not in (io.StringIO, io.BytesIO) and not _is_standard(obj):
            raise TypeError(f"a file that is open: {kind.__name__}")
        if obj is os.environ or obj is os.environb:
            raise TypeError("it holds every variable, and with them the keys")
        if isinstance(obj, type):
            return self._class(obj)
        if kind is MethodType and self._is_of_class(obj):
            return getattr, (obj.__self__, obj.__name__)
        if kind is FunctionType or kind is _LRU:
            return self._function(obj)
        if kind is CodeType:
            return self.taker.code(obj)
        if isinstance(obj, ModuleType):
            return self._module(obj)
        return NotImplemented

    def _class(self, cls: type) -> Any:
        if self._by_name(cls):
            self._require_untouched(cls)
            return NotImplemented
        if isinstance(cls, SignatureMeta):
            return content_of(cls)
        if cls.__module__ == "builtins":
            return self.taker.plain(cls)
        self._note(cls)
        return self.taker.cls(cls)

    def _require_untouched(self, cls: type) -> None:
        """Nothing, if no method was put on *cls* that its module's source does not have."""
        for name, value in vars(cls).items():
            origin = getattr(value, "__module__", None) if isinstance(value, FunctionType) else cls.__module__
            if origin in MAINS and origin != cls.__module__:
                told = f"was put on {cls.__qualname__} by {origin}, and the source of {cls.__module__} alone travels"
                raise UnsavableError(f"{self.where()}.{name}", f"{told}: define it there, or in a subclass")

    def _is_of_class(self, method: MethodType) -> bool:
        """Whether *method* is a classmethod of a class that is found again by its name."""
        owner = method.__self__
        return isinstance(owner, type) and self._by_name(owner) and getattr(owner, method.__name__, None) == method

    def _function(self, function: Any) -> Any:
        if self._by_name(function):
            return NotImplemented
        if type(function) is _LRU:
            told = function.cache_parameters()
            return remembering, (function.__wrapped__, told["maxsize"], told["typed"])
        self._note(function)
        self.look(parts_with_names(function))
        where = self.where()
        for each in self.taker.imports(function):
            self.found.imported.setdefault(each, where)
        return self.taker.function(function)

    def _module(self, module: ModuleType) -> Any:
        name = module.__name__
        if sys.modules.get(name) is module and not self.rules.goes_by_value(name):
            self.found.named.setdefault((name, ""), self.where())
            return self.taker.plain(module)
        if name == "__main__":
            raise TypeError("the module __main__ is another one wherever the bundle is loaded")
        self._note(module)
        return self.taker.module(module)

    def _note(self, thing: Any) -> None:
        name = getattr(thing, "__qualname__", None) or thing.__name__
        around = [each.__qualname__ for each in self.around[:-1] if isinstance(each, type)]
        if any(name.startswith(f"{each}.") for each in around):
            return  # a method: its class was told
        self.found.by_value.append(f"{self.where()}: {name} of {getattr(thing, '__module__', None) or 'nowhere'}")

    def _by_name(self, thing: Any) -> bool:
        """Whether *thing* is found again by its module and name, where the module travels as source or is there."""
        module = getattr(thing, "__module__", None)
        if module is None or self.rules.goes_by_value(module):
            return False
        return _found(module, thing.__qualname__) is thing

    def save_global(self, obj: Any, name: str | None = None) -> None:
        name = name or getattr(obj, "__qualname__", None) or obj.__name__
        module = pickle.whichmodule(obj, name)  # type: ignore[attr-defined]
        if _found(module, name) is not obj:
            raise pickle.PicklingError(f"it is not {module}:{name}, although it says so")
        if self.rules.goes_by_value(module):
            raise pickle.PicklingError(f"it is only known by its name in {module}, and that module does not travel")
        module = self.rules.aliases.get(module, _ALIASES.get(module, module))
        self.found.named.setdefault((module, name), self.where())
        self.save(module)
        self.save(name)
        self.write(pickle.STACK_GLOBAL)
        self.memoize(obj)

    dispatch[FunctionType] = save_global


def _found(module: str, name: str) -> Any:
    """What stands in a module that is loaded under the dotted *name*; None if nothing does."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _is_standard(stream: Any) -> bool:
    return any(stream is each for each in (sys.stdout, sys.stderr))


def _ordered(items: Any) -> list[Any]:
    """*items* of a set in an order of their own, where they have one."""
    known = [(key, each) for each in items if (key := _key(each)) is not None]
    if len(known) < len(items):
        return list(items)
    return [each for _, each in sorted(known, key=lambda pair: pair[0])]


def _key(value: Any) -> tuple[str, str] | None:
    """What *value* is sorted by among others; None for what has no order that holds from process to process."""
    if type(value) in _PLAIN or isinstance(value, type) or hasattr(value, "_value_"):
        return type(value).__qualname__, repr(value)
    if isinstance(value, (tuple, frozenset)):
        keys = [_key(each) for each in value]
        inside = [each for each in keys if each is not None]
        if len(inside) == len(keys):
            return type(value).__qualname__, repr(inside if isinstance(value, tuple) else sorted(inside))
    return None

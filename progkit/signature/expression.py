"""A type as written in the text of a signature, read from Python's syntax tree; nothing is evaluated or imported."""

import ast
import datetime
import inspect
import re
import sys
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
)
from collections.abc import Set as AbstractSet
from decimal import Decimal
from enum import Enum
from types import ModuleType, NoneType
from typing import Any, Literal, NoReturn, Optional, Union, get_origin

from progkit.errors import did_you_mean
from progkit.signature.scan import Span
from progkit.signature.types import is_type

_CLASSES: tuple[type, ...] = (str, bool, int, float, bytes, list, dict, tuple, set, frozenset, NoneType, Decimal)
_CLASSES += (datetime.date, datetime.datetime, datetime.time, datetime.timedelta)
_COLLECTIONS: tuple[Any, ...] = (Sequence, MutableSequence, Collection, Iterable, MutableSet)

KNOWN_TYPES: Mapping[str, Any] = {
    **{each.__name__: each for each in (*_CLASSES, *_COLLECTIONS, Mapping, MutableMapping)},
    **{"Any": Any, "Literal": Literal, "Optional": Optional, "Union": Union, "Callable": Callable},
    **{"List": list, "Dict": dict, "Tuple": tuple, "Set": set, "FrozenSet": frozenset, "AbstractSet": AbstractSet},
}
"""What a name means in the text of a signature when *custom_types* does not say otherwise."""

_ARGUMENTS: Mapping[Any, int] = {
    **dict.fromkeys((list, set, frozenset, AbstractSet, *_COLLECTIONS), 1),
    **dict.fromkeys((dict, Mapping, MutableMapping, Callable), 2),
}
_NOWHERE = object()


def read_type(span: Span, custom_types: Mapping[str, Any]) -> Any:
    """The type that *span* says.

    Raises:
        SignatureSyntaxError: with the place.
    """
    stranger = re.search("[\0\ud800-\udfff]", span.value)
    if stranger:
        raise span.error(f"U+{ord(stranger[0]):04X} has no place in a type", stranger.start())
    # As long as before, character by character, so that places in one are places in the other.
    source = f"({span.value})".replace("\r\n", " \n").replace("\r", "\n")
    lines = source.split("\n")
    try:
        tree = ast.parse(source, mode="eval")
        return _Reader(span, lines, custom_types).type(tree.body)
    except SyntaxError as error:
        offset = _place(error, lines, source) - 1
        reason = str(error.msg).removesuffix(". Perhaps you forgot a comma?")
        raise span.error(f"the type cannot be read: {reason}", min(max(offset, 0), len(span.value))) from None
    except (RecursionError, MemoryError):
        raise span.error("the type cannot be read: it is nested too deeply") from None


def _place(error: SyntaxError, lines: Sequence[str], source: str) -> int:
    """Where in *source* the error is. Where a comma may be missing, Python points at what stands before it."""
    row, column = max(error.lineno or 1, 1), max(error.offset or 1, 1)
    start = sum(len(line) + 1 for line in lines[: row - 1]) + column - 1
    second = re.compile(r"(?<=[\w\])'\"])\s+(?=[\w'\"])|(?<=\[)\s*(?=\])").search(source, start)
    return second.end() if second and "forgot a comma" in str(error.msg) else start


class _Reader:
    """Reads the nodes of one type; *lines* are those of its source, which has a bracket around it."""

    def __init__(self, span: Span, lines: Sequence[str], custom_types: Mapping[str, Any]) -> None:
        self.span = span
        self.lines = lines
        self.custom_types = custom_types

    def refuse(self, node: ast.expr, reason: str) -> NoReturn:
        """Raise at *node*, whose column counts bytes of UTF-8."""
        before = sum(len(line) + 1 for line in self.lines[: node.lineno - 1])
        column = len(self.lines[node.lineno - 1].encode()[: node.col_offset].decode())
        raise self.span.error(reason, before + column - 1) from None

    def told(self, node: ast.expr) -> str:
        """*node* as it is written, as far as it is on one line."""
        line = self.lines[node.lineno - 1].encode()
        return line[node.col_offset : node.end_col_offset if node.end_lineno == node.lineno else None].decode()

    def type(self, node: ast.expr) -> Any:
        """The type that *node* says."""
        match node:
            case ast.Constant(value=None):
                return NoneType
            case ast.Constant(value=str()):
                self.refuse(node, "a type has no quotes around it; quoted values belong in Literal[...]")
            case ast.Name() | ast.Attribute():
                found = self.named(node)
                if any(found is each for each in (Literal, Optional, Union)):
                    self.refuse(node, f"{self.told(node)} needs brackets: {self.told(node)}[...]")
            case ast.Subscript():
                return self.generic(node)
            case ast.BinOp(op=ast.BitOr()):
                return self.union(self.alternatives(node))
            case _:
                found = _NOWHERE
        if not is_type(found):
            self.refuse(node, f"{self.told(node)} is not a type")
        return found

    def named(self, node: ast.expr) -> Any:
        """What a name, dotted or not, means."""
        name = self.dotted(node)
        first, *rest = name.split(".")
        if name in self.custom_types:
            return self.custom_types[name]
        if not rest:
            found = KNOWN_TYPES.get(name, _NOWHERE)
            hint = did_you_mean(name, [*self.custom_types, *KNOWN_TYPES])
        else:
            found = _member(self.custom_types[first], rest) if first in self.custom_types else _imported(first, rest)
            hint = "" if first in self.custom_types or first in sys.modules else f"; module {first!r} is not imported"
        if found is _NOWHERE:
            short = name.rpartition(".")[2]
            self.refuse(node, f"unknown type {name!r}{hint}; a type of yours: custom_types={{{name!r}: {short}}}")
        return found

    def dotted(self, node: ast.expr) -> str:
        """``a.b.c`` as text."""
        parts: list[str] = []
        inner = node
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if not isinstance(inner, ast.Name):
            self.refuse(node, f"{self.told(node)} is not a type")
        return ".".join([inner.id, *reversed(parts)])

    def generic(self, node: ast.Subscript) -> Any:
        """A type with arguments in brackets."""
        base = self.named(node.value)
        nodes = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if base is Literal:
            return self.literal(node, nodes)
        if base is Optional or base is Union:
            if not nodes or (base is Optional and len(nodes) > 1):
                self.refuse(node.slice, "Optional takes one type" if base is Optional else "Union takes types")
            return self.union([*map(self.type, nodes), *([NoneType] if base is Optional else [])])
        name = self.told(node.value)
        if not is_type(base):
            self.refuse(node.value, f"{name} is not a type")
        origin = get_origin(base) or base
        wanted = _ARGUMENTS.get(origin, len(nodes))
        if len(nodes) != wanted:
            told = "one type" if wanted == 1 else f"{wanted} types"
            self.refuse(node.slice, f"{name} takes {told} in its brackets, not {len(nodes)}")
        args = [self.argument(origin, index, each) for index, each in enumerate(nodes)]
        try:
            return base[args[0] if len(args) == 1 else tuple(args)]
        except Exception as error:  # a generic class of the user's may refuse its arguments in any way
            self.refuse(node, f"{name} does not take these types: {error}")

    def argument(self, origin: Any, index: int, node: ast.expr) -> Any:
        """One argument: a type, ``...`` in a tuple, the parameters of a Callable."""
        endless = isinstance(node, ast.Constant) and node.value is ...
        endless = endless or (isinstance(node, ast.Name) and node.id == "Ellipsis")
        if endless and ((origin is tuple and index == 1) or (origin is Callable and index == 0)):
            return ...
        if origin is Callable and index == 0:
            if not isinstance(node, ast.List):
                self.refuse(node, "Callable takes its parameters in brackets: Callable[[int], str]")
            return [self.type(each) for each in node.elts]
        return self.type(node)

    def alternatives(self, node: ast.expr) -> list[Any]:
        """The types between ``|``; walked in a loop, as there may be many."""
        found: list[Any] = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            found.append(self.type(node.right))
            node = node.left
        return [self.type(node), *reversed(found)]

    def union(self, types: Sequence[Any]) -> Any:
        """One of *types*."""
        made: Any = Union
        return made[tuple(types)]

    def literal(self, node: ast.Subscript, nodes: Sequence[ast.expr]) -> Any:
        """One of the values in *nodes*."""
        if not nodes:
            self.refuse(node.slice, "Literal takes at least one value")
        made: Any = Literal
        return made[tuple(self.value(each) for each in nodes)]

    def value(self, node: ast.expr) -> Any:
        """A value that a Literal may hold."""
        match node:
            case ast.Constant(value=str() | bytes() | bool() | int() | None):
                return node.value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as number)) if number is not True:
                return -number
            case ast.Attribute() if isinstance(found := self.named(node), Enum):
                return found
            case ast.Name():
                self.refuse(node, f"a Literal holds values: write {node.id!r} with its quotes")
        self.refuse(node, "a Literal holds text, whole numbers, True, False, None and members of an Enum")


def _imported(first: str, rest: Sequence[str]) -> Any:
    """A member of a module that is imported already, or of a known type."""
    names = [first, *rest]
    for count in range(len(names) - 1, 0, -1):
        module = sys.modules.get(".".join(names[:count]))
        if module is not None:
            return _member(module, names[count:])
    return _NOWHERE


def _member(owner: Any, names: Sequence[str]) -> Any:
    """``owner.a.b``, found without running code of anybody's (a module's ``__getattr__`` may import)."""
    for name in names:
        if isinstance(owner, type) and issubclass(owner, Enum):
            owner = owner.__members__.get(name, _NOWHERE)
        elif isinstance(owner, (type, ModuleType)):
            owner = inspect.getattr_static(owner, name, _NOWHERE)
        else:
            return _NOWHERE
    return owner

"""The texts of types compared: whether every value of one is a value of the other.

A type is what ``signature.type_text`` writes. Names that Python does not know stand for classes of a program's own,
of which a file says nothing but the name. Undecided stays undecided: the answer is True, False or None.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

_NONE = "None"
_SAME = {"NoneType": _NONE, "List": "list", "Dict": "dict", "Tuple": "tuple", "Set": "set", "FrozenSet": "frozenset"}
_ABOVE: dict[str, tuple[str, ...]] = {
    "bool": ("int",),
    "int": ("float",),  # PEP 484, "The numeric tower"; pydantic takes an int for a float, too
    "list": ("MutableSequence",),
    "tuple": ("Sequence",),
    "str": (),
    "MutableSequence": ("Sequence",),
    "Sequence": ("Collection",),
    "set": ("MutableSet",),
    "MutableSet": ("AbstractSet",),
    "frozenset": ("AbstractSet",),
    "AbstractSet": ("Collection",),
    "dict": ("MutableMapping",),
    "MutableMapping": ("Mapping",),
    "Mapping": (),
    "Collection": ("Iterable",),
    "Iterable": (),
    **dict.fromkeys(("float", "bytes", "Decimal", "date", "datetime", "time", "timedelta", _NONE), ()),
}
"""What is known, each with what all its values are besides. A class of the program's own is none of these."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A type that is no union: its *name*, *args* (each a union), and for a value of a Literal its *value*."""

    name: str
    args: tuple["Union", ...] = ()
    value: str | None = None


Union = frozenset[Kind]
_ANY = frozenset({Kind("Any")})


def is_within(one: str, other: str) -> bool | None:
    """Whether every value of the type *one* is a value of the type *other*; None if the texts cannot tell.

    Equal texts are taken for the same type, whatever has become of a class of that name.
    """
    if one == other:
        return True
    if not one or not other:
        return None
    mine, theirs = _read(one), _read(other)
    return None if mine is None or theirs is None else _union_within(mine, theirs)


def values_of(text: str) -> list[Any] | None:
    """All values of the type *text*, where it is a Literal, a bool, or several of them; else None."""
    found: list[Any] = []
    for kind in _read(text) or [Kind("Any")]:
        if kind.name == "bool" and kind.value is None:
            found += [False, True]
        elif kind.value is not None and kind.name in _ABOVE:
            found.append(ast.literal_eval(kind.value))
        else:
            return None
    return found


# --- comparing ------------------------------------------------------------------------------------


def _union_within(one: Union, other: Union) -> bool | None:
    return _all(_any(_kind_within(mine, theirs) for theirs in other) for mine in one)


def _kind_within(one: Kind, other: Kind) -> bool | None:
    if other.name == "Any" or one == other:
        return True
    if one.name == "Any":
        return False
    if other.value is not None:
        return False if one.value is not None or one.name in _ABOVE else None
    if one.value is not None:
        return _kind_within(Kind(one.name), other)
    if one.name == other.name:
        return _args_within(one, other)
    if other.name in _all_above(one.name):
        return _args_within(Kind(other.name, _as_sequence(one)), other)
    return False if one.name in _ABOVE or other.name == _NONE else None


def _args_within(one: Kind, other: Kind) -> bool | None:
    """The arguments held against each other; saved values are never changed in place, so all are covariant."""
    if one.name == "tuple" and one.args and other.args:
        return _tuple_within(one.args, other.args)
    if not other.args:
        return True
    mine = one.args or (_ANY,) * len(other.args)
    if len(mine) != len(other.args):
        return None
    if one.name == "Callable":
        return True if one == other else None
    return _all(_union_within(a, b) for a, b in zip(mine, other.args, strict=True))


_REST = frozenset({Kind("...")})
_EMPTY = frozenset({Kind("()")})


def _tuple_within(one: tuple[Union, ...], other: tuple[Union, ...]) -> bool | None:
    mine = () if one == (_EMPTY,) else one
    theirs = () if other == (_EMPTY,) else other
    if theirs[1:] == (_REST,):
        return _all(_union_within(each, theirs[0]) for each in mine if each != _REST)
    if mine[1:] == (_REST,) or len(mine) != len(theirs):
        return False
    return _all(_union_within(a, b) for a, b in zip(mine, theirs, strict=True))


def _as_sequence(one: Kind) -> tuple[Union, ...]:
    """The arguments of *one* as what is above it has them: a tuple's are one, those of all its members."""
    if one.name != "tuple" or not one.args:
        return one.args
    return (frozenset(kind for each in one.args if each not in (_REST, _EMPTY) for kind in each),)


@cache
def _all_above(name: str) -> frozenset[str]:
    found = set(_ABOVE.get(name, ()))
    for each in list(found):
        found |= _all_above(each)
    return frozenset(found)


def _all(answers: Iterable[bool | None]) -> bool | None:
    told = set(answers)
    return False if False in told else None if None in told else True


def _any(answers: Iterable[bool | None]) -> bool | None:
    told = set(answers)
    return True if True in told else None if None in told else False


# --- reading --------------------------------------------------------------------------------------


@cache
def _read(text: str) -> Union | None:
    """The type that *text* says; None for what is no type that can be compared."""
    try:
        return frozenset(_kinds(ast.parse(text.strip(), mode="eval").body))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _kinds(node: ast.expr) -> Iterator[Kind]:
    match node:
        case ast.BinOp(left, ast.BitOr(), right):
            yield from _kinds(left)
            yield from _kinds(right)
        case ast.Subscript(value, inner):
            yield from _generic(_name(value), inner.elts if isinstance(inner, ast.Tuple) else [inner])
        case ast.Constant(value=None):
            yield Kind(_NONE)
        case ast.Constant(value=each) if each is ...:
            yield Kind("...")
        case ast.Tuple(elts=[]):
            yield Kind("()")
        case ast.List(elts):
            yield Kind("[]", tuple(frozenset(_kinds(each)) for each in elts))
        case _:
            yield Kind(_name(node))


def _generic(name: str, args: list[ast.expr]) -> Iterator[Kind]:
    if name == "Literal":
        yield from map(_literal, args)
    elif name in ("Union", "Optional"):
        for each in args:
            yield from _kinds(each)
        yield from [Kind(_NONE)] * (name == "Optional")
    else:
        given = args or [ast.Tuple(elts=[])]
        yield Kind(name, tuple(frozenset(_kinds(each)) for each in given))


def _literal(node: ast.expr) -> Kind:
    """A value of a Literal, as the type that it belongs to with that value; None is a type itself."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return Kind(_name(node).rpartition(".")[0], value=_name(node))  # a member of an Enum
    return Kind(_NONE) if value is None else Kind(type(value).__name__, value=repr(value))


def _name(node: ast.expr) -> str:
    """A name, dotted or not, in one spelling.

    Raises:
        ValueError: for anything else.
    """
    match node:
        case ast.Name(name):
            return _SAME.get(name, name)
        case ast.Attribute(value, name):
            return f"{_name(value)}.{name}"
    raise ValueError(ast.unparse(node))

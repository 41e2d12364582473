"""What a function's code is and refers to, as far as Python can tell."""

import dis
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any


@lru_cache(maxsize=4096)
def digest(code: CodeType) -> str:
    """A hash of *code*: the same wherever it stands and whatever is said in comments; each Python has its own."""
    return hashlib.sha256(repr(_content(code)).encode("utf-8", "surrogatepass")).hexdigest()


def used(function: FunctionType) -> dict[str, Any]:
    """What *function* refers to outside itself, by name: variables of its module, and of the functions around it."""
    free = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    found = {name: value for name, cell in free for value in _inside(cell)}
    return found | {
        name: function.__globals__[name] for name in _globals(function.__code__) if name in function.__globals__
    }


def functions(kind: type) -> Iterator[tuple[str, FunctionType]]:
    """The functions that *kind* itself defines, by name."""
    for name, member in vars(kind).items():
        for each in (member, getattr(member, "__func__", None), getattr(member, "fget", None)):
            if isinstance(each, FunctionType):
                yield name, each


def _content(code: CodeType) -> list[Any]:
    constants = [_constant(each) for each in code.co_consts]
    return [code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars]


def _constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return _content(value)
    # The order of a set's items changes from process to process.
    return ["set", *sorted(map(repr, value))] if isinstance(value, frozenset) else [type(value).__name__, value]


@lru_cache(maxsize=4096)
def _globals(code: CodeType) -> tuple[str, ...]:
    names = [each.argval for each in dis.get_instructions(code) if each.opname in ("LOAD_GLOBAL", "LOAD_NAME")]
    inner = [name for each in code.co_consts if isinstance(each, CodeType) for name in _globals(each)]
    return tuple(dict.fromkeys(names + inner))


def _inside(cell: Any) -> list[Any]:
    try:
        return [cell.cell_contents]
    except ValueError:  # not set yet
        return []

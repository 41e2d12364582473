"""Whether a module still runs what its file says: one edited after it was imported travels as it is in the file."""

from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any


def edited(module: ModuleType, source: bytes) -> str:
    """The name of a function of *module* that is not so in its *source*; "" if there is none."""
    try:
        told = {_content(each) for each in _codes(compile(source, "<source>", "exec", dont_inherit=True))}
    except (SyntaxError, ValueError):
        return ""  # whoever reads it will say so
    return next((each.co_qualname for each in _running(module) if _content(each) not in told), "")


def _content(code: CodeType) -> tuple[Any, ...]:
    """What *code* does, wherever its lines are."""
    constants = tuple(each for each in code.co_consts if not isinstance(each, CodeType))
    return code.co_qualname, code.co_code, code.co_names, constants


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)


def _running(module: ModuleType) -> Iterator[CodeType]:
    """The code of the functions in *module*, and of the methods of its classes, that came from its own file."""
    for value in list(vars(module).values()):
        inside = vars(value).values() if isinstance(value, type) and value.__module__ == module.__name__ else [value]
        for each in list(inside):
            function = getattr(each, "__func__", each)
            if isinstance(function, FunctionType) and function.__code__.co_filename == module.__dict__.get("__file__"):
                yield function.__code__

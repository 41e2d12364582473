"""The tags on what a call keeps: its model, the program it is part of, that program's version, and the user's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import lru_cache
from typing import Any

from progkit.caching.expiry import Controls
from progkit.program import tree

_outermost: ContextVar[Any] = ContextVar("progkit_program", default=None)


def begin(part: Any) -> bool:
    """Let *part* be the program that the calls from here on belong to, unless there is one; whether it is."""
    if _outermost.get() is not None:
        return False
    _outermost.set(part)
    return True


def end() -> None:
    """Leave the program that ``begin`` began."""
    _outermost.set(None)


@contextmanager
def within(part: Any) -> Iterator[None]:
    """``begin`` and ``end`` around a block."""
    begun = begin(part)
    try:
        yield
    finally:
        if begun:
            end()


def program() -> Any:
    """The program that a call made here belongs to; None outside of any."""
    return _outermost.get()


def tagged(controls: Controls, models: tuple[str, ...], program: Any, own: tuple[str, ...]) -> Controls:
    """*controls* for keeping what *models* said in *program*; *own*: tags that the user has set for all calls."""
    tags = [f"model:{each}" for each in models if each]
    return _with(controls, tuple(dict.fromkeys((*tags, *_of(program), *own, *controls.tags))))


@lru_cache(maxsize=256)
def _with(controls: Controls, tags: tuple[str, ...]) -> Controls:
    return replace(controls, tags=tags)


def _of(program: Any) -> list[str]:
    """``program:module:Class`` and ``version:...`` of a program of the user's; the latter is its attribute, if text."""
    if program is None:
        return []
    part = tree.inmost(program)
    kind, version = type(part), getattr(part, "version", None)
    named = [] if kind.__module__.startswith("progkit.program.") else [f"program:{kind.__module__}:{kind.__qualname__}"]
    return [*named, f"version:{version}"] if isinstance(version, str) else named

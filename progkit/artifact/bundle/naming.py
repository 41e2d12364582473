"""Where an object stands in what is being pickled: ``program.retriever._pool``, and which object is to blame.

A path is read off the objects that the pickler is inside of, outermost first. An object's attributes stand in a dict
below it, a function's variables two dicts below: ``program.rank.<global _lock>``.
"""

import collections
import functools
import types
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

_BOXES = (dict, list, tuple, set, frozenset)
_FUNCTIONS = (types.FunctionType, types.MethodType, types.CellType, functools.partial)
_PLAIN = (*_BOXES, *_FUNCTIONS, types.ModuleType, types.SimpleNamespace, collections.deque, type)
"""What is gone through when somebody is to blame: what holds other things and does nothing itself."""


def path_of(around: Sequence[Any], root: str) -> str:
    """The path of the innermost of the objects *around*; the outermost is called *root*."""
    steps: list[str] = []
    role, owner = "object", around[0]
    for above, value in pairwise(around):
        step, role, owner = _step(role, owner, above, value)
        steps.append(step)
    return root + "".join(steps)


def blamed(around: Sequence[Any], is_own: Callable[[str], bool]) -> int:
    """Which of the objects *around* is to be named: the first that is a library's, as nobody can mend what is in it.

    is_own: whether a module is the user's or progkit's. If all are, the innermost.
    """
    for at, each in enumerate(around):
        if at and not isinstance(each, _PLAIN) and not is_own(type(each).__module__):
            return at
    return len(around) - 1


def _step(role: str, owner: Any, above: Any, value: Any) -> tuple[str, str, Any]:
    """How *value* is reached from *above*, what *value* is there, and whose.

    The roles: ``object``; ``parts``, a tuple that says how an object is made; ``attributes``, a dict below an object;
    ``globals`` and ``closure``, a function's variables.
    """
    if role == "object" and not isinstance(above, _BOXES):
        return _below_object(above, value)
    key = _key(above, value)
    if role == "parts":
        return _part(owner, key, value)
    if role == "attributes":
        inner = {"__globals__": "globals", "__closure__": "closure"}.get(str(key))
        if isinstance(owner, types.FunctionType) and inner and value is not None:
            return "", inner, owner
        return _attribute(key), "object", value
    if role == "globals":
        return f".<global {key}>", "object", value
    if role == "closure":
        return f".<closure {owner.__code__.co_freevars[key]}>", "object", value
    if key is None and type(above) not in _BOXES:  # a list with attributes, a dict of some kind
        return _below_object(above, value)
    return f"[{key!r}]", "object", value


def _below_object(above: Any, value: Any) -> tuple[str, str, Any]:
    if type(value) is tuple:
        return "", "parts", above
    if type(value) is dict:
        return "", "attributes", above
    return (".__class__" if value is type(above) else ""), "object", value


def _part(owner: Any, key: Any, value: Any) -> tuple[str, str, Any]:
    if type(value) is dict:
        return "", "attributes", owner
    if isinstance(owner, types.MethodType):
        return (".__func__", ".__self__")[key], "object", value
    if isinstance(owner, functools.partial):
        return (".func", ".args", ".keywords")[key], "object", value
    return "", "object", value


def _key(above: Any, value: Any) -> Any:
    """The place of *value* in the box *above*."""
    items = above.items() if isinstance(above, dict) else enumerate(above)
    return next((key for key, each in items if each is value or key is value), None)


def _attribute(name: Any) -> str:
    return f".{name}" if isinstance(name, str) and name.isidentifier() else f"[{name!r}]"

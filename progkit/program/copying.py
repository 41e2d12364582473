"""Deep copies of programs: parts and containers are copied, LMs and what cannot be copied are shared."""

import copy
from typing import Any

from progkit.lm import LanguageModel
from progkit.program import tree


def copied(value: Any, done: dict[int, Any]) -> Any:
    """A deep copy of a tree of modules. *done* maps what was copied by id, so that what is shared stays shared."""
    if id(value) not in done:
        done[id(value)] = _new(value, done)
    return done[id(value)]


def _new(value: Any, done: dict[int, Any]) -> Any:
    if isinstance(value, LanguageModel):
        return value
    if type(value) is list:
        items: list[Any] = []
        done[id(value)] = items
        items.extend(copied(each, done) for each in value)
        return items
    if type(value) is tuple:
        return tuple(copied(each, done) for each in value)
    if type(value) is dict:
        table: dict[Any, Any] = {}
        done[id(value)] = table
        table.update((key, copied(each, done)) for key, each in value.items())
        return table
    if tree.is_part(value):
        cls: Any = type(value)
        done[id(value)] = part = cls.__new__(cls)
        vars(part).update((name, copied(each, done)) for name, each in vars(value).items())
        return part
    try:
        return copy.deepcopy(value, done)
    # Whatever a class raises when it cannot be copied (locks, clients, generators): it is shared.
    except Exception:
        return value

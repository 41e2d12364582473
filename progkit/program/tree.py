"""The tree of a program: its parts, found by path, each once.

A path is unambiguous: ``a.b`` is an attribute, ``a[0]`` an item of a list or tuple (or the key 0 of a
dict), ``a["0"]`` a string key. The root is called ``self``. A part is an object whose class has
``own_state``: the names of the attributes that are its state and so not looked into. A class may also
name in ``seen_through`` the attribute that holds the part it stands for: that one has the same path.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

ROOT = "self"

Put = Callable[[Any], None]


def is_part(value: Any) -> bool:
    """Whether *value* is a module of a program (and not a class of such)."""
    return hasattr(type(value), "own_state")


def is_predictor(part: Any) -> bool:
    """Whether a *part* is one with state: its class has ``demos``, which are not looked at."""
    return hasattr(type(part), "demos")


def inmost(part: Any) -> Any:
    """The part that *part* stands for: itself, unless its class is seen through."""
    clear = getattr(type(part), "seen_through", None)
    return part if clear is None else inmost(vars(part)[clear])


def walk(root: Any, key: Callable[[Any], Any] | None = None, without: Iterable[int] = ()) -> Iterator[tuple[str, Any]]:
    """Every part from *root* down with its path, parents first; the first path wins.

    key: what stands in a path for the key of a dict: ``str`` for DSPy, which writes 7 as it writes "7". without: ids
    of parts to pass over, with what is below them alone.
    """
    seen = set(without)
    todo: list[tuple[str, Any]] = [("", root)]
    while todo:
        path, value = todo.pop()
        if id(value) in seen or not _is_node(value):
            continue
        seen.add(id(value))
        if is_part(value):
            yield path or ROOT, value
        todo.extend(reversed([(_join(path, step), child) for step, child, _ in _children(value, key)]))


def rebuild(value: Any, replace: Callable[[str, Any], Any], path: str = "", done: dict[int, Any] | None = None) -> Any:
    """Replace parts below *value*, in place; a tuple that holds one is made anew and returned.

    ``replace(path, part)`` gives what shall stand in its place; the part itself means: go on below
    it. A part reachable under several paths is asked about once.
    """
    done = {} if done is None else done
    # The object is kept beside its successor, so that its id stays its own while we work.
    done[id(value)] = (value, value)
    items = list(value) if isinstance(value, tuple) else None
    for index, (step, child, put) in enumerate(_children(value)):
        if not _is_node(child):
            continue
        if id(child) not in done:
            there = _join(path, step)
            new = replace(there, child) if is_part(child) else child
            done[id(child)] = (child, new if new is not child else rebuild(child, replace, there, done))
        new = done[id(child)][1]
        if new is not child and items is not None:
            items[index] = new
        elif new is not child:
            put(new)
    changed = items is not None and any(new is not old for new, old in zip(items, value, strict=True))
    return tuple(items or ()) if changed else value


def _is_node(value: Any) -> bool:
    return isinstance(value, (list, tuple, dict)) or is_part(value)


def _children(value: Any, spell: Callable[[Any], Any] | None = None) -> list[tuple[str, Any, Put]]:
    """Step, child and how to replace it (in a tuple it cannot be)."""
    if isinstance(value, (list, tuple)):
        return [(f"[{index}]", child, _putter(value, index)) for index, child in enumerate(value)]
    if isinstance(value, dict):
        keys = value if spell is None else map(spell, value)
        items = zip(keys, value.items(), strict=True)
        return [(f"[{_literal(said)}]", child, _putter(value, key)) for said, (key, child) in items]
    attributes = vars(value)
    hidden = type(value).own_state
    clear = getattr(type(value), "seen_through", None)
    return [
        ("" if n == clear else _attribute(n), child, _putter(attributes, n))
        for n, child in attributes.items()
        if n not in hidden
    ]


def _putter(store: Any, place: Any) -> Put:
    def put(new: Any) -> None:
        store[place] = new

    return put


def _literal(key: Any) -> str:
    return json.dumps(key, ensure_ascii=False) if isinstance(key, str) else repr(key)


def _attribute(name: str) -> str:
    return f".{name}" if name.isidentifier() else f".{_literal(name)}"


def _join(path: str, step: str) -> str:
    return (path + step).removeprefix(".")

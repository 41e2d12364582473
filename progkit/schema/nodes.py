"""Values in a document: plain JSON, and tagged nodes for what JSON cannot say.

::

    "text", 1, 1.5, true, null, [..]        themselves, an integer up to 2**53
    {"a": .., "b": ..}                      a dict whose keys are text in sorted order; a key "$x" is written "$$x"
    {"$order": ["b", "a"], "value": {..}}   a dict in another order, which a prompt would show
    {"$dict": [[key, value], ..]}           a dict with other keys than text
    {"$tuple": [..]}, {"$set": [..]}, {"$frozenset": [..]}
    {"$int": ".."}, {"$bytes": ".."}, {"$decimal": ".."}, {"$date": ".."}, {"$time": ".."}, {"$datetime": ".."},
    {"$timedelta": ".."}                    see scalars.py
    {"$enum": "Class", "value": ..}, {"$model": "Class", "value": {..}}

The last two are restored through classes that the reader has at hand: a class named in a document
is never imported.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from operator import itemgetter
from typing import Any, NoReturn, TypeAlias

from progkit.errors import DocumentError, did_you_mean
from progkit.schema.limits import MAX_PLAIN_INT, MAX_SAME_HASH
from progkit.schema.live import Restore, live_class
from progkit.schema.paths import Path, show
from progkit.schema.scalars import SCALARS, Scalar

_AS_IS = frozenset((str, bool, type(None)))


def decode_value(
    node: Any, type_: Any = None, where: str = "value", restore: Restore | None = None, source: str = "document"
) -> Any:
    """The value that *node* stands for.

    type_: the live field's annotation; enum members and models come back through it and *restore*. Without
    one they come back as plain data: a member's value, a model's dict. where: the node's place, for errors.

    Raises:
        DocumentError: for a node that is malformed, or that does not fit the live type.
    """
    if is_single(node):
        return node
    return _Reading(type_, where, restore, source).whole(node)


def decode_values(
    nodes: Mapping[str, Any],
    types: Mapping[str, Any] | None = None,
    where: str = "values",
    restore: Restore | None = None,
    source: str = "document",
) -> dict[str, Any]:
    """The values of several nodes by name; *types* holds the live annotations by name, of those that have one.

    Raises:
        DocumentError: as ``decode_value``.
    """
    if _AS_IS.issuperset(map(type, nodes.values())):
        return dict(nodes)
    types = types or {}
    return {
        name: node if is_single(node) else decode_value(node, types.get(name), show((name,), where), restore, source)
        for name, node in nodes.items()
    }


def decode_demos(
    demos: Sequence[Mapping[str, Any]],
    types: Mapping[str, Any] | None = None,
    where: str = "demos",
    restore: Restore | None = None,
    source: str = "document",
) -> list[dict[str, Any]]:
    """The values of each of the *demos* of a predictor, as ``decode_values`` gives them, and faster for many.

    Where nothing had to be decoded they are the document's own dicts.

    Raises:
        DocumentError: as ``decode_value``.
    """
    if all_as_is(demos):
        return [demo["values"] for demo in demos]
    places = (show((index, "values"), where) for index in range(len(demos)))
    return [
        decode_values(demo["values"], types, place, restore, source) for demo, place in zip(demos, places, strict=True)
    ]


def all_as_is(demos: Sequence[Mapping[str, Any]]) -> bool:
    """Whether every value of the *demos* is text, a boolean or null, which need no look; one pass, in C."""
    return _AS_IS.issuperset(map(type, chain.from_iterable(map(dict.values, map(itemgetter("values"), demos)))))


def is_single(node: Any) -> bool:
    """Whether *node* is text, a number, a boolean or null, and so its own value."""
    kind = type(node)
    if kind is int:
        return bool(abs(node) <= MAX_PLAIN_INT)
    return kind in _AS_IS or (kind is float and math.isfinite(node))


class _Reading:
    """One value being read."""

    def __init__(self, type_: Any, where: str, restore: Restore | None, source: str) -> None:
        self.type = type_
        self.where = where
        self.restore = restore
        self.source = source
        self.is_restored = True
        """False once an enum or a model has been left as plain data."""

    def whole(self, node: Any) -> Any:
        """The value of the outermost node."""
        value = self.read(node, ())
        if self.is_restored or self.restore is None or self.type is None:
            return value
        return self.revive(self.restore, self.type, value, ())

    def read(self, node: Any, path: Path) -> Any:
        """The value of *node*, which stands at *path*."""
        if is_single(node):
            return node
        kind = type(node)
        if kind is dict:
            return self.mapping(node, path)
        if kind is list:
            return self.items(node, path)
        if kind is int:
            self.fail(path, "an integer beyond 2**53", 'Write it as {"$int": "its digits"}')
        if kind is float:
            self.fail(path, f"{node} is not JSON")
        self.fail(path, f"a Python {kind.__name__} is not JSON")

    def items(self, payload: Any, path: Path) -> list[Any]:
        """The values of a list."""
        if type(payload) is not list:
            self.fail(path, "must be a list")
        return [self.read(each, (*path, index)) for index, each in enumerate(payload)]

    def mapping(self, node: dict[str, Any], path: Path) -> Any:
        """The value of a plain dict, or of a tagged node."""
        for key in node:
            if type(key) is not str:
                self.fail(path, f"the key {key!r} is not text")
            if key.startswith("$") and not key.startswith("$$"):
                return self.tagged(key, node, path)
        return {key[key.startswith("$") :]: self.read(value, (*path, key)) for key, value in node.items()}

    def tagged(self, tag: str, node: dict[str, Any], path: Path) -> Any:
        """The value of a tagged node."""
        if tag not in TAGS:
            near = did_you_mean(tag, list(TAGS))
            self.fail(path, f"unknown tag {tag!r}{near}", f"A key of that name is written {'$' + tag!r}")
        companions, read = TAGS[tag]
        if set(node) != {tag, *companions}:
            self.fail(path, f"a {tag} node has the keys {', '.join((tag, *companions))} and no others")
        return read(self, node, (*path, tag))

    def revive(self, restore: Restore, annotation: Any, value: Any, path: Path) -> Any:
        """*value* through the live *annotation*."""
        try:
            return restore(annotation, value)
        except (ValueError, TypeError) as error:
            name = getattr(annotation, "__name__", annotation)
            raise DocumentError(self.source, show(path, self.where), f"does not fit {name}: {error}") from error

    def fail(self, path: Path, reason: str, hint: str = "") -> NoReturn:
        """Raise the error of this place."""
        raise DocumentError(self.source, show(path, self.where), reason, hint)


_Read: TypeAlias = Callable[[_Reading, dict[str, Any], Path], Any]
"""Reads a tagged node; the path ends in its tag."""


def _scalar(scalar: Scalar) -> _Read:
    def read(reading: _Reading, node: dict[str, Any], path: Path) -> Any:
        try:
            return scalar.read(_text(reading, node[scalar.tag], path))
        except ValueError as error:
            reading.fail(path, str(error))

    return read


def _tuple(reading: _Reading, node: dict[str, Any], path: Path) -> Any:
    return tuple(reading.items(node["$tuple"], path))


def _set_of(tag: str, kind: type[set[Any]] | type[frozenset[Any]]) -> _Read:
    """The reader of a set; of a list, while it holds models that are not restored yet."""

    def read(reading: _Reading, node: dict[str, Any], path: Path) -> Any:
        members = reading.items(node[tag], path)
        _check_hashes(reading, members, path)
        try:
            value = kind(members)
        except TypeError:
            if reading.is_restored:
                reading.fail(path, "a set cannot hold a list, a dict or a set")
            return members
        if len(value) < len(members):
            reading.fail(path, "a set holds nothing twice")
        return value

    return read


def _pairs(reading: _Reading, node: dict[str, Any], path: Path) -> Any:
    value: dict[Any, Any] = {}
    pairs = reading.items(node["$dict"], path)
    for index, pair in enumerate(pairs):
        if type(pair) is not list or len(pair) != 2:
            reading.fail((*path, index), "must be a list of key and value")
    _check_hashes(reading, [key for key, _ in pairs], path)
    for index, (key, each) in enumerate(pairs):
        try:
            if key in value:
                reading.fail((*path, index), "a dict holds no key twice")
            value[key] = each
        except TypeError:
            reading.fail((*path, index), "a key cannot be a list, a dict or a set")
    return value


def _check_hashes(reading: _Reading, keys: list[Any], path: Path) -> None:
    """Nothing, unless so many *keys* have one hash that to tell them apart would take the time squared.

    The hash of a number, unlike that of a text, is no secret of the process.
    """
    with suppress(TypeError):  # of what has no hash, whoever needs it says so
        if len(keys) > MAX_SAME_HASH and max(Counter(map(hash, keys)).values()) > MAX_SAME_HASH:
            reading.fail(path, f"more than {MAX_SAME_HASH} members with the same hash")


def _ordered(reading: _Reading, node: dict[str, Any], path: Path) -> Any:
    place = (*path[:-1], "value")
    value = reading.read(node["value"], place)
    order = [_text(reading, each, (*path, index)) for index, each in enumerate(reading.items(node["$order"], path))]
    if type(value) is not dict or sorted(order) != sorted(value, key=str):
        reading.fail(place, "must be a dict with exactly the keys that $order lists")
    return {key: value[key] for key in order}


def _instance(tag: str) -> _Read:
    """The reader of an enum member or a model: through the live class of that name, else it stays plain at first."""

    def read(reading: _Reading, node: dict[str, Any], path: Path) -> Any:
        name = _text(reading, node[tag], path)
        plain = reading.read(node["value"], (*path[:-1], "value"))
        if reading.restore is not None and (live := live_class(reading.type, name)):
            return reading.revive(reading.restore, live, plain, path[:-1])
        reading.is_restored = False
        return plain

    return read


def _text(reading: _Reading, payload: Any, path: Path) -> str:
    if type(payload) is not str:
        reading.fail(path, "must be text")
    return payload


TAGS: dict[str, tuple[tuple[str, ...], _Read]] = {
    "$order": (("value",), _ordered),
    "$dict": ((), _pairs),
    "$tuple": ((), _tuple),
    "$set": ((), _set_of("$set", set)),
    "$frozenset": ((), _set_of("$frozenset", frozenset)),
    "$enum": (("value",), _instance("$enum")),
    "$model": (("value",), _instance("$model")),
    **{each.tag: ((), _scalar(each)) for each in SCALARS},
}
"""Every tag: the keys beside it, and its reader."""

NODE_SCHEMA: dict[str, Any] = {
    "description": "A value: plain JSON, or an object with one tag for what JSON cannot say. "
    "A key of the value's own that begins with $ is written with one $ more.",
    "anyOf": [
        {"type": ["string", "number", "boolean", "null"]},
        {"type": "array", "items": {"$ref": "#/$defs/Node"}},
        {
            "type": "object",
            "propertyNames": {"pattern": r"^([^$]|\$\$|$)"},
            "additionalProperties": {"$ref": "#/$defs/Node"},
        },
        *(
            {
                "type": "object",
                "properties": {tag: {"type": payload}, **{each: {"$ref": "#/$defs/Node"} for each in TAGS[tag][0]}},
                "required": [tag, *TAGS[tag][0]],
                "additionalProperties": False,
            }
            for tag, payload in (
                *((each.tag, "string") for each in SCALARS),
                *((tag, "array") for tag in ("$dict", "$frozenset", "$order", "$set", "$tuple")),
                *((tag, "string") for tag in ("$enum", "$model")),
            )
        ),
    ],
}
"""JSON Schema (draft 2020-12) of a node, as ``#/$defs/Node``."""

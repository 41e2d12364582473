"""Documents held against a shape: a ``TypedDict`` that names every key and its type, and no others are allowed.

msgspec says fast whether a document fits. Where it does not fit is then found by a slower pass,
because msgspec's own message leaves out the keys of dictionaries.
"""

from collections.abc import Iterator
from functools import cache
from inspect import cleandoc
from types import NoneType, UnionType
from typing import Annotated, Any, NotRequired, TypeAlias, Union, get_args, get_origin, get_type_hints, is_typeddict

from msgspec import ValidationError, convert, json

from progkit.errors import DocumentError, did_you_mean
from progkit.schema.paths import Path, show

Kind: TypeAlias = Any
"""A type of the shape: TypedDict, ``dict[str, K]``, ``list[K]``, ``K | None``, ``Annotated[K, ...]``, a plain type."""

_TOLD = 20
"""Unknown keys that an error tells, of however many."""


def require(document: Any, shape: Kind, source: str) -> None:
    """Nothing, if *document* fits *shape*.

    Raises:
        DocumentError: at the first place, outside in, that does not fit.
    """
    if not _fits(document, shape):
        path, node, kind = _locate(document, shape)
        reason, hint = _explain(node, _plain(kind), kind)
        raise DocumentError(source, show(path), reason, hint)


def strip_unknown(node: Any, shape: Kind, path: Path = ()) -> tuple[Any, list[tuple[Path, Any]]]:
    """A copy of *node* without the keys that *shape* does not name, and those keys: ``[(path, value), ...]``.

    In a path, an entry of a list that has an ``id`` is named by it, since its place may change.
    """
    kind = _plain(shape)
    parts = {key: (value, below) for key, value, below in _parts(node, kind)}
    kept: dict[str | int, Any] = {}
    extras: list[tuple[Path, Any]] = []
    for key, (value, below) in parts.items():
        step = value["id"] if isinstance(key, int) and isinstance(value, dict) and "id" in value else key
        kept[key], found = strip_unknown(value, below, (*path, step))
        extras += found
    if isinstance(node, dict) and is_typeddict(kind):
        return kept, extras + [((*path, key), value) for key, value in node.items() if key not in parts]
    if parts:
        return (kept if isinstance(node, dict) else list(kept.values())), extras
    return node, []


def json_schema(shape: Kind, definitions: dict[str, Any]) -> dict[str, Any]:
    """*shape* in the words of JSON Schema (draft 2020-12), *definitions* added to its own."""
    printed = json.schema(shape)
    for each in printed["$defs"].values():
        each["additionalProperties"] = False
        # Up to Python 3.12 a docstring keeps the indentation of its source.
        each |= {name: cleandoc(each[name]) for name in ("description",) if name in each}
    printed["$defs"] |= definitions
    return printed


def _fits(node: Any, kind: Kind) -> bool:
    try:
        # Keys that a TypedDict does not name, msgspec leaves out; and a tuple it takes for a list.
        return bool(convert(node, kind) == node)
    except ValidationError:
        return False


def _locate(document: Any, shape: Kind) -> tuple[Path, Any, Kind]:
    """The first place that does not fit while every part of it does: its path, content and type."""
    path: Path = ()
    node, kind = document, shape
    while True:
        for key, part, below in _parts(node, _plain(kind)):
            if not _fits(part, below):
                path, node, kind = (*path, key), part, below
                break
        else:
            return path, node, kind


def _explain(node: Any, plain: Kind, kind: Kind) -> tuple[str, str]:
    """Reason and hint for a *node* that is itself not of *kind*, or of that without what is *plain* about it."""
    if is_typeddict(plain) and isinstance(node, dict):
        known = list(_keys(plain))
        unknown = [str(key) for key in node if key not in known]
        if unknown:
            told = ", ".join(f"{key!r}{did_you_mean(key, known)}" for key in unknown[:_TOLD])
            more = f" and {len(unknown) - _TOLD} more" if len(unknown) > _TOLD else ""
            return f"unknown key {told}{more}", f"Known here: {', '.join(known)}"
        missing = [key for key in known if key in plain.__required_keys__ and key not in node]
        return f"missing key {', '.join(map(repr, missing))}", ""
    try:
        convert(node, kind)
    except ValidationError as error:
        said = str(error).partition(" - at ")[0].replace("`", "")
        return said[:1].lower() + said[1:], ""
    return f"a Python {type(node).__name__} is not JSON", ""


def _parts(node: Any, kind: Kind) -> Iterator[tuple[str | int, Any, Kind]]:
    """The parts of *node* that *kind* has a type for: key, content, type."""
    origin: Any = get_origin(kind)
    if isinstance(node, dict) and is_typeddict(kind):
        yield from ((key, node[key], below) for key, below in _keys(kind).items() if key in node)
    elif isinstance(node, dict) and origin is dict:
        yield from ((key, value, get_args(kind)[1]) for key, value in node.items())
    elif isinstance(node, list) and origin is list:
        yield from ((index, value, get_args(kind)[0]) for index, value in enumerate(node))


@cache
def _keys(kind: Kind) -> dict[str, Kind]:
    """The keys of a TypedDict and their types, without ``NotRequired``, which is said of a key and not of its type."""
    hints = get_type_hints(kind, include_extras=True)
    return {key: get_args(each)[0] if get_origin(each) is NotRequired else each for key, each in hints.items()}


def _plain(kind: Kind) -> Kind:
    """*kind* without ``Annotated`` and ``| None``."""
    origin: Any = get_origin(kind)
    if origin is Annotated:
        return _plain(get_args(kind)[0])
    if origin in (Union, UnionType):
        return _plain(next(each for each in get_args(kind) if each is not NoneType))
    return kind

"""Documents held against a shape: classes of ``msgspec.Struct`` that name every key and its type.

msgspec says fast whether a document fits. Where it does not fit is then found by a slower pass,
because msgspec's own message leaves out the keys of dictionaries.
"""

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

from msgspec import Struct, UnsetType, ValidationError, convert
from msgspec.structs import fields

from progkit.errors import DocumentError, did_you_mean
from progkit.schema.paths import Path, show

Kind: TypeAlias = Any
"""A type of the shape: a Struct, ``dict[str, K]``, ``list[K]``, ``K | None``, ``Annotated[K, ...]`` or a plain type."""


def require(document: Any, shape: type[Struct], source: str) -> None:
    """Nothing, if *document* fits *shape*.

    Raises:
        DocumentError: at the first place, outside in, that does not fit.
    """
    if _fault(document, shape):
        path, node, kind = _locate(document, shape)
        reason, hint = _explain(node, kind)
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
    if isinstance(node, dict) and _is_struct(kind):
        return kept, extras + [((*path, key), value) for key, value in node.items() if key not in parts]
    if parts:
        return (kept if isinstance(node, dict) else list(kept.values())), extras
    return node, []


def _fault(node: Any, kind: Kind) -> str:
    """What msgspec has against *node*; empty if nothing."""
    try:
        convert(node, kind)
    except ValidationError as error:
        return str(error).partition(" - at ")[0]
    return ""


def _locate(document: Any, shape: Kind) -> tuple[Path, Any, Kind]:
    """The first place that does not fit while every part of it does: its path, content and type."""
    path: Path = ()
    node, kind = document, shape
    while True:
        for key, part, below in _parts(node, _plain(kind)):
            if _fault(part, below):
                path, node, kind = (*path, key), part, below
                break
        else:
            return path, node, kind


def _explain(node: Any, kind: Kind) -> tuple[str, str]:
    """Reason and hint for a *node* that is itself not of *kind*."""
    shape = _plain(kind)
    if _is_struct(shape) and isinstance(node, dict):
        known = [each.encode_name for each in fields(shape)]
        unknown = [str(key) for key in node if key not in known]
        if unknown:
            told = ", ".join(f"{key!r}{did_you_mean(key, known)}" for key in unknown)
            return f"unknown key {told}", f"Known here: {', '.join(known)}"
        missing = [each.encode_name for each in fields(shape) if each.required and each.encode_name not in node]
        return f"missing key {', '.join(map(repr, missing))}", ""
    fault = _fault(node, kind).replace("`", "")
    return fault[:1].lower() + fault[1:], ""


def _parts(node: Any, kind: Kind) -> Iterator[tuple[str | int, Any, Kind]]:
    """The parts of *node* that *kind* has a type for: key, content, type."""
    origin: Any = get_origin(kind)
    if isinstance(node, dict) and _is_struct(kind):
        known = (each for each in fields(kind) if each.encode_name in node)
        yield from ((each.encode_name, node[each.encode_name], each.type) for each in known)
    elif isinstance(node, dict) and origin is dict:
        yield from ((key, value, get_args(kind)[1]) for key, value in node.items())
    elif isinstance(node, list) and origin is list:
        yield from ((index, value, get_args(kind)[0]) for index, value in enumerate(node))


def _plain(kind: Kind) -> Kind:
    """*kind* without ``Annotated``, ``| None`` and ``| UnsetType``."""
    origin: Any = get_origin(kind)
    if origin is Annotated:
        return _plain(get_args(kind)[0])
    if origin in (Union, UnionType):
        return _plain(next(each for each in get_args(kind) if each not in (NoneType, UnsetType)))
    return kind


def _is_struct(kind: Kind) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)

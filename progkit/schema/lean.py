"""Documents read for their use alone: demos as slim records, where all of their values are words. Most are.

A record costs less than a dict to make and to keep, and its values are known to need no decoding. Where the names of
the values are known before, too, and every demo has all of them, the values are a record themselves.
"""

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Any, NotRequired, TypeAlias, TypedDict, get_type_hints

from msgspec import UNSET, Struct, UnsetType, defstruct
from msgspec.structs import asdict

Columns: TypeAlias = tuple[tuple[str, type[str] | type[bool]], ...]
"""What each demo of a predictor holds: names in sorted order, as a file has them, and what kind of word each is."""


class LeanDemo(Struct, gc=False, kw_only=True, forbid_unknown_fields=True):
    """A demo of a document, its values all text, booleans or null; its parts stand in the order of the file."""

    id: str
    inputs: list[str] | UnsetType = UNSET
    values: dict[str, str | bool | None]


class Words(Struct, gc=False):
    """The values of a demo whose names are known: an attribute for each. Of every such set there is a subclass."""


def are_lean(demos: Sequence[Any]) -> bool:
    """Whether the *demos* of a predictor are records; those of a document are all of one kind."""
    return bool(demos) and isinstance(demos[0], Struct)


def named_inputs(demos: Sequence[Any]) -> dict[int, list[str]]:
    """The inputs of those lean *demos* that name them, by index."""
    if type(demos[0]) is not LeanDemo:
        return {}
    named = [demo.inputs for demo in demos]
    if named.count(UNSET) == len(named):  # as a rule: nobody has to look at each
        return {}
    return {index: names for index, names in enumerate(named) if names is not UNSET}


def as_dicts(values: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """The *values* of lean demos, all of one kind, each as a new dict."""
    return map(dict if isinstance(values[0], dict) else asdict, values)


def marks(demos: Sequence[Any]) -> Iterator[tuple[bytes, int]]:
    """Bytes, and how many of each the JSON text of lean *demos* has at least: colons, and quotes where that is known.

    There is one colon behind each key, and a quote on both sides of each key and text. More of them there are where a
    word holds one, or where a demo names its inputs.
    """
    if type(demos[0]) is LeanDemo:
        yield b":", 2 * len(demos) + sum(map(len, [demo.values for demo in demos]))
        return
    kind: Any = type(demos[0].values)
    names, texts = _counted(kind)
    yield b":", (2 + names) * len(demos)
    yield b'"', 2 * (3 + names + texts) * len(demos)


def lean(document: Any, state: Any, predictor: Any) -> Any:
    """The shape *document* with lean demos; *state* and *predictor* are the shapes (TypedDict) on the way to them."""
    slim = _with(predictor, demos=list[LeanDemo])
    return _with(document, state=_with(state, predictors=dict[str, slim]))  # type: ignore[valid-type]


def typed(document: Any, state: Any, predictor: Any, columns: dict[str, Columns]) -> Any:
    """As ``lean``, the values of the demos being ``Words``; *columns* by the path of the predictor.

    Raises:
        TypeError, ValueError: for a name that cannot be an attribute, or a path that msgspec does not find.
    """
    if not "".join(columns).isascii():
        raise ValueError("a key of a TypedDict is not found if it is not ASCII (msgspec 0.22)")
    slim = {path: NotRequired[_with(predictor, demos=list[_demo(each)])] for path, each in columns.items()}  # type: ignore[misc]
    return _with(document, state=_with(state, predictors=TypedDict("Predictors", slim)))  # type: ignore[operator]


@lru_cache(maxsize=32)
def _counted(words: Any) -> tuple[int, int]:
    """How many names there are in *words*, a class, and how many of them are of texts."""
    kinds = list(get_type_hints(words).values())
    return len(kinds), kinds.count(str)


def _demo(columns: Columns) -> Any:
    if any(name.startswith("__") for name, _ in columns):
        raise ValueError("a name that Python may mangle or call")
    words = defstruct("Values", columns, bases=(Words,), gc=False, forbid_unknown_fields=True)
    return defstruct("TypedDemo", [("id", str), ("values", words)], gc=False, forbid_unknown_fields=True)


def _with(shape: Any, **changed: Any) -> Any:
    return TypedDict(shape.__name__, _hints(shape) | changed)  # type: ignore[operator]


@cache
def _hints(shape: Any) -> dict[str, Any]:
    return get_type_hints(shape, include_extras=True)

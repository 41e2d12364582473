"""From any version to the current one: validate, step, validate, until there."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import cache, lru_cache
from typing import Any, Protocol, TypeAlias

from msgspec.json import Decoder

from progkit.errors import DocumentError
from progkit.schema import dspy, v1_0
from progkit.schema.head import CURRENT, Version, detect, header
from progkit.schema.lean import Columns, lean, typed
from progkit.schema.paths import Path
from progkit.schema.shape import require, strip_unknown

Step: TypeAlias = tuple[Version, Callable[[dict[str, Any]], dict[str, Any]]]
"""A version, and its ``upgrade``: pure, a document of the version before in, a new one out."""


class Release(Protocol):
    """What the module of a version has; all but the first also ``upgrade``, a ``Step``."""

    @property
    def Document(self) -> Any:  # noqa: N802 - a class
        """The shape, a TypedDict."""
        ...

    def check(self, document: dict[str, Any], source: str) -> None:
        """Nothing, if *document* of the right shape makes sense; else DocumentError."""
        ...

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema (draft 2020-12) of the version."""
        ...


_MODULES: dict[Version, Release] = {v1_0.VERSION: v1_0}
_STEPS: tuple[Step, ...] = ()
"""The steps to each version but the first, oldest first."""


def validate(document: Any, source: str = "document") -> None:
    """Nothing, if *document* is valid as the version it claims.

    A newer minor that this progkit may read is held against the current version, the keys that it alone knows
    left aside.

    Raises:
        DocumentError: with the exact place and the reason.
        VersionError: if another progkit is needed.
    """
    version = _version(document, source)
    if version > CURRENT:
        document, _ = split_unknown(document)
    module = _MODULES[min(version, CURRENT)]
    require(document, module.Document, source)
    module.check(document, source)


def read_shaped(data: bytes) -> dict[str, Any]:
    """The JSON text *data* as a document with the shape of the current version; ``check`` is still to come.

    One pass, for speed. Keys that the shape does not name are left out: the caller has to notice.

    Raises:
        msgspec.MsgspecError: for any other text.
    """
    document: dict[str, Any] = _decoder(is_lean=False).decode(data)
    return document


def read_lean(data: bytes) -> dict[str, Any]:
    """As ``read_shaped``, faster, with each demo as a ``LeanDemo``, if every value of every demo is a word.

    Raises:
        msgspec.MsgspecError: for any other text.
    """
    document: dict[str, Any] = _decoder(is_lean=True).decode(data)
    return document


def read_typed(data: bytes, columns: tuple[tuple[str, Columns], ...]) -> dict[str, Any]:
    """As ``read_lean``, faster for many demos, if all of them hold just the *columns* of their predictor, by its path.

    Raises:
        msgspec.MsgspecError: for any other text.
        TypeError, ValueError: for names that cannot be read so.
    """
    document: dict[str, Any] = _typed_decoder(columns).decode(data)
    return document


@lru_cache(maxsize=32)
def _typed_decoder(columns: tuple[tuple[str, Columns], ...]) -> Decoder[Any]:
    current: Any = _MODULES[CURRENT]
    return Decoder(typed(current.Document, current.State, current.Predictor, dict(columns)))


@cache
def _decoder(is_lean: bool) -> Decoder[Any]:
    """The decoder of the current version."""
    current: Any = _MODULES[CURRENT]  # whose module also has its State and its Predictor
    return Decoder(lean(current.Document, current.State, current.Predictor) if is_lean else current.Document)


def check(document: dict[str, Any], source: str) -> None:
    """Nothing, if *document*, which has the shape of the current version, makes sense.

    Raises:
        DocumentError: at the first place that does not.
        VersionError: if another progkit is needed.
    """
    _version(document, source)
    _MODULES[CURRENT].check(document, source)


def migrate(document: Any, source: str = "document") -> dict[str, Any]:
    """*document* as the current version would have been written; a newer minor stays what it is.

    Raises:
        DocumentError: if it is not valid as the version it claims.
        VersionError: if another progkit is needed.
    """
    validate(document, source)
    version = _version(document, source)
    return climb(document, (step for step in _STEPS if step[0] > version), source)


def climb(document: dict[str, Any], steps: Iterable[Step], source: str) -> dict[str, Any]:
    """*document* after each of *steps*, validated after each."""
    for _, upgrade in steps:
        document = upgrade(document)
        validate(document, source)
    return document


def split_unknown(document: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[Path, Any]]]:
    """*document* as one of the current version, and what that leaves out: ``[(path, value), ...]``.

    Only of a newer minor is anything left out: its header, and the keys that it alone knows. In a path, a demo is
    named by its id.
    """
    version = _version(document)
    if version <= CURRENT:
        return document, []
    ours = header()
    known, extras = strip_unknown(document, _MODULES[CURRENT].Document)
    return {**known, **ours}, [((name,), document[name]) for name in ours] + extras


def graft(document: dict[str, Any], extras: list[tuple[Path, Any]]) -> dict[str, Any]:
    """*document* with *extras* of ``split_unknown`` put back, where what they belong to is still there."""
    if not extras:
        return document
    grown = deepcopy(document)
    for path, value in extras:
        parent: Any = grown
        for step in path[:-1]:
            parent = _step_into(parent, step)
        if isinstance(parent, dict):
            parent[str(path[-1])] = deepcopy(value)
    return grown


def json_schema(version: Version = CURRENT) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a released *version*.

    Raises:
        KeyError: for a version that is none of VERSIONS.
    """
    return _MODULES[version].json_schema()


def _version(document: Any, source: str = "document") -> Version:
    """The version of *document*, which must be ours."""
    kind, version = detect(document, source)
    if kind == dspy.KIND:
        raise DocumentError(source, "", "is a DSPy state file: artifact.read and load() take it in, here it is none")
    return version


def _step_into(parent: Any, step: str | int) -> Any:
    """The part of *parent* that *step* names, or None."""
    if isinstance(parent, list):
        return next((each for each in parent if isinstance(each, dict) and each.get("id") == step), None)
    return parent.get(step) if isinstance(parent, dict) else None

"""Documents read for their use alone: demos as slim records, where all of their values are words. Most are.

A record costs less than a dict to make and to keep, and its values are known to need no decoding.
"""

from collections.abc import Sequence
from typing import Any, TypedDict, get_type_hints

from msgspec import UNSET, Struct, UnsetType


class LeanDemo(Struct, gc=False, kw_only=True, forbid_unknown_fields=True):
    """A demo of a document, its values all text, booleans or null; its parts stand in the order of the file."""

    id: str
    inputs: list[str] | UnsetType = UNSET
    values: dict[str, str | bool | None]


def are_lean(demos: Sequence[Any]) -> bool:
    """Whether the *demos* of a predictor are ``LeanDemo``; those of a document are all of one kind."""
    return bool(demos) and type(demos[0]) is LeanDemo


def named_inputs(demos: Sequence[LeanDemo]) -> dict[int, list[str]]:
    """The inputs of those *demos* that name them, by index."""
    named = [demo.inputs for demo in demos]
    if named.count(UNSET) == len(named):  # as a rule: nobody has to look at each
        return {}
    return {index: names for index, names in enumerate(named) if names is not UNSET}


def lean(document: Any, state: Any, predictor: Any) -> Any:
    """The shape *document* with lean demos; *state* and *predictor* are the shapes (TypedDict) on the way to them."""
    slim = _with(predictor, demos=list[LeanDemo])
    return _with(document, state=_with(state, predictors=dict[str, slim]))  # type: ignore[valid-type]


def _with(shape: Any, **changed: Any) -> Any:
    hints = get_type_hints(shape, include_extras=True) | changed
    return TypedDict(shape.__name__, hints)  # type: ignore[operator]

"""Whole documents merged: which rule each part has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from progkit import schema
from progkit.artifact.merging.demos import demos
from progkit.artifact.merging.sequences import lines, ordered
from progkit.artifact.merging.threeway import (
    MISSING,
    Clash,
    Conflict,
    Place,
    Split,
    keyed,
    said,
    same,
    three_way,
    whole,
)

_HEAD = ("$schema", "min_reader", "version")


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge made: a *document*, and its *conflicts*.

    Where there are conflicts, the document holds ``Clash`` and ``Split`` in their places: ``marked`` writes it.
    """

    document: dict[str, Any]
    conflicts: list[Conflict]


def merge(base: dict[str, Any] | None, ours: dict[str, Any], theirs: dict[str, Any]) -> Merged:
    """*ours* and *theirs*, two documents as ``schema.migrate`` gives them, that both come from *base*.

    base: None if both sides added the file. Who saved is ours to say; of two versions the newer is taken.

    Raises:
        DocumentError: if there is no conflict, and what came out is no valid document.
    """
    place = Place()
    merged: dict[str, Any] = three_way(MISSING if base is None else base, ours, theirs, _document, place)
    if not place.conflicts:
        schema.validate(merged, "the merged document")
    return Merged(merged, place.conflicts)


def _document(base: Any, ours: Any, theirs: Any, place: Place) -> Any:
    newer = max(ours, theirs, key=lambda each: each["version"])
    before, mine, others = (side if side is MISSING else {**side, **_head_of(newer)} for side in (base, ours, theirs))
    return _PARTS(before, mine, others, place)


def _head_of(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: document[key] for key in _HEAD}


def _ours(base: Any, ours: Any, theirs: Any, place: Place) -> Any:
    return ours


def _union(base: Any, ours: Any, theirs: Any, place: Place) -> Any:
    return sorted({*ours, *theirs})


# --- predictors -----------------------------------------------------------------------------------


def _predictors(base: Any, ours: Any, theirs: Any, place: Place) -> Any:
    """By path; what one side moved to another path is found there with what the other side did to it."""
    before: dict[str, Any] = {} if base is MISSING else dict(base)
    mine, others = dict(ours), dict(theirs)
    clashes: dict[str, Clash] = {}
    for side, other, is_ours in ((mine, others, True), (others, mine, False)):
        for old, new in _moves(before, side).items():
            if old in other and new not in other:
                other[new] = other.pop(old)
                before[new] = before.pop(old)
            elif new not in other:
                who = "us" if is_ours else "them"
                place.conflict(f"moved from {old} by {who}, deleted or moved elsewhere on the other side", new)
                node = side.pop(new)
                clashes[new] = Clash(node, MISSING) if is_ours else Clash(MISSING, node)
    merged = keyed({}, _PREDICTOR)(before, mine, others, place)
    return {**merged, **clashes}


def _moves(before: Mapping[str, Any], side: Mapping[str, Any]) -> dict[str, str]:
    """Paths of *before* at which *side* has nothing, with the new path that has the same, where that is certain."""
    gone, come = ([path for path in one if path not in other] for one, other in ((before, side), (side, before)))
    found = {old: [new for new in come if same(before[old], side[new])] for old in gone}
    every = [new for candidates in found.values() for new in candidates]
    return {old: news[0] for old, news in found.items() if len(news) == 1 and every.count(news[0]) == 1}


# --- signatures -----------------------------------------------------------------------------------


def _signature(base: Any, ours: Any, theirs: Any, place: Place) -> Any:
    """By part; the order of the fields is settled when it is known which there are."""
    merged: dict[str, Any] = _SIGNATURE_PARTS(base, ours, theirs, place)
    fields = merged["fields"]
    old = [] if base is MISSING else base["order"]
    order = ordered(old, ours["order"], theirs["order"], fields)
    if order is None:
        return {**merged, "order": whole(old, ours["order"], theirs["order"], place.below("order"))}
    return {**merged, "order": [_standing(name, fields[name]) for name in order]}


def _standing(name: str, field: Any) -> Any:
    """The *name* of a field in the order; on the side that keeps it alone where the other has taken it out."""
    if isinstance(field, Clash) and MISSING in (field.ours, field.theirs):
        return Split([], [name]) if field.ours is MISSING else Split([name], [])
    return name


def _instructions(base: Any, ours: Any, theirs: Any, place: Place) -> Any:
    merged = lines([] if base is MISSING else base, ours, theirs)
    if any(isinstance(each, Split) for each in merged):
        place.conflict(said(base, ours, theirs))
    return merged


_SIGNATURE_PARTS = keyed({"fields": keyed({}, keyed({})), "instructions": _instructions, "order": _ours})
_PREDICTOR = keyed(
    {"config": keyed({}), "demos": demos, "kept": keyed({}), "lm": keyed({}), "signature": _signature},
)
_PARTS = keyed(
    {
        "origin": keyed({}),
        "requires": _union,
        "saved_with": _ours,
        "state": keyed({"others": keyed({}), "predictors": _predictors}),
    }
)

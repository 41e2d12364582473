"""Demos merged: matched by content, never by an id that a person may have left as it was."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from progkit.artifact.encoding import demo_ids
from progkit.artifact.merging.sequences import ordered, replaced
from progkit.artifact.merging.threeway import MISSING, Clash, Place, Split, said, three_way

Demo: TypeAlias = Mapping[str, Any]


def demos(base: Any, ours: Any, theirs: Any, place: Place) -> Any:
    """The rule of a predictor's demos: what either side added, in order; what either took out is gone.

    A demo that stands where another stood, which is gone, is that one edited. Two edits of one demo clash, and so
    do an edit and a removal. The ids are made anew.
    """
    before = _named([] if base is MISSING else base)
    mine, others = (_traced(before, _named(side)) for side in (ours, theirs))
    merged: dict[str, Any] = {}
    for name in [*before, *(each for each in [*mine, *others] if each not in before)]:
        old, one, other = (each.get(name, MISSING) for each in (before, mine, others))
        demo = three_way(old, one, other, _clashing, place.below(name))
        if demo is not MISSING:
            merged[name] = demo
    order = ordered(list(before), list(mine), list(others), merged)
    if order is None:
        place.conflict("reordered by both, differently")
        return Clash(ours, theirs)
    return _numbered([merged[name] for name in order])


def _named(demos: Sequence[Demo]) -> dict[str, Demo]:
    """The demos by the ids that their values give them, each without the one that it bears."""
    names = demo_ids(demo["values"] for demo in demos)
    return {name: {key: demo[key] for key in demo if key != "id"} for name, demo in zip(names, demos, strict=True)}


def _traced(before: Mapping[str, Demo], side: Mapping[str, Demo]) -> dict[str, Demo]:
    """The demos of a *side*, those that it edited under the name that they have in *before*."""
    edited = {new: old for old, new in replaced(list(before), list(side)).items()}
    return {edited.get(name, name): demo for name, demo in side.items()}


def _clashing(base: Any, ours: Any, theirs: Any, place: Place) -> Split:
    place.conflict(said(base, ours, theirs))
    return Split(*([] if side is MISSING else [side] for side in (ours, theirs)))


def _numbered(merged: list[Any]) -> list[Any]:
    """The merged demos with ids; an id in a split is that of its values alone."""
    plain = [demo for demo in merged if not isinstance(demo, Split)]
    names = iter(demo_ids(demo["values"] for demo in plain))
    return [
        Split(_numbered(demo.ours), _numbered(demo.theirs)) if isinstance(demo, Split) else {"id": next(names), **demo}
        for demo in merged
    ]

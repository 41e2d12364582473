"""Lists merged: names in an order, and lines."""

from collections.abc import Collection, Sequence
from difflib import SequenceMatcher
from typing import Any, TypeAlias

from progkit.artifact.merging.threeway import Split

START = ""
"""What stands before the first entry."""

Names: TypeAlias = Sequence[str]


def ordered(base: Names, ours: Names, theirs: Names, kept: Collection[str]) -> list[str] | None:
    """The names *kept*, each in one side at least, in the order that the sides make of the *base*'s.

    A side's new names come after what they come after there; in the same place, ours first. None if both sides
    reordered what all three have, differently.
    """
    both = set(ours) & set(theirs) & set(kept)
    shared = _shared_order(base, ours, theirs, both)
    if shared is None:
        return None
    mine, others = (_following(side, both, kept) for side in (ours, theirs))
    merged: list[str] = []
    for name in [START, *shared]:
        merged += [name, *mine.get(name, ()), *others.get(name, ())]
    return merged[1:]


def _shared_order(base: Names, ours: Names, theirs: Names, both: Collection[str]) -> list[str] | None:
    """The order of the names that *both* sides keep."""
    mine, others = ([name for name in side if name in both] for side in (ours, theirs))
    old, common = [name for name in base if name in both], set(base)
    mine_of_old, others_of_old = ([name for name in side if name in common] for side in (mine, others))
    if mine_of_old == others_of_old or others_of_old == old:
        return mine
    return others if mine_of_old == old else None


def _following(side: Names, both: Collection[str], kept: Collection[str]) -> dict[str, list[str]]:
    """The kept names that *side* alone has, by the name of *both* that they follow."""
    after: dict[str, list[str]] = {}
    last = START
    for name in side:
        if name in both:
            last = name
        elif name in kept:
            after.setdefault(last, []).append(name)
    return after


def replaced(base: Names, side: Names) -> dict[str, str]:
    """Names of *base* that *side* has not, each with the new name that stands in its place: base to side."""
    common = set(base) & set(side)
    old, new = _runs(base, common), _runs(side, common)
    return {mine: other for last, names in old.items() for mine, other in zip(names, new.get(last, ()), strict=False)}


def _runs(names: Names, common: Collection[str]) -> dict[str, list[str]]:
    """The names that are not *common*, by the common one before them."""
    return _following(names, common, names)


def lines(base: Sequence[str], ours: Sequence[str], theirs: Sequence[str]) -> list[Any]:
    """Lines merged as git merges them: a ``Split`` where both sides changed the same or adjoining ones."""
    mine, others = _matches(base, ours), _matches(base, theirs)
    merged: list[Any] = []
    at, mine_at, others_at = 0, 0, 0
    stable = [index for index in range(len(base)) if index in mine and index in others]
    for index in [*stable, len(base)]:
        mine_to, others_to = mine.get(index, len(ours)), others.get(index, len(theirs))
        if index == len(base):
            mine_to, others_to = len(ours), len(theirs)
        merged += _settled([*base[at:index]], [*ours[mine_at:mine_to]], [*theirs[others_at:others_to]])
        merged += base[index : index + 1]
        at, mine_at, others_at = index + 1, mine_to + 1, others_to + 1
    return merged


def _settled(base: list[str], ours: list[str], theirs: list[str]) -> list[Any]:
    if ours == theirs or theirs == base:
        return ours
    return theirs if ours == base else [Split(ours, theirs)]


def _matches(base: Sequence[str], side: Sequence[str]) -> dict[int, int]:
    """The lines of *base* that *side* still has, in order: index to index."""
    blocks = SequenceMatcher(None, base, side, autojunk=False).get_matching_blocks()
    return {start + n: there + n for start, there, size in blocks for n in range(size)}

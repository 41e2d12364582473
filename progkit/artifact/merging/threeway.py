"""The rule of every merge: a change that one side made is taken; two that differ clash."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

from progkit.artifact.encoding import alike
from progkit.schema import Path, show


class Nothing(Enum):
    """What a side says of a thing that it does not have; null is something."""

    MISSING = "missing"


MISSING: Final = Nothing.MISSING


@dataclass(frozen=True, slots=True)
class Clash:
    """A value on which the sides differ, each having changed it; MISSING for a side that took it out."""

    ours: Any
    theirs: Any


@dataclass(frozen=True, slots=True)
class Split:
    """Entries of a list on which the sides differ: what each has in this place, which may be nothing."""

    ours: list[Any]
    theirs: list[Any]


@dataclass(frozen=True, slots=True)
class Conflict:
    """A place where both sides changed the same thing, and how."""

    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


class Place:
    """A place in the three documents, and the conflicts found below it."""

    def __init__(self, path: Path = (), conflicts: list[Conflict] | None = None) -> None:
        self.path = path
        self.conflicts: list[Conflict] = [] if conflicts is None else conflicts

    def below(self, step: str) -> "Place":
        """The place under the key *step*."""
        return Place((*self.path, step), self.conflicts)

    def conflict(self, reason: str, *steps: str) -> None:
        """Note that the sides differ here, or below at *steps*."""
        self.conflicts.append(Conflict(show((*self.path, *steps)), reason))


Rule: TypeAlias = Callable[[Any, Any, Any, Place], Any]
"""Merges base, ours and theirs, which all differ; MISSING stands for what is not there."""


def three_way(base: Any, ours: Any, theirs: Any, rule: Rule, place: Place) -> Any:
    """What the sides make of *base* together; MISSING if it is to go."""
    if same(ours, theirs) or same(base, theirs):
        return ours
    if same(base, ours):
        return theirs
    return rule(base, ours, theirs, place)


def whole(base: Any, ours: Any, theirs: Any, place: Place) -> Clash:
    """The rule of what has no parts that could be merged."""
    place.conflict(said(base, ours, theirs))
    return Clash(ours, theirs)


def said(base: Any, ours: Any, theirs: Any) -> str:
    """How the sides differ, in words."""
    if ours is MISSING or theirs is MISSING:
        return f"deleted by {'us' if ours is MISSING else 'them'}, changed by {'them' if ours is MISSING else 'us'}"
    return "added by both, differently" if base is MISSING else "changed by both, differently"


def keyed(rules: Mapping[str, Rule], other: Rule = whole) -> Rule:
    """The rule of a dict that is merged by key, each by its own of *rules*, or by the *other*."""

    def rule(base: Any, ours: Any, theirs: Any, place: Place) -> Any:
        if not isinstance(ours, dict) or not isinstance(theirs, dict):
            return whole(base, ours, theirs, place)
        before = base if isinstance(base, dict) else {}
        merged = {}
        for key in sorted({*before, *ours, *theirs}):
            old, one, two = (each.get(key, MISSING) for each in (before, ours, theirs))
            value = three_way(old, one, two, rules.get(key, other), place.below(key))
            if value is not MISSING:
                merged[key] = value
        return merged

    return rule


def same(one: Any, other: Any) -> bool:
    """Whether both are the same plain data, or both MISSING."""
    if one is MISSING or other is MISSING:
        return one is other
    return alike(one, other)

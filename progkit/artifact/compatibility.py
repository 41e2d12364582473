"""Whether callers of one saved program would break with another: its predictors, their inputs and outputs.

A caller passes inputs and reads outputs. An input may take more than before and an output may give less; the reverse
breaks somebody. Instructions, demos, settings and the order of fields are no matter of callers.
"""

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from progkit.artifact.dspy.matching import settle
from progkit.artifact.subtyping import is_within, values_of
from progkit.schema import decode_value

BREAKING, UNKNOWN = "breaking", "unknown"

_KEEPS: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "min_length": lambda value, bound: len(value) >= bound,
    "max_length": lambda value, bound: len(value) <= bound,
    "multiple_of": lambda value, bound: value % bound == 0,
}
_OF_WHOLE_NUMBERS = (("allow_inf_nan", False), ("multiple_of", 1))
_UPPER = ("lt", "le", "max_length")
_LOWER = ("gt", "ge", "min_length")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that breaks callers, or may (*verdict*): in which predictor (its *path*), of what, and why."""

    path: str
    part: str
    verdict: str
    reason: str

    def to_dict(self) -> dict[str, str]:
        """The finding as plain data."""
        return {"path": self.path, "part": self.part, "verdict": self.verdict, "reason": self.reason}


def breaks(old: dict[str, Any], new: dict[str, Any]) -> list[Finding]:
    """What callers of *old* would trip over in *new*, two documents of the current version; nothing if they would not.

    What cannot be decided from files alone, as the classes in their types are not there, is ``unknown``.
    """
    mine, theirs = _predictors(old, new), _predictors(new, old)
    come = [path for path in theirs if path not in mine]
    found = []
    for path, node in mine.items():
        if path in theirs:
            found += [Finding(path, *each) for each in _of_signature(node["signature"], theirs[path]["signature"])]
        else:
            near = _renamed(path, node, {each: theirs[each] for each in come})
            found.append(Finding(path, "predictor", BREAKING, f"is now {near}" if near else "is gone"))
    return found


def _predictors(document: dict[str, Any], other: dict[str, Any]) -> Mapping[str, Any]:
    """The predictors of *document*, guessed names settled with the *other*; an unknown type stays so."""
    live = {path: _untyped(each["signature"]) for path, each in other["state"]["predictors"].items()}
    predictors: Mapping[str, Any] = settle(document, live)[0]["state"]["predictors"]
    return predictors


def _untyped(signature: Mapping[str, Any]) -> dict[str, Any]:
    return {**signature, "fields": {name: {**each, "type": ""} for name, each in signature["fields"].items()}}


def _renamed(path: str, node: Mapping[str, Any], come: Mapping[str, Any]) -> str:
    """The new path that *path* may have got; "" if none."""
    fields = node["signature"]["fields"]
    same = [new for new, each in come.items() if each["signature"]["fields"].keys() == fields.keys()]
    return next(iter([*get_close_matches(path, same or list(come), n=1), *same]), "")


_Found = tuple[str, str, str]


def _of_signature(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[_Found]:
    before, after = old["fields"], new["fields"]
    for name in old["order"]:
        mine, theirs = before[name], after.get(name)
        if theirs is None:
            near = get_close_matches(name, [each for each in new["order"] if each not in before], n=1)
            yield _part(name, mine), BREAKING, f"is now {near[0]}" if near else "is gone"
        elif mine["role"] != theirs["role"]:
            yield _part(name, mine), BREAKING, f"is an {theirs['role']} now"
        else:
            yield from ((_part(name, mine), *each) for each in _of_field(mine, theirs))
    for name in new["order"]:
        if name not in before and after[name]["role"] != "output" and "default" not in after[name]:
            yield _part(name, after[name]), BREAKING, "is new and has no default: callers must pass it"


def _part(name: str, field: Mapping[str, Any]) -> str:
    return f"{field['role'] or 'field'} {name}"


def _of_field(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with a field of the same name and role."""
    takes = old["role"] != "output"
    within = is_within(old["type"], new["type"]) if takes else is_within(new["type"], old["type"])
    if within is not True:
        change = f"{old['type'] or '(unknown)'} became {new['type'] or '(unknown)'}"
        effect = "what callers pass may not fit" if takes else "what callers read may be something else"
        yield UNKNOWN if within is None else BREAKING, f"{change}: {effect}"
    if takes and "default" in old and "default" not in new:
        yield BREAKING, "has no default any more: callers must pass it"
    # What callers pass keeps to what was asked of it; what they read was promised to keep to that.
    kept, asked = (old, new) if takes else (new, old)
    given = decode_value(kept["constraints"])
    for name, bound in decode_value(asked["constraints"]).items():
        if not (_always(name, bound, kept["type"]) or _implied(name, bound, given, is_within(kept["type"], "int"))):
            said = f"{name}={bound!r}"
            yield BREAKING, f"must now have {said}" if takes else f"need not have {said} any more"


def _always(name: str, bound: Any, given: str) -> bool:
    """Whether every value of the type *given* keeps to *name* with this *bound*, whatever else is asked of it."""
    if (name == "min_length" and bound == 0) or (is_within(given, "int") and (name, bound) in _OF_WHOLE_NUMBERS):
        return True
    values, keeps = values_of(given), _KEEPS.get(name)
    try:
        return values is not None and keeps is not None and all(keeps(each, bound) for each in values)
    except (TypeError, ArithmeticError):
        return False  # values that cannot be compared


def _implied(name: str, bound: Any, given: Mapping[str, Any], is_whole: bool | None) -> bool:
    """Whether what keeps all that is *given* keeps to *name* with this *bound*, too; *is_whole*: of ints."""
    if name in given and given[name] == bound:
        return True
    if name == "allow_inf_nan":
        return bool(bound)
    try:
        if is_whole:
            name, bound = _closed(name, bound)
            given = dict(_closed(each, limit) for each, limit in given.items())
        if name in _UPPER:
            return any(each in given and _below(each, given[each], name, bound) for each in _UPPER if _fits(each, name))
        if name in _LOWER:
            return any(each in given and _above(each, given[each], name, bound) for each in _LOWER if _fits(each, name))
        if name == "multiple_of" and name in given:
            return bool(given[name] % bound == 0)
    except (TypeError, ArithmeticError):
        return False  # bounds that cannot be compared
    return False


def _closed(name: str, bound: Any) -> tuple[str, Any]:
    """The same for whole numbers, with the bound itself allowed."""
    if name == "gt":
        return "ge", math.floor(bound) + 1
    return ("le", math.ceil(bound) - 1) if name == "lt" else (name, bound)


def _fits(one: str, other: str) -> bool:
    """Whether two constraints are about the same thing: the value, or its length."""
    return one.endswith("_length") == other.endswith("_length")


def _below(one: str, bound: Any, name: str, limit: Any) -> bool:
    return bool(bound < limit or (bound == limit and (one == "lt" or name != "lt")))


def _above(one: str, bound: Any, name: str, limit: Any) -> bool:
    return bool(bound > limit or (bound == limit and (one == "gt" or name != "gt")))

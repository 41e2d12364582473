"""Two documents compared by meaning: predictors by path, fields by name, demos by id."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from progkit.artifact.dspy.matching import settle
from progkit.artifact.encoding import alike


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: in which predictor (its *path*), of what (*part*), and the two values; None for nothing."""

    path: str
    part: str
    before: Any
    after: Any

    def to_dict(self) -> dict[str, Any]:
        """The difference as plain data."""
        return {"path": self.path, "part": self.part, "before": self.before, "after": self.after}


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """What differs between two current-version documents: what is not known in one of them does not.

    A document whose field names are guessed is first settled with the other's.
    """
    before, after = settle(before, _signatures(after))[0], settle(after, _signatures(before))[0]
    found = list(_of_parts(before["state"].get("others", {}), after["state"].get("others", {}), "part"))
    old, new = before["state"]["predictors"], after["state"]["predictors"]
    for path in [*old, *(each for each in new if each not in old)]:
        if path in old and path in new:
            found += [Change(path, *each) for each in _of_predictor(old[path], new[path])]
        else:
            found.append(Change(path, "predictor", old.get(path), new.get(path)))
    return found


_Found = tuple[str, Any, Any]


def _signatures(document: Mapping[str, Any]) -> dict[str, Any]:
    return {path: each["signature"] for path, each in document["state"]["predictors"].items()}


def _of_parts(old: Mapping[str, Any], new: Mapping[str, Any], what: str) -> Iterator[Change]:
    for path in [*old, *(each for each in new if each not in old)]:
        if not alike(old.get(path), new.get(path)):
            yield Change(path, what, old.get(path), new.get(path))


def _of_predictor(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[_Found]:
    if old.get("layout") != new.get("layout"):
        yield "layout", old.get("layout"), new.get("layout")
    yield from _of_signature(old["signature"], new["signature"])
    yield from _of_demos(old["demos"], new["demos"])
    for part in ("config", "lm", "kept"):
        yield from _of_mapping(old.get(part) or {}, new.get(part) or {}, part)


def _of_signature(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[_Found]:
    if old["instructions"] != new["instructions"]:
        yield "instructions", "\n".join(old["instructions"]), "\n".join(new["instructions"])
    for name in [*old["order"], *(each for each in new["order"] if each not in old["fields"])]:
        mine, theirs = old["fields"].get(name), new["fields"].get(name)
        if mine is None or theirs is None:
            yield f"field {name}", mine, theirs
            continue
        for key in ("role", "type", "desc", "prefix", "constraints", "default"):
            one, other = mine.get(key), theirs.get(key)
            known = "" not in (mine["type"], theirs["type"]) or key in ("desc", "prefix")
            if not alike(one, other) and known:
                yield f"field {name}.{key}", one, other
    both = [name for name in old["order"] if name in new["fields"]]
    if both != [name for name in new["order"] if name in old["fields"]]:
        yield "field order", old["order"], new["order"]


def _of_demos(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> Iterator[_Found]:
    mine, theirs = ({each["id"]: each for each in demos} for demos in (old, new))
    for name in mine:
        if name not in theirs:
            yield f"demo {name}", mine[name]["values"], None
    for name in theirs:
        if name not in mine:
            yield f"demo {name}", None, theirs[name]["values"]
        elif not alike(mine[name]["values"], theirs[name]["values"]):  # edited by hand, the id left as it was
            yield f"demo {name}", mine[name]["values"], theirs[name]["values"]
        elif mine[name].get("inputs") != theirs[name].get("inputs"):
            yield f"demo {name}.inputs", mine[name].get("inputs"), theirs[name].get("inputs")
    both = [name for name in mine if name in theirs]
    if both != [name for name in theirs if name in mine]:
        yield "demo order", both, [name for name in theirs if name in mine]


def _of_mapping(old: Mapping[str, Any], new: Mapping[str, Any], part: str) -> Iterator[_Found]:
    for name in [*old, *(each for each in new if each not in old)]:
        if not alike(old.get(name), new.get(name)):
            yield f"{part}.{name}", old.get(name), new.get(name)

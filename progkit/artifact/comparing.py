"""A document held against a live program: by names, as sets."""

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from progkit.artifact.report import FieldChanges, LoadReport
from progkit.schema import decode_value
from progkit.schema.dspy import ROOT

_MAX_GUESSES = 100_000
"""Pairs of names that are held against each other, which takes some microseconds each."""


def compare(
    document: Mapping[str, Any], live: Mapping[str, Mapping[str, Any]], parts: Collection[str] = ()
) -> LoadReport:
    """Every difference between a current-version *document* and a program.

    live: the program's predictors by path, each signature described as in a document. parts: paths of all its
    modules: source code that DSPy saved is missed where there is none.
    """
    saved = {name: each["signature"] for name, each in document["state"]["predictors"].items()}
    missing = [name for name in live if name not in saved]
    extra = [name for name in saved if name not in live]
    others = document["state"].get("others", {})
    extra += [name for name, node in others.items() if (name not in parts or name == ROOT) and _is_code(node)]
    fields = {name: _field_changes(saved[name], live[name]) for name in live if name in saved}
    return LoadReport(
        missing,
        extra,
        _renamed(extra, missing),
        {name: changes for name, changes in fields.items() if changes != FieldChanges()},
    )


def _is_code(node: Any) -> bool:
    """Whether another library's part is source code (a Flex of DSPy's)."""
    value = decode_value(node)
    return isinstance(value, dict) and "module_src" in value


def _field_changes(saved: Mapping[str, Any], live: Mapping[str, Any]) -> FieldChanges:
    before, after = saved["fields"], live["fields"]
    both = [name for name in live["order"] if name in before]
    types = [(name, before[name]["type"], after[name]["type"]) for name in both]
    added = [name for name in live["order"] if name not in before]
    removed = [name for name in saved["order"] if name not in after]
    return FieldChanges(
        added,
        removed,
        _renamed(removed, added),
        [(name, old, new) for name, old, new in types if old != new and old],
        [name for name in both if before[name]["role"] not in ("", after[name]["role"])],
        both != [name for name in saved["order"] if name in after],
    )


def _renamed(gone: Iterable[str], come: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of old and new name that are alike, each name in one pair at most; of very many names, none."""
    gone, left = list(gone), list(come)
    pairs: list[tuple[str, str]] = []
    if len(gone) * len(left) > _MAX_GUESSES:
        return pairs
    for name in gone:
        near = get_close_matches(name, left, n=1)
        if near:
            left.remove(near[0])
            pairs.append((name, near[0]))
    return pairs

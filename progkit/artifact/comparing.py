"""A document held against a live program: by names, as sets."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from progkit.artifact.report import FieldChanges, LoadReport


def compare(document: Mapping[str, Any], live: Mapping[str, Mapping[str, Any]]) -> LoadReport:
    """Every difference between a current-version *document* and a program.

    live: the program's predictors by path, each signature described as in a document.
    """
    saved = {name: each["signature"] for name, each in document["state"]["predictors"].items()}
    missing = [name for name in live if name not in saved]
    extra = [name for name in saved if name not in live]
    fields = {name: _field_changes(saved[name], live[name]) for name in live if name in saved}
    return LoadReport(
        missing,
        extra,
        _renamed(extra, missing),
        {name: changes for name, changes in fields.items() if changes != FieldChanges()},
    )


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
        [(name, old, new) for name, old, new in types if old != new],
        [name for name in both if before[name]["role"] != after[name]["role"]],
        both != [name for name in saved["order"] if name in after],
    )


def _renamed(gone: Iterable[str], come: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of old and new name that are alike, each name in one pair at most."""
    left = list(come)
    pairs = []
    for name in gone:
        near = get_close_matches(name, left, n=1)
        if near:
            left.remove(near[0])
            pairs.append((name, near[0]))
    return pairs

"""Documents compared by meaning."""

from copy import deepcopy
from pathlib import Path
from typing import Any

from dspy_states import path_of

from progkit import artifact
from progkit.artifact import Change

FULL = artifact.read(Path(__file__).parent.parent / "fixtures" / "state" / "1.0" / "full.json")


def changed(change: Any) -> list[Change]:
    """The differences that *change* makes to the predictor ``triage.predict``."""
    after = deepcopy(FULL)
    change(after["state"]["predictors"]["triage.predict"])
    return artifact.differences(FULL, after)


def test_a_document_does_not_differ_from_itself() -> None:
    """Nothing to tell."""
    assert artifact.differences(FULL, deepcopy(FULL)) == []


def test_demos_are_known_by_their_ids() -> None:
    """A demo that moved is not a new one; nor is one whose inputs are named otherwise."""
    ids = [each["id"] for each in FULL["state"]["predictors"]["triage.predict"]["demos"]]

    moved = changed(lambda node: node["demos"].reverse())
    marked = changed(lambda node: node["demos"][0].update(inputs=["x"]))

    assert [(each.part, each.before) for each in moved] == [("demo order", ids)]
    assert [each.part for each in marked] == [f"demo {ids[0]}.inputs"]


def test_fields_are_known_by_their_names() -> None:
    """Their order is a difference of its own."""
    found = changed(lambda node: node["signature"]["order"].reverse())

    assert [each.part for each in found] == ["field order"]


def test_layouts_and_what_is_kept_are_compared() -> None:
    """They decide prompts, and what goes back to DSPy."""
    found = changed(lambda node: node.update(layout="3.0", kept={"train": [1]}))

    assert [each.to_dict() for each in found] == [
        {"path": "triage.predict", "part": "layout", "before": None, "after": "3.0"},
        {"path": "triage.predict", "part": "kept.train", "before": None, "after": [1]},
    ]


def test_parts_that_are_no_predictors_are_compared() -> None:
    """Source code of a Flex, for one."""
    before = artifact.read(path_of("3.4.1", "flex_inside"))
    after = deepcopy(before)
    del after["state"]["others"]

    assert [(each.path, each.part) for each in artifact.differences(before, after)] == [("flex", "part")]
    assert [each.part for each in artifact.differences(after, before)] == ["part"]

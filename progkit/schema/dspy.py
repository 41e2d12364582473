"""DSPy's state files, 2.6 to 3.4: how one is recognised, and what its parts must be. Shapes alone, nothing is read.

A file of one predictor is that predictor's state at top level; any other maps paths (``hops[0].predict``) to
states. ``metadata`` stands beside them. What a version writes is told in the README's table and frozen under
``fixtures/dspy/VERSION/states``.
"""

import re
from collections.abc import Iterator
from typing import Any, NotRequired, TypeAlias, TypedDict

from progkit.errors import DocumentError
from progkit.schema.paths import Path
from progkit.schema.shape import require, strip_unknown

KIND = "dspy.state"
METADATA = "metadata"
ROOT = "self"
"""The path of a predictor that is the whole program."""

Part: TypeAlias = tuple[str, Any]
"""A path, and what the file has there."""


class Description(TypedDict):
    """A field: its place in the list is all that says which."""

    prefix: str
    description: str


class Signature(TypedDict):
    """Inputs first, then outputs."""

    instructions: str
    fields: list[Description]


class Predictor(TypedDict):
    """The state of a predictor; ``fields`` (3.4) are settings of decisions."""

    demos: list[dict[str, Any]]
    signature: Signature
    lm: NotRequired[dict[str, Any] | None]
    traces: NotRequired[list[Any]]
    train: NotRequired[list[Any]]
    fields: NotRequired[dict[str, Any]]


def is_state(document: Any) -> bool:
    """Whether *document* is one of DSPy's, going by its shape: it does not say so itself."""
    if not isinstance(document, dict) or isinstance(document.get("format"), str):
        return False
    return "dspy" in versions(document) or any(is_predictor(each) for each in (document, *document.values()))


def is_predictor(node: Any) -> bool:
    """Whether *node* is meant as the state of a predictor."""
    if not isinstance(node, dict) or "demos" not in node or not {"signature", "traces"} & node.keys():
        return False
    return not is_predictor(node["demos"])  # or else a program that calls its predictors so


def versions(document: dict[str, Any]) -> dict[str, str]:
    """What *document* was saved with, by name: ``{"python": "3.11", "dspy": "3.4.1", "cloudpickle": "3.1"}``."""
    metadata = document.get(METADATA)
    found = metadata.get("dependency_versions") if isinstance(metadata, dict) else None
    return {name: each for name, each in found.items() if isinstance(each, str)} if isinstance(found, dict) else {}


def version_of(document: dict[str, Any]) -> tuple[int, int]:
    """Major and minor of the DSPy that wrote *document*; (0, 0) if it does not say."""
    found = re.match(r"(\d{1,9})\.(\d{1,9})", versions(document).get("dspy", ""))
    return (int(found[1]), int(found[2])) if found else (0, 0)


def parts(document: dict[str, Any]) -> list[Part]:
    """The parts of the program in *document*, by path, in its order."""
    states = {name: each for name, each in document.items() if name != METADATA}
    if is_predictor(document) or isinstance(states.get("module_src"), str):
        return [(ROOT, states)]
    return list(states.items())


def predictor(node: dict[str, Any], path: str, source: str) -> tuple[Predictor, list[Path]]:
    """The state of a predictor without what no DSPy wrote, and the places of that.

    Raises:
        DocumentError: for a state that is not what DSPy 2.6 to 3.4 write.
    """
    if "extended_signature" in node:
        reason = "was saved by DSPy 2.5 or older, which saved signatures otherwise"
        raise DocumentError(source, path, reason, "Load and save it with DSPy 2.6")
    known, extras = strip_unknown(node, Predictor)
    require({path: known}, dict[str, Predictor], source)
    return known, [place for place, _ in extras]


def not_finite(node: Any, path: Path = ()) -> Iterator[Path]:
    """The places in *node* of NaN and infinity, which DSPy 2.6.27 to 3.0.2 wrote."""
    if isinstance(node, float) and (node != node or node in (float("inf"), float("-inf"))):
        yield path
    elif isinstance(node, (dict, list)):
        for step, each in node.items() if isinstance(node, dict) else enumerate(node):
            yield from not_finite(each, (*path, step))

"""State 2.0: a list of reviewers, always there. No version of progkit: ``tests/test_versions.py`` adds it to a copy."""

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

from progkit.errors import DocumentError
from progkit.schema import shape, v1_0
from progkit.schema.nodes import NODE_SCHEMA
from progkit.schema.v1_0 import Predictor as Predictor  # the reader takes the parts from the module
from progkit.schema.v1_0 import SavedWith, State

VERSION = (2, 0)
URN = "urn:progkit:schema:state:2.0"

Document = TypedDict(
    "Document",
    {
        "$schema": Literal["urn:progkit:schema:state:2.0"],
        "format": Literal["progkit.state"],
        "version": Annotated[list[int], Meta(min_length=2, max_length=2)],
        "min_reader": Annotated[list[int], Meta(min_length=2, max_length=2)],
        "requires": list[str],
        "saved_with": SavedWith,
        "program": str,
        "origin": NotRequired[dict[str, str]],
        "reviewers": list[str],
        "state": State,
    },
)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of this version."""
    return {"$id": URN} | shape.json_schema(Document, {"Node": NODE_SCHEMA})


def check(document: dict[str, Any], source: str) -> None:
    """As of 1.0, but that only a reader of this version may read it."""
    if document["min_reader"] != [2, 0]:
        raise DocumentError(source, "min_reader", "must be [2, 0] in this version")
    v1_0.check({**document, "min_reader": [1, 0]}, source)


def upgrade(document: dict[str, Any]) -> dict[str, Any]:
    """Put who reviewed a 1.1 into the list."""
    reviewer = document.get("reviewed")
    rest = {name: value for name, value in document.items() if name != "reviewed"}
    head = {"$schema": URN, "version": [2, 0], "min_reader": [2, 0]}
    return {**rest, **head, "reviewers": [] if reviewer is None else [reviewer]}

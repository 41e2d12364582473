"""State 1.1: 1.0 and who has reviewed it. No version of progkit: ``tests/test_versions.py`` adds it to a copy."""

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

from progkit.errors import DocumentError
from progkit.schema import shape, v1_0
from progkit.schema.nodes import NODE_SCHEMA
from progkit.schema.v1_0 import SavedWith, State

VERSION = (1, 1)
URN = "urn:progkit:schema:state:1.1"

Document = TypedDict(
    "Document",
    {
        "$schema": Literal["urn:progkit:schema:state:1.1"],
        "format": Literal["progkit.state"],
        "version": Annotated[list[int], Meta(min_length=2, max_length=2)],
        "min_reader": Annotated[list[int], Meta(min_length=2, max_length=2)],
        "requires": list[str],
        "saved_with": SavedWith,
        "program": str,
        "origin": NotRequired[dict[str, str]],
        "reviewed": NotRequired[str],
        "state": State,
    },
)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of this version."""
    return {"$id": URN} | shape.json_schema(Document, {"Node": NODE_SCHEMA})


def check(document: dict[str, Any], source: str) -> None:
    """As of 1.0; a reader of that may read it."""
    if document["min_reader"] != [1, 0]:
        raise DocumentError(source, "min_reader", "must be [1, 0] in this version")
    v1_0.check(document, source)


def upgrade(document: dict[str, Any]) -> dict[str, Any]:
    """Nothing was reviewed yet."""
    return {**document, "$schema": URN, "version": [1, 1]}

"""State 1.0, the first: predictors by path, fields by name, demos by an id made from their content.

The shape is in the classes; ``check`` holds what a shape cannot say. Released, and so frozen: a
change of it is a new version.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NotRequired, TypeAlias, TypedDict

from msgspec import Meta

from progkit.errors import DocumentError
from progkit.schema import shape
from progkit.schema.lean import are_lean
from progkit.schema.nodes import NODE_SCHEMA, all_as_is, decode_value
from progkit.schema.paths import Path, show

VERSION = (1, 0)
URN = "urn:progkit:schema:state:1.0"

Node: TypeAlias = Annotated[Any, Meta(extra_json_schema={"$ref": "#/$defs/Node"})]
_ID = "d-[0-9a-f]{12}(?:-(?:[2-9]|[1-9][0-9]+))?"
_IDS = re.compile(rf"{_ID}(?:\n{_ID})*")
_LINE = len("d-") + 12 + len("\n")
"""The length of a line with an id that has no number."""
_Pair: TypeAlias = Annotated[list[int], Meta(min_length=2, max_length=2)]


class Field(TypedDict):
    """A field of a signature, ``constraints`` being one value: a dict by keyword (gt, max_length ...).

    A ``role`` or ``type`` of "" is not known; so it is where ``guessed`` stands in the signature.
    """

    role: Literal["input", "output", ""]
    type: str
    desc: str
    prefix: str
    constraints: Node
    default: NotRequired[Node]


class Signature(TypedDict):
    """The contract of a call: its instructions as lines, its fields by name, their order apart.

    ``guessed``: the fields come from a file that does not name them, in this order; the names listed are guesses.
    """

    name: str
    instructions: Annotated[list[str], Meta(min_length=1)]
    order: list[str]
    fields: dict[str, Field]
    guessed: NotRequired[list[str]]


class Demo(TypedDict):
    """An example shown to the model; ``inputs`` names the values that are inputs, where that is known."""

    id: Annotated[str, Meta(extra_json_schema={"pattern": f"^{_ID}$"})]  # held by check
    values: dict[str, Node]
    inputs: NotRequired[list[str]]


class Predictor(TypedDict):
    """What one predictor has learned; ``config`` is its own settings, ``lm`` its own LM with at least a ``model``.

    ``layout``: the layout that its prompts are in. ``kept``: what another library saved and progkit has no use for.
    """

    config: dict[str, Node]
    lm: dict[str, Node] | None
    demos: list[Demo]
    signature: Signature
    layout: NotRequired[str]
    kept: NotRequired[dict[str, Node]]


class State(TypedDict):
    """The predictors of a program by their path in it; ``others`` are parts of another library, kept as data."""

    predictors: dict[str, Predictor]
    others: NotRequired[dict[str, Node]]


class SavedWith(TypedDict):
    """Who wrote the document: shown, never compared."""

    progkit: str
    python: str


Document = TypedDict(  # by call, as "$schema" is no name
    "Document",
    {
        "$schema": Literal["urn:progkit:schema:state:1.0"],
        "format": Literal["progkit.state"],
        "version": Annotated[_Pair, Meta(extra_json_schema={"const": [1, 0]})],
        "min_reader": Annotated[_Pair, Meta(extra_json_schema={"const": [1, 0]})],
        "requires": Annotated[list[str], Meta(max_length=0)],
        "saved_with": SavedWith,
        "program": str,
        "origin": NotRequired[dict[str, str]],
        "state": State,
    },
)
"""What a program has learned, as plain data; ``origin`` has the versions of what saved it first, if not progkit."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of this version."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": URN}
    return head | shape.json_schema(Document, {"Node": NODE_SCHEMA})


def check(document: dict[str, Any], source: str) -> None:
    """Nothing, if *document*, which has the shape, also makes sense.

    Raises:
        DocumentError: at the first place that does not.
    """
    if document["min_reader"] != list(VERSION):
        raise DocumentError(source, "min_reader", f"must be {list(VERSION)} in this version")
    for name, node in document["state"].get("others", {}).items():
        decode_value(node, where=show(("state", "others", name)), source=source)
    for name, predictor in document["state"]["predictors"].items():
        path: Path = ("state", "predictors", name)
        for place, node in _nodes(predictor):
            if node:  # nothing can be wrong about what is empty
                decode_value(node, where=show((*path, *place)), source=source)
        if fault := next(_faults(predictor), None):
            raise DocumentError(source, show((*path, *fault[0])), fault[1])


def _faults(predictor: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """What is wrong between the parts of a predictor: where, and what."""
    signature, lm = predictor["signature"], predictor["lm"]
    if any("\n" in line for line in signature["instructions"]):
        yield ("signature", "instructions"), "a line holds a line break"
    if sorted(signature["order"]) != sorted(signature["fields"]):
        yield ("signature", "order"), "must name every field exactly once"
    if not set(signature.get("guessed", ())) <= signature["fields"].keys():
        yield ("signature", "guessed"), "must name fields"
    for name, field in signature["fields"].items():
        if "guessed" not in signature and not (field["role"] and field["type"]):
            yield ("signature", "fields", name), "must have a role and a type"
        if field["constraints"] != {} and not isinstance(decode_value(field["constraints"]), dict):
            yield ("signature", "fields", name, "constraints"), "must be a dict"
    if lm is not None and not isinstance(lm.get("model"), str):
        yield ("lm", "model"), "must be text"
    demos = predictor["demos"]
    ids = [demo.id for demo in demos] if are_lean(demos) else [demo["id"] for demo in demos]
    if len(set(ids)) < len(ids) or not _are_ids(ids):
        yield _wrong_id(ids)


def _are_ids(texts: list[str]) -> bool:
    """Whether each of *texts* is an id; all at once, as a match for each costs as much as reading the file."""
    lines, count = "\n".join([*texts, ""]), len(texts)
    if len(lines) == _LINE * count and lines.isascii():
        places = (lines[::_LINE], "d"), (lines[1::_LINE], "-"), (lines[_LINE - 1 :: _LINE], "\n")
        if all(found == each * count for found, each in places):  # as a rule: no second equal demo, with its number
            return len(lines.encode().translate(None, b"0123456789abcdef")) == 2 * count
    return _IDS.fullmatch(lines, 0, len(lines) - 1) is not None and lines.count("\n") == count


def _wrong_id(ids: list[str]) -> tuple[Path, str]:
    """The first of *ids* that is none, or that an earlier demo has; there is one."""
    first: dict[str, int] = {}
    wrong = (at for at, each in enumerate(ids) if not re.fullmatch(_ID, each) or first.setdefault(each, at) < at)
    index = next(wrong)
    is_id = re.fullmatch(_ID, ids[index])
    return ("demos", index, "id"), f"{ids[index]!r} is {'there twice' if is_id else 'no id: d- and 12 hex digits'}"


def _nodes(predictor: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Every value of a predictor that may be more than a word, with its place."""
    if not (are_lean(predictor["demos"]) or all_as_is(predictor["demos"])):
        for index, demo in enumerate(predictor["demos"]):
            yield from ((("demos", index, "values", name), node) for name, node in demo["values"].items())
    for part in ("config", "lm", "kept"):
        for name, node in (predictor.get(part) or {}).items():
            yield (part, name), node
    for name, field in predictor["signature"]["fields"].items():
        for part in ("constraints", "default"):
            if part in field:
                yield ("signature", "fields", name, part), field[part]

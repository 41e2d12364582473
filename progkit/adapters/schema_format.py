"""The JSON schema of a signature's outputs as providers of structured outputs want it."""

from copy import deepcopy
from dataclasses import make_dataclass
from typing import Any

from progkit.adapters.values import jsonable
from progkit.signature import Signature
from progkit.signature.types import type_adapter

SCHEMA_NAME = "DSPyProgramOutputs"
"""What DSPy calls it; the name is part of the request."""


def output_schema(signature: type[Signature]) -> dict[str, Any] | None:
    """A strict object with one property for each output; None if the types allow no such schema.

    Strict: every object lists all its properties as required, and takes no others. So a dict has no
    such schema, wherever it stands in a type: its keys are not known, and it could only be empty.
    Rules: DSPy 3.4 and OpenAI's structured outputs, in the form that both together send.
    """
    # A dataclass, for its fields may bear any name; a pydantic model has names of its own.
    outputs = {name: field.type for name, field in signature.output_fields.items()}
    strict = {"__pydantic_config__": {"extra": "forbid"}}
    try:
        schema = type_adapter(make_dataclass(SCHEMA_NAME, outputs.items(), namespace=strict)).json_schema()
    except Exception:  # pydantic's own errors, and those of anybody's __get_pydantic_json_schema__
        return None
    if _is_open(schema):
        return None
    defaults = {
        name: jsonable(field.default)
        for name, field in signature.output_fields.items()
        if field.has_default and field.default_factory is None
    }
    for name, value in defaults.items():
        properties = schema["properties"]
        properties[name] = dict(sorted((properties[name] | {"default": value}).items()))
    if len(defaults) == len(outputs):
        schema.pop("required", None)  # it then comes last, as in DSPy
    _make_strict(schema, deepcopy(schema.get("$defs", {})))
    return schema


def _is_open(node: Any) -> bool:
    """Whether an object anywhere in the schema *node* does not say what its properties are."""
    if isinstance(node, list):
        return any(map(_is_open, node))
    if not isinstance(node, dict):
        return False
    return (node.get("type") == "object" and "properties" not in node) or any(map(_is_open, node.values()))


def _make_strict(node: dict[str, Any], definitions: dict[str, Any], within: tuple[str, ...] = ()) -> None:
    """Require all properties everywhere below *node*.

    What refers to one of the *definitions* and says more beside that becomes the definition, with what it says;
    *within* which ones that has happened already.
    """
    if "$ref" in node and len(node) > 1:
        _resolve(node, definitions, within)
        return
    if "properties" in node:
        node["additionalProperties"] = False
        node["required"] = list(node["properties"])
    for below in (node.get("$defs", {}), node.get("properties", {})):
        for each in below.values():
            _make_strict(each, definitions, within)
    for each in (node.get("items"), *node.get("anyOf", ()), *node.get("prefixItems", ())):
        if isinstance(each, dict):
            _make_strict(each, definitions, within)
    if node.get("default", ...) is None:
        del node["default"]


def _resolve(node: dict[str, Any], definitions: dict[str, Any], within: tuple[str, ...]) -> None:
    name = node.pop("$ref")
    beside = dict(node)
    node.clear()
    if name in within:
        node["$ref"] = name
        return
    node.update(deepcopy(definitions[name.rpartition("/")[2]]))
    _make_strict(node, definitions, (*within, name))
    node.update((key, value) for key, value in beside.items() if value is not None)

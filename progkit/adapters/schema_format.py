"""The JSON schema of a signature's outputs as providers of structured outputs want it."""

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
    Rules: DSPy 3.4 and OpenAI's structured outputs.
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
        schema.pop("required", None)  # it then comes last, as in DSPy: the order is part of the key
    _require_all(schema)
    return schema


def _is_open(node: Any) -> bool:
    """Whether an object anywhere in the schema *node* does not say what its properties are."""
    if isinstance(node, list):
        return any(map(_is_open, node))
    if not isinstance(node, dict):
        return False
    return (node.get("type") == "object" and "properties" not in node) or any(map(_is_open, node.values()))


def _require_all(schema: dict[str, Any]) -> None:
    if schema.get("type") == "object":
        schema["required"] = list(schema["properties"])
        schema["additionalProperties"] = False
        for each in schema["properties"].values():
            _require_all(each)
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        _require_all(schema["items"])
    for each in schema.get("$defs", {}).values():
        _require_all(each)

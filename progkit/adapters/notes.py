"""What the system message says of a field: a line in the list of fields, and how to fill it in."""

import json
from collections.abc import Iterable
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from progkit.adapters.plain import plain_schema
from progkit.errors import SignatureError
from progkit.signature import Field
from progkit.signature.types import type_adapter, type_name

_CONSTRAINTS = {
    "gt": "greater than: ",
    "ge": "greater than or equal to: ",
    "lt": "less than: ",
    "le": "less than or equal to: ",
    "min_length": "minimum length: ",
    "max_length": "maximum length: ",
    "multiple_of": "a multiple of the given number: ",
    "allow_inf_nan": "allow 'inf', '-inf', 'nan' values: ",
}
"""Layout: DSPy 3.4."""


def field_list(fields: Iterable[Field]) -> str:
    """The numbered list of *fields*: name, type, description, constraints."""
    return "\n".join(f"{number}. {_line(field)}" for number, field in enumerate(fields, 1)).strip()


def _line(field: Field) -> str:
    described = "" if field.desc == f"${{{field.name}}}" else field.desc
    told = ", ".join(f"{_CONSTRAINTS[name]}{bound}" for name, bound in field.constraints.items())
    constraints = f"\nConstraints: {told}" if told else ""
    return f"`{field.name}` ({type_name(field.type)}): {described}{constraints}"


def placeholder(field: Field) -> str:
    """``{name}``, and for an output that is not text a note of what may stand there.

    Raises:
        SignatureError: if no JSON schema can be made of the field's type.
    """
    note = "" if field.role == "input" or field.type is str else _note(field)
    return f"{{{field.name}}}        # note: the value you produce {note}" if note else f"{{{field.name}}}"


def _note(field: Field) -> str:
    kind = field.type
    if kind is bool:
        return "must be True or False"
    if kind is int or kind is float:
        return f"must be a single {kind.__name__} value"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"must be one of: {'; '.join(str(member.value) for member in kind)}"
    if get_origin(kind) is Literal:
        return f"must exactly match (no extra characters) one of: {'; '.join(map(str, get_args(kind)))}"
    return f"must adhere to the JSON schema: {json.dumps(_type_first(_schema(field)), ensure_ascii=False)}"


def _schema(field: Field) -> dict[str, Any]:
    plain = plain_schema(field.type)
    if plain is not None:
        return plain
    try:
        return dict(type_adapter(field.type).json_schema())
    except Exception as error:  # pydantic's own, and those of anybody's __get_pydantic_core_schema__
        raise SignatureError(f"no JSON schema can be made of field {field.name!r}: {error}") from error


def _type_first(schema: Any) -> Any:
    """*schema* with sorted keys, but ``type`` before all others."""
    if isinstance(schema, dict):
        return {name: _type_first(schema[name]) for name in sorted(schema, key=lambda name: (name != "type", name))}
    return [_type_first(each) for each in schema] if isinstance(schema, list) else schema

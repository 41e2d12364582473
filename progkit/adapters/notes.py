"""What the system message says of a field: a line in the list of fields, and how to fill it in."""

import json
from collections.abc import Iterable
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from progkit.adapters.layouts import Layout
from progkit.adapters.plain import plain_schema
from progkit.content import Content, content_types
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
"""Texts of DSPy."""


def field_list(fields: Iterable[Field], layout: Layout) -> str:
    """The numbered list of *fields*: name, type, description, constraints."""
    return "\n".join(f"{number}. {_line(field, layout)}" for number, field in enumerate(fields, 1)).strip()


def _line(field: Field, layout: Layout) -> str:
    is_told = field.desc != f"${{{field.name}}}"
    told = ", ".join(f"{_CONSTRAINTS[name]}{bound}" for name, bound in field.constraints.items())
    constraints = f"\nConstraints: {told}" if told and layout.constraints else ""
    start = f"`{field.name}` ({type_name(field.type, layout.union)})"
    if layout.bare_lines:
        return f"{start}{f': {field.desc}' if is_told else ''}{constraints}"
    return f"{start}: {field.desc if is_told else ''}{_type_descriptions(field.type, layout)}{constraints}"


def _type_descriptions(annotation: Any, layout: Layout) -> str:
    told = ((type_name(kind), kind.description_in(layout.version)) for kind in content_types(annotation))
    return "".join(f"\n    Type description of {name}: {said}" for name, said in told if said)


def placeholder(field: Field, layout: Layout) -> str:
    """``{name}``, and for an output that is not text a note of what may stand there.

    Raises:
        SignatureError: if no JSON schema can be made of the field's type.
    """
    return noted(field, "" if field.role == "input" or field.type is str else note(field, layout))


def requirement(field: Field, layout: Layout) -> str:
    """What the end of a user's message says of the output *field*, beside its name."""
    kind = field.type
    if kind is str:
        return ""
    own = kind.requirement_in(layout.version) if isinstance(kind, type) and issubclass(kind, Content) else ""
    return f" ({own or f'must be formatted as a valid Python {type_name(kind, layout.union)}'})"


def noted(field: Field, said: str) -> str:
    """``{name}`` with what is *said* of it, if anything is."""
    return f"{{{field.name}}}        # note: the value you produce {said}" if said else f"{{{field.name}}}"


def note(field: Field, layout: Layout) -> str:
    """What may stand in the output *field*, which is not text.

    Raises:
        SignatureError: if no JSON schema can be made of the field's type.
    """
    kind = field.type
    if kind is bool:
        return "must be True or False"
    if kind is int or kind is float:
        return f"must be a single {kind.__name__} value"
    if isinstance(kind, type) and issubclass(kind, Enum):
        members = kind.__members__ if layout.enum_names else (str(member.value) for member in kind)
        return f"must be one of: {'; '.join(members)}"
    if get_origin(kind) is Literal:
        return f"must exactly match (no extra characters) one of: {'; '.join(map(str, get_args(kind)))}"
    if isinstance(kind, type) and issubclass(kind, Content) and kind.says_own_shape:
        return ""
    return f"must adhere to the JSON schema: {json.dumps(_type_first(_schema(field)), ensure_ascii=False)}"


def _schema(field: Field) -> dict[str, Any]:
    plain = plain_schema(field.type)
    return schema_of(field) if plain is None else plain


def schema_of(field: Field) -> dict[str, Any]:
    """The JSON schema of the type of *field*, in pydantic's order.

    Raises:
        SignatureError: if there is none.
    """
    try:
        return dict(type_adapter(field.type).json_schema())
    except Exception as error:  # pydantic's own, and those of anybody's __get_pydantic_core_schema__
        raise SignatureError(f"no JSON schema can be made of field {field.name!r}: {error}") from error


def _type_first(schema: Any) -> Any:
    """*schema* with sorted keys, but ``type`` before all others."""
    if isinstance(schema, dict):
        return {name: _type_first(schema[name]) for name in sorted(schema, key=lambda name: (name != "type", name))}
    return [_type_first(each) for each in schema] if isinstance(schema, list) else schema

"""Types that need no pydantic: what JSON says by itself, and lists, dicts and unions of it.

Most fields are of these. Their schema and whether a value fits are worked out here, so that a
process whose calls all hit the cache never imports pydantic. Both agree with pydantic; a test
holds them to it.
"""

from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

_NAMES: tuple[tuple[Any, str], ...] = (
    (str, "string"),
    (int, "integer"),
    (float, "number"),
    (bool, "boolean"),
    (NoneType, "null"),
    (None, "null"),
)


def plain_schema(annotation: Any) -> dict[str, Any] | None:
    """The JSON schema of *annotation*; None unless it is of the types above."""
    if annotation is Any:
        return {}
    for kind, name in _NAMES:
        if annotation is kind:
            return {"type": name}
    if annotation is list or annotation is dict:
        annotation = list[Any] if annotation is list else dict[str, Any]
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Union or origin is UnionType:
        return _union_schema(args)
    if origin is not list and not (origin is dict and args[0] is str):
        return None
    inner = plain_schema(args[-1])
    if inner is None:
        return None
    if origin is list:
        return {"type": "array", "items": inner}
    return {"type": "object", "additionalProperties": inner or True}


def _union_schema(members: tuple[Any, ...]) -> dict[str, Any] | None:
    schemas: list[dict[str, Any]] = []
    for member in sorted(members, key=lambda member: member is NoneType):  # null comes last
        schema = plain_schema(member)
        if schema is None:
            return None
        if schema not in schemas:
            schemas.append(schema)
    return {"anyOf": schemas} if len(schemas) > 1 else schemas[0]


def fits(value: Any, annotation: Any) -> bool:
    """Whether *value* surely is of type *annotation* and needs no conversion.

    False also where only pydantic can tell.
    """
    kind = type(value)
    if annotation is kind or annotation is Any:
        return True
    origin, args = get_origin(annotation), get_args(annotation)
    if kind is list and origin is list:
        item = args[0]
        return all(fits(each, item) for each in value)
    if kind is dict and origin is dict:
        name, item = args
        return all(fits(key, name) and fits(each, item) for key, each in value.items())
    if origin is Union or origin is UnionType:
        # Beside Any, pydantic may prefer a member that has to convert.
        return Any not in args and any(fits(value, member) for member in args)
    return False

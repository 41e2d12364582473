"""The result of a program as text, exactly or not at all: predictions, examples and plain values.

::

    ["value", node]                                       plain data, as in a state file
    ["prediction", [fields, ...], inputs]                 one dict of nodes for each completion
    ["example", fields, inputs]                           inputs: their names, or null
    ["list", [...]], ["tuple", [...]], ["dict", {...}]    of which at least one holds the above

Enum members and models come back through the types that the program's signatures give to fields of the same name.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from progkit.artifact import decode_value, decode_values, encode_value, encode_values
from progkit.errors import DocumentError, UnsavableError
from progkit.example import Example, Prediction
from progkit.lm import Response
from progkit.schema.nodes import is_single
from progkit.signature import type_adapter

Types: TypeAlias = Callable[[], Mapping[str, Any]]
"""Gives annotations: of fields by name, and of the result itself as ``return``."""


_KEPT = "a kept result"


def encode(result: Any, types: Types) -> str:
    """The text of *result*.

    Raises:
        UnsavableError: for what would not come back as it is.
    """
    node = _encode(result, "result")
    text = json.dumps(node, ensure_ascii=False, separators=(",", ":"))
    try:
        again = decode(text, types, None)
        if again == result and _encode(again, "result") == node:
            return text
    except DocumentError as error:
        raise UnsavableError("result", error.reason) from error
    raise UnsavableError("result", "does not come back equal: a class in it is no type of a field of that name")


def decode(text: str, types: Types, response: Response | None) -> Any:
    """The result that *text* says; a prediction shows *response* as its own.

    Raises:
        DocumentError: for what is no text of ours, or does not fit the types any more.
    """
    try:
        return _decode(json.loads(text), types, () if response is None else (response,))
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise DocumentError("result", "", f"no result of ours: {error}") from error


def _encode(value: Any, where: str) -> list[Any]:
    kind = type(value)
    if kind is Prediction:
        fields = [encode_values(dict(each.items()), where) for each in value.completions]
        return ["prediction", fields, _inputs(value)]
    if kind is Example:
        return ["example", encode_values(dict(value.items()), where), _inputs(value)]
    try:
        return ["value", encode_value(value, where)]
    except UnsavableError:
        if kind in (list, tuple):
            return [kind.__name__, [_encode(each, f"{where}[{n}]") for n, each in enumerate(value)]]
        if kind is dict and all(type(name) is str for name in value):
            return ["dict", {name: _encode(each, f"{where}.{name}") for name, each in value.items()}]
        raise


def _inputs(example: Example) -> list[str] | None:
    return None if example.input_keys is None else sorted(example.input_keys)


def _decode(node: Any, types: Types, responses: tuple[Response, ...]) -> Any:
    tag, content, *inputs = node
    if tag == "value":
        if is_single(content):
            return content
        return decode_value(content, types().get("return"), "result", _restore, _KEPT)
    if tag == "prediction":
        prediction = Prediction.answered([_fields(each, types) for each in content], responses)
        return prediction if inputs[0] is None else prediction.with_inputs(*inputs[0])
    if tag == "example":
        example = Example(_fields(content, types))
        return example if inputs[0] is None else example.with_inputs(*inputs[0])
    if tag == "dict":
        return {name: _decode(each, types, responses) for name, each in content.items()}
    kind = {"list": list, "tuple": tuple}[tag]
    return kind(_decode(each, types, responses) for each in content)


def _fields(nodes: Any, types: Types) -> dict[str, Any]:
    return dict(nodes) if all(map(is_single, nodes.values())) else decode_values(nodes, types(), "", _restore, _KEPT)


def _restore(kind: Any, plain: Any) -> Any:
    return type_adapter(kind).validate_python(plain)

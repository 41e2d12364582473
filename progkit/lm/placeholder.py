"""What the embedded LM says when it has no demo to go by: a reply of the right form, and that it knows nothing.

The form is read from the prompt, as the adapters write it: the chat layout ends by naming the output
fields, the JSON layout gives them as an object; beside each stands a note on what its value must be.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

SAYING = "I am progkit's demo LM: I answer from the demos in the prompt, and there are none."

_STRUCTURE = "All interactions will be structured in the following way"
_JSON = "Outputs will be a JSON object with the following fields."
_CHAT = "Respond with the corresponding output fields, starting with the field "
_FIELD = re.compile(r"`\[\[ ## (\w+) ## \]\]`")
_NOTE = r"\{%s\} +# note: the value you produce (.*)"
_CHOICES = re.compile(r"must (?:be|exactly match \(no extra characters\)) one of: (.*)")
_SCHEMA = "must adhere to the JSON schema: "
_FORMATS = {
    "date": "2000-01-01",
    "date-time": "2000-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT0S",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "uri": "https://example.com/",
    "email": "nobody@example.com",
}


def placeholder(system: str, asked: str) -> str:
    """A reply in the form that the *system* message and the last user's message ask for; if none, the saying alone."""
    layout = system.partition(_STRUCTURE)[2]
    if _JSON in layout:
        template = layout.partition(_JSON)[2].lstrip()
        notes, _ = json.JSONDecoder().raw_decode(template)
        values = {name: _value(_note(note, name)) for name, note in notes.items()}
        return json.dumps(values, indent=2, ensure_ascii=False)
    _, required, wanted = asked.rpartition(_CHAT)
    names = [name for name in _FIELD.findall(wanted) if required and name != "completed"]
    if not names:
        return SAYING
    blocks = [f"[[ ## {name} ## ]]\n{_shown(_value(_note(layout, name)))}" for name in names]
    return "\n\n".join([*blocks, "[[ ## completed ## ]]"])


def _note(layout: str, name: str) -> str:
    found = re.search(_NOTE % name, layout)
    return found[1] if found else ""


def _value(note: str) -> Any:
    """The plainest value that a note allows."""
    if note.startswith("must be True or False"):
        return False
    if note.startswith("must be a single int"):
        return 0
    if note.startswith("must be a single float"):
        return 0.0
    if choices := _CHOICES.match(note):
        return choices[1].split("; ")[0]
    if note.startswith(_SCHEMA):
        schema = json.loads(note.removeprefix(_SCHEMA))
        return instance(schema, schema.get("$defs", {}))
    return SAYING


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) or value is None else str(value)


def instance(schema: Mapping[str, Any], definitions: Mapping[str, Any], depth: int = 0) -> Any:
    """The plainest value that a JSON Schema allows, of the kind that pydantic writes; None if too deep to tell."""
    if depth > 16:  # a model that must contain itself has no finite value
        return None
    if "$ref" in schema:
        return instance(definitions[schema["$ref"].rpartition("/")[2]], definitions, depth + 1)
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    if "enum" in schema:
        return schema["enum"][0]
    for name in ("anyOf", "oneOf", "allOf"):
        if name in schema:
            return instance(schema[name][0], definitions, depth + 1)
    return _of_type(schema, definitions, depth)


def _of_type(schema: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> Any:
    kind = schema.get("type", "string")
    if kind == "object":
        properties = schema.get("properties", {})
        wanted = schema.get("required", ())
        return {name: instance(properties.get(name, {}), definitions, depth + 1) for name in wanted}
    if kind == "array":
        items = schema.get("prefixItems") or [schema.get("items", {})] * schema.get("minItems", 0)
        return [instance(each, definitions, depth + 1) for each in items]
    if kind in ("integer", "number"):
        return _number(schema)
    if kind == "string":
        text = _FORMATS.get(schema.get("format", ""), SAYING)
        return text.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]
    return {"boolean": False}.get(kind)


def _number(schema: Mapping[str, Any]) -> int | float:
    """The least number allowed that is not negative, or the greatest if all are."""
    number: int | float = max(0, schema.get("minimum", 0), schema.get("exclusiveMinimum", -1) + 1)
    top: int | float = schema.get("maximum", schema.get("exclusiveMaximum", number + 1) - 1)
    return min(number, top) if number > top else number

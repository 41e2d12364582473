"""The form of messages up to DSPy 2.6.16, before its adapters were rewritten.

Every user's message lists all inputs and ends with what to answer with; notes of the JSON layout show schemas as
they come; its demos are complete with None.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from progkit.adapters.draft import Draft, sections
from progkit.adapters.notes import note, noted, schema_of
from progkit.adapters.plan import Inputs, Plan
from progkit.adapters.values import format_value
from progkit.signature import Field

NO_VALUE = "Not supplied for this conversation history message. "
"""What stands for a field that a turn of the history lacks."""


def is_complete(plan: Plan, demo: Any) -> bool:
    """Whether *demo* counts as complete for having every field, be it None."""
    if not (plan.layout.early and plan.is_json):
        return False
    return all(name in demo for name, _, _ in plan.inputs) and all(name in demo for name, _ in plan.outputs)


def told(plan: Plan, fields: Inputs, values: Mapping[str, Any], opening: str, absent: str) -> Any:
    """The content of a user's message: *opening*, all *fields*, what to answer with."""
    draft = Draft(plan.layout)
    said = sections((name, draft.write(values.get(name, absent), kind)) for name, _, kind in fields)
    parts = [*([opening] if opening else []), said]
    if plan.outputs or plan.is_json:
        parts.append(plan.requirements)
    text = "\n\n".join(parts)
    return draft.content(text.strip() if plan.is_json else text)


def chat_answer(plan: Plan, values: Any, absent: str) -> str:
    """The assistant's message under headers; only those of demos end with the marker."""
    said = [(name, format_value(values.get(name, absent), kind, plan.layout)) for name, kind in plan.outputs]
    return sections(said if absent == NO_VALUE else [*said, ("completed", "")])


def json_placeholder(field: Field, layout: Any) -> str:
    """``{name}`` and a note, for an output of the JSON layout."""
    kind = field.type
    if kind is str:
        return noted(field, "")
    if get_origin(kind) is Literal:
        return noted(field, f"must be one of: {'; '.join(map(str, get_args(kind)))}")
    said = note(field, layout)
    if not said.startswith("must adhere"):
        return noted(field, said)
    return noted(field, f"must adhere to the JSON schema: {json.dumps(schema_of(field))}")

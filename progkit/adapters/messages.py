"""What both adapters share: the order of a request's messages and the sections within them.

The texts are DSPy's, byte for byte: prompts that were optimised there keep their quality.
"""

from collections.abc import Callable, Mapping, Sequence
from textwrap import dedent
from typing import Any, TypeAlias

from progkit.adapters import early
from progkit.adapters.draft import Draft
from progkit.adapters.layouts import Layout
from progkit.adapters.notes import field_list
from progkit.adapters.plan import Inputs, Plan
from progkit.signature import Signature

Message: TypeAlias = dict[str, Any]
Answer: TypeAlias = Callable[[Plan, Any, Any], str]
"""Words the assistant's message of a demo from its values, and what stands for an output that is not there."""

INTERACTIONS = "All interactions will be structured in the following way, with the appropriate values filled in."
_INCOMPLETE = "This is an example of the task, though some input or output fields are not supplied."
_OBJECTIVE = "In adhering to this structure, your objective is: "


def is_complete(signature: type[Signature], demo: Any) -> bool:
    """Whether *demo* (an example or a dict) has every field of *signature*, and none of them None."""
    return all(demo.get(name) is not None for name in signature.fields)


def system(signature: type[Signature], structure: str, layout: Layout) -> str:
    """The system message: the fields, the *structure* of an interaction, the objective."""
    objective = "".join(f"\n        {line}" for line in dedent(signature.instructions).splitlines())
    parts = (
        f"Your input fields are:\n{field_list(signature.input_fields.values(), layout)}",
        f"Your output fields are:\n{field_list(signature.output_fields.values(), layout)}",
        structure,
        f"{_OBJECTIVE}{objective}",
    )
    return ("\n\n" if layout.early else "\n").join(parts)


def examples(plan: Plan, signature: type[Signature], demos: Sequence[Any], answer: Answer) -> list[Message]:
    """The *demos*, a user's and an assistant's message each: the incomplete ones, then the complete.

    Demos without any input or without any output are left out.
    """
    whole, partial = [], []
    for demo in demos:
        if is_complete(signature, demo) or early.is_complete(plan, demo):
            whole.append(("", demo))
        elif any(name in demo for name in signature.input_fields) and any(name in demo for name in plan.readers):
            partial.append((_INCOMPLETE, demo))
    messages = []
    for opening, demo in partial + whole:
        messages.append({"role": "user", "content": _example(plan, demo, opening)})
        messages.append({"role": "assistant", "content": answer(plan, demo, plan.layout.not_supplied)})
    return messages


def question(plan: Plan, inputs: Mapping[str, Any], answer: Answer) -> list[Message]:
    """The messages that ask: the turns of the history, then the inputs that are there and what to answer with."""
    turns = [] if plan.history is None else _turns(plan, inputs.get(plan.history), answer)
    if plan.layout.early:
        content = early.told(plan, plan.asked, inputs, "", plan.layout.not_supplied)
    else:
        content = _told(plan, plan.asked, inputs, "", plan.requirements)
    return [*turns, {"role": "user", "content": content}]


def _example(plan: Plan, demo: Any, opening: str) -> Any:
    if plan.layout.early:
        return early.told(plan, plan.inputs, demo, opening, plan.layout.not_supplied)
    return _told(plan, plan.inputs, demo, opening, "")


def _turns(plan: Plan, history: Any, answer: Answer) -> list[Message]:
    messages: list[Message] = []
    for turn in _entries(history):
        content: Any = ""
        if plan.layout.early:
            content = early.told(plan, plan.asked, turn, "", early.NO_VALUE)
        elif any(name in turn for name, _, _ in plan.asked):
            content = _told(plan, plan.asked, turn, "", plan.requirements if plan.layout.turn_requirements else "")
        if content or plan.layout.empty_turns:
            messages.append({"role": "user", "content": content})
        said = answer(plan, turn, early.NO_VALUE if plan.layout.early else None)
        messages.append({"role": "assistant", "content": said})
    return messages


def _entries(history: Any) -> list[dict[str, Any]]:
    """The turns of *history*: of a ``History``, of the dict that it is in a file, or of nothing."""
    if isinstance(history, Mapping):
        history = history.get("messages")
    entries = getattr(history, "messages", history) or []
    if not (isinstance(entries, list) and all(isinstance(each, Mapping) for each in entries)):
        raise TypeError(f"a history is progkit.History(messages=[...]) or None, not {type(history).__name__}")
    return entries


def _told(plan: Plan, fields: Inputs, values: Mapping[str, Any], opening: str, closing: str) -> Any:
    """The content of a user's message: *opening*, sections of those *fields* that *values* has, *closing*."""
    draft: Draft | None = None
    parts = [opening] if opening else []
    for name, header, annotation in fields:
        if name in values:
            value = values[name]
            if type(value) is not str:
                draft = draft or Draft(plan.layout)
                value = draft.write(value, annotation)
            parts.append(header + value)
    if closing:
        parts.append(closing)
    text = "\n\n".join(parts).strip()
    return text if draft is None else draft.content(text)

"""What both layouts share: the order of a request's messages and the sections within them.

The texts are DSPy 3.4's, byte for byte: prompts that were optimised there keep their quality.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from textwrap import dedent
from typing import Any

from progkit.adapters.notes import field_list, placeholder
from progkit.adapters.plan import Plan
from progkit.adapters.values import format_value
from progkit.signature import Field, Signature

INTERACTIONS = "All interactions will be structured in the following way, with the appropriate values filled in."
_INCOMPLETE = "This is an example of the task, though some input or output fields are not supplied."
_NOT_SUPPLIED = "Not supplied for this particular example. "
_OBJECTIVE = "In adhering to this structure, your objective is: "


def is_complete(signature: type[Signature], demo: Any) -> bool:
    """Whether *demo* (an example or a dict) has every field of *signature*, and none of them None."""
    return all(demo.get(name) is not None for name in signature.fields)


def system(signature: type[Signature], structure: str) -> str:
    """The system message: the fields, the *structure* of an interaction, the objective."""
    objective = "".join(f"\n        {line}" for line in dedent(signature.instructions).splitlines())
    return (
        f"Your input fields are:\n{field_list(signature.input_fields.values())}\n"
        f"Your output fields are:\n{field_list(signature.output_fields.values())}\n"
        f"{structure}\n{_OBJECTIVE}{objective}"
    )


def sections(texts: Iterable[tuple[str, str]]) -> str:
    """Names with texts, each under its header."""
    return "\n\n".join(f"[[ ## {name} ## ]]\n{text}" for name, text in texts).strip()


def placeholders(fields: Iterable[Field]) -> str:
    """A section for each of *fields* that says what stands there."""
    return sections((field.name, placeholder(field)) for field in fields)


def question(plan: Plan, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The message that asks: the inputs that are there, and what to answer with."""
    parts = _given(plan, inputs)
    parts.append(plan.requirements)
    return {"role": "user", "content": "\n\n".join(parts)}


def examples(
    plan: Plan,
    signature: type[Signature],
    demos: Sequence[Any],
    answer: Callable[[type[Signature], Any, Any], str],
) -> list[dict[str, Any]]:
    """The *demos*, a user's and an assistant's message each: the incomplete ones, then the complete.

    Demos without any input or without any output are left out. *answer* words the assistant's
    message from a signature, a demo, and what stands in for an output that is not there.
    """
    whole, partial = [], []
    for demo in demos:
        if is_complete(signature, demo):
            whole.append((_given(plan, demo), demo))
        elif any(name in demo for name in signature.input_fields) and any(name in demo for name in plan.readers):
            partial.append(([_INCOMPLETE, *_given(plan, demo)], demo))
    messages = []
    for parts, demo in partial + whole:
        messages.append({"role": "user", "content": "\n\n".join(parts).strip()})
        messages.append({"role": "assistant", "content": answer(signature, demo, _NOT_SUPPLIED)})
    return messages


def _given(plan: Plan, values: Mapping[str, Any]) -> list[str]:
    """The sections of those inputs that *values* has."""
    parts = []
    for name, header, annotation in plan.inputs:
        if name in values:
            value = values[name]
            parts.append(header + (value if type(value) is str else format_value(value, annotation)))
    return parts

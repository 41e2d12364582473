"""litellm's reply as ours: plain data, no class of theirs left in it."""

from typing import Any

from progkit.lm.response import Completion, Response


def response(raw: Any, model: str, cost: float | None) -> Response:
    """The ``Response`` that says what *raw*, a ``litellm.ModelResponse`` with at least one choice, says.

    model: the name asked for. cost: US dollars, None if not known.
    """
    usage = getattr(raw, "usage", None)
    counts = usage.model_dump(mode="json", exclude_none=True) if usage is not None else {}
    return Response(tuple(_completion(each) for each in raw.choices), model, counts, cost)


def _completion(choice: Any) -> Completion:
    message = choice.message
    calls = getattr(message, "tool_calls", None) or ()
    return Completion(
        text=message.content,
        finish_reason=choice.finish_reason,
        tool_calls=tuple(
            {"id": each.id, "name": each.function.name, "args": each.function.arguments} for each in calls
        ),
        reasoning=getattr(message, "reasoning_content", None),
        logprobs=_plain(getattr(choice, "logprobs", None)),
    )


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value

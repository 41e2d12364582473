"""A hook of a cache that blots out what must not be kept.

Text to text, it runs over every text in the messages of a request before its key is made and before it is
sent, and over the reply before anybody sees it. So a hit equals a miss, and two requests that
differ in nothing but what is blotted out are one.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from progkit.lm.request import Message, Prefix, Request
from progkit.lm.response import Completion, Response

Redact: TypeAlias = Callable[[str], str]
"""A hook: text without what must not be kept. Applied to its own result it changes nothing."""

_MEMO = "caching.redaction"


class Redacted(Request):
    """A request from which something has been blotted out."""

    __slots__ = ()


def redacted_request(request: Request, redact: Redact) -> Request:
    """*request* with *redact* applied to every text of its messages; the prefix is done once."""
    if isinstance(request, Redacted):
        return request
    known = request.prefix.memo.get(_MEMO)
    if known is None or known[0] is not redact:
        known = request.prefix.memo[_MEMO] = (redact, Prefix(_messages(request.prefix.messages, redact)))
    return Redacted(known[1], _messages(request.tail, redact), request.params)


def redacted_response(response: Response, redact: Redact) -> Response:
    """*response* with *redact* applied to what it says; ``logprobs`` would spell out what was, and go with it."""
    said = tuple(_completion(each, redact) for each in response.completions)
    return response if said == response.completions else replace(response, completions=said)


def _completion(said: Completion, redact: Redact) -> Completion:
    new = replace(
        said,
        text=said.text and redact(said.text),
        reasoning=said.reasoning and redact(said.reasoning),
        tool_calls=tuple(_call(each, redact) for each in said.tool_calls),
    )
    return said if new == said else replace(new, logprobs=None)


def _call(call: dict[str, Any], redact: Redact) -> dict[str, Any]:
    args = call.get("args")
    return call | {"args": redact(args)} if isinstance(args, str) else call


def _messages(messages: Iterable[Message], redact: Redact) -> list[Message]:
    return [{name: _part(name, value, redact) for name, value in each.items()} for each in messages]


def _part(name: str, value: Any, redact: Redact) -> Any:
    """*value* of a message's part called *name*; only texts are touched, not pictures, roles and ids."""
    if isinstance(value, str):
        return redact(value) if name in ("content", "text", "arguments") else value
    if isinstance(value, Mapping):
        return {below: _part(below, each, redact) for below, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_part(name, each, redact) for each in value]
    return value

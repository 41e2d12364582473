"""A reply's body as a ``Response``: what litellm makes of it, without its classes."""

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from progkit.errors import LMError, LMServerError
from progkit.lm.failures import LONGEST, of_status
from progkit.lm.response import Completion
from progkit.lm.secrecy import blot

_THOUGHT = re.compile(r"<(?:think|thinking|budget:thinking)>(.*?)</(?:think|thinking|budget:thinking)>(.*)", re.DOTALL)
_FINISHED = {
    **dict.fromkeys(("length", "max_tokens", "MAX_TOKENS", "compaction"), "length"),
    **dict.fromkeys(("tool_calls", "tool_use"), "tool_calls"),
    **dict.fromkeys(("content_filter", "content_filtered", "refusal", "sensitive", "guardrail_intervened"), None),
    **dict.fromkeys(("SAFETY", "RECITATION", "LANGUAGE", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"), None),
    **dict.fromkeys(("ERROR_TOXIC", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "NO_IMAGE"), None),
    "function_call": "function_call",
    "error": "error",
}
"""litellm's table of reasons, None for ``content_filter``; what is not in it is a ``stop``."""


def completions(body: Any, model: str, secrets: Iterable[str]) -> tuple[Completion, ...] | LMError:
    """The completions in *body*, a reply's JSON; or what is wrong with it."""
    if not isinstance(body, dict):
        return LMServerError(blot(f"the reply is no chat completion: {str(body)[:200]}", secrets), model)
    wrong = _error_in(body)
    if wrong is not None:
        kind, text = wrong
        return kind(blot(text, secrets)[:LONGEST], model)
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        return LMServerError("the reply holds no choice", model)
    try:
        return tuple(_completion(each, model) for each in choices)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"the reply is no chat completion: {type(error).__name__}: {error}"
    return LMServerError(blot(reason, secrets), model)


def usage(body: Mapping[str, Any]) -> dict[str, Any]:
    """The token counts of *body*, nothing of them None; where a provider has names of its own, OpenAI's beside them."""
    given = body.get("usage") or {}
    counts = {name: given.get(name) or 0 for name in ("completion_tokens", "prompt_tokens", "total_tokens")}
    prompt = _details(given.get("prompt_tokens_details"))
    said = _details(given.get("completion_tokens_details"))
    thought = given.get("reasoning_tokens")
    if thought:
        said.setdefault("reasoning_tokens", thought)
        other = (said.get("image_tokens") or 0) + (said.get("audio_tokens") or 0)
        said.setdefault("text_tokens", max(0, counts["completion_tokens"] - thought - other))
    for name in ("prompt_cache_hit_tokens", "cache_read_input_tokens"):
        if isinstance(given.get(name), int):
            prompt["cached_tokens"] = given[name]
    written = given.get("cache_creation_input_tokens")
    if not isinstance(written, int):
        written = prompt.get("cache_write_tokens", prompt.get("cache_creation_tokens"))
    if written is not None:
        prompt["cache_write_tokens"] = prompt["cache_creation_tokens"] = written
    details = {"completion_tokens_details": said, "prompt_tokens_details": prompt}
    named = {*counts, *details, "reasoning_tokens"}
    rest = {name: value for name, value in given.items() if name not in named and value is not None}
    return {**counts, **{name: each for name, each in details.items() if each}, **rest}


def _details(given: object) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None} if isinstance(given, dict) else {}


def _error_in(body: Mapping[str, Any]) -> tuple[type[LMError], str] | None:
    """Kind and message of an error told with success, as gateways do; an empty one is none."""
    error = body.get("error")
    if not isinstance(error, dict):
        return None if error is None or error == "" else (of_status(422), str(error))
    code, message = error.get("code", 422), error.get("message")
    if not message and error.get("code") is None:
        return None
    text = message if isinstance(message, str) else json.dumps(message)
    return (of_status(code) if isinstance(code, int) else LMError), text


def _completion(choice: Mapping[str, Any], model: str) -> Completion:
    message = choice["message"]
    calls = tuple(call for each in message.get("tool_calls") or () for call in _calls(each))
    reasoning, text = _parted(message)
    if text is not None and not isinstance(text, str):
        raise TypeError("its content is no text")
    finished = choice.get("finish_reason") or choice.get("finish_details") or "stop"
    reason = _FINISHED.get(str(finished), "stop") or "content_filter"
    if reason == "stop" and calls:
        reason = "tool_calls"
    return Completion(text, reason, calls, reasoning, _logprobs(choice.get("logprobs"), model))


def _parted(message: Mapping[str, Any]) -> tuple[str | None, Any]:
    """The reasoning and the text; some servers leave the reasoning in the text, between tags."""
    content = message.get("content")
    for name in ("reasoning_content", "reasoning"):
        if name in message:
            return message[name], content
    found = _THOUGHT.match(content) if isinstance(content, str) and content.startswith("<") else None
    return (found[1], found[2]) if found else (None, content)


def _calls(call: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tool call; of a made-up tool that OpenAI's models call to make several calls, those."""
    function = call["function"]
    given = function.get("arguments")
    text = given if isinstance(given, str) else json.dumps(given or {})
    name = call.get("id") or str(uuid.uuid4())
    if function["name"] == "multi_tool_use.parallel":
        return [
            {
                "id": f"{name}_{at}",
                "name": each["recipient_name"].removeprefix("functions."),
                "args": json.dumps(each["parameters"]),
            }
            for at, each in enumerate(json.loads(text)["tool_uses"])
        ]
    return [{"id": name, "name": function["name"], "args": text}]


def _logprobs(given: Any, model: str) -> Any:
    """As OpenAI's schema has them, with what is missing as None."""
    if not isinstance(given, dict):
        return given
    names = ("content",) if model.startswith("hosted_vllm/") else ("content", "refusal")
    lists = {name: given.get(name) for name in names}
    return {**given, **{name: each and [_token(one) for one in each] for name, each in lists.items()}}


def _token(given: Mapping[str, Any]) -> dict[str, Any]:
    top = given.get("top_logprobs")
    token = {**given, "bytes": given.get("bytes")}
    return token if top is None else {**token, "top_logprobs": [{**one, "bytes": one.get("bytes")} for one in top]}

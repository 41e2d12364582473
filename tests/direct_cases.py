"""What is asked of both clients, the direct one and litellm: requests, and replies to them, as plain data."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from servers import Reply

HI = [{"role": "user", "content": "hi"}]
SYSTEM = [{"role": "system", "content": "Be brief."}]
PIXEL = "data:image/png;base64,iVBORw0KGgo="
TOOL = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Looks.",
        "parameters": {"type": "object", "properties": {"at": {"type": "string", "enum": ["a"]}}, "required": ["at"]},
    },
}
CALLED = [
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "nothing"},
]
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "answer",
        "strict": True,
        "schema": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
    },
}


@dataclass(frozen=True)
class Case:
    """A request: model, settings, messages; and in *environment* what is set."""

    model: str = "openai/test"
    settings: Mapping[str, Any] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=lambda: HI)
    environment: Mapping[str, str] = field(default_factory=dict)


def _of(model: str = "openai/test", messages: list[dict[str, Any]] | None = None, **settings: Any) -> Case:
    return Case(model, settings, messages or HI)


def _user(*blocks: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(blocks)}]


REQUESTS: dict[str, Case] = {
    "plain": _of(),
    "a listed model": _of("openai/gpt-4o-mini"),
    "without a provider": _of("gpt-4o-mini"),
    "a name with a slash": _of("openai/meta-llama/Llama-3.1-8B-Instruct"),
    "system": _of(messages=SYSTEM + HI),
    "n": _of(n=2, temperature=0.7),
    "sampling": _of(temperature=0.0, top_p=0.9, presence_penalty=0.1, frequency_penalty=-0.1, seed=7),
    "stop": _of(stop=["a", "b"]),
    "stop as text": _of(stop="a"),
    "max_tokens": _of(max_tokens=9),
    "max_completion_tokens": _of(max_completion_tokens=9),
    "logit_bias": _of(logit_bias={"1": 5}),
    "logprobs": _of(logprobs=True, top_logprobs=2),
    "user, a listed model": _of("openai/gpt-4o-mini", user="u1"),
    "user, another": _of(user="u1"),
    "an object": _of(response_format={"type": "json_object"}),
    "a schema": _of("openai/gpt-4o-mini", response_format=SCHEMA),
    "tools": _of(tools=[TOOL], tool_choice="auto"),
    "tools, one chosen": _of(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "look"}}),
    "tools, listed": _of("openai/gpt-4o-mini", tools=[TOOL], parallel_tool_calls=False),
    "tools called": _of(messages=HI + CALLED + HI, tools=[TOOL]),
    "extra_headers": _of(extra_headers={"X-Team": "a", "User-Agent": "shop/1"}),
    "headers": _of(headers={"X-Team": "a"}),
    "both headers": _of(headers={"X-Team": "a", "X-One": "1"}, extra_headers={"X-Team": "b"}),
    "user_agent": _of(user_agent="shop/1.0"),
    "extra_body": _of(extra_body={"top_k": 5, "x": {"y": [1, None]}}),
    "extra_body over a parameter": _of(temperature=0.1, extra_body={"temperature": 0.2}),
    "beyond OpenAI": _of(top_k=5, min_p=0.1, repetition_penalty=1.1, chat_template_kwargs={"a": True}),
    "an image": _of(
        messages=_user({"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": PIXEL}})
    ),
    "an image, detail": _of(messages=_user({"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}})),
    "an image as text": _of(messages=_user({"type": "image_url", "image_url": PIXEL})),
    "audio": _of(messages=_user({"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}})),
    "system in blocks": _of(messages=[{"role": "system", "content": [{"type": "text", "text": "a"}]}, *HI]),
    "unicode": _of(messages=[{"role": "user", "content": 'héé 日本 \U0001f600 \u2028 \x00 \\ " </'}]),
    "a name": _of(messages=[{"role": "user", "content": "hi", "name": "ann"}]),
    "a None in a message": _of(messages=[{"role": "user", "content": "hi", "name": None}]),
    "metadata of the cache": _of(rollout_id=3),
    "service_tier": _of("openai/gpt-4o-mini", service_tier="auto"),
    "store": _of("openai/gpt-4o-mini", store=True, prompt_cache_key="k", safety_identifier="s"),
    "effort, not listed": _of(reasoning_effort="low"),
    "o3": _of("openai/o3", max_tokens=9, seed=1),
    "o3, temperature": _of("openai/o3", temperature=1, reasoning_effort="low", max_completion_tokens=8),
    "o4-mini, tools": _of("openai/o4-mini", tools=[TOOL], tool_choice="auto", response_format=SCHEMA),
    "o1-mini": _of("openai/o1-mini", messages=SYSTEM + HI),
    "o1": _of("openai/o1", messages=SYSTEM + HI, max_tokens=5),
    "o3, system": _of("openai/o3", messages=SYSTEM + HI),
    "gpt-5": _of("openai/gpt-5", max_tokens=9, n=2),
    "gpt-5-mini": _of("openai/gpt-5-mini", temperature=1, reasoning_effort="low", response_format=SCHEMA),
    "gpt-5, tools": _of("openai/gpt-5", tools=[TOOL], tool_choice="auto"),
    "gpt-5.1": _of("openai/gpt-5.1", max_tokens=9, reasoning_effort="high"),
    "gpt-5.4": _of("openai/gpt-5.4", max_tokens=9),
    "gpt-5, unlisted": _of("openai/gpt-5-shop", max_tokens=9, user="u"),
    "gpt-5-chat": _of("openai/gpt-5-chat-latest", temperature=0.5, max_tokens=9),
    "azure": _of("azure/shop", api_version="2024-10-21", temperature=0.5, max_tokens=9, user="u"),
    "azure, more": _of(
        "azure/shop", api_version="2024-10-21", response_format=SCHEMA, tools=[TOOL], tool_choice="auto"
    ),
    "azure, beyond": _of(
        "azure/shop", api_version="2024-10-21", top_k=1, extra_body={"x": 1}, extra_headers={"X": "y"}
    ),
    "azure, image": _of("azure/shop", _user({"type": "image_url", "image_url": PIXEL}), api_version="2024-10-21"),
    "azure, a version of no date": _of("azure/shop"),
    "vllm": _of("hosted_vllm/meta/llama", temperature=0.5, max_tokens=9, top_k=5, seed=1, stop=["x"]),
    "vllm, tools": _of("hosted_vllm/test", HI + CALLED, tools=[TOOL], tool_choice="auto", response_format=SCHEMA),
    "vllm, extra_body": _of("hosted_vllm/test", extra_body={"min_p": 0.1}),
    "vllm, effort": _of("hosted_vllm/test", reasoning_effort="low"),
    "vllm, image": _of("hosted_vllm/test", _user({"type": "image_url", "image_url": {"url": PIXEL}})),
    "vllm, headers": _of("hosted_vllm/test", extra_headers={"X-Team": "a"}),
    "organisation": Case(
        settings={"api_key": "sk-fake-1"}, environment={"OPENAI_ORGANIZATION": "org", "OPENAI_PROJECT_ID": "proj"}
    ),
    "organisation of the SDK": Case(settings={"api_key": "sk-fake-2"}, environment={"OPENAI_ORG_ID": "org"}),
}
"""Asked directly, and with the bytes that litellm would send."""

LEFT: dict[str, Case] = {
    "another provider": _of("mistral/test"),
    "ollama's own protocol": _of("ollama/test"),
    "no such provider": _of("nonesuch/test"),
    "a bare name nobody knows": _of("nonesuch"),
    "nothing after the provider": _of("openai/"),
    "the responses endpoint": _of("openai/responses/gpt-4o"),
    "a model of that endpoint": _of("openai/o1-pro"),
    "a fine-tuned one": _of("openai/ft:gpt-4o:shop::1"),
    "completions": _of("openai/gpt-3.5-turbo-instruct"),
    "audio": _of("openai/gpt-4o-audio-preview"),
    "search": _of("openai/gpt-4o-search-preview"),
    "o3, a temperature": _of("openai/o3", temperature=0.5),
    "o3, top_p": _of("openai/o3", top_p=0.5),
    "gpt-5, stop": _of("openai/gpt-5", stop="a"),
    "gpt-5, both limits": _of("openai/gpt-5", max_tokens=1, max_completion_tokens=2),
    "gpt-5.4, tools": _of("openai/gpt-5.4", tools=[TOOL]),
    "gpt-5-shop, tools": _of("openai/gpt-5-shop", tools=[TOOL]),
    "gpt-5, no effort": _of("openai/gpt-5", reasoning_effort="none"),
    "effort, listed": _of("openai/gpt-4o", reasoning_effort="low"),
    "effort, disabled": _of("openai/gpt-5-pro", reasoning_effort="low"),
    "five stops": _of(stop=list("abcde")),
    "a class": _of(response_format=dict),
    "gpt-4's format": _of("openai/gpt-4", response_format=SCHEMA),
    "no tools": _of(tools=[]),
    "a choice of no tools": _of(tool_choice="auto"),
    "an odd choice": _of(tools=[TOOL], tool_choice={"type": "auto"}),
    "tools that are no dicts": _of(tools=["x"]),
    "a function that is none": _of(tools=[{"type": "function", "function": "x"}]),
    "custom tools": _of(tools=[{"type": "custom", "custom": {"name": "x"}}]),
    "a pattern": _of(tools=[{"type": "function", "function": {"name": "x", "parameters": {"p": {"pattern": "a"}}}}]),
    "combinators": _of(tools=[{"type": "function", "function": {"name": "x", "parameters": {"anyOf": []}}}]),
    "no JSON in a tool": _of(tools=[{"type": "function", "function": {"name": "x", "parameters": {"a": object()}}}]),
    "cache marks": _of(cache_control_injection_points=[{"location": "message", "role": "system"}]),
    "a mark in a message": _of(messages=[{"role": "user", "content": "hi", "cache_control": {"type": "ephemeral"}}]),
    "a mark in a block": _of(messages=_user({"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}})),
    "a file": _of(messages=_user({"type": "file", "file": {"file_id": "x"}})),
    "an image's format": _of(messages=_user({"type": "image_url", "image_url": {"url": PIXEL, "format": "png"}})),
    "a block that is none": _of(messages=_user("text")),
    "an assistant's image": _of(
        messages=[{"role": "assistant", "content": [{"type": "image_url", "image_url": PIXEL}]}]
    ),
    "a tool's blocks": _of(
        messages=[{"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "a"}]}]
    ),
    "calls that are none": _of(messages=[{"role": "assistant", "tool_calls": "x"}]),
    "content of another kind": _of(messages=[{"role": "user", "content": 5}]),
    "a developer": _of(messages=[{"role": "developer", "content": "a"}]),
    "no role": _of(messages=[{"content": "a"}]),
    "metadata": _of(metadata={"a": 1}),
    "a parameter of litellm's": _of(mock_response="x"),
    "tools in extra_body": _of(extra_body={"tools": []}),
    "an extra_body that is none": _of(extra_body=[1]),
    "headers that are none": _of(extra_headers={"X": 1}),
    "a key that is a function": _of(api_key=lambda: "x"),
    "vllm, strict tools": _of("hosted_vllm/test", tools=[{**TOOL, "function": {**TOOL["function"], "strict": True}}]),
    "vllm, beyond and extra_body": _of("hosted_vllm/test", top_k=1, extra_body={"min_p": 0.1}),
    "vllm, blocks said": _of("hosted_vllm/test", [{"role": "assistant", "content": [{"type": "text", "text": "a"}]}]),
    "azure, o3": _of("azure/o3-shop", api_version="2024-10-21"),
    "azure, an old version": _of("azure/shop", api_version="2023-05-15", response_format=SCHEMA),
    "azure, an old model": _of("azure/gpt-35-turbo", api_version="2024-10-21", response_format=SCHEMA),
    "azure, tools required": _of("azure/shop", api_version="2024-10-21", tools=[TOOL], tool_choice="required"),
    "azure, v1": _of("azure/shop", api_version="v1"),
    "a query in the address": _of(api_base="http://127.0.0.1:1/v1?a=b"),
    "a user in the address": _of(api_base="http://a:b@127.0.0.1:1/v1"),
    "no address": _of(api_base="http://[::1/v1"),
    "azure, a token": Case("azure/shop", {"api_version": "2024-10-21"}, HI, {"AZURE_AD_TOKEN": "x"}),
    "azure, no key": _of("azure/shop", api_version="2024-10-21", api_key=None),
    "TLS unchecked": Case(environment={"SSL_VERIFY": "False"}),
}
"""Left to litellm."""


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _choice(message: Any, **more: Any) -> bytes:
    choice = {"index": 0, "finish_reason": "stop", "message": message, **more}
    return _json({"id": "1", "object": "chat.completion", "created": 1, "model": "test", "choices": [choice]})


_TOKEN = {"token": "a", "logprob": -0.5, "bytes": [97]}
_MANY = {
    "tool_uses": [{"recipient_name": "functions.f", "parameters": {"a": 1}}, {"recipient_name": "g", "parameters": {}}]
}


def _called(name: str, arguments: Any) -> Reply:
    return Reply(
        None, tool_calls=({"id": "c", "type": "function", "function": {"name": name, "arguments": arguments}},)
    )


def _used(**usage: Any) -> Reply:
    return Reply(usage={"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70, **usage})


REPLIES: dict[str, Reply] = {
    "plain": Reply(),
    "nothing said": Reply(None, finish_reason="length"),
    "filtered": Reply(None, finish_reason="content_filter"),
    "another reason": Reply(finish_reason="tool_use"),
    "no reason": Reply(raw=_choice({"role": "assistant", "content": "a"}, finish_reason=None)),
    "a tool": _called("f", '{"a": 1}'),
    "a tool, arguments as they are": _called("f", "no json"),
    "many tools in one": _called("multi_tool_use.parallel", json.dumps(_MANY)),
    "reasoning": Reply(reasoning="because"),
    "reasoning by another name": Reply(raw=_choice({"role": "assistant", "content": "a", "reasoning": "b"})),
    "reasoning in tags": Reply("<think>because</think>yes"),
    "tags within": Reply("a <think>because</think>yes"),
    "logprobs": Reply(
        raw=_choice({"role": "assistant", "content": "a"}, logprobs={"content": [{**_TOKEN, "top_logprobs": [_TOKEN]}]})
    ),
    "no usage": Reply(raw=_choice({"role": "assistant", "content": "a"})),
    "empty usage": Reply(usage={}),
    "cached tokens": _used(prompt_tokens_details={"cached_tokens": 40, "audio_tokens": 0}),
    "reasoning tokens": _used(completion_tokens_details={"reasoning_tokens": 15, "audio_tokens": None}),
    "reasoning tokens, outside": _used(reasoning_tokens=15),
    "DeepSeek's counts": _used(prompt_cache_hit_tokens=40, prompt_cache_miss_tokens=10),
    "Anthropic's counts": _used(cache_read_input_tokens=5, cache_creation_input_tokens=6),
    "written to the cache": _used(prompt_tokens_details={"cache_write_tokens": 6}),
    "counts of its own": _used(queue_time=0.5, nothing=None),
    "gzip": Reply(
        raw=gzip.compress(_choice({"role": "assistant", "content": "zipped"})), headers={"Content-Encoding": "gzip"}
    ),
    "a finger print": Reply(raw=_choice({"role": "assistant", "content": "a", "refusal": None, "annotations": []})),
    "an error of nothing": Reply(
        raw=_choice({"role": "assistant", "content": "a"}).replace(b"{", b'{"error": {}, ', 1)
    ),
    "no error": Reply(raw=_choice({"role": "assistant", "content": "a"}).replace(b"{", b'{"error": null, ', 1)),
    "a large one": Reply("x" * 1_000_000),
}
"""Replies that are answers: both clients make the same of them."""

FAILURES: dict[str, Reply] = {
    **{
        str(status): Reply(status=status, message="not today", headers={"Retry-After": "7"})
        for status in (400, 401, 402, 403, 404, 408, 409, 413, 422, 425, 429, 500, 502, 503, 504, 529)
    },
    "milliseconds": Reply(status=429, headers={"retry-after-ms": "1500"}),
    "a date": Reply(status=429, headers={"Retry-After": "Mon, 06 Jan 2020 00:00:00 GMT"}),
    "no money": Reply(status=429, message="You exceeded your current quota", error_code="insufficient_quota"),
    "too long": Reply(status=400, message="This model's maximum context length is 10 tokens"),
    "too long, llama.cpp": Reply(status=400, message="the request exceeds the available context size"),
    "too long, Cerebras": Reply(status=400, message="Current length is 9 while limit is 8"),
    "too long, another": Reply(status=400, message="maximum input length is 8 tokens"),
    "a parameter too long": Reply(
        status=400, message="maximum input length is 8 tokens", error_code="string_above_max_length"
    ),
    "filtered": Reply(status=400, message="The response was filtered", error_code="content_filter"),
    "a detail": Reply(status=400, raw=_json({"detail": "no"})),
    "an error as text": Reply(status=400, raw=_json({"error": "no"})),
    "a message alone": Reply(status=400, raw=_json({"object": "error", "message": "no", "code": 400})),
    "a page": Reply(status=502, raw=b"<html>bad gateway</html>"),
    "nothing": Reply(status=500, raw=b""),
    "no JSON": Reply(raw=b"not json"),
    "empty": Reply(raw=b""),
    "an empty object": Reply(raw=b"{}"),
    "no choices": Reply(raw=b'{"choices": []}'),
    "null": Reply(raw=b"null"),
    "a list": Reply(raw=b"[]"),
    "a page for an answer": Reply(raw=b"<html></html>"),
    "half an answer": Reply(raw=b'{"choices": [{"index": 0, "mess'),
    "an error for an answer": Reply(raw=_json({"error": {"message": "overloaded", "code": 503}})),
    "an error as text for an answer": Reply(raw=_json({"error": "overloaded"})),
    "a choice without a message": Reply(raw=_json({"choices": [{"index": 0}]})),
    "content that is no text": Reply(raw=_choice({"role": "assistant", "content": [1]})),
    "an error that is a number": Reply(raw=_json({"error": 5})),
    "an error with a code in words": Reply(raw=_json({"error": {"message": {"a": 1}, "code": "rate_limit"}})),
    "hung up": Reply(drop=True),
    "cut off": Reply(cut=20),
}
"""Replies that are none: both clients make the same error of them."""

"""Parameters as litellm would send them; None where it would refuse, rename or drop one in a way not known here.

OpenAI's reasoning models take fewer than others, and ``max_tokens`` by another name.
"""

import json
from collections.abc import Mapping
from typing import Any

from progkit.lm.direct.models import Model

_COMMON = frozenset(
    {"temperature", "top_p", "n", "stop", "max_tokens", "max_completion_tokens", "presence_penalty", "store"}
    | {"frequency_penalty", "logit_bias", "seed", "logprobs", "top_logprobs", "response_format", "user"}
    | {"tools", "tool_choice", "parallel_tool_calls", "prompt_cache_key"}
)
_OF_OPENAI = _COMMON | {"service_tier", "safety_identifier", "reasoning_effort"}
_REASONING = frozenset(
    {"temperature", "n", "max_tokens", "max_completion_tokens", "seed", "response_format", "store", "user"}
    | {"tools", "tool_choice", "reasoning_effort", "service_tier", "safety_identifier", "prompt_cache_key"}
)
_NAMES = {
    "openai": _OF_OPENAI,
    "hosted_vllm": _OF_OPENAI - {"user"},
    "azure": _COMMON,
}
_BEYOND = frozenset(
    {"top_k", "min_p", "repetition_penalty", "length_penalty", "best_of", "ignore_eos", "min_tokens", "stop_token_ids"}
    | {"include_stop_str_in_output", "skip_special_tokens", "guided_json", "guided_regex", "guided_choice"}
    | {"guided_grammar", "guided_decoding_backend", "chat_template_kwargs", "mm_processor_kwargs"}
)
"""What other servers know beside OpenAI's parameters; litellm passes it through."""

_EFFORTS = ("low", "medium", "high")
_STOPS = 4
"""OpenAI takes so many; litellm cuts the rest off."""
_NO_FORMAT = ("gpt-4", "gpt-3.5-turbo-16k")
_OLD_AZURE = ("gpt-3.5", "gpt-35", "gpt-3-5")
_FORMATS_SINCE = "2024-08"
"""Of Azure's API versions, the first with ``response_format``; for older ones litellm makes a tool of it."""
_COMBINATORS = frozenset({"oneOf", "anyOf", "allOf", "enum", "const", "not"})


def plain(model: Model, given: Mapping[str, Any], version: str = "") -> dict[str, Any] | None:
    """The body's fields beside ``model`` and ``messages`` for the parameters *given*; None if litellm must see to them.

    version: Azure's API version.
    """
    extra = given.get("extra_body") or {}
    if not isinstance(extra, Mapping) or "tools" in extra or "tags" in extra:
        return None
    beyond = {name: value for name, value in given.items() if name in _BEYOND}
    known = {name: value for name, value in given.items() if name not in _BEYOND and name != "extra_body"}
    if beyond and model.provider == "hosted_vllm" and extra:
        return None
    names = _NAMES[model.provider] if model.kind == "plain" else _REASONING
    if not names.issuperset(known) or not _format_is_plain(model, known, version) or not _tools_are_plain(model, known):
        return None
    sent = _adjusted(model, known)
    return None if sent is None else {**sent, **extra, **beyond}


def _adjusted(model: Model, given: dict[str, Any]) -> dict[str, Any] | None:
    stop = given.get("stop")
    if isinstance(stop, (list, tuple)) and len(stop) > _STOPS:
        return None
    effort = given.get("reasoning_effort")
    if effort is not None and (effort not in _EFFORTS or (model.kind == "plain" and model.listed)):
        return None
    if "user" in given and model.provider == "openai" and not model.listed:
        given = {name: value for name, value in given.items() if name != "user"}  # as litellm does
    return given if model.kind == "plain" else _for_reasoning(model, given)


def _for_reasoning(model: Model, given: dict[str, Any]) -> dict[str, Any] | None:
    effort = given.get("reasoning_effort")
    if given.get("temperature", 1) != 1 or ("max_tokens" in given and "max_completion_tokens" in given):
        return None
    if effort is not None and model.abilities.get(f"supports_{effort}_reasoning_effort") is False:
        return None
    needed = {"tools": "supports_function_calling", "tool_choice": "supports_tool_choice"}
    if model.kind == "o":
        needed["response_format"] = "supports_response_schema"
    if any(name in given and not model.abilities.get(ability) for name, ability in needed.items()):
        return None
    if "tools" in given and model.version >= (5, 4):
        return None  # asked at another endpoint, /responses
    return {"max_completion_tokens" if name == "max_tokens" else name: value for name, value in given.items()}


def _format_is_plain(model: Model, given: Mapping[str, Any], version: str) -> bool:
    if "response_format" not in given:
        return True
    if not isinstance(given["response_format"], dict) or model.name in _NO_FORMAT:
        return False
    if model.provider == "azure":
        return version >= _FORMATS_SINCE and not any(each in model.name for each in _OLD_AZURE)
    return True


def _tools_are_plain(model: Model, given: Mapping[str, Any]) -> bool:
    """Whether litellm would send the tools as they are: it drops some keywords, and flattens others."""
    tools, choice = given.get("tools"), given.get("tool_choice")
    if tools is None:
        return choice is None and "parallel_tool_calls" not in given
    if not isinstance(tools, list) or not tools or not all(map(_tool_is_plain, tools)):
        return False
    if isinstance(choice, dict) and not (choice.get("type") == "function" and choice.get("function")):
        return False
    if choice == "required" and model.provider == "azure":
        return False
    try:
        text = json.dumps(tools)
    except (TypeError, ValueError):
        return False
    touched: tuple[str, ...] = ('"pattern"', '"cache_control"', '"input_examples"', '"eager_input_streaming"')
    if model.provider == "hosted_vllm":
        touched += ('"additionalProperties"', '"strict"')
    return not any(each in text for each in touched)


def _tool_is_plain(tool: object) -> bool:
    if not isinstance(tool, dict) or set(tool) != {"type", "function"} or tool["type"] != "function":
        return False
    function = tool["function"]
    if not isinstance(function, dict) or not {"name", "description", "parameters", "strict"}.issuperset(function):
        return False
    parameters = function.get("parameters", {})
    return isinstance(parameters, dict) and not _COMBINATORS & set(parameters)

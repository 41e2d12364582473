"""The settings that go with a request: which names are known, and what their values may be.

Providers have settings of their own, so a name that is not known is sent; one that is nearly a known name is a slip
of the pen, which would send prompts elsewhere or change nothing.
"""

import logging
import re
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from numbers import Real
from typing import Any

from progkit.errors import ConfigurationError
from progkit.lm.endpoint import NAMES as ENDPOINTS
from progkit.lm.request import CREDENTIALS, TRANSPORT
from progkit.lm.secrecy import is_reference

OF_DSPY = {
    "callbacks": "progkit has no callbacks",
    "finetuning_model": "progkit does not train",
    "launch_kwargs": "progkit launches no servers",
    "model_type": "only chat completions are spoken here",
    "provider": "the provider is the first part of the model's name",
    "train_kwargs": "progkit does not train",
    "use_developer_role": "roles are those of the messages",
}
"""Settings of DSPy's that there are not here, and why."""

_OPENAI = frozenset(
    {"temperature", "top_p", "n", "stop", "max_tokens", "max_completion_tokens", "presence_penalty", "store", "seed"}
    | {"frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "response_format", "user", "tools", "tool_choice"}
    | {"parallel_tool_calls", "prompt_cache_key", "prompt_cache_retention", "service_tier", "safety_identifier"}
    | {"reasoning_effort", "verbosity", "modalities", "prediction", "audio", "functions", "function_call"}
    | {"web_search_options", "extra_body", "extra_query"}
)
_OF_LITELLM = frozenset(
    {"model", "messages", "thinking", "request_timeout", "api_version", "deployment_id", "organization", "base_model"}
    | {"custom_llm_provider", "drop_params", "allowed_openai_params", "additional_drop_params", "context_management"}
    | {"include_server_side_tool_invocations", "mock_response", "fallbacks", "api_type", "region_name", "ssl_verify"}
    | {"aws_region_name", "aws_profile_name", "aws_role_name", "aws_session_name", "aws_bedrock_runtime_endpoint"}
    | {"aws_sts_endpoint", "aws_web_identity_token", "vertex_project", "vertex_location", "project_id", "space_id"}
    | {"tenant_id", "client_id", "client_secret", "azure_username", "azure_password", "azure_scope", "project"}
    | {"azure_ad_token_provider", "model_info", "prompt_id", "prompt_variables", "custom_prompt_dict", "http_client"}
    | {"input_cost_per_token", "output_cost_per_token", "safety_settings", "guardrails", "tags", "client"}
)
_OF_OTHERS = frozenset(
    {"top_k", "top_a", "min_p", "typical_p", "repetition_penalty", "repeat_penalty", "length_penalty", "best_of"}
    | {"ignore_eos", "min_tokens", "max_new_tokens", "min_new_tokens", "max_output_tokens", "stop_token_ids"}
    | {"include_stop_str_in_output", "skip_special_tokens", "spaces_between_special_tokens", "guided_json"}
    | {"guided_regex", "guided_choice", "guided_grammar", "guided_decoding_backend", "chat_template_kwargs"}
    | {"mm_processor_kwargs", "stop_sequences", "prompt_logprobs", "truncate_prompt_tokens", "add_generation_prompt"}
    | {"keep_alive", "num_ctx", "num_predict", "repeat_last_n", "mirostat", "mirostat_eta", "mirostat_tau", "tfs_z"}
    | {"models", "transforms", "route", "plugins", "reasoning", "include_reasoning", "random_seed", "safe_prompt"}
    | {"format", "think", "documents", "system", "search_domain_filter", "return_images", "thinking_budget"}
    | {"enable_thinking", "thinking_config", "reasoning_format", "reasoning_split", "output_config", "speed", "effort"}
)
"""What vLLM, Ollama, OpenRouter, Mistral, Anthropic and others know beside OpenAI's parameters."""
KNOWN = frozenset({*_OPENAI, *_OF_LITELLM, *_OF_OTHERS, *OF_DSPY, *CREDENTIALS, *TRANSPORT, *ENDPOINTS, "rollout_id"})
"""The names of settings that are known; nothing else decides which names are taken without a word."""

_SPELLED = sorted(KNOWN - {"model", "messages"})
_NEAR = 0.85
"""difflib's ratio from which a name is a misspelled one: a letter more, less or swapped in a short word."""
_NUMBERS = ("temperature", "top_p", "max_tokens", "max_completion_tokens", "n", "seed", "timeout")
_LOCAL = re.compile(r"([^/.:]+|[0-9.]+|\[[0-9a-fA-F:]+\])(:|/|$)")
"""How an address begins whose host is of this network: one word, or numbers."""

_LETTERS = 2
"""So many more, or fewer, than the known name; beyond, the one is made of the other on purpose."""

log = logging.getLogger("progkit.lm")
_told: set[str] = set()


def meant(name: str) -> str:
    """The known setting that an unknown *name* is nearly the name of; "" if it is known, or near none."""
    if name in KNOWN:
        return ""
    plain = name.lower().replace("-", "_")
    alike = [each for each in _SPELLED if abs(len(each) - len(plain)) <= _LETTERS]
    return plain if plain in KNOWN else next(iter(get_close_matches(plain, alike, n=1, cutoff=_NEAR)), "")


def check(settings: Mapping[str, Any], where: str) -> None:
    """Refuse *settings*, given at *where*, that are misspelled or of a wrong kind; unknown ones are told once.

    Raises:
        ConfigurationError: for a name that is nearly a known one, and as ``check_values``.
    """
    _check_names(settings.keys(), where)
    check_values(settings)


def _check_names(names: Collection[str], where: str) -> None:
    for name in names if not KNOWN.issuperset(names) else ():
        if near := meant(name):
            raise ConfigurationError(
                f"{where}: no setting {name!r} is known (did you mean {near!r}?). If your provider has it, "
                f"extra_body={{{name!r}: ...}} sends it on purpose"
            )
        if name not in KNOWN and name not in _told:
            _told.add(name)
            log.warning("%s: %r is no setting that progkit knows; it is sent as it stands", where, name)


def doubtful(names: Iterable[str]) -> list[str]:
    """The misspelled among *names*, each with what it may mean: for what is read from a file."""
    return [f"{name!r} (did you mean {near!r}?)" for name in names if (near := meant(name))]


def check_values(settings: Mapping[str, Any]) -> None:
    """Refuse the values of well-known *settings* that no provider takes.

    Raises:
        ConfigurationError: naming the setting, and what it takes.
    """
    for name in _NUMBERS:
        _require_number(name, settings.get(name))
    for name in ENDPOINTS:
        _require_address(name, settings.get(name))


def _require_number(name: str, value: Any) -> None:
    is_bool = isinstance(value, bool)  # which is a number in Python, and none here
    if value is None or is_reference(value) or (isinstance(value, Real) and not is_bool):
        return
    shown = repr(value)
    raise ConfigurationError(f"{name} is a number, not {shown if len(shown) <= 100 else type(value).__name__}")


def _require_address(name: str, value: Any) -> None:
    if not isinstance(value, str) or not value or "://" in value:
        return
    if "@" in value or "?" in value or any(each.isspace() for each in value):  # it may hold a password
        raise ConfigurationError(f"{name} is no address: it begins with http:// or https://")
    scheme = "http" if _LOCAL.match(value) else "https"
    path = "" if "/" in value.rstrip("/") else "/v1"
    raise ConfigurationError(f"{name}={value!r} is no address without its scheme: {scheme}://{value.rstrip('/')}{path}")

"""An LM as plain data for a file: the settings that may stand in one, by a list, and never a secret.

Flat: ``{"model": "openai/gpt-4o-mini", "cache": true, "num_retries": 3, "timeout": 60.0, "deadline": null,
"temperature": 0.7, ...}``. A credential may stand there as ``{"env": "NAME"}`` and is then read when it is needed.
"""

from collections.abc import Mapping
from typing import Any

from progkit.lm.endpoint import NAMES as ENDPOINTS
from progkit.lm.secrecy import is_reference, is_secret, public_url

OWN = ("cache", "num_retries", "timeout", "deadline")
"""Settings of the LM itself: constructor arguments with a name of their own."""

SENT = frozenset(
    {"temperature", "top_p", "top_k", "min_p", "max_tokens", "max_completion_tokens", "n", "stop", "seed"}
    | {"presence_penalty", "frequency_penalty", "repetition_penalty", "logit_bias", "logprobs", "top_logprobs"}
    | {"response_format", "tools", "tool_choice", "parallel_tool_calls", "reasoning_effort", "thinking", "verbosity"}
    | {"api_version", "service_tier", "cache_control_injection_points", "rollout_id", *ENDPOINTS}
)
"""Settings that go with the requests and that a file may hold."""


def dump(settings: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What of *settings*, ``model`` among them, a file may hold, and ``name: why not`` for each that it may not."""
    state: dict[str, Any] = {}
    dropped = []
    for name, value in settings.items():
        reason = _reason_against(name, value)
        if reason:
            dropped.append(f"{name}: {reason}")
            continue
        state[name] = _copy(value)
        if name in ENDPOINTS and isinstance(value, str) and public_url(value) != value:
            state[name] = public_url(value)
            dropped.append(f"{name}: the credentials in it")
    return state, dropped


def split(state: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A state's settings that are understood, and the rest: kept for the next save, never sent."""
    known, rest = {}, {}
    for name, value in state.items():
        if name == "model" or name in OWN or name in SENT or (is_secret(name) and is_reference(value)):
            known[name] = value
        elif not is_secret(name):
            rest[name] = value
    return known, rest


def _reason_against(name: str, value: object) -> str:
    if is_secret(name):
        return "" if is_reference(value) else "a secret; {'env': 'NAME'} may be saved in its place"
    if name != "model" and name not in OWN and name not in SENT:
        return "not a setting that a file may hold"
    return "" if _is_plain(value) else f"{type(value).__name__} is not plain data"


def _is_plain(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and _is_plain(each) for name, each in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (str, int, float))


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copy(each) for name, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, (list, tuple)) else value

"""API keys as they come out of files and variables: with a line break at the end, or damaged.

A key is never shown, in no error either.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from progkit.errors import ConfigurationError
from progkit.lm.secrecy import is_reference

NAMES = frozenset(
    {"api_key", "api_token", "token", "azure_ad_token"}
    | {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}
)
"""The parameters that are one key each, and no more."""


def stripped(settings: Mapping[str, Any]) -> dict[str, Any]:
    """*settings* with no whitespace around their keys: a mounted secret ends in a line break."""
    return {
        name: value.strip() if name in NAMES and isinstance(value, str) else value for name, value in settings.items()
    }


def from_environment(model: str) -> str:
    """The key that the environment has for *model*'s provider, if it has whitespace around it; else "".

    Such a key has to be handed on, as whoever else reads the variable takes it as it stands.
    """
    for name in _variables(model):
        if found := os.environ.get(name):
            return found.strip() if found != found.strip() else ""
    return ""


def fault(settings: Mapping[str, Any]) -> str:
    """What is wrong with the first key in *settings* that can be none; "" if all may be."""
    named: Iterable[tuple[str, Any]] = ((name, settings.get(name)) for name in sorted(NAMES))
    return next((said for name, key in named if isinstance(key, str) and (said := _fault(name, key))), "")


def fault_in_environment(model: str) -> str:
    """What is wrong with the key that the environment has for *model*'s provider; "" if nothing is."""
    return next((_fault(name, found) for name in _variables(model) if (found := os.environ.get(name))), "")


def check(settings: Mapping[str, Any]) -> None:
    """Refuse keys that can be none.

    Raises:
        ConfigurationError: naming the parameter, and not its value.
    """
    given = {name: value for name, value in settings.items() if not is_reference(value)}
    if said := fault(given):
        raise ConfigurationError(said)


def _variables(model: str) -> tuple[str, ...]:
    provider, slash, _ = model.partition("/")
    if not slash:
        provider = "anthropic" if model.startswith("claude") else "openai"
    prefix = provider.upper().replace("-", "_")
    return ("AZURE_OPENAI_API_KEY", "AZURE_API_KEY") if prefix == "AZURE" else (f"{prefix}_API_KEY",)


def _fault(name: str, key: str) -> str:
    if key and not key.strip():
        return f"{name} holds nothing but whitespace"
    if any(each.isspace() or not each.isprintable() for each in key.strip()):
        return f"{name} holds whitespace or a control character within: it is no key, or several; it is not shown here"
    return ""

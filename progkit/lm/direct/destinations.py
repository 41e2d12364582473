"""Where a request goes and with which headers: address, key and organisation, from its arguments or the environment.

The environment's names are those that litellm reads, in its order.
"""

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from progkit.lm.direct.models import Model
from progkit.version import __version__

_OPENAI = "https://api.openai.com/v1"
_AZURE_VERSION = "2025-02-01-preview"
"""litellm's default."""
_LEFT_TO_LITELLM = (
    "USE_LITELLM_PROXY",
    "EXPERIMENTAL_OPENAI_BASE_LLM_HTTP_HANDLER",
    "SSL_VERIFY",
    "SSL_CERTIFICATE",
) + ("SSL_SECURITY_LEVEL", "SSL_ECDH_CURVE", "OPENAI_CUSTOM_HEADERS", "OPENAI_IDENTITY_PROVIDER_ID")
"""Variables that make litellm go another way."""
_OF_AZURE = ("AZURE_AD_TOKEN", "AZURE_USERNAME", "AZURE_PASSWORD")


class Destination:
    """The address and the headers. A class with no fields to show: the headers hold the key."""

    __slots__ = ("headers", "url")

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.url = url
        self.headers = headers


def destination(model: Model, arguments: Mapping[str, Any]) -> Destination | str:
    """Where *model* is asked; empty text if litellm must find the way, and why not if there is no key for it."""
    base = base_of(model, arguments)
    extra = _extra_headers(arguments)
    if extra is None or not _is_plain(base) or any(each in os.environ for each in _LEFT_TO_LITELLM):
        return ""
    key = _key(model, arguments)
    if key is None and model.provider == "azure":
        return ""  # there are ways without a key
    if key is None:
        return "no API key: pass api_key=..., or set OPENAI_API_KEY; a server that needs none takes any"
    if not isinstance(key, str):
        return ""
    headers = {
        "accept": "application/json",
        "accept-encoding": "gzip, deflate",
        "content-type": "application/json",
        "user-agent": f"progkit/{__version__}",
    }
    if model.provider == "azure":
        return _of_azure(model, arguments, base, {**headers, "api-key": key, **extra})
    headers["authorization"] = f"Bearer {key}"
    if model.provider == "openai":
        headers |= _organisation()
    return Destination(base.rstrip("/") + "/chat/completions", headers | extra)


def base_of(model: Model, arguments: Mapping[str, Any]) -> str:
    """The address that requests to *model* begin with; empty if none is set and there is no default."""
    given = arguments.get("base_url") or arguments.get("api_base")
    if given:
        return str(given)
    names = {
        "openai": ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
        "azure": ("AZURE_API_BASE",),
        "hosted_vllm": ("HOSTED_VLLM_API_BASE",),
    }
    found = _first(names[model.provider])
    return found or (_OPENAI if model.provider == "openai" else "")


def version_of(arguments: Mapping[str, Any]) -> str:
    """Azure's API version."""
    return str(arguments.get("api_version") or _first(("AZURE_API_VERSION",)) or _AZURE_VERSION)


def _of_azure(model: Model, arguments: Mapping[str, Any], base: str, headers: dict[str, str]) -> Destination | str:
    version = version_of(arguments)
    special = ("/openai/deployments", "/openai/v1", "gateway.ai.cloudflare.com")
    if any(each in base for each in special) or any(each in os.environ for each in _OF_AZURE) or "-" not in version:
        return ""
    path = f"/openai/deployments/{quote(model.name, safe='')}/chat/completions?api-version={quote(version, safe='')}"
    return Destination(base.rstrip("/") + path, headers)


def _key(model: Model, arguments: Mapping[str, Any]) -> Any:
    if arguments.get("api_key"):
        return arguments["api_key"]
    if model.provider == "azure":
        return _first(("AZURE_OPENAI_API_KEY", "AZURE_API_KEY"))
    if model.provider == "hosted_vllm":
        return _first(("HOSTED_VLLM_API_KEY",)) or "fake-api-key"
    return _first(("OPENAI_API_KEY",))


def _organisation() -> dict[str, str]:
    named = {
        "openai-organization": _first(("OPENAI_ORGANIZATION", "OPENAI_ORG_ID")),
        "openai-project": _first(("OPENAI_PROJECT_ID",)),
    }
    return {name: value for name, value in named.items() if value}


def _extra_headers(arguments: Mapping[str, Any]) -> dict[str, str] | None:
    """The caller's own headers, their names in lower case; None if they are no plain ones."""
    found: dict[str, str] = {}
    for name in ("headers", "extra_headers"):
        given = arguments.get(name) or {}
        if not isinstance(given, Mapping) or not all(isinstance(each, str) for each in (*given, *given.values())):
            return None
        found |= {key.lower(): value for key, value in given.items()}
    return found


def _is_plain(base: str) -> bool:
    """Whether an address is one to append a path to: no query, no user in it."""
    try:
        parts = urlsplit(base)
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and not (parts.query or parts.fragment)
        and ("@" not in parts.netloc)
    )


def _first(names: tuple[str, ...]) -> str | None:
    return next((os.environ[each] for each in names if os.environ.get(each)), None)

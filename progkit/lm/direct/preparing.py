"""A request made ready for the wire, or why it is left to litellm."""

import sys
from collections.abc import Mapping
from typing import Any

from progkit.errors import LMAuthenticationError, LMBadRequestError, LMError
from progkit.lm.direct import messages, parameters
from progkit.lm.direct.destinations import Destination, destination, version_of
from progkit.lm.direct.models import Model, known
from progkit.lm.request import Prefix
from progkit.lm.secrecy import blot, secrets_of

_OWN = frozenset({"model", "messages", "api_key", "api_base", "base_url", "headers", "extra_headers"})
_CUSTOM = (
    ("callbacks", "input_callback", "success_callback", "failure_callback", "_async_input_callback", "headers")
    + ("_async_success_callback", "_async_failure_callback", "api_key", "api_base", "openai_key", "azure_key")
    + ("organization", "proxy_auth", "client_session", "aclient_session", "model_alias_map", "model_fallbacks")
    + ("drop_params", "modify_params", "cache", "route_all_chat_openai_to_responses", "openai_system_messages_first")
    + ("api_version", "network_mock", "enable_preview_features", "max_budget", "use_litellm_proxy", "http2")
    + ("ssl_certificate", "ssl_security_level", "ssl_ecdh_curve")
)
"""What a program sets on litellm to make it do more, or other things, than it does by itself."""


_NO_WAY = "the endpoint, its headers or the environment are such that litellm must find the way"
_HEAD = b'{"messages":['
_PUBLIC = ("accept", "accept-encoding", "content-type", "user-agent")


class Prepared:
    """A request's destination and body. A class with no fields to show: the headers hold the key.

    secrets: what no error may show. name: the model as it was asked for. http2: whether it goes by HTTP/2.
    """

    __slots__ = ("body", "destination", "http2", "model", "name", "secrets")

    def __init__(self, name: str, model: Model, destination: Destination, body: bytes, secrets: list[str]) -> None:
        self.name = name
        self.model = model
        self.destination = destination
        self.body = body
        self.secrets = secrets
        self.http2 = False


def prepare(arguments: Mapping[str, Any], prefix: Prefix) -> Prepared | LMError | str:
    """The request of these *arguments* (litellm's), ready; why it is not worth sending; or why it is litellm's.

    prefix: what the messages begin with, and those of other requests, too.

    Errors are handed back and not raised: a traceback from here would hold the key among its local variables.
    """
    name = arguments["model"]
    model = known(name)
    if model is None:
        return f"{name} is no model of OpenAI's kind of chat completions"
    if is_customised(sys.modules.get("litellm")):
        return "this program has set up litellm: callbacks, keys or the like, which only litellm knows of"
    version = version_of(arguments) if model.provider == "azure" else ""
    own = _OWN | {"api_version"} if version else _OWN
    fields = parameters.plain(model, {key: value for key, value in arguments.items() if key not in own}, version)
    if fields is None:
        return f"a parameter of this request is one that litellm must see to, for {name}"
    every, shared = arguments["messages"], len(prefix.messages)
    opening = b"" if "messages" in fields or len(every) == shared else messages.opening(prefix, model)
    sent = messages.plain(every[shared:] if opening else every, model)
    if sent is None:
        return "a message of this request is one that litellm must see to"
    to = destination(model, arguments)
    if isinstance(to, str):
        return LMAuthenticationError(to, name) if to else _NO_WAY
    body = _encoded(opening, {"messages": sent, "model": model.name, **fields}, arguments)
    return body if isinstance(body, LMError) else Prepared(name, model, to, body, _secrets(to))


def is_customised(litellm: Any) -> bool:
    """Whether the program has set up *litellm*, the module, if it is loaded."""
    if litellm is None:
        return False
    return any(getattr(litellm, name, None) for name in _CUSTOM) or getattr(litellm, "ssl_verify", True) is not True


def _secrets(to: Destination) -> list[str]:
    return [value for name, value in to.headers.items() if name not in _PUBLIC]


def _encoded(opening: bytes, body: Mapping[str, Any], arguments: Mapping[str, Any]) -> bytes | LMError:
    """*body* as JSON, with the messages *opening* before its own."""
    try:
        text = messages.encoded(body)
        return text if not opening else b"".join((_HEAD, opening, b",", text[len(_HEAD) :]))
    except (TypeError, ValueError, RecursionError) as error:  # no JSON, NaN, a lone surrogate, a circle
        reason = blot(f"the request cannot be sent as JSON: {error}", secrets_of(arguments))
    return LMBadRequestError(reason, arguments["model"])

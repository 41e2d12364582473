"""litellm, and the one place that knows it. It is imported when the first request is sent, and not before.

The import takes seconds of CPU and fetches a price list and loads a ``.env`` unless told not to; requests travel
on the background loop, which does the importing too.
"""

import asyncio
import atexit
import copy
import os
from collections.abc import Mapping
from concurrent.futures import Future
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from progkit.errors import ConfigurationError, LMServerError, LMTimeoutError
from progkit.lm import demo
from progkit.lm.background import shared as background
from progkit.lm.failures import understood
from progkit.lm.replies import response
from progkit.lm.retry import Outcome
from progkit.lm.secrecy import secrets_of

_ENVIRONMENT = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
_MALICIOUS = ("1.82.7", "1.82.8")
"""Releases by an attacker, with a thief of credentials in them (github.com/BerriAI/litellm/issues/24518)."""

_loaded: list[Any] = []

_PRICES = (
    "input_cost_per_token",
    "output_cost_per_token",
    "cache_creation_input_token_cost",
    "cache_read_input_token_cost",
)
_FREE = {"litellm_provider": demo.PROVIDER, "mode": "chat", **dict.fromkeys(_PRICES, 0.0)}


def load() -> Future[None]:
    """Import litellm, unless that is done.

    The future raises ``ConfigurationError`` for a release that must not be imported.
    """
    return background.start(_load())


def ask(arguments: Mapping[str, Any], seconds: float | None) -> Future[Outcome]:
    """Send one request, once, with litellm's *arguments*; give up after *seconds*. ``load`` comes first."""
    own = {**arguments, "messages": copy.deepcopy(arguments["messages"])}  # litellm edits what it is given
    return background.start(_ask(own, seconds))


def priced(body: Mapping[str, Any], model: str) -> Future[float | None]:
    """What *body*, a chat completion as *model* gave it, costs in US dollars; None if litellm cannot tell."""
    return background.start(_priced(body, model))


async def _load() -> None:
    """Only ever on the background loop's thread, which has no ``await`` in here to be interrupted at."""
    if not _loaded:
        _loaded.append(_imported())
        # Registered after litellm's own exit handlers, so run before them, while its clients' loop still turns.
        atexit.register(lambda: background.stop(_loaded[0].close_litellm_async_clients()))


def _imported() -> Any:
    spec = find_spec("litellm")
    refuse_malicious(Path(spec.origin).parent.parent if spec and spec.origin else Path())
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import litellm  # seconds of CPU and 165 MB: the reason for this door

    litellm.suppress_debug_info = True  # or it prints advice on every error
    litellm.disable_hf_tokenizer_download = True  # or counting an unknown model's tokens goes to the network
    litellm.telemetry = False
    litellm.register_model({f"{demo.PROVIDER}/{name}": _FREE for name in demo.MODELS})
    return litellm


def refuse_malicious(site: Path) -> None:
    """Look at what is installed in *site*, where the package is, before any of it runs.

    Raises:
        ConfigurationError: for a release that must not be imported.
    """
    for version in _MALICIOUS:
        if (site / f"litellm-{version}.dist-info").exists():
            raise ConfigurationError(f"litellm {version} is a malicious release: install another, and change your keys")


async def _ask(arguments: dict[str, Any], seconds: float | None) -> Outcome:
    model = arguments["model"]
    if arguments.get("tools") and find_spec("mcp") is None:
        # With any tools at all, litellm imports its MCP client, and fails where that extra is not installed.
        arguments["_skip_mcp_handler"] = True
    try:
        litellm = _loaded[0]
        if model.startswith(f"{demo.PROVIDER}/"):
            _register(litellm)
        async with asyncio.timeout(seconds):
            raw = await litellm.acompletion(**arguments, timeout=seconds, num_retries=0, max_retries=0)
        if not raw.choices:
            return LMServerError("the reply holds no choice", model)
        return response(raw, model, _cost(litellm, raw, model))
    except TimeoutError:
        return LMTimeoutError(f"no answer within {seconds} s", model)
    except Exception as error:  # what comes out of litellm is anything that its providers' code can raise
        return understood(error, model, secrets_of(arguments))


async def _priced(body: Mapping[str, Any], model: str) -> float | None:
    try:
        await _load()
        return _cost(_loaded[0], _loaded[0].ModelResponse(**body), model)
    except Exception:  # as below
        return None


def _cost(litellm: Any, raw: Any, model: str) -> float | None:
    try:
        return float(litellm.completion_cost(completion_response=raw, model=model))
    except Exception:  # a model without a price raises, of several kinds; an answer is worth more than its price
        return None


def _register(litellm: Any) -> None:
    """Make the embedded LM a provider of litellm's, beside those that are there."""
    if any(each["provider"] == demo.PROVIDER for each in litellm.custom_provider_map):
        return

    class Demo(litellm.CustomLLM):  # type: ignore[misc]
        """The provider as litellm wants it; ``demo.answer`` is what it says."""

        async def acompletion(self, model: str, messages: list[Any], **rest: Any) -> Any:
            """Answer *messages*."""
            if model not in demo.MODELS:
                raise litellm.BadRequestError(demo.unknown(model), model, demo.PROVIDER)
            texts, usage = demo.answer(messages, rest["optional_params"].get("n") or 1)
            choices = [
                {"index": at, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
                for at, text in enumerate(texts)
            ]
            return litellm.ModelResponse(model=model, choices=choices, usage=usage)

    litellm.custom_provider_map = [
        *litellm.custom_provider_map,
        {"provider": demo.PROVIDER, "custom_handler": Demo()},
    ]

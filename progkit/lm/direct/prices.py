"""What a reply costs by litellm's list: the plain sum. Where more goes into it, litellm itself is asked."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from progkit.lm.direct.catalogue import entry
from progkit.lm.direct.models import Model

_FROM = 100_000
"""Tokens: no prompt below this costs more than the plain price for its length."""
_PLAIN = {"prompt_tokens_details": {"cached_tokens"}, "completion_tokens_details": {"reasoning_tokens"}}
_TIERS = (None, "default", "standard", "auto")


class Price(NamedTuple):
    """US dollars, None if not known. is_sure: False where the plain sum is not all, and litellm has to say."""

    dollars: float | None = None
    is_sure: bool = True


def price(model: Model, body: Mapping[str, Any], usage: Mapping[str, Any]) -> Price:
    """The price of the reply *body*, which used *usage*: by the model that it names, else by the one asked."""
    rates = next(_rates(model, str(body.get("model") or model.name)), None)
    if rates is None:
        return Price()
    if not _is_plain(rates, body, usage):
        return Price(is_sure=False)
    prompt, said = usage["prompt_tokens"], usage["completion_tokens"]
    cached = usage.get("prompt_tokens_details", {}).get("cached_tokens") or 0
    thought = usage.get("completion_tokens_details", {}).get("reasoning_tokens") or 0
    each, out = float(rates.get("input_cost_per_token") or 0), float(rates.get("output_cost_per_token") or 0)
    kept, thinking = rates.get("cache_read_input_token_cost"), rates.get("output_cost_per_reasoning_token")
    asked = max(prompt - cached, 0) * each + cached * float(each if kept is None else kept)
    told = max(said - thought, 0) * out + thought * float(out if thinking is None else thinking)
    return Price(asked + told)


def _rates(model: Model, answered: str) -> Iterator[Mapping[str, Any]]:
    """The entries that may price a reply, the best first."""
    for name in (answered, model.name):
        parts = name.split("/")
        names = (f"{model.provider}/{'/'.join(parts[at:])}" for at in range(len(parts)))
        for each in (*names, name, name.removeprefix(f"{model.provider}/")):
            found = entry(each)
            if found and found.get("litellm_provider") == model.provider:
                yield found


def _is_plain(rates: Mapping[str, Any], body: Mapping[str, Any], usage: Mapping[str, Any]) -> bool:
    if rates.get("mode") != "chat" or "tiered_pricing" in rates or "off_peak_pricing" in rates:
        return False
    if body.get("service_tier") not in _TIERS or not {"cost", "server_tool_use", "service_tier"}.isdisjoint(usage):
        return False
    if usage["prompt_tokens"] >= _FROM and any("_above_" in name for name in rates):
        return False
    if any(choice["message"].get("annotations") for choice in body["choices"]):
        return False  # a search, perhaps, which has a price of its own
    return all(
        name in plain or not count for part, plain in _PLAIN.items() for name, count in usage.get(part, {}).items()
    )

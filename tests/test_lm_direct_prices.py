"""What a reply costs: the direct client's sum beside litellm's, for every model of the list; the list read as data."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from servers import ChatServer, Reply

from progkit.lm import LM, litellm_door
from progkit.lm.direct import answers, catalogue, models, prices

USAGES: tuple[dict[str, Any], ...] = (
    {"prompt_tokens": 700, "completion_tokens": 60, "total_tokens": 760},
    {"prompt_tokens": 700, "completion_tokens": 60, "prompt_tokens_details": {"cached_tokens": 512, "audio_tokens": 0}},
    {"prompt_tokens": 9, "completion_tokens": 600, "completion_tokens_details": {"reasoning_tokens": 512}},
    {"prompt_tokens": 0, "completion_tokens": 0},
    {},
)


@pytest.fixture(scope="module")
def litellm() -> Any:
    litellm_door.background.wait(litellm_door.load())
    return sys.modules["litellm"]


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


def reply(model: str, usage: dict[str, Any], **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "a"}
    choices = [{"index": 0, "finish_reason": "stop", "message": message}]
    return {"id": "1", "object": "chat.completion", "created": 1, "model": model, "choices": choices} | {
        "usage": usage,
        **more,
    }


def theirs(litellm: Any, provider: str, name: str, body: dict[str, Any]) -> float | None:
    raw = litellm.ModelResponse(**body)
    raw._hidden_params["custom_llm_provider"] = provider
    return litellm_door._cost(litellm, raw, f"{provider}/{name}")


def listed(litellm: Any) -> list[tuple[str, str]]:
    """Every model that the direct client asks, by provider and name."""
    found = []
    for key, entry in list(litellm.model_cost.items()):
        provider = entry.get("litellm_provider")
        if provider in ("openai", "azure") and entry.get("mode") == "chat":
            name = key.removeprefix(f"{provider}/")
            if models.known(f"{provider}/{name}") is not None:
                found.append((provider, name))
    return found


def test_prices_are_litellms(litellm: Any) -> None:
    """For every model that is asked directly, whatever the tokens are: the same dollars, or litellm is asked."""
    wrong, sure = [], 0
    every = listed(litellm)
    for provider, name in every:
        model = models.known(f"{provider}/{name}")
        assert model is not None
        for usage in USAGES:
            body = reply(name, usage)
            ours = prices.price(model, body, answers.usage(body))
            sure += ours.is_sure
            expected = theirs(litellm, provider, name, body)
            if ours.is_sure and ours.dollars != pytest.approx(expected, rel=1e-9):
                wrong.append((provider, name, usage, ours.dollars, expected))

    assert wrong == []
    assert len(every) > 100
    assert sure > 0.95 * len(every) * len(USAGES)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("openai/alias", "gpt-4o-mini-2024-07-18"),
        ("openai/gpt-4o-mini", "alias"),
        ("openai/alias", "alias"),
        ("openai/alias", "openai/gpt-4o-mini"),
        ("openai/gpt-4o-mini", "meta-llama/Llama-3.1-8B-Instruct"),
        ("openai/meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
        ("openai/alias", "claude-3-5-sonnet-20241022"),
        ("openai/alias", "text-embedding-3-small"),
        ("azure/gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
        ("azure/shop", "gpt-4o-mini-2024-07-18"),
        ("hosted_vllm/test", "test"),
    ],
)
def test_the_model_that_answered_is_priced(server: ChatServer, asked: str, answered: str) -> None:
    """A gateway's alias costs what the model behind it does; one that is on no list has no price."""
    server.always = Reply(raw=json.dumps(reply(answered, USAGES[0])).encode())
    settings = {"api_base": server.url, "api_key": "fake", "api_version": "2024-10-21"}
    if not asked.startswith("azure"):
        del settings["api_version"]

    costs = []
    for client in ("direct", "litellm"):
        lm = LM(asked, client=client, num_retries=0, **settings)
        lm("hi")
        costs.append(lm.history[-1].response.cost)

    assert costs[0] == (None if costs[1] is None else pytest.approx(costs[1], rel=1e-9))


@pytest.mark.parametrize(
    ("model", "usage", "more"),
    [
        ("gpt-4o-mini", USAGES[0], {"service_tier": "priority"}),
        ("gpt-5.4", {"prompt_tokens": 300_000, "completion_tokens": 10}, {}),
        ("gpt-4o-mini", {**USAGES[0], "prompt_tokens_details": {"audio_tokens": 50}}, {}),
        ("gpt-4o-mini", {**USAGES[0], "cost": 0.5}, {}),
        ("gpt-4o-mini", {**USAGES[0], "prompt_tokens_details": {"cache_write_tokens": 50}}, {}),
    ],
)
def test_what_is_more_than_a_sum_is_left_to_litellm(
    server: ChatServer, litellm: Any, model: str, usage: dict[str, Any], more: dict[str, Any]
) -> None:
    """Tiers, long prompts, audio, costs told: litellm prices the reply that the direct client got."""
    body = reply(model, usage, **more)
    server.always = Reply(raw=json.dumps(body).encode())
    lm = LM(f"openai/{model}", client="direct", api_base=server.url, api_key="fake", num_retries=0)

    lm("hi")
    cost = lm.history[-1].response.cost

    assert cost == theirs(litellm, "openai", model, body)
    assert cost is not None


def test_a_search_is_left_to_litellm() -> None:
    """It has a price of its own, which the annotations may speak of."""
    body = reply("gpt-4o-mini", USAGES[0])
    body["choices"][0]["message"]["annotations"] = [{"type": "url_citation"}]
    model = models.known("openai/gpt-4o-mini")

    assert model is not None
    assert not prices.price(model, body, answers.usage(body)).is_sure


def test_a_reply_that_litellm_cannot_read_has_no_price() -> None:
    """An answer is worth more than its price."""
    assert litellm_door.priced({5: 5}, "openai/gpt-4o-mini").result() is None  # type: ignore[dict-item]


# --- the list -------------------------------------------------------------------------------------------


def test_the_list_is_read_as_litellm_reads_it(litellm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entry by entry, from the file, without litellm; what is not in it is None."""
    live = {name: litellm.model_cost[name] for name in ("gpt-4o-mini", "o3", "azure/gpt-4o-mini", "gpt-5.4")}
    monkeypatch.delitem(sys.modules, "litellm")
    catalogue._from_file.cache_clear()

    for name, entry in live.items():
        found = catalogue.entry(name)
        assert found is not None
        assert {key: entry[key] for key in found if key in entry} == found
    assert catalogue.entry("nonesuch") is None
    assert catalogue.entry('a"b') is None


def test_a_programs_own_prices_count(litellm: Any) -> None:
    """What is registered with a litellm that is loaded is looked up there."""
    litellm.register_model({"openai/shop-model": {"litellm_provider": "openai", "mode": "chat"}})
    try:
        assert (catalogue.entry("openai/shop-model") or {})["mode"] == "chat"
        assert catalogue.entry("nonesuch") is None
    finally:
        del litellm.model_cost["openai/shop-model"]


def test_lists_of_any_layout_are_read() -> None:
    """Should litellm lay its file out in another way, it takes longer, and that is all."""
    entries = {"a": {"b": {"c": 1}}, "d": {"e": 2}, "f": 3}

    for text in (json.dumps(entries).encode(), json.dumps(entries, indent=4).encode()):
        assert catalogue.entry_in(text, "a") == {"b": {"c": 1}}
        assert catalogue.entry_in(text, "d") == {"e": 2}
        assert catalogue.entry_in(text, "x") is None
    assert catalogue.entry_in(json.dumps(entries).encode(), "f") is None


def test_no_litellm_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is listed, and nothing has a price."""
    monkeypatch.setattr(catalogue, "find_spec", lambda _: None)
    monkeypatch.delitem(sys.modules, "litellm", raising=False)
    catalogue._from_file.cache_clear()
    try:
        assert catalogue.entry("gpt-4o-mini") is None
    finally:
        catalogue._from_file.cache_clear()

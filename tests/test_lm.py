"""The LM at a real server, through litellm: what is sent, what comes back, from threads and event loops."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from servers import ChatServer, Reply

from progkit.errors import ConfigurationError
from progkit.lm import LM, LanguageModel, Prefix, Request

KEY = "sk-fake-key-of-the-tests-0123456789"
HI = [{"role": "user", "content": "hi"}]


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture
def lm(server: ChatServer) -> LM:
    return LM("openai/test", api_base=server.url, api_key=KEY, num_retries=0, timeout=10)


def request(lm: LM, **params: Any) -> Request:
    """The request that a predictor makes: the LM's identity, then what the call adds."""
    return Request.of(HI, **{**lm.identity, **params})


# --- what is sent ---------------------------------------------------------------------------------


def test_sends_messages_and_settings(server: ChatServer) -> None:
    """The body holds the model, every message in order and every setting; the key goes into the header alone."""
    lm = LM("openai/test", api_base=server.url, api_key=KEY, temperature=0.5, max_tokens=9, stop=["x"])
    prefix = Prefix([{"role": "system", "content": "Be brief."}])

    lm.complete(Request(prefix, HI, lm.identity))

    sent = server.requests[0]
    assert sent.path == "/v1/chat/completions"
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.body == {
        "model": "test",
        "messages": [{"role": "system", "content": "Be brief."}, *HI],
        "temperature": 0.5,
        "max_tokens": 9,
        "stop": ["x"],
    }


def test_async_sends_the_same(server: ChatServer, lm: LM) -> None:
    """Sync and async calls differ in nothing that the provider sees."""
    lm.complete(request(lm))
    asyncio.run(lm.acomplete(request(lm)))

    first, second = server.requests
    assert first == second


def test_a_call_overrides_and_unsets(server: ChatServer, lm: LM) -> None:
    """A parameter of the request wins over the LM's; None takes the LM's away."""
    warm = lm.copy(temperature=0.9, top_p=0.5)

    warm.complete(Request.of(HI, temperature=0.1, top_p=None, api_key="sk-fake-other-key"))

    assert server.requests[0].body == {"model": "test", "messages": HI, "temperature": 0.1}
    assert server.requests[0].headers["authorization"] == "Bearer sk-fake-other-key"


def test_passes_tools_formats_and_n(server: ChatServer, lm: LM) -> None:
    """What decides the answer goes through as it is."""
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
    extra = {"n": 2, "tools": tools, "tool_choice": "auto", "response_format": {"type": "json_object"}}

    response = lm.complete(request(lm, **extra))

    assert {name: server.requests[0].body[name] for name in extra} == extra
    assert len(response.completions) == 2


def test_what_is_ours_stays_here(server: ChatServer, lm: LM) -> None:
    """Rollout ids, retries, times and cache switches never reach the provider."""
    ours = {"rollout_id": 3, "cache": False, "num_retries": 1, "timeout": 5, "deadline": 9.5, "max_retries": 2}

    lm.complete(request(lm, **ours))

    assert server.requests[0].body == {"model": "test", "messages": HI}


def test_cache_marks_reach_litellm(server: ChatServer, lm: LM) -> None:
    """``cache_control_injection_points`` is litellm's: it marks the message, and the caller's own stays unmarked."""
    points = [{"location": "message", "role": "system"}]
    system = [{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}]
    router = lm.copy(model="openrouter/anthropic/claude-test", cache_control_injection_points=points)

    router.complete(Request.of(system + HI, model=router.model))

    assert "ephemeral" in str(server.requests[0].body["messages"][0])
    assert system == [{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}]


def test_the_user_agent_is_a_header(server: ChatServer, lm: LM) -> None:
    """``user_agent`` names the program to the provider; other headers stay."""
    lm.copy(user_agent="shop/1.0", extra_headers={"X-Team": "a"}).complete(request(lm))

    assert server.requests[0].headers["user-agent"] == "shop/1.0"
    assert server.requests[0].headers["x-team"] == "a"


def test_a_key_comes_from_the_environment_when_needed(
    server: ChatServer, lm: LM, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``{"env": NAME}`` is read at the call; a variable that is not there is told by name."""
    named = lm.copy(api_key={"env": "SHOP_KEY"})

    with pytest.raises(ConfigurationError, match="api_key comes from the environment variable SHOP_KEY"):
        named.complete(request(named))
    monkeypatch.setenv("SHOP_KEY", KEY)
    named.complete(request(named))

    assert [each.headers["authorization"] for each in server.requests] == [f"Bearer {KEY}"]


# --- what comes back ------------------------------------------------------------------------------


def test_the_reply_is_plain_data(server: ChatServer, lm: LM) -> None:
    """Text, reasoning, finish reason, usage and tool calls, and no class of litellm's."""
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
    usage = {
        "prompt_tokens": 5,
        "completion_tokens": 2,
        "total_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 4},
    }
    server.then(
        Reply(text="yes", reasoning="because", finish_reason="tool_calls", tool_calls=(call,), usage=usage),
    )

    response = lm.complete(request(lm))

    completion = response.completions[0]
    assert (completion.text, completion.reasoning, completion.finish_reason) == ("yes", "because", "tool_calls")
    assert completion.tool_calls == ({"id": "c1", "name": "look", "args": '{"at": 1}'},)
    assert response.usage["prompt_tokens"] == 5
    assert response.usage["prompt_tokens_details"]["cached_tokens"] == 4
    assert (response.model, response.source, response.cache_hit) == ("openai/test", "lm", False)


def test_nothing_said_is_none(server: ChatServer, lm: LM) -> None:
    """A reply without content has no text, and is no error here: reading it is the adapter's business."""
    server.then(Reply(text=None, finish_reason="length"))

    response = lm.complete(request(lm))

    assert response.completions[0].text is None
    assert response.text == ""
    assert not response.is_whole


def test_logprobs_come_along(server: ChatServer, lm: LM) -> None:
    """As the provider gave them, as plain data."""
    server.then(
        Reply(
            raw=b'{"id": "1", "object": "chat.completion", "created": 1, "model": "test", "choices": [{"index": 0,'
            b'"finish_reason": "stop", "message": {"role": "assistant", "content": "a"},'
            b'"logprobs": {"content": [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}]}}]}'
        )
    )

    response = lm.complete(request(lm, logprobs=True))

    assert response.completions[0].logprobs["content"][0]["logprob"] == -0.5


def test_the_cost_is_told_where_the_price_is_known(server: ChatServer, lm: LM) -> None:
    """US dollars by litellm's list; None for a model that is not on it."""
    known = lm.copy(model="openai/gpt-4o-mini")

    assert lm.complete(request(lm)).cost is None
    cost = known.complete(request(known)).cost
    assert cost is not None
    assert 0 < cost < 0.001


def test_calling_an_lm_gives_its_texts(server: ChatServer, lm: LM) -> None:
    """``lm(prompt)`` and ``lm(messages=...)`` for trying things out; each call is in the LM's history."""
    server.then(Reply("one"), Reply("two"), Reply("three"))

    assert lm("hi") == ["one"]
    assert lm(messages=HI, n=2) == ["two", "two"]
    assert asyncio.run(lm.acall("more", messages=HI)) == ["three"]
    assert [each["content"] for each in server.requests[2].body["messages"]] == ["hi", "more"]
    assert len(lm.history) == 3


# --- threads and event loops ------------------------------------------------------------------------


def test_many_event_loops_one_after_another(server: ChatServer, lm: LM) -> None:
    """Each ``asyncio.run`` is a new loop; connections serve all of them and none is left unclosed."""
    for _ in range(10):
        assert asyncio.run(lm.acomplete(request(lm))).text == "ok"
    gc.collect()  # an unclosed transport would warn now, and warnings are errors

    assert server.count == 10


def test_many_event_loops_at_once(server: ChatServer, lm: LM) -> None:
    """Loops in several threads, several tasks on each, beside blocking calls."""
    server.always = Reply(delay=0.01)
    texts: list[str] = []

    async def several() -> None:
        texts.extend(each.text for each in await asyncio.gather(*(lm.acomplete(request(lm)) for _ in range(5))))

    jobs = [lambda: asyncio.run(several())] * 4 + [lambda: texts.append(lm.complete(request(lm)).text)] * 4
    threads = [threading.Thread(target=job) for job in jobs]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert texts == ["ok"] * 24
    assert server.count == 24


def test_a_cancelled_call_leaves_the_rest_alone(server: ChatServer, lm: LM) -> None:
    """A task that is cancelled while the provider is silent ends at once; the next call works."""
    server.then(Reply(hang=True))

    async def cancelled() -> None:
        task = asyncio.create_task(lm.acomplete(request(lm)))
        while not server.count:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())

    assert lm.complete(request(lm)).text == "ok"


def test_each_thread_uses_its_own_key(server: ChatServer, lm: LM) -> None:
    """LMs that differ in nothing but the key never send each other's."""
    lms = [lm.copy(api_key=f"sk-fake-{at}") for at in range(8)]
    threads = [
        threading.Thread(target=each.complete, args=(Request.of([{"role": "user", "content": str(at)}]),))
        for at, each in enumerate(lms)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    sent = {each.body["messages"][0]["content"]: each.headers["authorization"] for each in server.requests}
    assert sent == {str(at): f"Bearer sk-fake-{at}" for at in range(8)}


def test_a_request_reads_as_a_mapping() -> None:
    """Messages of both parts in order, then the parameters; no credential in its repr."""
    asked = Request(Prefix([{"role": "system", "content": "a"}]), HI, {"model": "m", "api_key": KEY})

    assert dict(asked) == {"messages": [{"role": "system", "content": "a"}, *HI], "model": "m", "api_key": KEY}
    assert (len(asked), asked.model) == (3, "m")
    assert repr(asked) == "Request(2 messages, {'model': 'm'})"


def test_an_lm_is_a_language_model(lm: LM) -> None:
    """``LM`` is one of many: it has the members of the protocol and no other tie to it."""
    assert isinstance(lm, LanguageModel)

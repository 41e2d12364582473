"""The direct client beside litellm: the same requests, answers and errors, case by case, at a real server."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from direct_cases import FAILURES, HI, LEFT, REPLIES, REQUESTS, Case
from servers import ChatServer, Received, Reply

from progkit.errors import ConfigurationError, LMBadRequestError, LMContextWindowError, LMError
from progkit.lm import LM, Request, Response
from progkit.lm.direct import parameters
from progkit.lm.direct.models import Model

KEY = "sk-fake-key-of-the-tests-0123456789"
MATTER = ("authorization", "api-key", "content-type", "openai-organization", "openai-project", "x-team", "x-one", "x")
"""Headers that a server may act upon; what names the client is its own affair."""
DIFFERENT_WORDS = {
    "a detail": "{",
    "an error as text": "{",
    "an error as text for an answer": "",
    "no JSON": "no JSON",
    "empty": "no JSON",
    "an empty object": "no choice",
    "null": "no chat completion",
    "a list": "no chat completion",
    "a page for an answer": "no JSON",
    "half an answer": "no JSON",
    "a choice without a message": "no chat completion",
    "content that is no text": "no text",
    "an error that is a number": "5",
    "hung up": "disconnected",
    "cut off": "",
}
"""Failures that each client words by itself, with a part of what ours says."""


TOO_LONG = ("too long, llama.cpp", "too long, Cerebras", "too long, another")
"""What litellm knows of every provider but Azure."""
UNPRICED = ("gpt-5, unlisted", "o1-mini")


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


def asked(server: ChatServer, case: Case, client: str) -> tuple[list[Received], Any]:
    """What reaches the server, and what comes of it."""
    server.requests.clear()
    settings = {"api_base": server.url, "api_key": KEY, "num_retries": 0, "timeout": 10, **case.settings}
    lm = LM(case.model, client=client, **settings)
    try:
        return server.requests, lm.complete(Request.of(case.messages, **lm.identity))
    except LMError as error:
        return server.requests, error


def seen(received: list[Received]) -> list[Any]:
    return [(each.method, each.path, each.body, {name: each.headers.get(name) for name in MATTER}) for each in received]


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_are_the_same(server: ChatServer, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Address, body and the headers that matter; and so is the answer, with usage and cost."""
    server.always = Reply()
    case = REQUESTS[name]
    for variable, value in case.environment.items():
        monkeypatch.setenv(variable, value)

    direct, answer = asked(server, case, "direct")
    ours = seen(direct)
    litellm, theirs = asked(server, case, "litellm")

    assert isinstance(answer, Response), answer
    assert ours == seen(litellm)
    if name in UNPRICED:
        theirs = replace(theirs, cost=None)  # it says 0.0
    assert answer == theirs
    assert len(ours) == 1


@pytest.mark.parametrize("name", ["extra_headers", "user_agent"])
def test_the_callers_user_agent_is_sent(server: ChatServer, name: str) -> None:
    """And ours only where there is none."""
    server.always = Reply()

    assert asked(server, REQUESTS[name], "direct")[0][0].headers["user-agent"].startswith("shop/1")
    assert asked(server, REQUESTS["plain"], "direct")[0][0].headers["user-agent"].startswith("progkit/")


@pytest.mark.parametrize("name", LEFT)
def test_what_is_left_to_litellm(server: ChatServer, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``client="direct"`` refuses it, says why, and sends nothing."""
    case = LEFT[name]
    for variable, value in case.environment.items():
        monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError, match=r"client='direct' cannot ask this: .*; client='auto' leaves it"):
        asked(server, case, "direct")
    assert server.count == 0


@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "azure/gpt-4o-mini", "hosted_vllm/test"])
@pytest.mark.parametrize("name", REPLIES)
def test_answers_are_the_same(server: ChatServer, name: str, model: str) -> None:
    """Text, reason, tools, reasoning, log probabilities, usage and cost, whichever client read them."""
    server.always = REPLIES[name]
    case = Case(model, {"api_version": "2024-10-21"} if model.startswith("azure") else {})

    ours, theirs = asked(server, case, "direct")[1], asked(server, case, "litellm")[1]

    assert isinstance(ours, Response), ours
    assert ours == theirs


@pytest.mark.parametrize("model", ["openai/test", "azure/test"])
@pytest.mark.parametrize("name", FAILURES)
def test_errors_are_the_same(server: ChatServer, name: str, model: str) -> None:
    """Class, status, pause, whether to ask again; and the server's words."""
    server.always = FAILURES[name]
    case = Case(model, {"api_version": "2024-10-21"} if model.startswith("azure") else {})

    ours, theirs = asked(server, case, "direct")[1], asked(server, case, "litellm")[1]

    assert isinstance(ours, LMError), ours
    if name in TOO_LONG and model.startswith("azure"):
        assert (type(ours), type(theirs)) == (LMContextWindowError, LMBadRequestError)
        return
    assert [type(ours), ours.status, ours.retry_after, ours.retryable, ours.model] == [
        type(theirs),
        theirs.status,
        theirs.retry_after,
        theirs.retryable,
        theirs.model,
    ]
    if name in DIFFERENT_WORDS:
        assert DIFFERENT_WORDS[name] in ours.message
    else:
        assert ours.message == theirs.message.removeprefix("AzureException Timeout - ")


# --- where they differ on purpose -------------------------------------------------------------------

DIFFER = {
    "another host": Reply(status=307, headers={"Location": "http://127.0.0.1:9/v1/chat/completions"}),
    "a redirect that asks nothing": Reply(status=301, headers={"Location": "/v1/elsewhere"}),
    "nowhere": Reply(status=307),
    "an address that is none": Reply(status=308, headers={"Location": "http://[::1/"}),
    "round and round": Reply(status=307, headers={"Location": "/v1/elsewhere"}),
    "the output's limit": Reply(
        status=400, message="Could not finish the message because max_tokens or model output limit was reached."
    ),
    "too long, by code": Reply(status=400, message="no", error_code="context_length_exceeded"),
}
KINDS = {"too long, by code": "LMContextWindowError"}


@pytest.mark.parametrize("name", DIFFER)
def test_differences(server: ChatServer, name: str) -> None:
    """What is in the table of ``progkit.lm.direct``: an error that says what is, and nothing sent elsewhere."""
    server.always = DIFFER[name]

    received, ours = asked(server, Case(), "direct")

    assert type(ours).__name__ == KINDS.get(name, "LMBadRequestError")
    assert not ours.retryable
    assert len(received) == (3 if name == "round and round" else 1)


def test_a_redirect_within_the_origin_is_followed(server: ChatServer) -> None:
    """With the question and the key, as litellm does."""
    server.always = Reply()
    server.then(Reply(status=308, headers={"Location": "/v2/chat/completions"}))

    received, answer = asked(server, Case(), "direct")

    assert answer.text == "ok"
    assert [each.path for each in received] == ["/v1/chat/completions", "/v2/chat/completions"]
    assert received[0].body == received[1].body
    assert received[1].headers["authorization"] == f"Bearer {KEY}"


def test_a_reason_that_is_an_error_stays_one(server: ChatServer) -> None:
    """So the reply is not whole, and not kept."""
    server.always = Reply(finish_reason="error")

    answer = asked(server, Case(), "direct")[1]

    assert answer.completions[0].finish_reason == "error"
    assert not answer.is_whole


@pytest.mark.parametrize("text", ["\ud800", float("nan"), {1, 2}])
def test_what_is_no_json_is_not_sent(server: ChatServer, text: Any) -> None:
    """A lone surrogate, NaN, a set: a bad request, without the key in it, sync and async."""
    case = Case(settings={"extra_body": {"a": text, "b": KEY}})

    received, ours = asked(server, case, "direct")
    lm = LM("openai/test", api_base=server.url, api_key=KEY)
    with pytest.raises(LMError) as caught:
        asyncio.run(lm.acomplete(Request.of(HI, extra_body={"a": text})))

    assert type(ours).__name__ == type(caught.value).__name__ == "LMBadRequestError"
    assert received == []


@pytest.mark.parametrize("value", ["a\nb: c", "naïve ✓"])
def test_headers_that_cannot_be_sent(server: ChatServer, value: str) -> None:
    """A bad request, not tried again, and no key in the error."""
    received, ours = asked(server, Case(settings={"extra_headers": {"x-key": f"{KEY}{value}"}}), "direct")

    assert type(ours).__name__ in ("LMBadRequestError", "Response")
    assert KEY not in str(ours)
    assert len(received) <= 1


def test_vllm_says_what_is_wrong(server: ChatServer) -> None:
    """The message, where litellm shows the body; and a page for an answer may be asked again."""
    server.always = Reply(status=400, message="no such model")
    assert asked(server, Case("hosted_vllm/test"), "direct")[1].message == "no such model"
    server.always = Reply(raw=b"<html></html>")
    assert asked(server, Case("hosted_vllm/test"), "direct")[1].retryable


def test_an_effort_that_a_model_lacks_is_left_to_litellm() -> None:
    """By what its entry in the list says."""
    model = Model("openai", "gpt-5-x", True, "gpt-5", (5, 0), {"supports_low_reasoning_effort": False})

    assert parameters.plain(model, {"reasoning_effort": "low"}) is None
    assert parameters.plain(model, {"reasoning_effort": "high"}) == {"reasoning_effort": "high"}


# --- choosing -----------------------------------------------------------------------------------------


def test_client_is_one_of_four() -> None:
    """Anything else is refused, in copies too; a copy keeps what it is not told to change."""
    lm = LM("openai/test", client="litellm")

    assert (lm.client, lm.copy(temperature=1).client, lm.copy(client="direct").client) == (
        "litellm",
        "litellm",
        "direct",
    )
    with pytest.raises(ConfigurationError, match="client is one of 'auto', 'direct', 'http2', 'litellm', not 'fast'"):
        LM("openai/test", client="fast")
    with pytest.raises(ConfigurationError, match="client is one of"):
        lm.copy(client=None)


def test_client_is_no_part_of_the_request(server: ChatServer) -> None:
    """Nor of the identity, a key, a file or the wire: it decides no answer."""
    lms = [LM("openai/test", client=each) for each in ("auto", "direct", "litellm")]

    assert [each.identity for each in lms] == [{"model": "openai/test"}] * 3
    assert len({str(each.dump_state()) for each in lms}) == 1


def test_no_key_at_all(server: ChatServer) -> None:
    """An error of its own, nothing sent; vLLM needs none."""
    server.always = Reply()

    received, ours = asked(server, Case(settings={"api_key": None}), "auto")
    assert (type(ours).__name__, received) == ("LMAuthenticationError", [])
    assert asked(server, Case("hosted_vllm/test", {"api_key": None}), "direct")[1].text == "ok"

"""An LM as saved state: what a file may hold of it, and what one that comes from a file may do."""

import copy
import json
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import ChatServer

from progkit.errors import ConfigurationError, EndpointWithheldError
from progkit.lm import LM, Request
from progkit.lm.endpoint import hosts_of

KEY = "sk-fake-key-of-the-tests-0123456789"
HI = Request.of([{"role": "user", "content": "hi"}])


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


# --- to a file and back -----------------------------------------------------------------------------


def test_state_is_plain_and_comes_back() -> None:
    """What a file may hold gives the same LM again."""
    lm = LM(
        "openai/test", cache=False, num_retries=1, timeout=5.0, temperature=0.5, stop=("a", "b"), logit_bias={"1": 2}
    )

    saved, dropped = lm.dump_state()

    assert json.loads(json.dumps(saved)) == saved
    assert saved == {
        "model": "openai/test",
        "cache": False,
        "num_retries": 1,
        "timeout": 5.0,
        "deadline": None,
        "temperature": 0.5,
        "stop": ["a", "b"],
        "logit_bias": {"1": 2},
    }
    assert dropped == []
    assert LM.from_state(saved).dump_state() == (saved, [])


def test_state_holds_no_secret_and_says_so() -> None:
    """By an allow-list: what is not known to be harmless is left out too, and each thing left out is told."""
    lm = LM(
        "openai/test",
        api_key=KEY,
        extra_headers={"X": KEY},
        extra_body={"password": KEY},
        api_base="https://user:fake@host/v1",
        response_format=dict,
    )

    saved, dropped = lm.dump_state()

    assert KEY not in json.dumps(saved)
    assert saved["api_base"] == "https://host/v1"
    assert sorted(each.partition(":")[0] for each in dropped) == [
        "api_base",
        "api_key",
        "extra_body",
        "extra_headers",
        "response_format",
    ]


def test_a_reference_to_the_environment_is_no_secret() -> None:
    """It may be saved, and comes back as it was."""
    saved, dropped = LM("openai/test", api_key={"env": "SHOP_KEY"}).dump_state()

    assert saved["api_key"] == {"env": "SHOP_KEY"}
    assert dropped == []
    assert LM.from_state(saved).kwargs["api_key"] == {"env": "SHOP_KEY"}


def test_what_this_version_does_not_know_is_kept_and_not_sent(server: ChatServer) -> None:
    """A setting of a later version stays in the file; a key in plain text does not even stay."""
    saved = {"model": "openai/test", "temperature": 0.5, "future": {"a": 1}, "api_key": KEY, "api_base": server.url}
    lm = LM.from_state(saved, allow_hosts=["127.0.0.1"])

    lm.complete(Request.of(HI.messages, **{**lm.identity, "api_key": "fake"}))

    assert set(server.requests[0].body) == {"model", "messages", "temperature"}
    again, _ = pickle.loads(pickle.dumps(lm.copy())).dump_state()
    assert again["future"] == {"a": 1}
    assert KEY not in json.dumps(again)


# --- endpoints ----------------------------------------------------------------------------------------


def test_an_endpoint_from_a_file_is_withheld(server: ChatServer) -> None:
    """Nothing goes there, nor anywhere else; identity and state keep it."""
    saved = {"model": "openai/test", "api_base": server.url}
    lm = LM.from_state(saved)

    for each in (lm, copy.deepcopy(lm), pickle.loads(pickle.dumps(lm)), lm.copy(temperature=0.5, api_key=KEY)):
        with pytest.raises(EndpointWithheldError) as caught:
            each.complete(Request.of(HI.messages, **each.identity))
        assert caught.value.endpoint == each.withheld == server.url
        assert each.identity["api_base"] == each.dump_state()[0]["api_base"] == server.url
    assert server.count == 0


def test_an_endpoint_that_is_allowed(server: ChatServer) -> None:
    """By host, by host and port, or by being set in code."""
    saved = {"model": "openai/test", "api_base": server.url, "num_retries": 0}
    host = server.url.split("/")[2]

    for lm in (
        LM.from_state(saved, allow_hosts=["127.0.0.1"]),
        LM.from_state(saved, allow_hosts=["example.com", host]),
        LM.from_state(saved).copy(api_base=server.url),
        LM("openai/test", api_base=server.url),
    ):
        assert lm.withheld is None
        assert lm.complete(Request.of(HI.messages, **{**lm.identity, "api_key": KEY})).text == "ok"


@pytest.mark.parametrize(
    ("saved", "variable"),
    [
        ({"model": "openai/test", "base_url": "http://evil/v1"}, ""),
        ({"model": "openai/test", "api_base": "http://good\\@evil/v1"}, ""),
        ({"model": "openai/test", "api_base": "http://good@evil/v1"}, ""),
        ({"model": "openai/test", "api_base": "http://good:80@evil/v1"}, ""),
        ({"model": "openai/test", "api_base": "http://evil#@good/"}, ""),
        ({"model": "openai/test", "api_base": "http://evil.good/"}, ""),
        ({"model": "openai/test", "api_base": "http://good", "base_url": "http://evil"}, ""),
        ({"model": "huggingface/http://evil/v1"}, ""),
        ({"model": "openai/test", "api_base": {"env": "SHOP_URL"}}, "http://evil/v1"),
    ],
)
def test_there_is_no_way_around(saved: dict[str, Any], variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses that parsers read differently, a second name, a model that is an address, a detour by a variable."""
    monkeypatch.setenv("SHOP_URL", variable)

    with pytest.raises(EndpointWithheldError):
        LM.from_state(saved, allow_hosts=["good"]).complete(HI)


def test_a_variable_that_is_not_set() -> None:
    """It leads nowhere, and the call says so."""
    lm = LM.from_state({"model": "openai/test", "api_base": {"env": "SHOP_URL"}})

    assert lm.withheld is None
    with pytest.raises(ConfigurationError, match="SHOP_URL"):
        lm.complete(HI)


def test_an_allowed_host_behind_a_variable(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file may name a variable for its endpoint; what it holds is looked at when it is used."""
    monkeypatch.setenv("SHOP_URL", server.url)
    lm = LM.from_state({"model": "openai/test", "api_base": {"env": "SHOP_URL"}}, allow_hosts=["127.0.0.1"])

    assert lm.identity["api_base"] == server.url
    assert lm.withheld is None
    assert lm.complete(Request.of(HI.messages, **{**lm.identity, "api_key": KEY})).text == "ok"


def test_a_state_without_a_model() -> None:
    """No LM can be made of it."""
    with pytest.raises(ConfigurationError, match="model"):
        LM.from_state({"temperature": 0.5})


@given(st.text())
def test_an_address_is_on_one_host_or_none(text: str) -> None:
    """Whatever stands before it, a user's part never passes for the host."""
    assert "good" not in hosts_of(f"http://good{text}@evil/")


def test_addresses_of_version_six() -> None:
    """With and without a port."""
    assert hosts_of("http://[::1]:8000/v1") == {"[::1]:8000", "[::1]", "::1"}
    assert hosts_of("https://[2001:DB8::1]/v1") == {"[2001:db8::1]:443", "[2001:db8::1]", "2001:db8::1"}

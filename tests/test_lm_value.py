"""An LM as a value: its identity, copies, pickles and repr."""

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from servers import ChatServer

from progkit.errors import ConfigurationError, LMServerError
from progkit.lm import LM, Request
from progkit.lm.wire import arguments

KEY = "sk-fake-key-of-the-tests-0123456789"
HI = Request.of([{"role": "user", "content": "hi"}])


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


# --- identity ---------------------------------------------------------------------------------------


def test_identity_is_what_decides_the_answer() -> None:
    """Model, endpoint and settings; nothing that authenticates or that only concerns the transport."""
    lm = LM(
        "openai/test",
        api_base="https://user:fake@host/v1?api-key=fake&v=2",
        api_key=KEY,
        extra_headers={"X-Auth": KEY},
        azure_client_secret=KEY,
        timeout=5,
        metadata={"team": "a"},
        temperature=0.5,
        top_p=None,
        rollout_id=7,
    )

    assert lm.identity == {
        "model": "openai/test",
        "api_base": "https://host/v1?***&v=2",
        "temperature": 0.5,
        "rollout_id": 7,
    }


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("openai/test", "OPENAI_BASE_URL"),
        ("openai/test", "OPENAI_API_BASE"),
        ("gpt-test", "OPENAI_BASE_URL"),
        ("claude-test", "ANTHROPIC_BASE_URL"),
        ("hosted_vllm/test", "HOSTED_VLLM_API_BASE"),
        ("amazon-nova/test", "AMAZON_NOVA_API_BASE"),
    ],
)
def test_the_environments_endpoint_is_part_of_it(model: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of a gateway are not those of the provider; a password in the address stays out."""
    monkeypatch.setenv(variable, "http://user:fake@gateway/v1")

    assert LM(model).identity == {"model": model, "api_base": "http://gateway/v1"}


def test_an_explicit_endpoint_wins_over_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does at litellm; both variables at once are both told."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://one")
    monkeypatch.setenv("OPENAI_API_BASE", "http://two")

    assert LM("openai/test").identity["api_base"] == "http://one http://two"
    assert LM("openai/test", api_base="http://three").identity["api_base"] == "http://three"


def test_the_environments_endpoint_is_used(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request whose parameters open with the identity goes where the environment says."""
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    lm = LM("openai/test", api_key=KEY)

    assert lm.complete(Request.of(HI.messages, **lm.identity)).text == "ok"


def test_an_endpoint_that_changes_under_way(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that was made for one endpoint is not sent to another; the next one is made for the new."""
    lm = LM("openai/test", api_key=KEY)
    made_for_the_old = Request.of(HI.messages, **lm.identity)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)

    with pytest.raises(ConfigurationError, match="has changed"):
        lm.complete(made_for_the_old)
    assert server.count == 0
    assert lm.complete(Request.of(HI.messages, **lm.identity)).text == "ok"


def test_a_password_in_the_endpoint_is_sent_and_not_shown(server: ChatServer) -> None:
    """The identity that opens the request lacks it; the wire does not."""
    endpoint = server.url.replace("//", "//user:fake-password@")
    lm = LM("openai/test", api_base=endpoint, api_key=KEY, num_retries=0)

    sent = arguments(Request.of(HI.messages, **lm.identity), lm.kwargs, lm.identity)

    assert sent["api_base"] == endpoint
    assert "fake-password" not in repr(lm) + str(lm.identity) + str(lm.dump_state())
    # litellm's HTTP client refuses a password beside a key, and says so.
    with pytest.raises(LMServerError, match="credentials"):
        lm.complete(Request.of(HI.messages, **lm.identity))


def test_a_calls_endpoint_replaces_the_lms(server: ChatServer) -> None:
    """Under either name."""
    lm = LM("openai/test", base_url="http://127.0.0.1:9/v1", api_key=KEY, num_retries=0)

    assert lm.complete(Request.of(HI.messages, **{**lm.identity, "api_base": server.url})).text == "ok"


# --- copies -------------------------------------------------------------------------------------------


def test_a_copy_changes_what_it_is_told() -> None:
    """Settings, own and sent; None removes; the history is its own; the original stays."""
    lm = LM("openai/test", temperature=0.5, top_p=0.9, api_key=KEY)
    lm.history.append(None)  # type: ignore[arg-type]

    new = lm.copy(model="openai/other", temperature=None, timeout=3, num_retries=1, cache=False)

    assert (new.model, dict(new.kwargs)) == ("openai/other", {"top_p": 0.9, "api_key": KEY})
    assert (new.timeout, new.num_retries, new.cache) == (3, 1, False)
    assert len(new.history) == 0
    assert (lm.model, lm.kwargs["temperature"], lm.timeout, lm.cache) == ("openai/test", 0.5, 60.0, True)


def test_copies_keep_the_key_and_their_class() -> None:
    """Of a subclass with a constructor of its own, too; equal only to itself."""

    class Ours(LM):
        def __init__(self) -> None:
            super().__init__("openai/test", api_key=KEY)

    lm = Ours()
    for new in (copy.copy(lm), copy.deepcopy(lm), lm.copy()):
        assert type(new) is Ours
        assert new is not lm
        assert new != lm
        assert new.kwargs == lm.kwargs


def test_what_is_sent_cannot_be_edited() -> None:
    """An identity that has been asked for must stay true."""
    lm = LM("openai/test", temperature=0.5)

    with pytest.raises(TypeError):
        lm.kwargs["temperature"] = 1.0  # type: ignore[index]
    with pytest.raises(AttributeError):
        lm.model = "openai/other"  # type: ignore[misc]


def test_pickles_hold_no_key() -> None:
    """A reference to the environment stays in; the rest of what authenticates does not."""
    lm = LM("openai/test", api_key=KEY, api_base="http://user:fake-password@host/v1", temperature=0.5, timeout=3)
    lm.history.append(None)  # type: ignore[arg-type]

    data = pickle.dumps(lm)
    new = pickle.loads(data)

    assert KEY.encode() not in data
    assert b"fake-password" not in data
    assert dict(new.kwargs) == {"api_base": "http://host/v1", "temperature": 0.5}
    assert (new.model, new.timeout, len(new.history)) == ("openai/test", 3, 0)
    assert pickle.loads(pickle.dumps(lm.copy(api_key={"env": "X"}))).kwargs["api_key"] == {"env": "X"}


def test_the_repr_shows_settings_and_no_key() -> None:
    """What a log may hold."""
    lm = LM("openai/test", api_key=KEY, extra_headers={"X": KEY}, temperature=0.5)

    assert repr(lm) == "LM('openai/test', temperature=0.5)"


@pytest.mark.parametrize(
    "arguments",
    [
        {"model": ""},
        {"model": None},
        {"model": "openai/test", "stream": True},
        {"model": "openai/test", "model_type": "text"},
        {"model": "openai/test", "finetuning_model": "x"},
    ],
)
def test_what_cannot_work_is_refused(arguments: dict[str, Any]) -> None:
    """At once, and not when the first user comes."""
    with pytest.raises(ConfigurationError):
        LM(**arguments)


def test_dspys_chat_is_the_only_kind() -> None:
    """A program written for DSPy may say so."""
    assert LM("openai/test", model_type="chat").identity == {"model": "openai/test"}

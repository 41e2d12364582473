"""The settings of an LM: slips of the pen, wrong kinds, addresses without a scheme, damaged keys."""

import logging
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from repositories import document, predictor
from servers import ChatServer

import progkit
from progkit import LM, Predict, artifact
from progkit.errors import ConfigurationError, EndpointWithheldError
from progkit.lm import keys, settings

KEY = "sk-fake-key-of-the-tests-0123456789"


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as made:
        yield made


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("api_bse", "api_base"),
        ("temprature", "temperature"),
        ("Temperature", "temperature"),
        ("max-tokens", "max_tokens"),
        ("max_token", "max_tokens"),
        ("api_kye", "api_key"),
        ("timeot", "timeout"),
    ],
)
def test_a_misspelled_name_is_refused_wherever_it_is_given(name: str, near: str) -> None:
    """At the LM, at its copy, at its call, at a predictor and at a predictor's call; and the way to send it is told."""
    lm = LM("openai/test-model")
    ways: list[Any] = [
        lambda: LM("openai/test-model", **{name: "x"}),
        lambda: lm.copy(**{name: "x"}),
        lambda: lm("hello", **{name: "x"}),
        lambda: Predict("question -> answer", **{name: "x"}),
        lambda: Predict("question -> answer")(question="q", config={name: "x"}),
    ]

    for way in ways:
        with pytest.raises(ConfigurationError) as caught:
            way()
        assert f"no setting {name!r} is known (did you mean {near!r}?)" in str(caught.value)
        assert f"extra_body={{{name!r}: ...}} sends it on purpose" in str(caught.value)


def test_extra_body_sends_what_is_nearly_a_known_name(server: ChatServer) -> None:
    """Whatever it is called."""
    LM("openai/test-model", api_base=server.url, api_key=KEY, extra_body={"temprature": 1})("hello")

    assert server.requests[0].body["temprature"] == 1


def test_a_name_of_the_providers_own_is_sent_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """A provider has settings of its own; a longer name that holds a known one is no slip."""
    settings._told.clear()
    with caplog.at_level(logging.WARNING, "progkit.lm"):
        lm = LM("openai/test-model", wibble_factor=1, azure_client_secret=KEY)
        lm.copy()
        Predict("question -> answer", wibble_factor=2, mode="fast")

    assert lm.kwargs["wibble_factor"] == 1
    assert [record.getMessage() for record in caplog.records] == [
        f"{where}: {name!r} is no setting that progkit knows; it is sent as it stands"
        for where, name in (("LM(...)", "wibble_factor"), ("LM(...)", "azure_client_secret"), ("Predict(...)", "mode"))
    ]
    assert KEY not in caplog.text


def test_every_known_name_is_taken_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    """Those of OpenAI, litellm and other servers; what DSPy alone knows is refused with its own reason."""
    assert not [name for name in settings.KNOWN if settings.meant(name)]
    settings.check(dict.fromkeys(settings.KNOWN), "here")
    with pytest.raises(ConfigurationError, match="progkit has no callbacks"):
        LM("openai/test-model", callbacks=[1])

    assert not caplog.records


def test_saved_names_load_and_are_told(tmp_path: Path) -> None:
    """A file of another version, or of a slip that was saved once."""
    node = predictor("a", temprature=1, wibble_factor=2)
    node["lm"] = {"model": "openai/test-model", "top_pp": 5}
    (tmp_path / "state.json").write_bytes(artifact.encode(document(self=node)))
    program = Predict("question -> answer")

    report = program.load(tmp_path / "state.json")

    assert program.config == {"temprature": 1, "wibble_factor": 2}
    assert report.notes == [
        "self.config: 'temprature' (did you mean 'temperature'?); it is sent as it stands",
        "self.lm: 'top_pp' (did you mean 'top_p'?); it is kept, and not sent",
    ]
    assert "did you mean 'temperature'" in str(report)
    program.save(tmp_path / "again.json")
    assert artifact.read(tmp_path / "again.json")["state"]["predictors"]["self"]["lm"]["top_pp"] == 5


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("max_tokens", "ten", "max_tokens is a number, not 'ten'"),
        ("max_tokens", True, "max_tokens is a number, not True"),
        ("n", "2", "n is a number, not '2'"),
        ("seed", [1], r"seed is a number, not \[1\]"),
        ("temperature", "0.5", "temperature is a number, not '0.5'"),
        ("temperature", "x" * 200, "temperature is a number, not str"),
        ("top_p", False, "top_p is a number, not False"),
        ("timeout", True, "timeout is a number of seconds"),
    ],
)
def test_a_value_of_a_wrong_kind_is_refused(server: ChatServer, name: str, value: Any, told: str) -> None:
    """At the LM; at a predictor and at a call it is refused at the latest before anything is sent."""
    with pytest.raises(ConfigurationError, match=told):
        LM("openai/test-model", **{name: value})
    lm = LM("openai/test-model", api_base=server.url, api_key=KEY)
    predict = Predict("question -> answer")
    predict.config = {name: value}
    predict.lm = lm
    with pytest.raises((ConfigurationError, TypeError)):
        predict(question="q")
    with pytest.raises(ConfigurationError):
        lm("hello", **{name: value})

    assert not server.requests


def test_values_that_are_right() -> None:
    """Numbers of any kind, None, and what the environment holds."""
    lm = LM("openai/test-model", temperature=Fraction(1, 2), max_tokens=5, top_p=1, n=None, seed={"env": "SEED"})

    assert dict(lm.kwargs) == {"temperature": 0.5, "max_tokens": 5, "top_p": 1, "seed": {"env": "SEED"}}


# --- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "meant"),
    [
        ("127.0.0.1:18081", "http://127.0.0.1:18081/v1"),
        ("localhost:8000/v1", "http://localhost:8000/v1"),
        ("[::1]:8000", "http://[::1]:8000/v1"),
        ("vllm:8000/", "http://vllm:8000/v1"),
        ("api.example.com/v1", "https://api.example.com/v1"),
    ],
)
def test_an_address_without_its_scheme(address: str, meant: str) -> None:
    """Is refused at once, and told with the scheme that it may have."""
    for name in ("api_base", "base_url"):
        with pytest.raises(ConfigurationError) as caught:
            LM("openai/test-model", **{name: address})
        assert str(caught.value) == f"{name}={address!r} is no address without its scheme: {meant}"


def test_an_address_that_may_hold_a_password_is_not_shown() -> None:
    """There is no telling which part of it is one."""
    with pytest.raises(ConfigurationError) as caught:
        LM("openai/test-model", api_base="ann:secret@host/v1")

    assert "secret" not in str(caught.value)


def test_a_saved_address_without_its_scheme_loads() -> None:
    """It is on no host that was allowed; without a loaded LM's caution it is refused when it is asked."""
    lm = LM.from_state({"model": "openai/test-model", "api_base": "host/v1"}, allow_hosts=["host"])

    with pytest.raises(EndpointWithheldError):
        lm.copy()("hello")
    with pytest.raises(ConfigurationError, match=r"https?://host/v1"):
        LM("openai/test-model", api_key=KEY)("hello", api_base="host/v1")


# --- keys -----------------------------------------------------------------------------------------


def test_whitespace_around_a_key_is_no_part_of_it(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given, read from a variable that is named, or found in the environment, by either client's rules."""
    monkeypatch.setenv("MOUNTED", f"{KEY}\n")
    monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}\r\n")
    own: list[dict[str, Any]] = [{"api_key": f"{KEY}\n"}, {"api_key": {"env": "MOUNTED"}}, {}]

    for given in own:
        LM("openai/test-model", api_base=server.url, **given)("hello")

    assert [each.headers["authorization"] for each in server.requests] == [f"Bearer {KEY}"] * 3
    assert LM("openai/test-model", api_key=f"{KEY}\n").kwargs["api_key"] == KEY


def test_the_names_of_a_providers_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """As litellm has them; one that needs nothing done is left to whoever reads it."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a\n")
    monkeypatch.setenv("AZURE_API_KEY", "b ")
    monkeypatch.setenv("HOSTED_VLLM_API_KEY", "c")
    monkeypatch.setenv("OPENAI_API_KEY", "d\t")
    models = ("claude-3", "anthropic/x", "azure/x", "hosted_vllm/x", "gpt-4o", "other/x")

    assert [keys.from_environment(model) for model in models] == ["a", "a", "b", "", "d", ""]


@pytest.mark.parametrize("damage", ["\n", " ", "\x00", "\u200b", "\t"])
@pytest.mark.parametrize("client", ["auto", "direct", "litellm"])
def test_a_damaged_key_is_refused_and_not_shown(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch, client: str, damage: str
) -> None:
    """Two keys in one file, a copy from a web page."""
    key = f"{KEY}{damage}{KEY}"
    with pytest.raises(ConfigurationError) as caught:
        LM("openai/test-model", client=client, api_key=key)
    assert KEY not in str(caught.value)
    monkeypatch.setattr("os.environ", {**os.environ, "MOUNTED": key, "OPENAI_API_KEY": key})
    own: list[dict[str, Any]] = [{"api_key": {"env": "MOUNTED"}}, {}]
    for given in own:
        with pytest.raises(ConfigurationError, match="it is not shown here") as caught:
            LM("openai/test-model", client=client, api_base=server.url, **given)("hello")
        assert KEY not in str(caught.value)

    assert not server.requests


def test_a_key_of_nothing_but_whitespace() -> None:
    """An empty secret that was mounted."""
    with pytest.raises(ConfigurationError, match="api_key holds nothing but whitespace"):
        progkit.LM("openai/test-model", api_key="\n")

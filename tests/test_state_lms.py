"""Whose LM answers after a load: the caller's, the file's, or nobody."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted import ScriptedLM
from servers import ChatServer, Reply
from test_program import says

import progkit
from progkit import LM, Module, Predict
from progkit.errors import ConfigurationError, EndpointWithheldError, StateMismatchError
from progkit.lm.endpoint import checked_hosts

ELSEWHERE = "http://10.0.0.7:8000/v1"


class Desk(Module):
    """Two predictors, one of them below another module."""

    def __init__(self) -> None:
        self.triage = Predict("ticket -> category")
        self.writer = progkit.ChainOfThought("ticket -> reply")

    def lms(self) -> list[Any]:
        return [self.triage.lm, self.writer.predict.lm]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A desk whose triage has an LM at an endpoint of its own."""
    desk = Desk()
    desk.triage.lm = LM("openai/tiny", api_base=ELSEWHERE, temperature=0.3)
    desk.save(tmp_path / "desk.json")
    return tmp_path / "desk.json"


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(Reply(says(answer="a"))) as server:
        yield server


# --- lm= ------------------------------------------------------------------------------------------


def test_one_lm_is_for_every_predictor_whatever_the_file_says(saved: Path) -> None:
    """Also for those that the file gives none; and an endpoint that nobody uses is no issue."""
    desk, lm = Desk(), ScriptedLM()

    report = desk.load(saved, lm=lm)

    assert desk.lms() == [lm, lm]
    assert report.dropped == report.notes == []
    assert str(report) == "everything fits\napplied: triage, writer.predict"


def test_lms_by_path_leave_the_others_as_the_file_has_them(saved: Path) -> None:
    """The path is that of a predictor, as a report prints it."""
    lm = ScriptedLM()
    one, other = Desk(), Desk()

    silent = one.load(saved, lm={"triage": lm})
    told = other.load(saved, lm={"writer.predict": lm})

    assert one.lms() == [lm, None]
    assert silent.dropped == []
    assert other.writer.predict.lm is lm
    assert isinstance(other.triage.lm, LM)
    assert other.triage.lm.withheld == ELSEWHERE
    assert told.dropped == [f"triage.lm: endpoint {ELSEWHERE} is not allowed; it will not be asked"]


def test_state_without_a_file_and_programs_without_a_class(saved: Path, tmp_path: Path) -> None:
    """``load_state`` and ``progkit.load`` take the same words; there the predictor's path is ``self``."""
    lm, desk = ScriptedLM(), Desk()
    state = json.loads(saved.read_text("utf-8"))["state"]
    alone = Predict("question -> answer")
    alone.lm = LM("openai/tiny", api_base=ELSEWHERE)
    alone.save(tmp_path / "alone.json")

    desk.load_state(state, lm=lm)

    assert desk.lms() == [lm, lm]
    for choice in (lm, {"self": lm}):
        assert progkit.load(tmp_path / "alone.json", lm=choice).get_lm() is lm


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ({"triag": ScriptedLM()}, "lm names 'triag' (did you mean 'triage'?): no predictor of the program. "),
        ({"triage": ScriptedLM(), "writer": ScriptedLM()}, "lm names 'writer'"),
        ({7: ScriptedLM()}, "lm names 7: no predictor of the program. Its predictors: triage, writer.predict"),
        ({"triage": None}, "lm['triage'] is a NoneType and no LM"),
        ("openai/tiny", "lm is a str and no LM: progkit.LM('provider/model'), or such by predictor path"),
        (LM, "lm is the class LM and no LM"),
    ],
    ids=str,
)
def test_an_lm_that_cannot_be_meant_changes_nothing(saved: Path, choice: Any, told: str) -> None:
    """A path that is no predictor's, or what cannot answer."""
    desk = Desk()
    before = [dict(vars(each)) for each in (desk, desk.triage, desk.writer.predict)]

    with pytest.raises(ConfigurationError) as caught:
        desk.load(saved, lm=choice)

    assert told in str(caught.value)
    assert [dict(vars(each)) for each in (desk, desk.triage, desk.writer.predict)] == before


def test_a_program_without_predictors_has_no_path_to_name(tmp_path: Path) -> None:
    """The error says so, too."""
    Module().save(tmp_path / "empty.json")

    with pytest.raises(ConfigurationError, match="Its predictors: none"):
        Module().load(tmp_path / "empty.json", lm={"a": ScriptedLM()})


def test_a_load_that_is_refused_gives_no_lm(saved: Path) -> None:
    """All or nothing; and without ``strict`` the caller's LM is for the whole program, as that of ``set_lm`` is."""
    lm = ScriptedLM()

    class Other(Desk):
        def __init__(self) -> None:
            super().__init__()
            self.added = Predict("ticket -> mood")

    other = Other()
    with pytest.raises(StateMismatchError):
        other.load(saved, lm=lm)
    assert other.lms() == [None, None]

    report = other.load(saved, strict=False, lm={"added": lm})
    assert other.added.lm is lm
    assert report.applied == ["triage", "writer.predict"]


def test_the_programs_lm_is_saved_as_any_other(saved: Path, tmp_path: Path) -> None:
    """What the caller chose is what the program has from then on."""
    desk = Desk()
    desk.load(saved, lm={"triage": LM("openai/other")})
    desk.save(tmp_path / "again.json")

    predictors = json.loads((tmp_path / "again.json").read_text("utf-8"))["state"]["predictors"]

    assert predictors["triage"]["lm"]["model"] == "openai/other"
    assert "10.0.0.7" not in (tmp_path / "again.json").read_text("utf-8")


# --- allow_hosts ----------------------------------------------------------------------------------

ALLOWED = [
    ("http://shop.test/v1", "shop.test"),
    ("http://shop.test/v1", "SHOP.Test"),
    ("http://SHOP.test:81/v1", "shop.test"),
    ("http://shop.test:81/v1", "shop.test:81"),
    ("http://shop.test/v1", "shop.test:80"),
    ("https://shop.test", "shop.test:443"),
    ("http://[::1]/v1", "::1"),
    ("http://[::1]/v1", "[::1]"),
    ("http://[::1]:81/v1", "[::1]:81"),
    ("http://[2001:DB8::1]:81/v1", "2001:db8::1"),
    ("http://127.0.0.1:81/v1", "127.0.0.1"),
]
WITHHELD = [
    ("http://shop.test:82/v1", "shop.test:81"),
    ("https://shop.test/v1", "shop.test:80"),
    ("https://api.openai.com.evil.test/v1", "api.openai.com"),
    ("https://evil.test/api.openai.com", "api.openai.com"),
    ("https://evil.test/?api.openai.com", "api.openai.com"),
    ("https://evilshop.test/v1", "shop.test"),
    ("https://sub.shop.test/v1", "shop.test"),
    ("https://shop.test./v1", "shop.test"),
    ("https://shop.test/v1", "shop.test."),
    ("https://shop.test@evil.test/v1", "shop.test"),
    ("https://shop.test:443@evil.test/v1", "shop.test"),
    ("https://shop.test/v1@evil.test", "shop.test"),
    ("https://evil.test/?api_key=sk-notakey0123456789", "shop.test"),
    ("https://evil.test#@shop.test/", "shop.test"),
    ("https://shop.test%2eevil.test/", "shop.test"),
    ("https://shоp.test/v1", "shop.test"),  # noqa: RUF001 - a Cyrillic o
    ("https://shop.test\t.evil.test/", "shop.test"),
    ("//shop.test/v1", "shop.test"),
    ("shop.test/v1", "shop.test"),
    ("file://shop.test/v1", "shop.test"),
    ("http://[::1]:81/v1", "[::1]:82"),
    ("http://[::1].evil.test/", "::1"),
    ("http://[:::::]/v1", "::1"),
    ("http://[", "::1"),
]


@pytest.mark.parametrize(("address", "host"), ALLOWED)
def test_an_address_on_an_allowed_host_is_used(address: str, host: str) -> None:
    """By name or number, with or without its port, whatever the case."""
    assert loaded(address, host).withheld is None


@pytest.mark.parametrize(("address", "host"), WITHHELD)
def test_any_other_address_is_withheld(address: str, host: str) -> None:
    """What looks like the host and is another, and what parsers read differently."""
    lm = loaded(address, host)

    assert lm.withheld
    with pytest.raises(EndpointWithheldError):
        lm("hello")


@pytest.mark.parametrize("address", ["https://user:pw@shop.test/v1", "https://evil.test\\@shop.test/v1"])
def test_what_stands_before_an_at_sign_is_taken_out_and_told(address: str) -> None:
    """Then the address says the same to every parser."""
    predict = Predict("question -> answer")
    state = predict.dump_state()
    state["predictors"]["self"]["lm"] = {"model": "openai/x", "api_base": address}

    report = predict.load_state(state, allow_hosts=["shop.test"])

    assert isinstance(predict.lm, LM)
    assert predict.lm.kwargs["api_base"] == "https://shop.test/v1"
    assert predict.lm.withheld is None
    assert report.dropped == ["self.lm.api_base: the user in its URL"]


def loaded(address: str, host: str) -> LM:
    """The LM of a file that names *address*, where *host* is allowed."""
    predict = Predict("question -> answer")
    state = predict.dump_state()
    state["predictors"]["self"]["lm"] = {"model": "openai/x", "api_base": address}
    predict.load_state(state, allow_hosts=[host])
    assert isinstance(predict.lm, LM)
    return predict.lm


@pytest.mark.parametrize(
    ("hosts", "told"),
    [
        ("shop.test", "is a list of hosts, ['shop.test'], not one text"),
        (["http://shop.test/v1"], "no address, and not 'http://shop.test/v1'"),
        (["http://user:pw@shop.test"], "not 'http://shop.test'"),
        (["shop.test/"], "not 'shop.test/'"),
        (["*"], "not '*'"),
        ([""], "not ''"),
        ([b"shop.test"], "not b'shop.test'"),
    ],
    ids=str,
)
def test_hosts_that_could_never_match_are_an_error(saved: Path, hosts: Any, told: str) -> None:
    """Or else a slip would look like an endpoint that is still withheld."""
    with pytest.raises(ConfigurationError) as caught:
        Desk().load(saved, allow_hosts=hosts)

    assert told in str(caught.value)


def test_hosts_may_come_as_any_iterable() -> None:
    """They are gone through once."""
    assert checked_hosts(iter(["a.test", "b.test:1"])) == ("a.test", "b.test:1")


# --- nothing goes to a public provider --------------------------------------------------------------


def test_prompts_for_an_endpoint_that_was_dropped_go_nowhere(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not to the provider of the same model, nor to the LM of the process, whichever way the file named it."""
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    own: dict[str, Any] = {"model": "openai/tiny", "cache": False, "num_retries": 0}
    files = [
        ({"lm": {**own, "api_base": ELSEWHERE}}),
        ({"lm": {**own, "base_url": ELSEWHERE}}),
        ({"lm": {**own, "model": f"huggingface/{ELSEWHERE}"}}),
        ({"lm": own, "config": {"api_base": ELSEWHERE}}),
        ({"config": {"api_base": ELSEWHERE}}),
        ({"config": {"base_url": ELSEWHERE, "n": 1}}),
        ({"config": {"model": f"huggingface/{ELSEWHERE}"}}),
        ({"config": {"api_base": "http://10.0.0.7/?api_key=sk-notakey0123456789"}}),
        ({"lm": {**own, "api_base": "http://10.0.0.7/?api_key=sk-notakey0123456789"}}),
        ({"config": {"custom_llm_provider": "at_home"}}),
    ]
    with progkit.context(lm=LM("openai/public", cache=False, api_base=server.url)):
        for number, node in enumerate(files):
            predict = Predict("question -> answer")
            state = predict.dump_state()
            state["predictors"]["self"].update(node)
            report = predict.load_state(state)

            assert report.dropped, node
            with pytest.raises(EndpointWithheldError):
                predict(question="?")
            assert server.count == number, node

            predict.load_state(state, lm=LM("openai/chosen", cache=False, api_base=server.url))
            assert predict(question="?").answer == "a"
            assert server.count == number + 1


def test_settings_that_are_withheld_are_in_the_next_save(tmp_path: Path) -> None:
    """The file stays what it was; told at load, by what is dropped and by what to do."""
    predict, again = Predict("question -> answer"), Predict("question -> answer")
    predict.lm = LM("openai/tiny", temperature=0.5)
    predict.config = {"api_base": ELSEWHERE, "n": 2}
    predict.save(tmp_path / "x.json")

    report = again.load(tmp_path / "x.json")
    saved = again.save(tmp_path / "y.json")

    assert report.dropped == [
        "self.config.api_base: would send prompts elsewhere; allow_hosts=[host] accepts an address"
    ]
    assert report.notes == ["self: will ask no LM until its api_base is allowed, or set_lm() gives it one"]
    assert again.config == {"n": 2}
    assert repr(again.lm).startswith("WithheldLM(LM('openai/tiny'")
    assert saved.dropped == []
    assert (tmp_path / "x.json").read_bytes() == (tmp_path / "y.json").read_bytes()

    again.load(tmp_path / "y.json", allow_hosts=["10.0.0.7"])
    assert again.config == {"api_base": ELSEWHERE, "n": 2}
    assert isinstance(again.lm, LM)


def test_recorded_replies_are_served_while_an_endpoint_is_withheld(server: ChatServer) -> None:
    """No prompt leaves for a hit: the request is the one that was recorded."""
    lm = LM("openai/tiny", api_key="sk-test")
    predict = Predict("question -> answer", api_base=server.url)
    predict.lm = lm
    predict(question="?")
    state = predict.dump_state()

    fresh = Predict("question -> answer")
    fresh.load_state(state)

    assert fresh(question="?").answer == "a"
    with pytest.raises(EndpointWithheldError):
        fresh(question="another")
    assert server.count == 1

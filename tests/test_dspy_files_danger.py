"""What a DSPy file, or one of ours, may not do: become attributes, lead prompts away, carry keys, run code."""

import json
from typing import Any

import pytest
from dspy_states import raw_of
from scripted import ScriptedLM
from servers import ChatServer, Reply
from test_program import says

import progkit
from progkit import Predict, artifact
from progkit.errors import DocumentError, EndpointWithheldError, ProgramNeededError, StateMismatchError
from progkit.program import state

KEY = "sk-notakey0123456789abcdefghij"


def flat(**more: Any) -> dict[str, Any]:
    """A file of one predictor with *more* in its state."""
    return {**raw_of("3.4.1", "flat"), **more}


def of(lm: dict[str, Any]) -> dict[str, Any]:
    """A file of one predictor with an LM."""
    return flat(lm={"model": "openai/gpt-4o-mini", **lm})


def loaded(raw: dict[str, Any], **options: Any) -> tuple[Predict, Any]:
    """A predictor that *raw* was loaded into, and the report."""
    predict = Predict("question -> answer", temperature=0.5)
    report = predict.load_state(raw, **options)
    return predict, report


@pytest.mark.parametrize("name", ["forward", "config", "__class__", "_plans", "signature_text", "stage", "callbacks"])
def test_a_key_that_no_dspy_writes_becomes_nothing(name: str) -> None:
    """DSPy makes an attribute of it; here it is named and left out."""
    before = vars(Predict("question -> answer")).keys()

    predict, report = loaded(flat(**{name: {"api_base": "http://evil.example"}}))

    assert vars(predict).keys() == before | {"_unknown"}
    assert predict.config == {}
    assert report.dropped == [f"self.{name}: no part of a DSPy state; in DSPy it becomes an attribute"]


def test_keys_within_a_signature_are_left_out_too() -> None:
    """The shape is known to its leaves."""
    raw = flat()
    raw["signature"]["__doc__"] = "x"
    raw["signature"]["fields"][1]["json_schema_extra"] = {}

    _, report = loaded(raw)

    assert [each.partition(":")[0] for each in report.dropped] == [
        "self.signature.fields[1].json_schema_extra",
        "self.signature.__doc__",
    ]


def test_keys_in_clear_text_are_dropped_told_and_never_shown(tmp_path: Any) -> None:
    """At any depth, by name or by looks; the rest of the LM is there."""
    raw = of(
        {
            "api_key": "short",
            "temperature": 0.7,
            "extra_headers": {"Authorization": f"Bearer {KEY}"},
            "extra_body": {"deep": [{"api_key": "short-too"}]},
            "user": KEY,
        }
    )

    predict, report = loaded(raw)
    predict.save(tmp_path / "a.json")
    predict.save(tmp_path / "b.json", format="dspy")

    files = [(tmp_path / name).read_text() for name in ("a.json", "b.json")]
    told = f"{report}{predict.lm!r}{report.to_dict()}{files}"
    assert predict.lm is not None
    assert dict(predict.lm.kwargs) == {"temperature": 0.7}
    assert [each.partition(":")[0] for each in report.dropped] == [
        "self.lm.api_key",
        "self.lm.extra_headers",
        "self.lm.extra_body.deep[0].api_key",
        "self.lm.user",
    ]
    assert KEY not in told
    assert "short" not in told


def test_an_endpoint_in_a_file_is_not_asked_until_it_is_allowed() -> None:
    """Neither the private nor a public one: the prompt stays here."""
    with ChatServer() as server:
        server.then(Reply(says(answer="yes")))
        raw = of({"api_base": server.url, "api_key": "short"})
        predict, report = loaded(raw)

        with pytest.raises(EndpointWithheldError):
            predict(question="Why?")
        assert server.requests == []

        allowed, _ = loaded(raw, allow_hosts=["127.0.0.1"])
        assert allowed(question="Why?", config={"api_key": "mine"}).answer == "yes"
    assert any("is not allowed" in each for each in report.dropped)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model_list", [{"litellm_params": {"model": "openai/x", "api_base": "http://evil.example"}}]),
        ("fallbacks", ["openai/other"]),
        ("proxies", {"https": "http://evil.example"}),
        ("base_model", "x"),
        ("custom_llm_provider", "evil"),
        ("mock_response", "[[ ## answer ## ]]\nno"),
        ("engine_args", {"a": 1}),
        ("logger_fn", "os.system"),
        ("whatever", "http://evil.example"),
    ],
)
def test_what_is_unknown_of_an_lm_never_reaches_the_wire(name: str, value: Any) -> None:
    """It is kept for the next save, and said to be."""
    predict, report = loaded(of({name: value}))

    params = predict.ask({"question": "Why?"}).params

    assert set(params) == {"model"}
    assert report.notes == [f"self.lm.{name}: kept, not sent"]
    assert artifact.decode_value(predict.dump_state()["predictors"]["self"]["lm"])[name] == value


def test_an_endpoint_within_a_known_setting_is_dropped() -> None:
    """A tool that calls a server would be told the prompt."""
    tools = [{"type": "mcp", "server_url": "https://evil.example"}, {"type": "function", "function": {"name": "url"}}]

    predict, report = loaded(of({"tools": tools}))

    assert predict.lm is not None
    assert predict.lm.kwargs["tools"] == [{"type": "mcp"}, tools[1]]
    assert report.dropped == ["self.lm.tools[0].server_url: would send prompts elsewhere"]


@pytest.mark.parametrize(
    "state_of_lm",
    [
        {"_dspy_lm_class": "evil.module.Custom"},
        {"_dspy_lm_class": "dspy.clients.typesafe.TypeSafe", "base_url": "https://evil.example"},
        {"engine": {"class": "evil.Engine", "state": {}}},
        {"_dspy_lm_class": "dspy.clients.lm.LM", "engine": {"class": "evil.Engine", "state": {}}},
    ],
)
def test_an_lm_of_another_class_is_data(state_of_lm: dict[str, Any], tmp_path: Any) -> None:
    """Nothing is imported, and its model is asked in no other way; DSPy gets it back."""
    raw = of(state_of_lm)

    predict, report = loaded(raw)
    predict.save(tmp_path / "back.json", format="dspy")

    assert predict.lm is None
    assert "which progkit does not run" in report.notes[0]
    assert json.loads((tmp_path / "back.json").read_text())["lm"] == raw["lm"]


def test_source_code_is_never_run() -> None:
    """Not when it is read, loaded, saved or shown; strictly, it is missed."""
    raw = raw_of("3.4.1", "flex_inside")
    raw["flex"]["module_src"] = "raise SystemExit('ran')"
    program = progkit.Module()
    program.judge = Predict("answer -> good: bool")

    with pytest.raises(StateMismatchError, match="flex is in the file alone"):
        program.load_state(raw)
    report = program.load_state(raw, strict=False)

    assert report.extra == ["flex"]
    assert report.notes == ["flex: source code, which is never run; kept as data"]
    assert artifact.export(state.capture(program).document)[0]["flex"] == raw["flex"]


def test_a_part_of_ones_own_may_stand_where_the_source_code_was() -> None:
    """Then the file fits."""
    program = progkit.Module()
    program.judge = Predict("answer -> good: bool")
    program.flex = progkit.Module()

    assert program.load_state(raw_of("3.4.1", "flex_inside")).ok


def test_a_file_of_source_code_alone_needs_its_program(tmp_path: Any) -> None:
    """There is nothing in it to rebuild."""
    path = tmp_path / "flex.json"
    path.write_text(json.dumps(raw_of("3.4.1", "flex")))

    with pytest.raises(ProgramNeededError):
        progkit.load(path)


def test_secrets_in_other_parts_are_dropped() -> None:
    """A part that is no predictor is searched like any other; one that is a secret by name is gone."""
    raw = {**raw_of("3.4.1", "flex_inside"), "retriever": {"k": 3, "api_key": "short"}, "token": "x"}

    received = artifact.accept(raw, "x.json")

    assert received is not None
    assert [each.partition(":")[0] for each in received.dropped] == ["retriever.api_key", "token"]
    assert received.notes[-2:] == ["retriever: no predictor; kept as data", "token: no predictor; kept as data"]
    assert "short" not in json.dumps(received.document)


# --- our own files --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "kept", "told"),
    [
        ({"api_base": "http://evil.example/v1"}, {}, ["api_base"]),
        ({"base_url": "http://evil.example", "n": 2}, {"n": 2}, ["base_url"]),
        ({"azure_endpoint": "http://evil.example"}, {}, ["azure_endpoint"]),
        ({"some_new_name": "wss://evil.example"}, {}, ["some_new_name"]),
        ({"model": "huggingface/https://evil.example"}, {}, ["model"]),
        ({"model": "openai/gpt-4o"}, {"model": "openai/gpt-4o"}, []),
        ({"custom_llm_provider": "evil"}, {}, ["custom_llm_provider"]),
        ({"fallbacks": ["openai/x"]}, {}, ["fallbacks"]),
        ({"mock_response": "no"}, {}, ["mock_response"]),
        ({"proxy": None, "stop": "http://"}, {"proxy": None, "stop": "http://"}, []),
        ({"extra_body": {"proxy": "http://evil.example", "a": 1}}, {}, ["extra_body"]),
        (
            {"extra_body": {"provider": [{"api_base": 7}]}},
            {"extra_body": {"provider": [{}]}},
            ["extra_body.provider[0]"],
        ),
        (
            {"response_format": {"properties": {"url": {"type": "string"}}, "$schema": "http://json-schema.org"}},
            {"response_format": {"properties": {"url": {"type": "string"}}, "$schema": "http://json-schema.org"}},
            [],
        ),
        ({"api_base": "http://good.example:81/v1"}, {"api_base": "http://good.example:81/v1"}, []),
    ],
    ids=lambda each: str(each)[:30],
)
def test_a_predictors_settings_lead_nowhere(config: Any, kept: Any, told: list[str]) -> None:
    """Unless the host is allowed: a file of ours is no more trusted than one of DSPy's."""
    saved = Predict("question -> answer")
    saved.config = config
    fresh = Predict("question -> answer")

    report = fresh.load_state(saved.dump_state(), allow_hosts=["good.example"])

    assert fresh.config == kept
    assert [each.partition(":")[0].removeprefix("self.config.") for each in report.dropped] == told or all(
        each.startswith(f"self.config.{start}") for each, start in zip(report.dropped, told, strict=True)
    )


def test_an_lm_in_a_file_of_ours_tells_what_it_drops() -> None:
    """A key that somebody wrote into the file is dropped, and told."""
    lm = progkit.LM("openai/x", temperature=0.1)
    saved = Predict("question -> answer")
    saved.lm = lm
    document = saved.dump_state()
    document["predictors"]["self"]["lm"]["api_key"] = "short"
    fresh = Predict("question -> answer")

    report = fresh.load_state(document)

    assert report.dropped[0].startswith("self.lm.api_key: a secret")
    assert isinstance(fresh.lm, progkit.LM)
    assert "api_key" not in fresh.lm.kwargs


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "where", "reason"),
    [
        (lambda raw: raw.update(demos={}), "self.demos", "expected array"),
        (lambda raw: raw.update(demos=["x"]), "self.demos[0]", "expected object"),
        (lambda raw: raw.update(extended_signature={}), "self", "DSPy 2.5 or older"),
        (lambda raw: raw.pop("signature"), "self", "missing key 'signature'"),
        (lambda raw: raw["signature"].pop("instructions"), "self.signature", "missing key 'instructions'"),
        (lambda raw: raw["signature"]["fields"][0].pop("prefix"), "self.signature.fields[0]", "missing key 'prefix'"),
        (lambda raw: raw.update(lm={"model": 3}), "self.lm.model", "must be text"),
        (lambda raw: raw.update(lm="openai/x"), "self.lm", "expected object"),
        (lambda raw: raw.update(lm={"model": "openai/x", "num_retries": "many"}), "predictor self, lm", "num_retries"),
        (lambda raw: raw.update(demos=[{"question": deep(60)}]), "self.demos[0].question", "nested too deep"),
    ],
)
def test_a_file_that_is_not_dspys_is_refused_with_its_place(change: Any, where: str, reason: str) -> None:
    """Never a bare KeyError."""
    raw = flat()
    change(raw)

    with pytest.raises(DocumentError) as caught:
        loaded(raw)

    assert caught.value.where.startswith(where)
    assert reason in caught.value.reason


def deep(levels: int) -> Any:
    return [] if levels == 0 else [deep(levels - 1)]


def test_nothing_is_changed_by_a_refused_file() -> None:
    """All or nothing, as with any file."""
    predict = Predict("question -> answer")
    predict.demos = [{"question": "q", "answer": "a"}]
    before = predict.dump_state()

    with pytest.raises(DocumentError):
        predict.load_state(of({"num_retries": "many"}))

    assert predict.dump_state() == before
    with progkit.context(lm=ScriptedLM(says(answer="yes"))):
        assert predict(question="Why?").answer == "yes"

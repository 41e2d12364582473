"""Tools, native function calling and agents beside DSPy 3.4.1: what is sent and read, byte for byte.

What DSPy did is frozen in ``fixtures/dspy/3.4.1/tools.json``; ``fixtures/dspy/capture_tools.py`` says how.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from scripted import ScriptedLM

import progkit
from progkit.adapters import ChatAdapter, JSONAdapter, layout_of, native_of
from progkit.errors import AdapterParseError, LMContextWindowError
from progkit.lm import Completion, Response

DSPY = Path(__file__).parent.parent / "fixtures" / "dspy"
sys.path.insert(0, str(DSPY))

import dspy_tools  # noqa: E402 - they lie beside the frozen answers
from dspy_differences import TOOLS as TOLD  # noqa: E402
from dspy_differences import said_here  # noqa: E402

FROZEN = json.loads((DSPY / "3.4.1" / "tools.json").read_text("utf-8"))
ADAPTERS: dict[str, Any] = {"chat": ChatAdapter, "json": JSONAdapter}
TOOLS = dspy_tools.tools(progkit)
SIGNATURES = dspy_tools.signatures(progkit)
ERRORS = {"AdapterParseError": AdapterParseError, "ContextWindowExceededError": LMContextWindowError}

OLDER = ["3.0.4", "3.1.3", "3.2.1", "3.3.1"]

PRINTED_THERE = {
    "<Unit.C: 'celsius'>": "'celsius'",
    "datetime.date(2024, 2, 29)": "'2024-02-29'",
    "Decimal('1.5')": "1.5",
}
"""What Python prints of defaults, and what JSON says."""


def differs(about: str, case: str, version: str = "3.4.1") -> bool:
    """Whether the table of differences has *case* of DSPy *version*."""
    difference = TOLD[about]
    return case in difference.cases and version in difference.versions


def without_variadic(name: str, version: str, required: list[str]) -> list[str]:
    """What of *required* by the tool *name* of DSPy *version* may not be left out."""
    kept = [each for each in required if each not in ("more", "rest")]
    if differs("variadic", name, version):
        assert kept != required
        return kept
    return required


def with_json_defaults(text: str) -> str:
    """*text* with defaults as they are written since 3.4."""
    for theirs, ours in PRINTED_THERE.items():
        text = text.replace(theirs, ours)
    return text


def completion(reply: Any, layout: str) -> Response:
    """*reply* as an LM gives it."""
    message = dspy_tools.content(reply, layout)
    calls = tuple(
        {"id": each["id"], "name": each["function"]["name"], "args": each["function"]["arguments"]}
        for each in message.get("tool_calls", [])
    )
    reason = "tool_calls" if calls else "stop"
    return Response((Completion(message["content"], reason, calls, message.get("reasoning_content")),))


def line(reply: Any, layout: str) -> Any:
    """A line of the script for *reply*."""
    if isinstance(reply, dict) and "too_long" in reply:
        return LMContextWindowError("too long")
    return completion(reply, layout)


def sent(request: Any) -> dict[str, Any]:
    """What of *request* is frozen."""
    names = ("messages", "tools", "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort")
    return {name: request[name] for name in names if request.get(name) is not None}


def assert_same(frozen: dict[str, Any], lm: ScriptedLM, ask: Any, other_format: bool = False) -> None:
    """*ask* ends as it did in DSPy, after the same requests, but for an *other_format* of the response."""
    if "error" in frozen:
        with pytest.raises(ERRORS[frozen["error"]]):
            ask()
    else:
        assert dspy_tools.plain(dict(ask().items())) == frozen["result"]
    for request, expected in zip(lm.requests, frozen["requests"], strict=True):
        ours = sent(request)
        if other_format:
            assert ours.pop("response_format") != expected.pop("response_format", None)
        assert ours == expected
        for each in ("tools", "response_format"):
            assert json.dumps(ours.get(each)) == json.dumps(expected.get(each))


@pytest.mark.parametrize("name", FROZEN["tools"])
def test_tools_are_described_as_dspy_describes_them(name: str) -> None:
    """The text of a prompt and the function of a request; schemas have their keys in the same order."""
    frozen = FROZEN["tools"][name]
    function = json.loads(json.dumps(frozen["function"]))
    parameters = function["function"]["parameters"]
    required = without_variadic(name, "3.4.1", parameters["required"])

    assert str(TOOLS[name]) == frozen["text"]
    parameters["required"] = required
    assert json.dumps(TOOLS[name].format_as_litellm_function_call()) == json.dumps(function)


@pytest.mark.parametrize("version", OLDER)
def test_older_layouts_are_those_dspys_byte_for_byte(version: str) -> None:
    """Calls were written and described otherwise, and every parameter was required."""
    frozen = json.loads(said_here((DSPY / version / "tools.json").read_text("utf-8")))
    layout = layout_of(version)
    for name, signature, demos, inputs in dspy_tools.messages(progkit):
        for adapter in ADAPTERS:
            ours = ADAPTERS[adapter](layout=layout).format(SIGNATURES[signature], demos, inputs)
            theirs = frozen["messages"][name][adapter]
            assert (name, ours) == (name, json.loads(with_json_defaults(json.dumps(theirs))))

    native = JSONAdapter(layout=layout)
    for name, tool in frozen["tools"].items():
        function = native_of(native, SIGNATURES["plain"], {"model": "gpt-4o"}).params(native, {"tools": TOOLS[name]})[
            "tools"
        ][0]
        required = without_variadic(name, version, tool["function"]["function"]["parameters"]["required"])
        assert function["function"]["parameters"]["required"] == required
        assert str(TOOLS[name]) == with_json_defaults(tool["text"])
        assert (str(TOOLS[name]) != tool["text"]) is differs("defaults", name, version)


@pytest.mark.parametrize("layout", ADAPTERS)
@pytest.mark.parametrize("case", dspy_tools.messages(progkit), ids=lambda case: case[0])
def test_messages_are_dspys_byte_for_byte(case: tuple[Any, ...], layout: str) -> None:
    """Tools as words of the prompt, calls as the reply's."""
    name, signature, demos, inputs = case

    assert ADAPTERS[layout]().format(SIGNATURES[signature], demos, inputs) == FROZEN["messages"][name][layout]


@pytest.mark.parametrize(("name", "text"), dspy_tools.CALLS, ids=lambda each: each[:20])
def test_calls_are_read_as_dspy_reads_them(name: str, text: str) -> None:
    """A list, an object, one call, in our words or a provider's."""
    frozen = FROZEN["calls"][name]
    reply = f"[[ ## calls ## ]]\n{text}"
    if "error" in frozen:
        with pytest.raises(AdapterParseError):
            ChatAdapter().parse(SIGNATURES["plain"], reply)
        return

    assert dspy_tools.plain(ChatAdapter().parse(SIGNATURES["plain"], reply)["calls"]) == frozen["result"]


@pytest.mark.parametrize("layout", ADAPTERS)
@pytest.mark.parametrize("case", dspy_tools.NATIVE, ids=lambda case: case[0])
def test_native_calls_are_dspys_byte_for_byte(case: tuple[Any, ...], layout: str) -> None:
    """Both fields leave the prompt, the tools go with the request, the calls come with the reply."""
    name, signature, options, model, replies = case
    frozen = json.loads(json.dumps(FROZEN["native"][f"{name}, {layout}"]))
    if differs("arguments", name):
        assert "partial_json" in frozen["result"]["calls"][0]["args"]
        frozen["result"]["calls"][0]["args"] = {"query": "x"}
    lm = ScriptedLM(*[line(each, layout) for each in replies], model=f"openai/{model}")
    adapter = ADAPTERS[layout](**{"use_native_function_calling": True, **options})
    given = {"question": "Why?", "tool": TOOLS["Counter"], "tools": [TOOLS["search"], TOOLS["weather"]]}
    inputs = {each: given[each] for each in SIGNATURES[signature].input_fields}

    with progkit.context(lm=lm, adapter=adapter):
        predict = progkit.Predict(SIGNATURES[signature])
        assert_same(frozen, lm, lambda: predict(**inputs), layout == "json" and differs("formats", name))


@pytest.mark.parametrize("layout", ADAPTERS)
@pytest.mark.parametrize("case", dspy_tools.THOUGHT, ids=lambda case: case[0])
def test_thoughts_are_dspys_byte_for_byte(case: tuple[Any, ...], layout: str) -> None:
    """A model that tells its thoughts of itself is not asked for them in words, but for some effort."""
    name, model, settings, replies = case
    frozen = json.loads(json.dumps(FROZEN["thoughts"][f"{name}, {layout}"]))
    lm = ScriptedLM(*[line(each, layout) for each in replies], model=f"openai/{model}", **settings)
    predict = progkit.Predict(SIGNATURES["thinking"])

    with progkit.context(lm=lm, adapter=ADAPTERS[layout]()):
        other_format = differs("thoughts", name) or differs("documentation", name)
        assert_same(frozen, lm, lambda: predict(question="Why?"), layout == "json" and other_format)


@pytest.mark.parametrize("layout", ADAPTERS)
@pytest.mark.parametrize("case", dspy_tools.AGENTS, ids=lambda case: case[0])
@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
def test_agents_are_dspys_byte_for_byte(case: tuple[Any, ...], layout: str, is_async: bool) -> None:
    """Every prompt of an agent's way, and where it ends; the same with a call and with ``acall``."""
    name, signature, tools, inputs, replies = case
    lm = ScriptedLM(*[line(each, layout) for each in replies], model="openai/gpt-4o-mini")
    told = dspy_tools.tasked(progkit) if signature == "tasked" else signature
    agent = progkit.ReAct(told, tools=[TOOLS[each] for each in tools])

    def ask() -> Any:
        return asyncio.run(agent.acall(**inputs)) if is_async else agent(**inputs)

    with progkit.context(lm=lm, adapter=ADAPTERS[layout](), cache=progkit.Cache(False, False)):
        assert_same(FROZEN["agents"][f"{name}, {layout}"], lm, ask)

"""The adapters beside DSPy 3.4.1: the same messages and the same readings, but for its plain bugs.

What DSPy said is frozen in ``fixtures/dspy/3.4.1``; ``fixtures/dspy/capture.py`` says how it got there.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import progkit.signature as ours
from progkit.adapters import ChatAdapter, JSONAdapter
from progkit.errors import AdapterParseError

DSPY = Path(__file__).parent.parent / "fixtures" / "dspy"
sys.path.insert(0, str(DSPY))

import dspy_cases  # noqa: E402 - they lie beside the frozen answers
import dspy_messages  # noqa: E402
import dspy_readings  # noqa: E402

FROZEN = json.loads((DSPY / "3.4.1" / "messages.json").read_text("utf-8"))
ADAPTERS = {"chat": ChatAdapter(), "json": JSONAdapter()}
SIGNATURES = dspy_cases.signatures(ours)

FAILS_THERE = ["mixed list"]
"""DSPy raises TypeError for a list of more than text where text is expected."""

ALL_LOST_THERE = [("no text", "json")]
"""Bytes that are no UTF-8 turn DSPy's whole JSON object into one string."""

LEAKS_THERE = ["  [[ ## answer ## ]]\n  Paris\n  [[ ## completed ## ]]"]
"""DSPy reads ``]]`` into the value under an indented header."""

BROKEN_THERE = ["[[ ## answer ## ]]\na\u2028b\x0bc\x1dd\x85e"]
"""DSPy makes line feeds of every separator that Unicode has, within JSON strings too."""

EMPTY_ONLY_THERE = ["bare_dict"]
"""DSPy's schema for a dict without type arguments, or within a list, allows no key at all."""


def pairs(cases: list[Any]) -> list[Any]:
    """Every case with either layout."""
    return [pytest.param(case, layout, id=f"{case[0]}-{layout}") for case in cases for layout in ADAPTERS]


def read(layout: str, signature: Any, reply: str) -> dict[str, str]:
    """What the adapter reads, in the form in which DSPy's answers are frozen."""
    try:
        return {"read": repr(ADAPTERS[layout].parse(signature, reply))}
    except AdapterParseError as error:
        return {"error": type(error).__name__}


@pytest.mark.parametrize(("case", "layout"), pairs(dspy_messages.MESSAGES))
def test_messages_are_dspys_byte_for_byte(case: tuple[Any, ...], layout: str) -> None:
    """A program that was optimised with DSPy sends what it was measured with."""
    name, signature, demos, inputs = case
    messages = ADAPTERS[layout].format(SIGNATURES[signature], demos, inputs)
    frozen = FROZEN["messages"][name][layout]

    if name in FAILS_THERE:
        assert frozen == {"error": "TypeError"}
    elif (name, layout) in ALL_LOST_THERE:
        assert [each for each in frozen if each["role"] != "assistant"] == [messages[0], messages[1], messages[3]]
    else:
        assert messages == frozen


@pytest.mark.parametrize(("case", "layout"), pairs(dspy_messages.REPLIES))
def test_replies_are_dspys_byte_for_byte(case: tuple[Any, ...], layout: str) -> None:
    """What warm-up keeps as a model's reply is what a demo says."""
    name, signature, outputs = case

    assert ADAPTERS[layout].reply(SIGNATURES[signature], outputs) == FROZEN["replies"][name][layout]


@pytest.mark.parametrize("layout", ADAPTERS)
def test_replies_are_read_as_dspy_reads_them(layout: str) -> None:
    """Sections and objects are found, and ignored, where DSPy does."""
    cases = dspy_readings.CHAT if layout == "chat" else dspy_readings.JSON
    for (signature, reply), frozen in zip(cases, FROZEN[f"{layout}_readings"], strict=True):
        if reply not in LEAKS_THERE + BROKEN_THERE:
            assert (reply, read(layout, SIGNATURES[signature], reply)) == (reply, frozen)


def test_values_are_read_as_dspy_reads_them() -> None:
    """Every type takes, converts and refuses the texts that it does in DSPy."""
    made: dict[str, Any] = {}
    for layout, annotation, case, reply in dspy_readings.value_cases():
        fields = {"q": ours.InputField(), "x": (annotation, ours.OutputField())}
        signature = made.setdefault(case.split()[0], ours.Signature(fields, "Read."))
        assert (case, read(layout, signature, reply)) == (case, FROZEN["values"][case])


@pytest.mark.parametrize("name", dspy_cases.FORMATS)
def test_response_formats_are_dspys_byte_for_byte(name: str) -> None:
    """Structured outputs are asked for with the same schema, its keys in the same order."""
    frozen = FROZEN["formats"][name]
    expected: dict[str, Any] = {"type": "json_object"}
    if frozen is not None and name not in EMPTY_ONLY_THERE:
        wanted = {"name": "DSPyProgramOutputs", "schema": frozen, "strict": True}
        expected = {"type": "json_schema", "json_schema": wanted}

    params = ADAPTERS["json"].params(SIGNATURES[name], "openai/gpt-4o-mini")

    assert json.dumps(params) == json.dumps({"response_format": expected})

"""The adapters beside DSPy 3.4.1: the same replies, readings and formats, but for what ``dspy_differences.py`` lists.

What DSPy said is frozen in ``fixtures/dspy/3.4.1``; ``fixtures/dspy/capture.py`` says how it got there. The
messages, of this and other versions, are compared in ``test_adapters_layouts.py``.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import progkit
import progkit.signature as ours
from progkit.adapters import ChatAdapter, JSONAdapter
from progkit.errors import AdapterParseError

DSPY = Path(__file__).parent.parent / "fixtures" / "dspy"
sys.path.insert(0, str(DSPY))

import dspy_cases  # noqa: E402 - they lie beside the frozen answers
import dspy_content  # noqa: E402
import dspy_differences  # noqa: E402
import dspy_messages  # noqa: E402
import dspy_readings  # noqa: E402

FROZEN = json.loads((DSPY / "3.4.1" / "messages.json").read_text("utf-8"))
SENT = json.loads((DSPY / "3.4.1" / "wire.json").read_text("utf-8"))["formats"]
ADAPTERS = {"chat": ChatAdapter(), "json": JSONAdapter()}
SIGNATURES = dspy_cases.signatures(ours)


def pairs(cases: list[Any]) -> list[Any]:
    """Every case with either layout."""
    return [pytest.param(case, layout, id=f"{case[0]}-{layout}") for case in cases for layout in ADAPTERS]


def read(layout: str, signature: Any, reply: str) -> dict[str, str]:
    """What the adapter reads, in the form in which DSPy's answers are frozen."""
    try:
        return {"read": repr(ADAPTERS[layout].parse(signature, reply))}
    except AdapterParseError as error:
        return {"error": type(error).__name__}


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
        found = read(layout, SIGNATURES[signature], reply)
        assert (reply, found == frozen) == (reply, reply not in dspy_differences.READINGS)


def test_values_are_read_as_dspy_reads_them() -> None:
    """Every type takes, converts and refuses the texts that it does in DSPy."""
    made: dict[str, Any] = {}
    for layout, annotation, case, reply in dspy_readings.value_cases():
        fields = {"q": ours.InputField(), "x": (annotation, ours.OutputField())}
        signature = made.setdefault(case.split()[0], ours.Signature(fields, "Read."))
        assert (case, read(layout, signature, reply)) == (case, FROZEN["values"][case])


def test_values_of_content_types_are_read_as_dspy_reads_them() -> None:
    """Code loses its fence, a thought stays text; what is more than DSPy reads is listed."""
    told = {}
    for name, annotation, texts in dspy_content.readings(progkit):
        signature = ours.Signature({"q": ours.InputField(), "x": (annotation, ours.OutputField())}, "Read.")
        for text in texts:
            section = f"[[ ## x ## ]]\n{text}\n\n[[ ## completed ## ]]\n"
            told[f"{name} chat {text!r}"] = read("chat", signature, section)
            told[f"{name} json {text!r}"] = read("json", signature, json.dumps({"x": text}))

    differing = {case for case, frozen in FROZEN["content_values"].items() if told[case] != frozen}

    assert told.keys() == FROZEN["content_values"].keys()
    assert differing == dspy_differences.VALUES.keys()


@pytest.mark.parametrize("name", dspy_cases.FORMATS)
def test_response_formats_are_those_that_dspy_sends(name: str) -> None:
    """Structured outputs are asked for with the same schema, its properties in the same order."""
    expected = {"type": "json_object"} if name in dspy_differences.FORMATS else SENT[name]

    params = ADAPTERS["json"].params(SIGNATURES[name], "openai/gpt-4o-mini")

    assert json.dumps(params) == json.dumps({"response_format": expected})

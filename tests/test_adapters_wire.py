"""What comes over the wire beside what DSPy sent: the same bodies, for all layouts and both adapters.

The bodies are frozen in ``fixtures/dspy/<version>/wire.json`` by ``fixtures/dspy/capture_wire.py``.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import ChatServer, Reply

import progkit
from progkit.adapters import ChatAdapter, JSONAdapter, layout_of

DSPY = Path(__file__).parent.parent / "fixtures" / "dspy"
sys.path.insert(0, str(DSPY))

import dspy_wire  # noqa: E402 - they lie beside the frozen answers
from dspy_differences import BODIES, MESSAGES, SCHEMAS, said_here  # noqa: E402

VERSIONS = sorted(path.parent.name for path in DSPY.glob("*/wire.json"))
ADAPTERS: dict[str, Any] = {"chat": ChatAdapter(), "json": JSONAdapter()}


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    """The model."""
    with ChatServer() as running:
        yield running


def body(server: ChatServer, case: tuple[Any, ...], adapter: str, version: str) -> dict[str, Any]:
    """The body that progkit sends for *case*, as a program that comes from DSPy *version*."""
    name, signature, demos, inputs = case
    server.always = Reply(dspy_wire.reply(name, adapter))
    server.requests.clear()
    lm = progkit.LM("openai/gpt-4o-mini", api_base=server.url, api_key="sk-none", cache=False)
    predict = progkit.Predict(signature)
    predict.demos = demos
    predict.layout = layout_of(version)
    with progkit.context(lm=lm, adapter=ADAPTERS[adapter]):
        predict(**inputs)
    (request,) = server.requests
    return request.body


def listed(version: str) -> set[str]:
    """The cases whose messages differ from DSPy *version*'s on purpose, or of which it has none."""
    named = {case for each in MESSAGES if version in each.versions for case in each.cases}
    return {case if "/" in case else f"{case}/{adapter}" for case in named for adapter in ADAPTERS}


@pytest.mark.parametrize("version", VERSIONS)
def test_bodies_are_dspys(server: ChatServer, version: str) -> None:
    """The model reads what it read when the program was optimised."""
    frozen = json.loads(said_here((DSPY / version / "wire.json").read_text("utf-8")))["bodies"]
    cases = {case[0]: case for case in dspy_wire.cases(progkit)}
    for name, bodies in frozen.items():
        for adapter, theirs in bodies.items():
            mine, full = body(server, cases[name], adapter, version), f"{name}/{adapter}"
            if full in listed(version):
                assert mine["messages"] != theirs.get("messages")
            elif version in BODIES:
                assert (full, mine["messages"]) == (full, theirs["messages"])
            elif full in SCHEMAS:
                del theirs["response_format"]["json_schema"]["schema"]["$defs"]["Reasoning"]["description"]
                assert (full, mine) == (full, theirs)
            else:
                assert (full, mine) == (full, theirs)

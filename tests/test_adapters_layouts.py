"""The layouts beside the DSPy versions that they are named after: the same messages, byte for byte.

What DSPy said is frozen in ``fixtures/dspy/<version>``, of older ones what 3.4.1 says otherwise; what progkit
does otherwise on purpose is listed in ``fixtures/dspy/dspy_differences.py``.
"""

import json
import pickle
import sys
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from scripted import ScriptedLM

import progkit
from progkit.adapters import LAYOUTS, NEWEST, ChatAdapter, JSONAdapter, layout_named, layout_of
from progkit.errors import ConfigurationError
from progkit.signature import InputField, OutputField, Signature

DSPY = Path(__file__).parent.parent / "fixtures" / "dspy"
sys.path.insert(0, str(DSPY))

import dspy_cases  # noqa: E402 - they lie beside the frozen answers
import dspy_content  # noqa: E402
import dspy_messages  # noqa: E402
from dspy_differences import MESSAGES, VERSIONS, said_here  # noqa: E402

NAMED = ["2.6", "2.6.9", "2.6.13", "2.6.17", "2.6.23", "2.6.25", "2.6.26", "3.0", "3.1", "3.2", "3.3", "3.4"]
QA = Signature("question -> answer")


@cache
def cases() -> dict[str, Any]:
    """(kind, signature, demos, inputs) of every case that DSPy was asked, by name."""
    made = dspy_cases.signatures(progkit)
    every = {name: ("messages", made[signature], *rest) for name, signature, *rest in dspy_messages.MESSAGES}
    return every | {name: ("content", *rest) for name, *rest in dspy_content.cases(progkit)}


@cache
def frozen(version: str) -> Any:
    """What DSPy *version* answered."""
    return json.loads(said_here((DSPY / version / "messages.json").read_text("utf-8")))


def answers(version: str) -> Iterator[tuple[str, Any, Any]]:
    """(case/adapter, DSPy's messages or error, ours) of all that DSPy *version* could be asked."""
    adapters = {"chat": ChatAdapter(layout=layout_of(version)), "json": JSONAdapter(layout=layout_of(version))}
    for name, (kind, *call) in cases().items():
        theirs = frozen(version)[kind].get(name, frozen("3.4.1")[kind][name])
        for adapter in adapters if theirs is not None else ():
            yield f"{name}/{adapter}", theirs[adapter], adapters[adapter].format(*call)


def listed(version: str, raises: bool) -> set[str]:
    """The cases in which a difference from DSPy *version* is listed."""
    named = [case for each in MESSAGES if version in each.versions and each.raises is raises for case in each.cases]
    return {full for case in named for full in ([case] if "/" in case else [f"{case}/chat", f"{case}/json"])}


@pytest.mark.parametrize("version", VERSIONS)
def test_messages_are_dspys_byte_for_byte(version: str) -> None:
    """A program keeps the prompts it was optimised under; every difference is listed, and no other."""
    raised, differing = set(), set()
    for case, theirs, mine in answers(version):
        if isinstance(theirs, dict):
            raised.add(case)
        elif json.dumps(mine) != json.dumps(theirs):
            differing.add(case)

    assert differing == listed(version, raises=False)
    assert raised == listed(version, raises=True)


def test_every_layout_is_held_against_a_dspy() -> None:
    """None rests on a reading of the changes alone."""
    assert {layout_of(version) for version in VERSIONS} == set(LAYOUTS) == set(NAMED)
    assert list(LAYOUTS) == NAMED
    assert {name: layout.version for name, layout in LAYOUTS.items()} == {name: name for name in NAMED}


class TestLayoutOf:
    @pytest.mark.parametrize(
        ("version", "layout"),
        [
            *(("2.5.43", "2.6"), ("2.6.0", "2.6"), ("2.6.8", "2.6"), ("2.6.9", "2.6.9"), ("2.6.16", "2.6.13")),
            *(("2.6.17", "2.6.17"), ("2.6.27", "2.6.26"), ("3.0.0b2", "3.0"), ("3.0.4", "3.0"), ("3", "2.6.26")),
            *(("3.1.0", "3.0"), ("3.1.3", "3.1"), ("3.3.1", "3.3"), ("3.4.0", "3.3"), ("3.4.1", "3.4")),
            *(("3.4.2rc1", "3.4"), ("3.10.2", "3.4"), ("4", "3.4")),
        ],
    )
    def test_a_version_has_the_newest_layout_that_is_not_newer(self, version: str, layout: str) -> None:
        """Numbers are compared as numbers; 3.1.0 and 3.4.0 kept to the layout before."""
        assert layout_of(version) == layout

    @pytest.mark.parametrize("version", ["", "x", "v3", "."])
    def test_what_is_no_version_is_refused(self, version: str) -> None:
        """It says what one looks like."""
        with pytest.raises(ConfigurationError, match=r"is no version of DSPy, such as '3\.4\.1'"):
            layout_of(version)

    def test_an_unknown_layout_is_refused(self) -> None:
        """With the nearest, and all there are."""
        with pytest.raises(
            ConfigurationError, match=r"there is no layout '3\.40' \(did you mean '3\.\d'\?\); there are 2\.6, "
        ):
            layout_named("3.40")


@pytest.mark.parametrize("kind", [ChatAdapter, JSONAdapter])
class TestWithLayout:
    def test_the_newest_is_the_default(self, kind: Any) -> None:
        """And is itself in it."""
        adapter = kind()

        assert adapter.layout == NEWEST == "3.4"
        assert adapter.with_layout("3.4") is adapter

    def test_another_is_always_the_same(self, kind: Any) -> None:
        """A predictor's plans are kept by the adapter's identity."""
        adapter = kind()

        assert adapter.with_layout("3.0") is adapter.with_layout("3.0")
        assert adapter.with_layout("3.0").layout == "3.0"
        assert adapter.layout == "3.4"
        assert repr(adapter.with_layout("3.0")) == repr(kind(layout="3.0")) == f"{kind.__name__}(layout='3.0')"

    def test_a_chosen_one_stays(self, kind: Any) -> None:
        """Who makes an adapter for a layout wants it for every predictor."""
        adapter = kind(layout="3.4")

        assert adapter.with_layout("3.0") is adapter
        assert kind().with_layout("3.0").with_layout("3.1").layout == "3.0"

    def test_an_unknown_one_is_refused(self, kind: Any) -> None:
        """At once, and not at the first call."""
        with pytest.raises(ConfigurationError, match="there is no layout '3'"):
            kind(layout="3")
        with pytest.raises(ConfigurationError, match="there is no layout '3'"):
            kind().with_layout("3")

    def test_copies_keep_it(self, kind: Any) -> None:
        """Programs are copied and sent to workers, with what they have already made."""
        adapter = kind()
        adapter.with_layout("3.0")

        for copied in (deepcopy(adapter), pickle.loads(pickle.dumps(adapter))):
            assert copied.with_layout("3.0").format(QA, [], {"question": "?"}) == adapter.with_layout("3.0").format(
                QA, [], {"question": "?"}
            )


def test_the_fallback_keeps_the_layout() -> None:
    """What is asked once more is asked as the program was optimised."""
    assert ChatAdapter(layout="3.0").fallback.layout == "3.0"  # type: ignore[union-attr]
    assert ChatAdapter().with_layout("3.0").fallback.layout == "3.0"  # type: ignore[union-attr]
    assert ChatAdapter(use_json_adapter_fallback=False).with_layout("3.0").fallback is None


def test_a_predictor_is_asked_in_its_layout() -> None:
    """Beside others in theirs, with the same adapter."""
    lm = ScriptedLM(*["[[ ## answer ## ]]\nx"] * 3)
    old, new = progkit.Predict("question -> answer"), progkit.Predict("question -> answer")
    for predict in (old, new):
        predict.demos = [progkit.Example(question="q", answer="a")]
    old.layout = "2.6.17"

    with progkit.context(lm=lm):
        for predict in (old, new, old):
            predict(question="?", config={"cache": False})

    told = [request["messages"][2]["content"] for request in lm.requests]
    assert told[0] == told[2] == "[[ ## answer ## ]]\na"
    assert told[1] == "[[ ## answer ## ]]\na\n\n[[ ## completed ## ]]\n"


def test_an_adapter_without_layouts_is_left_alone() -> None:
    """``with_layout`` is no part of what an adapter must have."""

    class Plain:
        name, fallback = "Plain", None

        def prefix(self, signature: Any, demos: Any) -> list[Any]:
            return []

        def suffix(self, signature: Any, inputs: Any) -> list[Any]:
            return [{"role": "user", "content": inputs["question"]}]

        def params(self, signature: Any, model: str) -> dict[str, Any]:
            return {}

        def parse(self, signature: Any, text: str) -> dict[str, Any]:
            return {"answer": text}

    predict = progkit.Predict("question -> answer")
    predict.layout = "3.0"

    with progkit.context(lm=ScriptedLM("so"), adapter=Plain()):
        assert predict(question="?", config={"cache": False}).answer == "so"


@pytest.mark.parametrize("layout", ["2.6", "2.6.17", "3.0"])
@pytest.mark.parametrize("kind", [ChatAdapter, JSONAdapter])
def test_replies_of_every_layout_are_read(kind: Any, layout: str) -> None:
    """What a demo says in an old layout, warm-up keeps as a reply."""
    signature = Signature({"q": InputField(), "a": OutputField(), "n": (list[int], OutputField())})
    adapter = kind(layout=layout)

    assert adapter.parse(signature, adapter.reply(signature, {"a": "é", "n": [1]})) == {"a": "é", "n": [1]}

"""The embedded LM ``progkit/demo``: alone as a function, behind litellm's provider door, and under the adapters."""

import asyncio
import datetime
import enum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from progkit.adapters import ChatAdapter, JSONAdapter
from progkit.errors import LMBadRequestError
from progkit.lm import LM, Request, demo
from progkit.lm.placeholder import SAYING, instance
from progkit.signature import InputField, OutputField, Signature


def pair(question: str, answer: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def ask(question: str) -> dict[str, Any]:
    return {"role": "user", "content": question}


CAPITALS = [
    *pair("[[ ## question ## ]]\nWhat is the capital of France?", "Paris"),
    *pair("[[ ## question ## ]]\nWhat is the capital of Italy?", "Rome"),
    *pair("[[ ## question ## ]]\nWho wrote the opera Aida?", "Verdi"),
]


# --- which demo ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("[[ ## question ## ]]\nWhat is the capital of Italy?\n\nRespond with the field `answer`.", "Rome"),
        ("and the capital of FRANCE, please", "Paris"),
        ("which operas were there? who wrote them?", "Verdi"),
        ("nothing in common", "Paris"),
        ("", "Paris"),
    ],
)
def test_the_nearest_demo_answers(question: str, answer: str) -> None:
    """Rare words count most; of equals the first; letter case and the layout's marks count nothing."""
    assert demo.answer([*CAPITALS, ask(question)])[0] == [answer]


@given(st.lists(st.text(), min_size=1, unique_by=lambda text: " ".join(text.split())), st.data())
def test_every_demo_answers_its_own_question(questions: list[str], data: st.DataObject) -> None:
    """Asked what a demo asks, it says what that demo says (or one whose words are the same)."""
    at = data.draw(st.integers(0, len(questions) - 1))
    messages = [each for number, text in enumerate(questions) for each in pair(text, str(number))]

    said = int(demo.answer([*messages, ask(questions[at])])[0][0])

    assert demo._words(questions[said]) == demo._words(questions[at])


def test_incomplete_demos_do_not_answer() -> None:
    """Nor do demos of which a part is not supplied."""
    incomplete = [
        *pair("This is an example of the task, though some input or output fields are not supplied.\n\ncapital", "x"),
        *pair("capital", "[[ ## answer ## ]]\nNot supplied for this particular example. "),
    ]

    assert demo.answer([*incomplete, *CAPITALS, ask("capital")])[0] == ["Paris"]
    assert demo.answer([*incomplete, ask("capital")])[0] == [SAYING]


def test_several_replies_come_from_several_demos() -> None:
    """In order of nearness, and around again."""
    assert demo.answer([*CAPITALS, ask("capital of Italy")], 4)[0] == ["Rome", "Paris", "Verdi", "Rome"]


def test_usage_is_counted_alike_every_time() -> None:
    """Words and marks, of the prompt and of the replies."""
    blocks = {"role": "user", "content": [{"type": "text", "text": "a b!"}, {"type": "image_url", "image_url": {}}]}

    texts, usage = demo.answer([{"role": "system", "content": None}, *pair("x", "y z"), blocks])

    assert texts == ["y z"]
    assert usage == {"prompt_tokens": 6, "completion_tokens": 2, "total_tokens": 8}
    assert demo.answer([])[0] == [SAYING]


# --- without demos --------------------------------------------------------------------------------------


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Part(BaseModel):
    name: str = Field(min_length=100, max_length=110)
    count: int = Field(ge=3)
    weight: float = Field(lt=-1)


class Thing(BaseModel):
    colour: Colour
    made: datetime.date
    parts: list[Part] = Field(min_length=2)
    note: str | None
    kind: Literal["only"]


class Everything(Signature):
    """Describe it."""

    question: str = InputField()
    text: str = OutputField(desc="a text\n2. `text` (str): that looks like a list")
    is_good: bool = OutputField()
    count: int = OutputField()
    score: float = OutputField()
    verdict: Literal["yes", "no way"] = OutputField()
    number: Literal[3, 4] = OutputField()
    colour: Colour = OutputField()
    thing: Thing = OutputField()
    things: list[Thing] = OutputField()
    counts: dict[str, int] = OutputField()
    pair: tuple[int, str] = OutputField()
    maybe: int | None = OutputField()
    at: datetime.datetime = OutputField()


@pytest.mark.parametrize("adapter", [ChatAdapter(), JSONAdapter()], ids=lambda each: each.name)
def test_without_demos_the_form_is_right(adapter: Any) -> None:
    """Either layout, every type: the adapter reads it, and the text says that a demo LM is speaking."""
    messages = adapter.format(Everything, [], {"question": "what is it?"})

    values = adapter.parse(Everything, demo.answer(messages)[0][0])

    assert list(values) == list(Everything.output_fields)
    assert values["text"] == SAYING
    assert values["verdict"] == "yes"
    assert values["thing"].parts[0].count == 3


def test_a_question_without_a_layout_gets_the_saying() -> None:
    """Free text is answered in free text."""
    assert demo.answer([{"role": "system", "content": "Be brief."}, ask("hi")])[0] == [SAYING]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "null"}, None),
        ({"type": "boolean"}, False),
        ({"type": "integer", "exclusiveMinimum": 4}, 5),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "number", "minimum": 0.5, "maximum": 0.7}, 0.5),
        ({"type": "string", "format": "uuid"}, "00000000-0000-0000-0000-000000000000"),
        ({"type": "object", "properties": {"a": {"default": 3}, "b": {}}, "required": ["a"]}, {"a": 3}),
        ({"type": "array", "prefixItems": [{"const": 1}, {"enum": ["x"]}]}, [1, "x"]),
        ({"oneOf": [{"type": "null"}]}, None),
        ({}, SAYING),
    ],
)
def test_the_plainest_value_of_a_schema(schema: dict[str, Any], value: Any) -> None:
    """What pydantic writes for the types of fields."""
    assert instance(schema, {}) == value


def test_a_model_that_must_hold_itself_has_none() -> None:
    """The recursion ends."""
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}, "required": ["next"]}

    value = instance({"$ref": "#/$defs/Node"}, {"Node": node})

    assert "None" in str(value)


# --- behind litellm -----------------------------------------------------------------------------------


def test_it_is_a_provider_of_litellms() -> None:
    """Sync and async, with usage, for nothing; several replies too."""
    lm = LM("progkit/demo")
    request = Request.of([*CAPITALS, ask("the capital of Italy")], **lm.identity)

    response = lm.complete(request)

    assert asyncio.run(lm.acomplete(request)) == response
    assert (response.text, response.model, response.cost) == ("Rome", "progkit/demo", 0.0)
    assert response.usage["total_tokens"] > 20
    assert [each.text for each in lm.complete(Request.of(request.messages, n=2)).completions] == ["Rome", "Paris"]


def test_it_stays_beside_other_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of the user's own is added to, also when it comes later."""
    LM("progkit/demo")("hi")
    import litellm

    theirs: Any = {"provider": "theirs", "custom_handler": litellm.CustomLLM()}
    monkeypatch.setattr(litellm, "custom_provider_map", [theirs])

    assert LM("progkit/demo")("hi") == [SAYING]
    assert [each["provider"] for each in litellm.custom_provider_map] == ["theirs", "progkit"]


def test_there_is_one_model() -> None:
    """Another name is a mistake, and the error says what there is."""
    with pytest.raises(
        LMBadRequestError, match=r"no model progkit/dmo \(did you mean 'demo'\?\); there is progkit/demo"
    ):
        LM("progkit/dmo")("hi")

"""Content types: what they are by themselves, and how they stand in messages."""

import io
import json
import pickle
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import ScriptedLM

import progkit
from progkit.adapters import ChatAdapter, JSONAdapter
from progkit.content import BLOCKS_END, BLOCKS_START, content_types, marked, unmarked
from progkit.content.base import Blocks
from progkit.content.parts import Content
from progkit.errors import AdapterParseError
from progkit.signature import InputField, OutputField, Signature, type_text

URL = "https://example.com/a.png"
PNG = b"\x89PNG\r\n\x1a\n rest"
BOTH = pytest.mark.parametrize("adapter", [ChatAdapter(), JSONAdapter()], ids=lambda adapter: adapter.name)


class Sound(progkit.Type):
    """A type of a user's own."""

    data: str

    def format(self) -> list[dict[str, Any]]:
        return [{"type": "input_audio", "input_audio": {"data": self.data}}]


class Bare(progkit.Type):
    """A type that says nothing of itself."""

    name: str


class Broken(progkit.Type):
    """A type whose parts JSON cannot say."""

    name: str = "x"

    def format(self) -> list[dict[str, Any]]:
        return [{"type": object()}]


class Dated(progkit.Type):
    """A type with parts that JSON can say, but not as they stand."""

    def format(self) -> list[dict[str, Any]]:
        return [{"type": "text", "text": pydantic.HttpUrl(URL)}]


def looked_at(**fields: Any) -> type[Signature]:
    """A signature with these inputs and a text as its output."""
    made: dict[str, Any] = {name: (kind, InputField()) for name, kind in fields.items()}
    return Signature(made | {"answer": OutputField()}, "Look.")


def asked(adapter: Any, value: Any, kind: Any = None) -> Any:
    """The content of the question with *value* as its only input."""
    return adapter.suffix(looked_at(thing=kind or type(value)), {"thing": value})[-1]["content"]


class TestType:
    @BOTH
    def test_its_parts_stand_in_the_message(self, adapter: Any) -> None:
        """Between the texts before and after."""
        before, part, after = asked(adapter, Sound(data="x"))

        assert before == {"type": "text", "text": "[[ ## thing ## ]]\n"}
        assert part == {"type": "input_audio", "input_audio": {"data": "x"}}
        assert after["text"].startswith("\n\nRespond with")

    def test_elsewhere_it_is_a_model(self) -> None:
        """Files and logs have its fields."""
        sound = Sound(data="x")

        assert sound.model_dump() == {"data": "x"}
        assert pydantic.TypeAdapter(list[Sound]).dump_json([sound], context={"other": 1}) == b'[{"data":"x"}]'
        assert Sound.model_validate(sound.model_dump()) == sound

    def test_one_without_a_format_is_printed(self) -> None:
        """As DSPy does."""
        assert asked(ChatAdapter(), Bare(name="x")).startswith("[[ ## thing ## ]]\nname='x'\n")
        assert Bare.description() == ""

    def test_parts_that_json_cannot_say_are_printed(self) -> None:
        """The value is; a call does not fail for it."""
        assert asked(ChatAdapter(), Broken()).startswith("[[ ## thing ## ]]\nname='x'\n")

    def test_parts_are_made_json(self) -> None:
        """Where pydantic knows how."""
        assert asked(ChatAdapter(), Dated())[1] == {"type": "text", "text": URL}

    def test_messages_are_the_callers_own(self) -> None:
        """Who changes a part of a message changes no value, and no other message."""
        blocks = Blocks(blocks=[{"type": "image_url", "image_url": {"url": URL}}])

        asked(ChatAdapter(), blocks)[1]["image_url"].clear()

        assert blocks.blocks[0]["image_url"] == {"url": URL}
        assert asked(ChatAdapter(), blocks)[1] == blocks.blocks[0]

    def test_the_same_call_makes_the_same_message(self) -> None:
        """Whatever stood in for the parts meanwhile; the cache's key depends on it."""
        value = [Sound(data="x"), Sound(data="y")]

        assert asked(ChatAdapter(), value) == asked(ChatAdapter(), value)

    @BOTH
    def test_a_demo_of_it_is_asked_and_answered(self, adapter: Any) -> None:
        """As parts in the user's message, between marks in the assistant's."""
        signature = Signature({"a": (Sound, InputField()), "b": (Any, OutputField())}, "Echo.")
        sound = Sound(data="x")

        _, user, assistant = adapter.prefix(signature, [{"a": sound, "b": sound}])

        assert user["content"][1] == sound.format()[0]
        inner = marked(sound.format())
        assert (inner if adapter.name == "ChatAdapter" else json.dumps(inner)) in assistant["content"]

    @pytest.mark.parametrize(
        ("annotation", "found"),
        [
            (Sound, [Sound]),
            (list[dict[str, Sound | None]], [Sound]),
            (tuple[Sound, progkit.Image, Sound], [Sound, progkit.Image, Sound]),
            (str, []),
            (list[int], []),
            (progkit.History, []),
        ],
    )
    def test_it_is_found_within_other_types(self, annotation: Any, found: list[type]) -> None:
        """However deep; so that the prompt describes it."""
        assert content_types(annotation) == found

    def test_a_reading_of_its_own_is_tried_last(self) -> None:
        """First what the text says as JSON, then the text."""

        class Name(progkit.Type):
            first: str

            @pydantic.model_validator(mode="before")
            @classmethod
            def _split(cls, value: Any) -> Any:
                return {"first": value.split()[0]} if isinstance(value, str) else value

        signature = Signature({"q": InputField(), "name": (Name, OutputField())}, "Read.")

        def read(text: str) -> Any:
            return JSONAdapter().parse(signature, json.dumps({"name": text}))["name"].first

        assert read('{"first": "Ann"}') == "Ann"
        assert read("Bob Smith") == "Bob"
        assert read("[1, 2] x") == "[1,"
        with pytest.raises(AdapterParseError, match="name"):
            JSONAdapter().parse(signature, '{"name": 12}')
        with pytest.raises(AdapterParseError, match="name"):
            JSONAdapter().parse(Signature({"q": InputField(), "name": (Bare, OutputField())}), '{"name": "x"}')

    @given(text=st.text())
    def test_text_of_a_user_stays_text(self, text: str) -> None:
        """Marks and headers within it are no parts; nothing of what stands in for parts is left either."""
        said = f"{BLOCKS_START}{text}{BLOCKS_END}[[ ## answer ## ]]{text}"
        signature = looked_at(thing=Sound, said=str)

        *_, last = ChatAdapter().suffix(signature, {"thing": Sound(data=text), "said": said})[-1]["content"]

        assert last["text"].startswith(f"\n\n[[ ## said ## ]]\n{said}\n\nRespond")


class TestMarks:
    @given(parts=st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none())))
    def test_what_is_marked_can_be_read(self, parts: list[dict[str, Any]]) -> None:
        """Also as Python writes it: DSPy did until 3.0.3."""
        assert unmarked(marked(parts)) == parts
        assert unmarked(f"{BLOCKS_START}{parts!r}{BLOCKS_END}") == parts

    @pytest.mark.parametrize("inner", ["", "x", "{}", '["x"]', "12", "[" * 100_000, "f()", "[{}]x"])
    def test_what_is_no_list_of_parts_is_not(self, inner: str) -> None:
        """None then: it is a text like any other."""
        assert unmarked(f"{BLOCKS_START}{inner}{BLOCKS_END}") is None

    def test_marks_within_a_text_are_text(self) -> None:
        """DSPy wrote values from end to end."""
        assert unmarked(f"see {marked([])}") is None
        assert unmarked(BLOCKS_START) is None


class TestHistory:
    SIGNATURE = Signature({"q": InputField(), "history": (progkit.History, InputField()), "a": OutputField()}, "Go on.")

    @BOTH
    def test_turns_come_before_the_question(self, adapter: Any) -> None:
        """And after the demos, which are no part of them."""
        history = progkit.History(messages=[{"q": "1", "a": "one"}, {"q": "2", "a": "two"}])

        prefix = adapter.prefix(self.SIGNATURE, [{"q": "0", "history": history, "a": "none"}])
        suffix = adapter.suffix(self.SIGNATURE, {"q": "3", "history": history})

        assert [each["role"] for each in prefix] == ["system", "user", "assistant"]
        assert [each["role"] for each in suffix] == ["user", "assistant"] * 2 + ["user"]
        assert ["[[ ## q ## ]]\n1" in suffix[0]["content"], "one" in suffix[1]["content"]] == [True, True]
        assert "history" not in suffix[-1]["content"]
        assert '"messages": [' in prefix[1]["content"]

    @BOTH
    @pytest.mark.parametrize(
        "given",
        [{"messages": [{"q": "1", "a": "one"}]}, [{"q": "1", "a": "one"}], progkit.History(messages=[{"q": "1"}])],
    )
    def test_it_may_come_from_a_file(self, adapter: Any, given: Any) -> None:
        """As the dict that it is there, or as its turns."""
        assert len(adapter.suffix(self.SIGNATURE, {"q": "?", "history": given})) == 3

    @BOTH
    @pytest.mark.parametrize("given", [None, [], {}, {"messages": []}, {"messages": None}])
    def test_none_is_an_empty_one(self, adapter: Any, given: Any) -> None:
        """The question alone, as if nothing had been said."""
        assert len(adapter.suffix(self.SIGNATURE, {"q": "?", "history": given})) == 1

    @BOTH
    @pytest.mark.parametrize("given", ["text", 12, ["turn"], {"messages": "x"}])
    def test_anything_else_is_refused(self, adapter: Any, given: Any) -> None:
        """A history of texts would be lost without a word."""
        with pytest.raises(TypeError, match=r"a history is progkit\.History\(messages=\[\.\.\.\]\) or None, not "):
            adapter.suffix(self.SIGNATURE, {"q": "?", "history": given})

    def test_it_is_a_value(self) -> None:
        """Frozen, and closed to other fields."""
        with pytest.raises(pydantic.ValidationError):
            progkit.History(messages=[]).messages = [{}]
        with pytest.raises(pydantic.ValidationError):
            progkit.History(messages=[], more=1)  # type: ignore[call-arg]


class TestImage:
    @pytest.mark.parametrize(
        ("source", "url"),
        [
            (URL, URL),
            (f"  {URL}\n", URL),
            ("gs://bucket/a.png", "gs://bucket/a.png"),
            ("data:image/png;base64,AA==", "data:image/png;base64,AA=="),
            ({"url": URL}, URL),
            (progkit.Image(URL), URL),
            (marked([{"type": "image_url", "image_url": {"url": URL}}]), URL),
            (PNG, "data:image/png;base64,iVBORw0KGgogcmVzdA=="),
            (bytearray(b"\xff\xd8\xff"), "data:image/jpeg;base64,/9j/"),
            (b"GIF89a", "data:image/gif;base64,R0lGODlh"),
            (b"BM1", "data:image/bmp;base64,Qk0x"),
            (b"RIFF0000WEBP", "data:image/webp;base64,UklGRjAwMDBXRUJQ"),
        ],
    )
    def test_sources(self, source: Any, url: str) -> None:
        """A URL as it is, bytes as a data URI."""
        assert progkit.Image(source).url == url
        assert progkit.Image(url=source).url == url
        assert progkit.Image.model_validate(source).url == url

    @pytest.mark.parametrize(
        "source",
        ["", "a.png", "/etc/passwd", "file:///etc/passwd", "ftp://x/y", "http://", "http://[", b"text", 12, marked([])],
    )
    def test_other_sources_are_refused(self, source: Any) -> None:
        """No file is read because a text names it, and none is guessed at."""
        with pytest.raises(pydantic.ValidationError):
            progkit.Image(source)

    def test_needs_a_source_and_nothing_else(self) -> None:
        """What it does not know is an error."""
        for fields in ({}, {"url": URL, "download": True}, {"path": "x"}):
            with pytest.raises(pydantic.ValidationError):
                progkit.Image(**fields)

    def test_pil_images_are_written(self) -> None:
        """In their own format, else as PNG; without importing PIL."""

        class Picture:
            """What PIL's images have of a face."""

            def __init__(self, file_format: str | None) -> None:
                self.format = file_format

            def save(self, target: io.BytesIO, format: str) -> None:
                target.write(format.encode())

        assert progkit.Image(Picture("JPEG")).url == "data:image/jpeg;base64,SlBFRw=="
        assert progkit.Image(Picture(None)).url == "data:image/png;base64,UE5H"
        assert progkit.Image(Picture("NEW")).url == "data:image/png;base64,TkVX"

    def test_a_file_is_read_when_asked_to(self, tmp_path: Path) -> None:
        """By a name that says what it is."""
        (tmp_path / "a.png").write_bytes(PNG)
        (tmp_path / "a").write_bytes(PNG)

        assert progkit.Image.from_path(tmp_path / "a.png") == progkit.Image(PNG)
        with pytest.raises(ValueError, match="says of no kind of file"):
            progkit.Image.from_path(str(tmp_path / "a"))
        with pytest.raises(FileNotFoundError):
            progkit.Image.from_path(tmp_path / "b.png")

    def test_its_repr_leaves_out_the_bytes(self) -> None:
        """A log stays readable."""
        assert (
            repr(progkit.Image(PNG)) == str(progkit.Image(PNG)) == "Image(url='data:image/png;base64,<20 characters>')"
        )
        assert repr(progkit.Image(URL)) == f"Image(url='{URL}')"

    def test_is_a_value(self) -> None:
        """Frozen, hashable, copied and pickled."""
        image = progkit.Image(URL)

        assert {image: 1}[progkit.Image(URL)] == 1
        assert pickle.loads(pickle.dumps(image)) == deepcopy(image) == image
        with pytest.raises(pydantic.ValidationError):
            image.url = "x"


class TestCode:
    def test_a_language_is_one_class(self) -> None:
        """Equal signatures have equal types, and they cross to other processes."""
        java = progkit.Code["java"]

        assert java is progkit.Code["java"]
        assert (java.__name__, java.language, progkit.Code.language) == ("Code_java", "java", "python")
        assert pickle.loads(pickle.dumps(java)) is java
        assert pickle.loads(pickle.dumps(java(code="x"))) == java(code="x")
        assert type_text(java) == "Code_java"

    def test_odd_languages_cross_too(self) -> None:
        """The name is no name of Python's."""
        assert pickle.loads(pickle.dumps(progkit.Code["c++"])) is progkit.Code["c++"]

    def test_nothing_else_is_made_up(self) -> None:
        """The module has what it has."""
        module = sys.modules[progkit.Code.__module__]

        for name in ("Code_", "Kode_x", "nothing"):
            with pytest.raises(AttributeError, match=f"has no attribute '{name}'"):
                getattr(module, name)

    @pytest.mark.parametrize(
        ("given", "code"),
        [
            ("x = 1", "x = 1"),
            ("```python\nx = 1\n```", "x = 1"),
            ("So:\n```\nx\ny\n```\nand\n```\nz\n```", "x\ny"),
            ("```x```", "x"),
            ("``` \n```", ""),
            ("a ``` b", "a ``` b"),
            ({"code": "```py\nx\n```"}, "x"),
        ],
    )
    def test_the_fence_is_taken_off(self, given: Any, code: str) -> None:
        """The first one counts."""
        made = progkit.Code.model_validate(given)

        assert (made.code, str(made), made.format()) == (code, code, code)

    @pytest.mark.parametrize("given", [12, None, {"code": 1}, {"text": "x"}, ["x"]])
    def test_what_is_no_text_is_refused(self, given: Any) -> None:
        """Pydantic says what is wrong."""
        with pytest.raises(pydantic.ValidationError):
            progkit.Code.model_validate(given)

    def test_a_value_of_it_is_taken_as_it_is(self) -> None:
        """A fence in it is its own."""
        code = progkit.Code.model_construct(code="```x```")

        assert progkit.Code.model_validate(code) is code


class TestReasoning:
    def test_it_is_used_as_a_text(self) -> None:
        """Whoever has a str in mind need not know."""
        thought = progkit.Reasoning(content="so it is")

        assert thought == "so it is" == str(thought)
        assert thought == progkit.Reasoning(content="so it is") != progkit.Reasoning(content="x")
        assert (len(thought), thought[0], "it" in thought, list(thought)[:2]) == (8, "s", True, ["s", "o"])
        assert (thought.upper(), thought.split()) == ("SO IT IS", ["so", "it", "is"])
        assert (thought + "!", "And " + thought) == ("so it is!", "And so it is")
        assert repr(thought) == "'so it is'"
        assert {thought: 1}["so it is"] == 1  # type: ignore[index]

    def test_joined_it_stays_what_it_is(self) -> None:
        """Two of them make a third."""
        assert type(progkit.Reasoning(content="a") + progkit.Reasoning(content="b")) is progkit.Reasoning

    def test_it_joins_no_number(self) -> None:
        """As a str would not."""
        with pytest.raises(TypeError):
            progkit.Reasoning(content="a") + 1
        with pytest.raises(TypeError):
            1 + progkit.Reasoning(content="a")

    def test_it_has_no_more_than_a_text_has(self) -> None:
        """A name that neither has is an error that names it."""
        with pytest.raises(AttributeError, match="'Reasoning' object has no attribute 'nothing'"):
            _ = progkit.Reasoning(content="a").nothing
        assert not hasattr(progkit.Reasoning(content="a"), "__no_such_hook__")

    def test_it_is_copied_and_pickled(self) -> None:
        """Though it answers to names that it does not have."""
        thought = progkit.Reasoning(content="a")

        assert pickle.loads(pickle.dumps(thought)) == deepcopy(thought) == thought
        assert progkit.Reasoning.model_validate({"content": "a"}) == thought

    def test_one_that_derives_from_it_has_its_own_name(self) -> None:
        """In prompts only Reasoning itself is called str."""

        class Doubt(progkit.Reasoning):
            says_own_shape: ClassVar[bool] = False

        signature = Signature({"q": InputField(), "r": (progkit.Reasoning, OutputField()), "d": (Doubt, OutputField())})
        system = ChatAdapter().prefix(signature, [])[0]["content"]

        assert "`r` (str)" in system
        assert "`d` (Doubt)" in system


def test_a_content_type_need_not_be_a_model() -> None:
    """The mark suffices for the prompt to describe it."""

    class Plain(Content):
        @classmethod
        def description(cls) -> str:
            return "as it comes"

    system = ChatAdapter().prefix(looked_at(thing=Plain), [])[0]["content"]

    assert "1. `thing` (Plain): \n    Type description of Plain: as it comes\n" in system


def test_calls_with_content_are_cached() -> None:
    """The parts of a message are part of the key: another image is another question."""
    predict = progkit.Predict(looked_at(thing=progkit.Image, history=progkit.History))
    history = progkit.History(messages=[{"thing": progkit.Image(URL), "answer": "a dot"}])
    lm = ScriptedLM(*["[[ ## answer ## ]]\nso"] * 2)

    with progkit.context(lm=lm, cache=progkit.Cache(enable_disk_cache=False)):
        answers = [predict(thing=progkit.Image(each), history=history) for each in (URL, URL, PNG)]

    assert [each.get_lm_responses()[0].cache_hit for each in answers] == [False, True, False]


def test_nobody_pays_for_types_that_nobody_uses() -> None:
    """The adapters know content types, and yet import none, nor pydantic."""
    program = """
import sys
from progkit.adapters import ChatAdapter
from progkit.signature import Signature
ChatAdapter().format(Signature("q -> a"), [{"q": "x", "a": "y"}], {"q": "z"})
types = [f"progkit.content.{name}" for name in ("base", "code", "history", "image", "reasoning", "tool_calls")]
print([name for name in ["pydantic", *types] if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"

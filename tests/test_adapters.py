"""The adapters: messages in two parts, replies, errors and parameters."""

import pickle
from copy import deepcopy
from typing import Any, Literal

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from progkit.adapters import Adapter, ChatAdapter, JSONAdapter, chat, is_complete
from progkit.errors import AdapterParseError, ConfigurationError, SignatureError
from progkit.example import Example
from progkit.signature import InputField, OutputField, Signature

QA = Signature("question -> answer")
TYPED = Signature("question, context: list[str] -> answer, score: float, n: int, sure: bool, tags: list[str]")
BOTH = pytest.mark.parametrize("adapter", [ChatAdapter(), JSONAdapter()], ids=lambda adapter: adapter.name)


@BOTH
class TestBothLayouts:
    def test_is_an_adapter(self, adapter: Adapter) -> None:
        """Nothing to inherit from: the members make the adapter."""
        assert isinstance(adapter, Adapter)

    def test_format_is_the_prefix_and_then_the_suffix(self, adapter: Adapter) -> None:
        """What a predictor prepares once and what a call adds make the whole request."""
        demos, inputs = [{"question": "1+1?", "answer": "2"}], {"question": "Why?"}

        whole = adapter.format(QA, demos, inputs)

        assert whole == adapter.prefix(QA, demos) + adapter.suffix(QA, inputs)
        assert [each["role"] for each in whole] == ["system", "user", "assistant", "user"]

    def test_inputs_do_not_change_the_prefix(self, adapter: Adapter) -> None:
        """So the hash of the prefix holds for every call."""
        assert adapter.format(QA, [], {"question": "a"})[:-1] == adapter.format(QA, [], {"question": "b"})[:-1]

    def test_examples_are_demos_like_dicts(self, adapter: Adapter) -> None:
        """An example and a dict of the same values make the same messages."""
        values: list[dict[str, Any]] = [{"question": "1+1?", "answer": "2"}, {"question": "?"}, {"answer": "partial"}]
        partial = {"question": None, "answer": "x"}

        as_dicts = adapter.prefix(QA, [*values, partial])

        assert adapter.prefix(QA, [Example(each) for each in [*values, partial]]) == as_dicts

    def test_messages_are_the_callers_own(self, adapter: Adapter) -> None:
        """Whoever changes a message changes no other call's."""
        adapter.prefix(QA, [])[0]["content"] = "spoilt"
        adapter.suffix(QA, {})[0]["content"] = "spoilt"

        assert adapter.prefix(QA, [])[0]["content"] != "spoilt"
        assert adapter.suffix(QA, {})[0]["content"] != "spoilt"

    def test_equal_signatures_make_equal_messages(self, adapter: Adapter) -> None:
        """Nothing depends on which of them came first."""
        other = Signature("question -> answer")

        assert adapter.format(other, [], {"question": "?"}) == adapter.format(QA, [], {"question": "?"})

    def test_changed_signatures_make_changed_messages(self, adapter: Adapter) -> None:
        """What is kept for a signature is not taken for one that derives from it."""
        told = QA.with_instructions("Be terse.")

        assert adapter.prefix(told, [])[0]["content"].endswith("Be terse.")
        assert not adapter.prefix(QA, [])[0]["content"].endswith("Be terse.")

    @given(
        answer=st.text(),
        score=st.floats(allow_nan=False, allow_infinity=False),
        n=st.integers(),
        sure=st.booleans(),
        tags=st.lists(st.text()),
    )
    def test_parse_reads_what_reply_says(self, adapter: Adapter, answer: str, **typed: Any) -> None:
        """A demo's outputs, put into a reply, come back: that is what warm-up relies on."""
        if isinstance(adapter, ChatAdapter):
            # Headers and blanks around a text are layout there, and line ends are all alike.
            answer = answer.replace("[", "(").replace("\r", "\n").strip()

        outputs = {"answer": answer, **typed}

        assert adapter.parse(TYPED, adapter.reply(TYPED, outputs)) == outputs

    def test_outputs_come_in_the_order_of_the_signature(self, adapter: Adapter) -> None:
        """Whatever the order of the reply."""
        reply = {
            "ChatAdapter": "[[ ## b ## ]]\n2\n[[ ## a ## ]]\n1",
            "JSONAdapter": '{"b": "2", "a": "1"}',
        }[adapter.name]

        assert list(adapter.parse(Signature("q -> a, b"), reply)) == ["a", "b"]

    def test_an_empty_reply_is_an_error(self, adapter: Adapter) -> None:
        """Even where every output may be missing: the model said nothing."""
        with pytest.raises(AdapterParseError, match="the reply is empty"):
            adapter.parse(Signature("q -> a: Optional[str]"), "")

    def test_the_error_shows_reply_found_and_missing(self, adapter: Adapter) -> None:
        """All of what is wrong at once, and it survives pickling."""
        reply = {
            "ChatAdapter": "[[ ## answer ## ]]\nyes\n[[ ## n ## ]]\nmany\n[[ ## sure ## ]]\nperhaps",
            "JSONAdapter": '{"answer": "yes", "n": "many", "sure": "perhaps"}',
        }[adapter.name]

        with pytest.raises(AdapterParseError) as raised:
            adapter.parse(TYPED, reply)

        error = pickle.loads(pickle.dumps(raised.value))
        assert (error.adapter, error.reply, error.found) == (adapter.name, reply, {"answer": "yes"})
        assert error.missing == ["score", "tags"]
        assert "field 'n' does not fit: Input should be a valid integer" in error.reason
        assert "field 'sure' does not fit" in error.reason

    def test_the_error_names_the_place_within_a_value(self, adapter: Adapter) -> None:
        """The second of three numbers is none."""
        signature = Signature("q -> numbers: list[int]")

        with pytest.raises(AdapterParseError, match=r"unable to parse string as an integer \(at 1\)"):
            adapter.parse(signature, adapter.reply(signature, {"numbers": ["1", "x", "3"]}))

    def test_missing_outputs_take_their_defaults_each_time_anew(self, adapter: Adapter) -> None:
        """A default list that one caller fills is empty for the next."""
        signature = Signature({"q": InputField(), "a": OutputField(), "tags": (list[str], OutputField(default=[]))})
        reply = {"ChatAdapter": "[[ ## a ## ]]\n1", "JSONAdapter": '{"a": "1"}'}[adapter.name]

        adapter.parse(signature, reply)["tags"].append("mine")

        assert adapter.parse(signature, reply) == {"a": "1", "tags": []}

    def test_a_type_without_a_schema_is_told_by_its_field(self, adapter: Adapter) -> None:
        """The prompt would have to describe it."""

        class Opaque:
            pass

        with pytest.raises(SignatureError, match="no JSON schema can be made of field 'thing'"):
            adapter.prefix(Signature("q -> thing: Opaque", custom_types={"Opaque": Opaque}), [])

    def test_numbers_in_a_list_of_texts_are_printed(self, adapter: Adapter) -> None:
        """Where DSPy fails: a list for a plain text field holds something else."""
        content = adapter.suffix(QA, {"question": ["a", 1, None, 2.5]})[0]["content"]

        assert "[1] «a»\n[2] «1»\n[3] «None»\n[4] «2.5»\n" in content

    def test_survives_deepcopy_and_pickling(self, adapter: Adapter) -> None:
        """Programs that hold one are copied and sent to workers."""
        for copied in (deepcopy(adapter), pickle.loads(pickle.dumps(adapter))):
            assert repr(copied) == repr(adapter)
            assert copied.suffix(QA, {"question": "?"}) == adapter.suffix(QA, {"question": "?"})


class TestChatAdapter:
    def test_falls_back_on_json_once(self) -> None:
        """Chat, then JSON, then nobody."""
        fallback = ChatAdapter().fallback

        assert isinstance(fallback, JSONAdapter)
        assert fallback.fallback is None

    def test_the_fallback_can_be_switched_off(self) -> None:
        """A reply that cannot be read is then an error at once."""
        adapter = ChatAdapter(use_json_adapter_fallback=False)

        assert adapter.fallback is None
        assert repr(adapter) == "ChatAdapter(use_json_adapter_fallback=False)"
        assert repr(ChatAdapter()) == "ChatAdapter()"

    def test_adds_no_parameters(self) -> None:
        """The layout is in the messages."""
        assert ChatAdapter().params(QA, "openai/gpt-4o-mini") == {}

    @pytest.mark.parametrize("indent", ["  ", "\t", "\u00a0"])
    def test_an_indented_header_leaves_nothing_in_the_value(self, indent: str) -> None:
        """Where DSPy reads ``]]`` into it."""
        reply = f"{indent}[[ ## answer ## ]]\n{indent}Paris\n{indent}[[ ## completed ## ]]"

        assert ChatAdapter().parse(QA, reply) == {"answer": "Paris"}

    @pytest.mark.parametrize("separator", ["\u2028", "\u0085", "\x0c", "\x1d"])
    def test_separators_within_a_value_are_kept(self, separator: str) -> None:
        """Where DSPy makes line feeds of them, and so breaks the JSON in which they stand."""
        outputs = {"a": f"x{separator}y", "tags": [separator]}
        signature = Signature("q -> a, tags: list[str]")

        assert ChatAdapter().parse(signature, ChatAdapter().reply(signature, outputs)) == outputs

    def test_line_ends_are_made_alike(self) -> None:
        """Some models write carriage returns."""
        reply = "[[ ## answer ## ]]\r\none\r\ntwo\rthree\r\n\r\n[[ ## completed ## ]]\r\n"

        assert ChatAdapter().parse(QA, reply) == {"answer": "one\ntwo\nthree"}

    def test_a_header_within_a_line_is_content(self) -> None:
        """Only at the start of a line does it open a section."""
        reply = "[[ ## answer ## ]]\nsee [[ ## answer ## ]] and [[ ## completed ## ]]"

        assert ChatAdapter().parse(QA, reply)["answer"] == "see [[ ## answer ## ]] and [[ ## completed ## ]]"

    def test_many_headers_on_one_line_cost_no_more_than_their_length(self) -> None:
        """Fifty thousand of them are read while one waits."""
        line = "[[ ## answer ## ]] " * 50_000

        assert len(ChatAdapter().parse(QA, line)["answer"]) == len(line) - len("[[ ## answer ## ]]") - 2

    def test_markers_of_custom_types_in_a_text_stay_text(self) -> None:
        """Where DSPy makes content blocks of what a user wrote."""
        marked = '<<CUSTOM-TYPE-START-IDENTIFIER>>[{"type": "image_url"}]<<CUSTOM-TYPE-END-IDENTIFIER>>'

        assert marked in ChatAdapter().suffix(QA, {"question": marked})[0]["content"]


class TestJSONAdapter:
    def test_asks_for_a_strict_schema(self) -> None:
        """By default, of every model that is not known to refuse it."""
        wanted = JSONAdapter().params(QA, "anthropic/claude-sonnet-4-5")["response_format"]

        assert wanted["type"] == "json_schema"
        assert wanted["json_schema"]["strict"] is True
        assert wanted["json_schema"]["schema"]["required"] == ["answer"]

    @pytest.mark.parametrize(
        ("model", "expected"),
        [
            ("openai/gpt-3.5-turbo", {"response_format": {"type": "json_object"}}),
            ("azure/eu/gpt-4-turbo", {"response_format": {"type": "json_object"}}),
            ("openai/ft:gpt-3.5-turbo-0125:acme::id", {"response_format": {"type": "json_object"}}),
            ("openai/gpt-4", {}),
        ],
    )
    def test_older_models_get_what_they_take(self, model: str, expected: dict[str, Any]) -> None:
        """A provider refuses a request with a format that its model does not know."""
        assert JSONAdapter().params(QA, model) == expected

    @pytest.mark.parametrize(
        ("chosen", "expected"),
        [("object", {"response_format": {"type": "json_object"}}), (None, {})],
    )
    def test_the_format_can_be_chosen(self, chosen: Literal["object"] | None, expected: dict[str, Any]) -> None:
        """For models behind an endpoint that only its user knows."""
        adapter = JSONAdapter(response_format=chosen)

        assert adapter.params(QA, "openai/local") == expected
        assert repr(adapter) == f"JSONAdapter(response_format={chosen!r})"

    def test_a_schema_can_be_insisted_on(self) -> None:
        """The same schema that other models are asked for."""
        insisting = JSONAdapter(response_format="schema")

        assert insisting.params(QA, "openai/gpt-4") == JSONAdapter().params(QA, "openai/gpt-4o")
        assert repr(JSONAdapter()) == "JSONAdapter()"

    def test_an_unknown_format_is_refused(self) -> None:
        """With what it could have been."""
        with pytest.raises(ConfigurationError, match=r"'scheme' \(did you mean 'schema'\?\); it can be"):
            JSONAdapter(response_format="scheme")  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "type_text", ["dict", "dict[str, int]", "list[dict[str, Any]]", "Optional[dict[str, str]]"]
    )
    def test_dicts_are_asked_for_as_any_object(self, type_text: str) -> None:
        """A strict schema would allow them no keys."""
        signature = Signature(f"q -> a: {type_text}")

        assert JSONAdapter().params(signature, "m") == {"response_format": {"type": "json_object"}}

    def test_a_type_without_a_schema_is_asked_for_as_any_object(self) -> None:
        """Parameters do not fail; describing the type in the prompt does."""
        signature = Signature("q -> a: Opaque", custom_types={"Opaque": type("Opaque", (), {})})

        assert JSONAdapter().params(signature, "m") == {"response_format": {"type": "json_object"}}

    def test_outputs_may_be_called_what_pydantic_calls_its_own(self) -> None:
        """``json``, ``copy`` and ``_hidden`` are fields like any other."""
        signature = Signature("q -> json, copy, model_config, _hidden")

        schema = JSONAdapter().params(signature, "m")["response_format"]["json_schema"]["schema"]

        assert schema["required"] == ["json", "copy", "model_config", "_hidden"]

    def test_a_reference_says_nothing_beside_the_definition(self) -> None:
        """Providers refuse a description or a default there, so the definition itself stands in its place."""

        class Leaf(pydantic.BaseModel):
            n: int

        class Tree(pydantic.BaseModel):
            leaf: Leaf = pydantic.Field(Leaf(n=1), description="the one")
            below: "Tree" = pydantic.Field(description="the next")
            pair: tuple[Leaf, None] | None = None

        signature = Signature({"q": InputField(), "tree": (Tree, OutputField())})

        schema = JSONAdapter().params(signature, "m")["response_format"]["json_schema"]["schema"]

        tree = schema["$defs"]["Tree"]["properties"]
        assert tree["leaf"]["properties"] == {"n": {"title": "N", "type": "integer"}}
        assert (tree["leaf"]["description"], tree["leaf"]["default"]) == ("the one", {"n": 1})
        assert tree["below"]["description"] == "the next"
        assert tree["below"]["properties"]["below"] == {"$ref": "#/$defs/Tree"}
        assert "default" not in tree["pair"]

    def test_parameters_are_the_callers_own(self) -> None:
        """A client that edits the schema edits its own."""
        JSONAdapter().params(QA, "m")["response_format"]["json_schema"]["schema"].clear()

        assert JSONAdapter().params(QA, "m")["response_format"]["json_schema"]["schema"]["required"] == ["answer"]

    @pytest.mark.parametrize("depth", [500, 200_000])
    def test_a_reply_that_is_nested_too_deeply_is_a_parse_error(self, depth: int) -> None:
        """Not a RecursionError."""
        with pytest.raises(AdapterParseError, match="object"):
            JSONAdapter().parse(QA, "[" * depth + "]" * depth)


def test_complete_demos_have_every_field() -> None:
    """None counts as absent; more than the fields does no harm."""
    assert is_complete(QA, {"question": "", "answer": 0, "more": 1})
    assert is_complete(QA, Example(question="?", answer="!"))
    assert not is_complete(QA, {"question": "?"})
    assert not is_complete(QA, Example(question="?", answer=None))


@given(
    st.lists(
        st.sampled_from(
            [
                "[[ ## a ## ]]",
                "[[ ## b ## ]]",
                "[[ ## b_2 ## ]]",
                "[[ ## ",
                "\n",
                "\r\n",
                "\r",
                "\v",
                "\u2028",
                " ",
                "x",
            ]
        )
    )
)
def test_sections_read_fast_are_those_read_with_care(pieces: list[str]) -> None:
    """Wherever headers, line breaks and words stand."""
    text = "".join(pieces)

    assert chat._sections(text) == chat._sections_with_care(text)

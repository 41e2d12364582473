"""Native function calling in programs: over HTTP, through the cache, warmed up, and where it is not used."""

import asyncio
import json
from typing import Any

import pytest
from scripted import ScriptedLM
from servers import ChatServer, Reply

import progkit
from progkit import ChatAdapter, InputField, JSONAdapter, OutputField, Predict, Signature, Tool, ToolCalls
from progkit.adapters import native_of
from progkit.adapters.models import calls_functions, tells_its_thoughts
from progkit.errors import AdapterParseError, ConfigurationError, InputError
from progkit.lm import Completion, Response


def search(query: str, k: int = 3) -> list[str]:
    """Search the web."""
    return [query] * k


class Asked(Signature):
    """Use the tools, or answer."""

    question: str = InputField()
    tools: list[Tool] = InputField()
    answer: str = OutputField(default="none")
    calls: ToolCalls = OutputField()


FUNCTION = Tool(search).format_as_litellm_function_call()
NATIVE = ChatAdapter(use_native_function_calling=True)
INPUTS = {"question": "Why?", "tools": [search]}


def called(args: Any = '{"query": "a"}', text: str | None = None, name: str = "search") -> Response:
    """A reply that calls *name*."""
    return Response((Completion(text, "tool_calls", ({"id": "c1", "name": name, "args": args},)),))


def scripted(*script: Any, model: str = "openai/gpt-4o-mini") -> ScriptedLM:
    return ScriptedLM(*script, model=model)


class TestOverHTTP:
    def test_tools_are_sent_and_calls_come_back(self) -> None:
        """The body has the functions, the prompt has neither field, and a second time the cache answers."""
        call = {"id": "c1", "type": "function", "function": {"name": "search", "arguments": '{"query": "ü"}'}}
        with ChatServer() as server:
            server.then(Reply(None, tool_calls=(call,), finish_reason="tool_calls"))
            lm = progkit.LM("openai/gpt-4o-mini", api_base=server.url, api_key="sk-test")
            with progkit.context(lm=lm, adapter=NATIVE):
                predict = Predict(Asked)
                first = predict(**INPUTS)
                second = asyncio.run(predict.acall(**INPUTS))
            body = server.requests[0].body
            count = server.count

        assert count == 1
        assert body["tools"] == [FUNCTION]
        assert "[[ ## tools" not in json.dumps(body["messages"])
        assert first.calls == ToolCalls.from_dict_list([{"id": "c1", "name": "search", "args": {"query": "ü"}}])
        assert (second.calls, second.answer, second.get_lm_usage()) == (first.calls, "none", {})
        assert first.calls.tool_calls[0].execute([search]) == ["ü", "ü", "ü"]


class TestRequests:
    def test_other_tools_are_another_request(self) -> None:
        """The cache tells them apart, though the messages are the same."""
        lm = scripted(called(), called('{"query": "b"}'))
        with progkit.context(lm=lm, adapter=NATIVE):
            first = Predict(Asked)(**INPUTS)
            second = Predict(Asked)(question="Why?", tools=Tool(search, name="find"))

        assert lm.requests[0].messages == lm.requests[1].messages
        assert first.calls != second.calls

    @pytest.mark.parametrize("wrong", [None, ["search"], 3])
    def test_refuses_what_is_no_tool(self, wrong: Any) -> None:
        """The field is named."""
        with progkit.context(lm=scripted(), adapter=NATIVE), pytest.raises(InputError, match="input 'tools'"):
            Predict(Asked)(question="Why?", tools=wrong)

    def test_a_call_may_choose_its_tool(self) -> None:
        """What the call's config says goes before what the adapter does."""
        lm = scripted(called())
        adapter = ChatAdapter(use_native_function_calling=True, parallel_tool_calls=False)
        with progkit.context(lm=lm, adapter=adapter):
            Predict(Asked)(**INPUTS, config={"tool_choice": "required"})

        assert lm.requests[0]["tool_choice"] == "required"
        assert lm.requests[0]["parallel_tool_calls"] is False

    def test_the_fallback_calls_natively_too(self) -> None:
        """A text that cannot be read is asked for again as JSON, with the tools."""
        signature = Asked.with_updated_fields("answer", default=progkit.signature.MISSING)
        lm = scripted("what?", '{"answer": "So."}')
        with progkit.context(lm=lm, adapter=NATIVE):
            answer = Predict(signature)(**INPUTS)

        assert [each["tools"] for each in lm.requests] == [[FUNCTION], [FUNCTION]]
        assert (answer.answer, answer.calls) == ("So.", None)

    def test_arguments_that_are_no_object_are_an_error(self) -> None:
        """The reply is shown, and not kept."""
        lm = scripted(called("[1]"), called("[1]"))
        with progkit.context(lm=lm, adapter=NATIVE), pytest.raises(AdapterParseError, match="of search are no object"):
            Predict(Asked)(**INPUTS)

    def test_arguments_may_come_as_data(self) -> None:
        """An LM of one's own need not write JSON."""
        with progkit.context(lm=scripted(called({"query": "a"})), adapter=NATIVE):
            assert Predict(Asked)(**INPUTS).calls.tool_calls[0].args == {"query": "a"}


class TestChoice:
    @pytest.mark.parametrize(
        ("model", "takes"),
        [
            ("openai/gpt-4o-mini", True),
            ("gpt-5-nano", True),
            ("azure/gpt-4.1", True),
            ("anthropic/claude-sonnet-4-5", True),
            ("bedrock/us.anthropic.claude-3-5-haiku-20241022-v1:0", True),
            ("gemini/gemini-2.5-flash", True),
            ("openai/o3", True),
            ("o4-mini", True),
            ("openai/o4-mini-deep-research", False),
            ("openai/gpt-3.5-turbo-16k", False),
            ("openai/o1-preview", False),
            ("ollama_chat/llama3", False),
            ("openai/my-own", False),
            ("", False),
        ],
    )
    def test_known_families_take_functions(self, model: str, takes: bool) -> None:
        """Of a model of one's own nobody knows: there, tools are words."""
        assert calls_functions(model) is takes
        assert (native_of(NATIVE, Asked, {"model": model}) is not None) is takes

    def test_always_means_every_model(self) -> None:
        """For a server of one's own that takes functions."""
        lm = scripted(called(), model="openai/my-own")
        with progkit.context(lm=lm, adapter=ChatAdapter(use_native_function_calling="always")):
            Predict(Asked)(**INPUTS)

        assert lm.requests[0]["tools"] == [FUNCTION]

    @pytest.mark.parametrize(
        "fields",
        [
            {"question": InputField(), "calls": (ToolCalls, OutputField())},
            {"tools": (list[Tool], InputField()), "answer": OutputField()},
            {"tools": (list[str], InputField()), "calls": (ToolCalls, OutputField())},
        ],
    )
    def test_both_fields_are_needed(self, fields: Any) -> None:
        """Tools without calls, or calls without tools, are words of the prompt."""
        assert native_of(NATIVE, Signature(fields), {"model": "openai/gpt-4o"}) is None

    def test_adapters_say_what_they_do(self) -> None:
        """What is not as by default; the fallback has the same."""
        adapter = ChatAdapter(use_native_function_calling="always", parallel_tool_calls=True)

        assert repr(adapter) == "ChatAdapter(use_native_function_calling='always', parallel_tool_calls=True)"
        assert repr(adapter.fallback) == "JSONAdapter(use_native_function_calling='always', parallel_tool_calls=True)"
        assert repr(JSONAdapter(use_native_function_calling=False)) == "JSONAdapter(use_native_function_calling=False)"
        assert (repr(ChatAdapter()), repr(JSONAdapter())) == ("ChatAdapter()", "JSONAdapter()")

    @pytest.mark.parametrize("wrong", ["never", 1, None])
    def test_refuses_other_words(self, wrong: Any) -> None:
        """True, False or "always"."""
        with pytest.raises(ConfigurationError, match="use_native_function_calling is True, False or 'always'"):
            JSONAdapter(use_native_function_calling=wrong)

    def test_another_layout_calls_natively_too(self) -> None:
        """A predictor's own layout changes the words and nothing else."""
        assert NATIVE.with_layout("3.0").use_native_function_calling is True


class Thinking(Signature):
    """Think, then answer."""

    question: str = InputField()
    thoughts: progkit.Reasoning = OutputField()
    answer: str = OutputField()


class TestThoughts:
    @pytest.mark.parametrize(
        ("model", "tells"),
        [
            ("anthropic/claude-sonnet-4-5", True),
            ("anthropic/claude-3-7-sonnet-latest", True),
            ("anthropic/claude-3-5-sonnet-latest", False),
            ("gemini/gemini-2.5-flash", True),
            ("gemini/gemini-2.0-flash", False),
            ("deepseek/deepseek-reasoner", True),
            ("xai/grok-4-fast-non-reasoning", False),
            ("openai/o1-mini", False),
            ("openai/gpt-5", False),
            ("ollama/gpt-oss:20b", True),
        ],
    )
    def test_known_families_tell_their_thoughts(self, model: str, tells: bool) -> None:
        """The others are asked in words."""
        assert tells_its_thoughts(model) is tells

    def test_thoughts_and_calls_may_both_come_beside_the_text(self) -> None:
        """What is left for the prompt is the answer."""
        fields = {
            "question": InputField(),
            "tools": (list[Tool], InputField()),
            "thoughts": (progkit.Reasoning, OutputField()),
            "answer": OutputField(),
            "calls": (ToolCalls, OutputField()),
        }
        reply = Response((Completion(None, "tool_calls", ({"id": "c", "name": "search", "args": "{}"},), "Hm."),))
        lm = scripted(reply, model="anthropic/claude-sonnet-4-5")
        with progkit.context(lm=lm, adapter=NATIVE):
            found = Predict(Signature(fields, "Go."))(**INPUTS)

        assert (found.thoughts, found.answer, len(found.calls.tool_calls)) == ("Hm.", None, 1)
        assert isinstance(found.thoughts, progkit.Reasoning)
        assert lm.requests[0]["reasoning_effort"] == "low"
        assert "[[ ## thoughts" not in lm.requests[0].messages[0]["content"]

    def test_warm_up_keeps_thoughts_where_they_come_from(self) -> None:
        """Beside the text, or in it."""
        for model in ("anthropic/claude-sonnet-4-5", "openai/gpt-4o"):
            predict = Predict(Thinking)
            predict.demos = [progkit.Example(question="Why?", thoughts="Hm.", answer="So.")]
            with progkit.context(lm=scripted(model=model)):
                report = progkit.warm(predict)
                found = predict(question="Why?")

            assert (report.warmed, report.details) == (1, [])
            assert (found.thoughts, found.answer) == ("Hm.", "So.")

    def test_an_adapter_of_ones_own_has_all_in_its_prompt(self) -> None:
        """Unless it says that it calls natively."""

        class Own:
            """Somebody's adapter, with nothing but what the protocol has."""

            fallback = None
            name = "Own"

            def __getattr__(self, name: str) -> Any:
                if name in ("use_native_function_calling", "with_layout", "layout"):
                    raise AttributeError(name)
                return getattr(ChatAdapter(), name)

        lm = scripted("[[ ## thoughts ## ]]\nHm.\n[[ ## answer ## ]]\nSo.", model="anthropic/claude-sonnet-4-5")
        with progkit.context(lm=lm, adapter=Own()):
            assert Predict(Thinking)(question="Why?").thoughts == "Hm."


class TestWarmUp:
    def demos(self, **outputs: Any) -> Any:
        predict = Predict(Asked)
        predict.demos = [progkit.Example(**INPUTS, **outputs)]
        return predict

    @pytest.mark.parametrize("answer", ["So.", "none"])
    def test_calls_of_demos_are_kept_as_calls(self, answer: str) -> None:
        """The first user's call is answered as the demo says, without an LM."""
        calls = ToolCalls.from_dict_list([{"id": "c1", "name": "search", "args": {"query": "ü"}}])
        predict = self.demos(answer=answer, calls=calls)
        with progkit.context(lm=scripted(), adapter=NATIVE):
            report = progkit.warm(predict)
            found = predict(**INPUTS)

        assert (report.warmed, report.details) == (1, [])
        assert (found.answer, found.calls) == (answer, calls)

    def test_demos_from_a_file_are_kept_too(self) -> None:
        """There calls are plain data."""
        predict = self.demos(answer="So.", calls={"tool_calls": [{"name": "search", "args": {}}]})
        with progkit.context(lm=scripted(), adapter=NATIVE):
            assert progkit.warm(predict).warmed == 1
            assert predict(**INPUTS).calls.tool_calls[0].name == "search"

    def test_a_demo_without_calls_is_kept_as_text(self) -> None:
        """Only a demo that says no calls at all differs from what comes back: that is told."""
        empty = self.demos(answer="So.", calls=ToolCalls(tool_calls=[]))
        with progkit.context(lm=scripted(), adapter=NATIVE):
            assert progkit.warm(empty).warmed == 1
            assert empty(**INPUTS).answer == "So."

    def test_calls_that_are_none_are_told(self) -> None:
        """And nothing is kept."""
        with progkit.context(lm=scripted(), adapter=NATIVE):
            report = progkit.warm(self.demos(answer="So.", calls={"tool_calls": [{"args": {}}]}))

        assert (report.warmed, report.skipped) == (0, 1)

"""ToolCalls, and tools within programs: what is executed, saved and described."""

import asyncio
import json
from typing import Any

import pytest

import progkit
from progkit import Tool
from progkit.errors import ToolError
from progkit.signature import type_adapter


def search(query: str, k: int = 3) -> list[str]:
    """Search the web."""
    return [query] * k


async def look_up(term: str) -> str:
    """Look it up."""
    await asyncio.sleep(0)
    return f"{term}!"


class TestInPrograms:
    def test_a_demo_with_tools_is_saved_as_the_prompt_says_them(self, tmp_path: Any) -> None:
        """The prompt after loading is the prompt before saving."""
        fields = {
            "tools": (list[Tool], progkit.InputField()),
            "question": progkit.InputField(),
            "calls": (progkit.ToolCalls, progkit.OutputField()),
        }
        signature = progkit.Signature(fields, "Use them.")
        calls = progkit.ToolCalls.from_dict_list([{"id": "c1", "name": "search", "args": {"query": "ü"}}])
        program = progkit.Predict(signature)
        program.demos = [progkit.Example(tools=[Tool(search)], question="Why?", calls=calls)]
        fresh = progkit.Predict(signature)

        program.save(tmp_path / "program.json")
        fresh.load(tmp_path / "program.json")

        adapter = progkit.ChatAdapter()
        inputs = {"tools": [Tool(search)], "question": "?"}
        assert fresh.demos[0]["calls"] == calls
        assert adapter.format(signature, fresh.demos, inputs) == adapter.format(signature, program.demos, inputs)

    def test_pydantic_takes_tools_and_functions(self) -> None:
        """A type that holds tools validates and dumps; what is neither is refused."""
        adapter = type_adapter(list[Tool])
        made = adapter.validate_python([search, Tool(look_up)])

        assert [each.name for each in made] == ["search", "look_up"]
        assert json.loads(adapter.dump_json(made))[0] == str(Tool(search))
        with pytest.raises(ValueError, match="neither a tool nor a function"):
            adapter.validate_python([3])


class TestToolCalls:
    def test_executes_the_tool_that_is_meant(self) -> None:
        """Out of tools or functions, in a list or by name, sync and async."""
        call = progkit.ToolCalls.from_dict_list([{"name": "search", "args": {"query": "a", "k": "2"}}]).tool_calls[0]

        assert call.execute([search]) == ["a", "a"]
        assert call.execute({"search": Tool(search, name="other")}) == ["a", "a"]
        assert asyncio.run(call.aexecute([Tool(look_up), search])) == ["a", "a"]

    def test_names_the_tools_that_there_are(self) -> None:
        """No lookup of functions by name in anybody's module."""
        call = progkit.ToolCalls.from_dict_list([{"name": "serch", "args": {}}]).tool_calls[0]

        with pytest.raises(ToolError, match=r"no tool of this name \(did you mean 'search'\?\), only search"):
            call.execute([search])

    @pytest.mark.parametrize("wrong", [{"args": {}}, {"name": 3}, {"function": "search"}, {"function": {"args": {}}}])
    def test_refuses_what_is_no_call(self, wrong: Any) -> None:
        """A call has a name."""
        with pytest.raises(ValueError, match="a tool call has a name and args"):
            progkit.ToolCalls.from_dict_list([wrong])

    def test_reads_what_providers_write(self) -> None:
        """Ids under both names, arguments as JSON text or not at all."""
        calls = progkit.ToolCalls.from_dict_list(
            [
                {"call_id": "c1", "name": "a", "arguments": '{"x": 1}'},
                {"id": "c2", "function": {"name": "b", "arguments": None}},
            ]
        )

        assert [(each.id, each.name, each.args) for each in calls.tool_calls] == [
            ("c1", "a", {"x": 1}),
            ("c2", "b", {}),
        ]
        assert progkit.ToolCalls(tool_calls=calls.tool_calls) == calls
        assert calls.model_dump()["tool_calls"][0] == {"id": "c1", "name": "a", "args": {"x": 1}}

    def test_old_layouts_describe_them_in_their_words(self) -> None:
        """Up to DSPy 3.2 the description and the requirement were others."""
        signature = progkit.Signature({"q": progkit.InputField(), "c": (progkit.ToolCalls, progkit.OutputField())})
        old = progkit.ChatAdapter(layout="3.2").format(signature, [], {"q": "x"})
        new = progkit.ChatAdapter().format(signature, [], {"q": "x"})

        assert "Tool calls information, including the name of the tools" in old[0]["content"]
        assert "(must be formatted as a valid Python ToolCalls)" in old[1]["content"]
        assert "Tool calls must be a JSON object" in new[0]["content"]
        assert '(must be a JSON object like {"tool_calls": [' in new[1]["content"]

"""Tools: what is read from a function, how arguments are checked, sync and async calls."""

import asyncio
import copy
import datetime as dt
import functools
import threading
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from progkit import Tool
from progkit.errors import ConfigurationError, ToolError


class Unit(Enum):
    C = "celsius"


class Node(BaseModel):
    """A tree."""

    value: int
    children: list["Node"] = []


class Unschemed:
    """A class of which pydantic knows nothing."""


def search(query: str, k: int = 3) -> list[str]:
    """Search the web."""
    return [query] * k


async def look_up(term: str) -> str:
    """Look it up."""
    await asyncio.sleep(0)
    return f"{term}!"


class Desk:
    """A desk."""

    def __call__(self, ticket: str) -> str:
        return ticket

    def close(self, ticket: str) -> str:
        """Close it."""
        return f"closed {ticket}"


class AsyncDesk:
    async def __call__(self, ticket: str) -> str:
        return f"later {ticket}"


class TestReading:
    def test_reads_name_description_and_arguments(self) -> None:
        """All that an LM must know is read from the function."""
        tool = Tool(search)

        assert (tool.name, tool.desc, tool.has_kwargs, tool.is_async) == ("search", "Search the web.", False, False)
        assert tool.args == {"query": {"type": "string"}, "k": {"type": "integer", "default": 3}}
        assert tool.arg_types == {"query": str, "k": int}

    def test_takes_what_is_given_before_what_is_read(self) -> None:
        """Name, description, schemas, types and descriptions of arguments can all be said."""
        tool = Tool(search, name="find", desc="Find.", args={"query": {}}, arg_types={"query": str})

        assert (tool.name, tool.desc, tool.args) == ("find", "Find.", {"query": {}})
        assert Tool(search, arg_desc={"k": "how many", "other": "x"}).args["k"]["description"] == "how many"

    @pytest.mark.parametrize(
        ("function", "name", "desc"),
        [
            (Desk(), "Desk", "A desk."),
            (Desk().close, "close", "Close it."),
            (functools.partial(search, k=1), "search", "Search the web."),
            (functools.partial(Desk(), ticket="t"), "Desk", "A desk."),
            (lambda x: x, "<lambda>", None),
            (Desk, "Desk", "A desk."),
            (len, "len", len.__doc__),
        ],
    )
    def test_reads_anything_that_can_be_called(self, function: Any, name: str, desc: str | None) -> None:
        """Objects, methods, partials, lambdas, classes, built-in functions."""
        tool = Tool(function)

        assert (tool.name, tool.desc) == (name, desc)

    def test_a_partial_says_its_defaults(self) -> None:
        """What a partial fills in is optional; the rest is asked for."""
        tool = Tool(functools.partial(search, k=1))

        assert tool.args == {"query": {"type": "string"}, "k": {"type": "integer", "default": 1}}
        assert tool(query="a") == ["a"]

    def test_inlines_what_schemas_refer_to(self) -> None:
        """An LM sees a type where it is used; within itself a type is anything."""
        tool = Tool(lambda tree: tree, name="walk")
        told = Tool(walk).args["tree"]

        assert tool.args == {"tree": {}}
        assert told["properties"]["children"]["items"] == {}
        assert "$defs" not in told

    @pytest.mark.parametrize(
        ("default", "schema"),
        [
            (None, {"default": None}),
            (Decimal("1.5"), {"default": 1.5}),
            (Unit.C, {"default": "celsius"}),
            (dt.date(2024, 2, 29), {"default": "2024-02-29"}),
            ((1, 2), {"default": [1, 2]}),
            (Unschemed(), {}),
        ],
    )
    def test_tells_defaults_that_json_can_say(self, default: Any, schema: dict[str, Any]) -> None:
        """Of any other default nothing is said: an address would change from process to process."""

        def take(x=default) -> None:
            """Take."""

        function = Tool(take).format_as_litellm_function_call()["function"]

        assert Tool(take).args == {"x": schema}
        assert function["parameters"]["required"] == []

    @pytest.mark.parametrize("wrong", [3, None, "search"])
    def test_refuses_what_cannot_be_called(self, wrong: Any) -> None:
        """A tool is made of a function."""
        with pytest.raises(ConfigurationError, match="can be called"):
            Tool(wrong)

    def test_refuses_what_it_cannot_describe(self) -> None:
        """The tool and the parameter are named."""

        def odd(x: Unschemed) -> None:
            """Odd."""

        def unknown(x: "Nowhere") -> None:  # type: ignore[name-defined] # noqa: F821
            """Unknown."""

        with pytest.raises(ConfigurationError, match="tool 'odd', parameter 'x': no JSON schema"):
            Tool(odd)
        with pytest.raises(ConfigurationError, match=r"what tool 'unknown' takes cannot be known.*Nowhere"):
            Tool(unknown)

    def test_is_a_value(self) -> None:
        """A copy is the tool itself; its repr says what it is."""
        tool = Tool(search)

        assert copy.copy(tool) is tool
        assert copy.deepcopy([tool])[0] is tool
        assert repr(tool).startswith("Tool(name='search', desc='Search the web.'")
        assert tool.format() == str(tool)


def walk(tree: Node) -> int:
    """Walk."""
    return tree.value


def collect(first: str, /, second: int, *more: str, third: Annotated[int, Field(ge=1)] = 1, **rest: Any) -> list[Any]:
    """Collect."""
    return [first, second, more, third, rest]


class TestArguments:
    def test_converts_to_the_types_of_the_function(self) -> None:
        """Models, dates, enums and numbers arrive as what they are, not as JSON."""

        def take(tree: Node, day: dt.date, unit: Unit, share: float, many: list[Node]) -> list[Any]:
            """Take."""
            return [tree, day, unit, share, many]

        tree = {"value": 1, "children": [{"value": 2}]}
        made = Tool(take)(tree=tree, day="2024-02-29", unit="celsius", share=1, many=[tree])

        assert made == [Node(**tree), dt.date(2024, 2, 29), Unit.C, 1.0, [Node(**tree)]]
        assert Tool(walk)(tree=Node(value=3)) == 3

    def test_says_everything_that_is_wrong_at_once(self) -> None:
        """Missing, unexpected and ill-fitting arguments, by name, with the nearest name."""
        with pytest.raises(ToolError) as caught:
            Tool(search)(qury="a", k="many")

        assert caught.value.reasons == [
            "argument 'query' is missing",
            "no argument 'qury' (did you mean 'query'?)",
            "argument 'k': Input should be a valid integer, unable to parse string as an integer",
        ]
        assert str(caught.value).startswith("tool 'search': argument 'query' is missing; no argument")
        assert str(caught.value).endswith("Its arguments are 'query', 'k'")

    def test_says_where_in_a_value_it_is_wrong(self) -> None:
        """The path within a model is told."""
        with pytest.raises(ToolError, match=r"valid integer.*\(at children\.0\.value\)"):
            Tool(walk)(tree={"value": 1, "children": [{"value": "x"}]})

    def test_spreads_variadic_parameters(self) -> None:
        """A list named as *args and a dict named as **kwargs are spread; other names go where they belong."""
        tool = Tool(collect)

        assert tool(first="a", second=1) == ["a", 1, (), 1, {}]
        assert tool(first="a", second="1", more=["x", "y"], rest={"z": 1}) == ["a", 1, ("x", "y"), 1, {"z": 1}]
        assert tool(first="a", second=1, more="x", rest=5, other=6) == ["a", 1, ("x",), 1, {"rest": 5, "other": 6}]
        assert tool.format_as_litellm_function_call()["function"]["parameters"]["required"] == ["first", "second"]

    @pytest.mark.parametrize(
        ("schema", "value", "reason"),
        [
            ({"type": "string"}, 1, "1 is not of type 'string'"),
            ({"type": "integer"}, 1.5, "1.5 is not of type 'integer'"),
            ({"type": "number"}, True, "True is not of type 'number'"),
            ({"type": ["string", "null"]}, [], r"\[\] is not of type 'string' or 'null'"),
            ({"type": "boolean"}, "x", "'x' is not of type 'boolean'"),
            ({"enum": ["a", "b"]}, "c", "'c' is not one of 'a', 'b'"),
        ],
    )
    def test_checks_schemas_that_an_author_wrote(self, schema: Any, value: Any, reason: str) -> None:
        """Without a type, the schema's type and enum say what fits."""
        tool = Tool(lambda x: x, name="echo", args={"x": schema})

        with pytest.raises(ToolError, match=reason):
            tool(x=value)

    @pytest.mark.parametrize(
        ("schema", "value"),
        [
            ({"type": "integer"}, 2.0),
            ({"type": "boolean"}, False),
            ({"type": "array"}, [1]),
            ({"type": ["object", "null"]}, None),
            ({"type": "file"}, 1),
            ({"type": 3}, 1),
            ({"enum": ["a"]}, "a"),
            ({}, object),
        ],
    )
    def test_takes_what_such_a_schema_allows(self, schema: Any, value: Any) -> None:
        """Types that JSON does not know are nobody's to check."""
        assert Tool(lambda x: x, args={"x": schema})(x=value) == value

    def test_a_promise_that_the_function_does_not_keep_is_told(self) -> None:
        """A schema may name an argument that the function has not."""
        tool = Tool(search, args={"query": {}, "page": {}})

        with pytest.raises(ToolError, match="unexpected keyword argument 'page'"):
            tool(query="a", page=2)

    @given(st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.lists(st.integers())))
    def test_any_arguments_fit_or_are_told(self, arguments: dict[str, Any]) -> None:
        """Whatever a model says: a result, or a ToolError."""
        reasons: list[str] = []
        found: Any = None
        try:
            found = Tool(collect)(**arguments)
        except ToolError as error:
            reasons = error.reasons

        assert bool(reasons) is not isinstance(found, list)


class TestCalls:
    def test_calls_async_tools_from_sync_code(self) -> None:
        """Without a running loop the coroutine is run to its end."""
        assert Tool(look_up).is_async
        assert Tool(look_up)(term="a") == "a!"
        assert Tool(AsyncDesk())(ticket="a") == "later a"

    def test_refuses_to_hold_up_a_running_loop(self) -> None:
        """There ``acall`` is the way; the coroutine is closed and warns of nothing."""

        async def main() -> None:
            for tool in (Tool(look_up), Tool(lambda term: asyncio.ensure_future(look_up(term)))):
                with pytest.raises(ConfigurationError, match="use acall"):
                    tool(term="a")

        asyncio.run(main())

    def test_acall_runs_sync_functions_elsewhere(self) -> None:
        """The loop goes on while a function works; async ones are awaited."""

        def where(term: str) -> int:
            """Where."""
            return threading.get_ident()

        def deferred(term: str) -> Any:
            """Give something to await."""
            return look_up(term)

        async def main() -> list[Any]:
            return [await Tool(each).acall(term="a") for each in (where, look_up, deferred)]

        thread, *said = asyncio.run(main())

        assert thread != threading.get_ident()
        assert said == ["a!", "a!"]

    def test_acall_checks_arguments_too(self) -> None:
        """A ToolError, before anything runs."""
        with pytest.raises(ToolError, match="argument 'term' is missing"):
            asyncio.run(Tool(look_up).acall())

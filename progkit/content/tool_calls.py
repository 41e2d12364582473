"""ToolCalls: which tools an LM asks to have called, and with what."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import pydantic

from progkit.content.base import Type
from progkit.content.parts import LAYOUT, sink_of
from progkit.content.tool import Tool, tool_of
from progkit.errors import ToolError, did_you_mean

Tools: TypeAlias = Sequence[Tool | Callable[..., Any]] | Mapping[str, Tool | Callable[..., Any]]
"""Tools or functions to choose from; in a mapping under the names that they are called by."""

_REWORDED = (3, 3)
"""The DSPy from which on calls are written and described as here."""


class ToolCall(Type):
    """One call: the tool's *name*, its arguments, and the *id* that a provider gave it."""

    id: str | None = None
    name: str
    args: dict[str, Any] = pydantic.Field(json_schema_extra={"additionalProperties": True})

    def format(self) -> Any:
        """Name and arguments."""
        return {"name": self.name, "args": self.args}

    def execute(self, functions: Tools) -> Any:
        """What the tool that is meant, one of *functions*, gives.

        Raises:
            ToolError: if there is none of that name, or the arguments do not fit; else what the tool raises.
        """
        return self._meant(functions)(**self.args)

    async def aexecute(self, functions: Tools) -> Any:
        """What the tool that is meant gives, without holding up the event loop; raises what ``execute`` raises."""
        return await self._meant(functions).acall(**self.args)

    def _meant(self, functions: Tools) -> Tool:
        if isinstance(functions, Mapping):
            known = {name: tool_of(each) for name, each in functions.items()}
        else:
            known = {each.name: each for each in map(tool_of, functions)}
        if self.name not in known:
            there = f"there is no tool of this name{did_you_mean(self.name, list(known))}, only {', '.join(known)}"
            raise ToolError(self.name, [there], list(self.args))
        return known[self.name]

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        return _shown(handler.resolve_ref_schema(handler(core_schema)), "id")


class ToolCalls(Type):
    """The output type of a signature that lets an LM use tools: ``calls: ToolCalls = OutputField()``.

    The tools are an input of type ``list[Tool]``. An adapter either words both in the prompt, or leaves them
    to the provider's own function calling. Made of ``{"tool_calls": [...]}``, a list of calls, or one call;
    a call may also be written as providers write it: ``{"function": {"name", "arguments"}}``.
    """

    tool_calls: list[ToolCall]

    is_called_natively: ClassVar[bool] = True
    """Read by the adapters, which so need not import this module."""

    @classmethod
    def from_dict_list(cls, tool_calls_dicts: Iterable[Mapping[str, Any]]) -> "ToolCalls":
        """The calls that dicts with ``name`` and ``args`` say.

        Raises:
            ValueError: if one of them says no call.
        """
        return cls(tool_calls=[ToolCall(**_call(each)) for each in tool_calls_dicts])

    @classmethod
    def description(cls) -> str:
        """How calls are to be written; layout: DSPy 3.3 and later."""
        return (
            "Tool calls must be a JSON object with `tool_calls`, a list of calls. Each call must include `name` and "
            '`args`. Example: {"tool_calls": [{"name": "search", "args": {"query": "cats"}}]}'
        )

    @classmethod
    def description_in(cls, layout: str) -> str:
        """``description()`` as *layout* words it."""
        if not _is_old(layout):
            return cls.description()
        return (
            "Tool calls information, including the name of the tools and the arguments to be passed to it. "
            "Arguments must be provided in JSON format."
        )

    @classmethod
    def requirement_in(cls, layout: str) -> str:
        """That it is an object; before DSPy 3.3, the type's name."""
        if _is_old(layout):
            return ""
        return 'must be a JSON object like {"tool_calls": [{"name": "...", "args": {...}}]}'

    def format(self) -> Any:
        """The calls without their ids."""
        return {"tool_calls": [each.format() for each in self.tool_calls]}

    @pydantic.model_serializer(mode="wrap")
    def serialize_model(self, handler: Any, info: pydantic.SerializationInfo) -> Any:
        """The fields; in a message, what ``format`` makes of them, or what older layouts did."""
        if sink_of(info.context) is None:
            return handler(self)
        if not _is_old((info.context or {}).get(LAYOUT)):
            return self.format()
        calls = [{"name": each.name, "arguments": each.args} for each in self.tool_calls]
        return {"tool_calls": [{"type": "function", "function": each} for each in calls]}

    @pydantic.model_validator(mode="before")
    @classmethod
    def _from_data(cls, value: Any) -> Any:
        """The fields that a list of calls, or one call, stands for."""
        if isinstance(value, Mapping) and "tool_calls" not in value:
            value = [value]
        calls = value.get("tool_calls") if isinstance(value, Mapping) else value
        if not isinstance(calls, list):
            return value
        return {"tool_calls": [ToolCall(**_call(each)) if isinstance(each, Mapping) else each for each in calls]}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        return _shown(handler.resolve_ref_schema(handler(core_schema)))


def _is_old(layout: str | None) -> bool:
    return layout is not None and tuple(map(int, layout.split("."))) < _REWORDED


def _call(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the call that *data* says, as we write it or as a provider does.

    Raises:
        ValueError: if it says none.
    """
    inner = data.get("function", data)
    name = inner.get("name") if isinstance(inner, Mapping) else None
    if not isinstance(name, str) or not isinstance(inner, Mapping):
        raise ValueError(f"a tool call has a name and args, this has not: {data!r:.200}")
    args = inner.get("args", inner.get("arguments"))
    if isinstance(args, str):
        args = json.loads(args)
    return {"id": data.get("id") or data.get("call_id"), "name": name, "args": {} if args is None else args}


def _shown(schema: dict[str, Any], *hidden: str) -> dict[str, Any]:
    """*schema* without its description and what a model need not know; DSPy shows neither."""
    schema.pop("description", None)
    for name in hidden:
        schema["properties"].pop(name, None)
    return schema

"""What a provider does beside text: tools travel as a parameter of the request, calls and thoughts beside the text
of the reply, and their fields leave the prompt. What is sent and read is DSPy 3.4's.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias, get_args, get_origin

from progkit.adapters.layouts import LAYOUTS, NEWEST
from progkit.adapters.memo import PerSignature
from progkit.adapters.models import calls_functions, tells_its_thoughts
from progkit.adapters.protocol import Adapter
from progkit.adapters.repair import loads
from progkit.content.tool import Tool, tool_of
from progkit.errors import AdapterParseError, ConfigurationError, InputError
from progkit.lm import Completion
from progkit.signature import Signature
from progkit.signature.types import type_adapter

Calling: TypeAlias = bool | Literal["always"]

EFFORT = "low"
"""The ``reasoning_effort`` of a request that says none of its own; DSPy's choice."""


def calling(value: Calling) -> Calling:
    """*value*, if it can be an adapter's ``use_native_function_calling``.

    Raises:
        ConfigurationError: if it cannot.
    """
    if not isinstance(value, bool) and value != "always":
        raise ConfigurationError(f"use_native_function_calling is True, False or 'always', not {value!r}")
    return value


def told_calling(adapter: Any, default: bool) -> list[str]:
    """What the repr of *adapter* says of function calling: what is not as it is by *default*."""
    wanted, parallel = adapter.use_native_function_calling, adapter.parallel_tool_calls
    told = [] if wanted is default else [f"use_native_function_calling={wanted!r}"]
    return told if parallel is None else [*told, f"parallel_tool_calls={parallel!r}"]


class Fields(NamedTuple):
    """The names of the fields that a provider may see to: *tools* and *calls* go together."""

    tools: str | None
    calls: str | None
    thoughts: str | None


class Native:
    """A signature some of whose *fields* are the provider's affair; ``signature`` is what remains for the prompt."""

    __slots__ = ("calls", "signature", "thoughts", "tools")

    def __init__(self, fields: Fields, whole: type[Signature]) -> None:
        self.tools, self.calls, self.thoughts = fields
        self.signature = whole
        for name in fields:
            if name is not None:
                self.signature = self.signature.delete(name)

    def params(self, adapter: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of the request: the tools; whether several may be called at once, if *adapter* says; effort.

        Raises:
            InputError: if there are no tools, or what is given is none.
        """
        params: dict[str, Any] = {} if self.thoughts is None else {"reasoning_effort": EFFORT}
        if self.tools is None:
            return params
        given = inputs.get(self.tools)
        try:
            tools = [tool_of(each) for each in (given if isinstance(given, (list, tuple)) else [given])]
        except ValueError as error:
            raise InputError(f"input {self.tools!r}: {error}", [self.tools], [], [self.tools]) from error
        params["tools"] = [each.format_as_litellm_function_call() for each in tools]
        if LAYOUTS[getattr(adapter, "layout", NEWEST)].all_required:
            for each in params["tools"]:
                each["function"]["parameters"]["required"] = list(each["function"]["parameters"]["properties"])
        parallel = getattr(adapter, "parallel_tool_calls", None)
        return params if parallel is None else params | {"parallel_tool_calls": parallel, "tool_choice": "auto"}

    def read(self, adapter: Adapter, whole: type[Signature], completion: Completion) -> dict[str, Any]:
        """The outputs of the *whole* signature; beside calls, an output that the text does not say is its default.

        Raises:
            AdapterParseError: if there are neither calls nor a text that can be read.
        """
        text = completion.text or ""
        found: dict[str, Any] = {}
        if self.calls is None or not completion.tool_calls:
            found = adapter.parse(self.signature, text)
        else:
            if text and self.signature.output_fields:
                with suppress(AdapterParseError):
                    found = adapter.parse(self.signature, text)
            kind: Any = whole.output_fields[self.calls].type
            found[self.calls] = kind.from_dict_list([_call(adapter, each) for each in completion.tool_calls])
        if self.thoughts is not None and completion.reasoning is not None:
            found[self.thoughts] = type_adapter(whole.output_fields[self.thoughts].type).validate_python(
                completion.reasoning
            )
        return {
            name: found[name] if name in found else field.make_default() if field.has_default else None
            for name, field in whole.output_fields.items()
        }

    def reply(self, adapter: Adapter, whole: type[Signature], outputs: Mapping[str, Any]) -> Completion:
        """The completion that says *outputs*: ``read`` reads them from it.

        Raises:
            ValueError: if the calls among them are none.
        """
        calls = []
        if self.calls is not None and outputs.get(self.calls):
            calls = type_adapter(whole.output_fields[self.calls].type).validate_python(outputs[self.calls]).tool_calls
        said = any(outputs.get(name) is not None for name in self.signature.output_fields) or not calls
        thoughts = None if self.thoughts is None else outputs.get(self.thoughts)
        return Completion(
            adapter.reply(self.signature, outputs) if said else None,
            "tool_calls" if calls else "stop",
            tuple(
                {"id": each.id, "name": each.name, "args": json.dumps(each.args, ensure_ascii=False)} for each in calls
            ),
            None if thoughts is None else str(thoughts),
        )


def is_plain(signature: type[Signature]) -> bool:
    """Whether *signature* has no field that a provider could see to: every reply is read by the adapter."""
    return _fields(signature) is None


def native_of(adapter: Adapter, signature: type[Signature], params: Mapping[str, Any]) -> Native | None:
    """What the provider sees to when *adapter* makes a request of *params* of *signature*; None for nothing.

    Tools: as the adapter's ``use_native_function_calling`` says, False for never, True where the model is known
    to take functions, ``"always"`` for every model. Thoughts: where the model is known to tell them, unless
    ``reasoning_effort`` is None. An adapter that has no such attribute has all in its prompt.
    """
    fields = _fields(signature)
    if fields is None:
        return None
    wanted = getattr(adapter, "use_native_function_calling", None)
    if wanted is None:
        return None
    model = str(params.get("model", ""))
    calls = fields.calls is not None and bool(wanted) and (wanted == "always" or calls_functions(model))
    thinks = fields.thoughts is not None and params.get("reasoning_effort", EFFORT) is not None
    thinks = thinks and tells_its_thoughts(model)
    return _native[calls, thinks](signature) if calls or thinks else None


def read_completion(
    adapter: Adapter, signature: type[Signature], params: Mapping[str, Any], completion: Completion
) -> dict[str, Any]:
    """The outputs that *completion*, of a request of *params*, says.

    Raises:
        AdapterParseError: if they cannot be read.
    """
    native = native_of(adapter, signature, params)
    if native is None:
        return adapter.parse(signature, completion.text or "")
    return native.read(adapter, signature, completion)


def write_completion(
    adapter: Adapter, signature: type[Signature], params: Mapping[str, Any], outputs: Mapping[str, Any]
) -> Completion:
    """The completion that would say *outputs* to a request of *params*.

    Raises:
        ValueError: if calls among them are none.
    """
    native = native_of(adapter, signature, params)
    if native is None:
        return Completion(adapter.reply(signature, outputs), "stop")
    return native.reply(adapter, signature, outputs)


def _call(adapter: Adapter, call: Mapping[str, Any]) -> dict[str, Any]:
    written = call["args"]
    args = written if isinstance(written, dict) else loads(written) if written else {}
    if not isinstance(args, dict):
        raise AdapterParseError(adapter.name, str(written), {}, [], f"the arguments of {call['name']} are no object")
    return {"id": call["id"], "name": call["name"], "args": args}


def _find(signature: type[Signature]) -> Fields | None:
    outputs, inputs = signature.output_fields, signature.input_fields
    calls = next((name for name, field in outputs.items() if _has(field.type, "is_called_natively")), None)
    tools = next((name for name, field in inputs.items() if _holds_tools(field.type)), None)
    thoughts = next((name for name, field in outputs.items() if _has(field.type, "is_thought_natively")), None)
    if calls is None or tools is None:
        calls = tools = None
    return Fields(tools, calls, thoughts) if calls or thoughts else None


def _has(annotation: Any, mark: str) -> bool:
    """Whether *annotation* is the very type that bears *mark*: what derives from it words itself as it likes."""
    return isinstance(annotation, type) and mark in vars(annotation)


def _holds_tools(annotation: Any) -> bool:
    if get_origin(annotation) is list:
        annotation = get_args(annotation)[0]
    return annotation is Tool


def _make(calls: bool, thinks: bool, signature: type[Signature]) -> Native:
    tools, called, thoughts = _fields(signature) or Fields(None, None, None)
    return Native(Fields(*((tools, called) if calls else (None, None)), thoughts if thinks else None), signature)


_fields = PerSignature(_find)
_native = {
    (calls, thinks): PerSignature(partial(_make, calls, thinks))
    for calls, thinks in ((True, False), (False, True), (True, True))
}

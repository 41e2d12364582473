"""The adapter for models that answer in JSON: one object with every output."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

from progkit.adapters import early, messages
from progkit.adapters.draft import sections
from progkit.adapters.laid import Laid
from progkit.adapters.layouts import LAYOUTS, Layout
from progkit.adapters.memo import PerSignature
from progkit.adapters.native import Calling, calling, told_calling
from progkit.adapters.notes import placeholder, requirement
from progkit.adapters.plan import Plan
from progkit.adapters.protocol import Adapter
from progkit.adapters.repair import first_object, loads
from progkit.adapters.schema_format import SCHEMA_NAME, output_schema
from progkit.adapters.values import json_object
from progkit.errors import AdapterParseError, ConfigurationError, did_you_mean
from progkit.signature import Signature

_FORMATS = ("auto", "schema", "object")

_NO_FORMAT = ("gpt-4", "gpt-3.5-turbo-16k")
_NO_SCHEMA = ("gpt-3.5-turbo", "gpt-4-", "gpt-4o-2024-05-13")
"""OpenAI's models from before structured outputs, as litellm lists them: exact names, and beginnings of names."""


class JSONAdapter(Laid):
    """Inputs under headers, outputs as one JSON object.

    response_format: what the request asks of the provider. ``"auto"`` (the default): a strict schema of the
    outputs, unless they have none such or the model is known not to take it; ``"schema"``,
    ``"object"`` (any JSON object); None: nothing. layout: the DSPy version whose layout it keeps to for every
    predictor, such as ``"3.0"``; by default a predictor's own, else the newest.
    use_native_function_calling, parallel_tool_calls: as for ``ChatAdapter``, but for the default.

    Raises:
        ConfigurationError: for any other *response_format*, and for a layout that there is not.
    """

    name = "JSONAdapter"
    fallback: Adapter | None = None

    def __init__(
        self,
        response_format: Literal["auto", "schema", "object"] | None = "auto",
        layout: str | None = None,
        use_native_function_calling: Calling = True,
        parallel_tool_calls: bool | None = None,
    ) -> None:
        super().__init__(layout)
        self.use_native_function_calling = calling(use_native_function_calling)
        self.parallel_tool_calls = parallel_tool_calls
        if response_format is not None and response_format not in _FORMATS:
            near = did_you_mean(str(response_format), _FORMATS)
            raise ConfigurationError(
                f"response_format is {response_format!r}{near}; it can be {', '.join(map(repr, _FORMATS))} or None"
            )
        self.response_format = response_format

    def __repr__(self) -> str:
        told = [] if self.response_format == "auto" else [f"response_format={self.response_format!r}"]
        return f"{type(self).__name__}({', '.join([*told, *self._told_layout(), *told_calling(self, True)])})"

    def prefix(self, signature: type[Signature], demos: Sequence[Any]) -> list[dict[str, Any]]:
        """The system message and the demos.

        Raises:
            SignatureError: if an output is of a type that cannot be described.
        """
        opening = {"role": "system", "content": _SYSTEM[self.layout](signature)}
        return [opening, *messages.examples(self._plan(signature), signature, demos, _answer)]

    def suffix(self, signature: type[Signature], inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The turns of the history, if there is one, and the user's message with the inputs that are there.

        Raises:
            TypeError: if the history is none.
        """
        return messages.question(self._plan(signature), inputs, _answer)

    def format(
        self, signature: type[Signature], demos: Sequence[Any], inputs: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """``prefix`` and then ``suffix``."""
        return self.prefix(signature, demos) + self.suffix(signature, inputs)

    def reply(self, signature: type[Signature], outputs: Mapping[str, Any]) -> str:
        """The assistant's text that says *outputs*; one that is not there reads ``null``."""
        return _answer(self._plan(signature), outputs, None)

    def parse(self, signature: type[Signature], text: str) -> dict[str, Any]:
        """The outputs that *text* says, in the order of the signature.

        Broken JSON is mended, and prose around an object skipped.

        Raises:
            AdapterParseError: if there is no object, an output is missing, or its value does not fit its type.
        """
        plan = self._plan(signature)
        return plan.read(self.name, text, _object(self.name, text, list(plan.readers)))

    def params(self, signature: type[Signature], model: str) -> dict[str, Any]:
        """``response_format``, or nothing."""
        chosen = self.response_format
        if chosen == "auto":
            chosen = _taken_by(model)
        if chosen is None:
            return {}
        schema = _schema(signature) if chosen == "schema" else None
        if schema is None:
            return {"response_format": {"type": "json_object"}}
        wanted = {"name": SCHEMA_NAME, "schema": json.loads(schema), "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": wanted}}

    def _plan(self, signature: type[Signature]) -> Plan:
        return _PLAN[self.layout](signature)


def _object(adapter: str, text: str, expected: Sequence[str]) -> dict[str, Any]:
    """The JSON object in *text*.

    Raises:
        AdapterParseError: if there is none.
    """
    reason = "there is no JSON object in it" if text else "the reply is empty"
    try:
        value = loads(text)
        if not isinstance(value, dict) and (found := first_object(text)):
            value = loads(found)
    except ValueError as error:
        value, reason = None, f"no JSON object can be read: {error}"
    if not isinstance(value, dict):
        raise AdapterParseError(adapter, text, {}, expected, reason)
    return value


def _taken_by(model: str) -> Literal["schema", "object"] | None:
    """What *model* takes as its response format. Models not known here take a schema."""
    name = model.rpartition("/")[2].removeprefix("ft:").partition(":")[0]
    if name in _NO_FORMAT:
        return None
    return "object" if name.startswith(_NO_SCHEMA) else "schema"


def _system(layout: Layout, signature: type[Signature]) -> str:
    inputs = sections((field.name, placeholder(field, layout)) for field in signature.input_fields.values())
    structure = (
        f"{messages.INTERACTIONS}\n\nInputs will have the following structure:\n\n{inputs}\n\n"
        f"Outputs will be a JSON object with the following fields.\n\n{_outline(layout, signature)}"
    )
    return messages.system(signature, structure.strip() if layout.json_headers else structure, layout)


def _outline(layout: Layout, signature: type[Signature]) -> str:
    describe = early.json_placeholder if layout.early else placeholder
    outputs = {name: describe(field, layout) for name, field in signature.output_fields.items()}
    return sections(outputs.items()) if layout.json_headers else json_object(outputs, layout)


def _requirements(signature: type[Signature], layout: Layout) -> str:
    fields = ", then ".join(f"`{name}`{requirement(field, layout)}" for name, field in signature.output_fields.items())
    return f"Respond with a JSON object in the following order of fields: {fields}."


def _new_plan(layout: Layout, signature: type[Signature]) -> Plan:
    return Plan(signature, layout, _requirements(signature, layout), is_json=True)


def _answer(plan: Plan, values: Any, absent: Any) -> str:
    return json_object({name: values.get(name, absent) for name, _ in plan.outputs}, plan.layout)


def _schema_text(signature: type[Signature]) -> str | None:
    schema = output_schema(signature)
    return None if schema is None else json.dumps(schema)


_SYSTEM = {name: PerSignature(partial(_system, layout)) for name, layout in LAYOUTS.items()}
_PLAN = {name: PerSignature(partial(_new_plan, layout)) for name, layout in LAYOUTS.items()}
_schema = PerSignature(_schema_text)

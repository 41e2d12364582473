"""The default adapter: every field under a header of its own, ``[[ ## name ## ]]``."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from progkit.adapters import early, messages
from progkit.adapters.draft import sections
from progkit.adapters.json_adapter import JSONAdapter
from progkit.adapters.laid import Laid
from progkit.adapters.layouts import COMPLETED, LAYOUTS, Layout
from progkit.adapters.memo import PerSignature
from progkit.adapters.native import Calling, calling, told_calling
from progkit.adapters.notes import placeholder, requirement
from progkit.adapters.plan import Plan
from progkit.adapters.protocol import Adapter
from progkit.adapters.values import format_value
from progkit.errors import AdapterParseError
from progkit.signature import Signature

_HEADER = re.compile(r"\[\[ ## (\w+) ## \]\]")


class ChatAdapter(Laid):
    """Fields under headers; a reply that does not keep to that is asked for once more as JSON.

    use_json_adapter_fallback: False for no second try. layout: the DSPy version whose layout it keeps to for
    every predictor, such as ``"3.0"``; by default a predictor's own, else the newest.
    use_native_function_calling: whether tools are left to the provider: True for models known to take them,
    ``"always"``, or False: they are words of the prompt. parallel_tool_calls: whether the provider may call
    several at once; None says nothing of it.

    Raises:
        ConfigurationError: for a layout that there is not.
    """

    name = "ChatAdapter"

    def __init__(
        self,
        use_json_adapter_fallback: bool = True,
        layout: str | None = None,
        use_native_function_calling: Calling = False,
        parallel_tool_calls: bool | None = None,
    ) -> None:
        super().__init__(layout)
        self.use_native_function_calling = calling(use_native_function_calling)
        self.parallel_tool_calls = parallel_tool_calls
        second = JSONAdapter("auto", layout, use_native_function_calling, parallel_tool_calls)
        self.fallback: Adapter | None = second if use_json_adapter_fallback else None

    def __repr__(self) -> str:
        told = [] if self.fallback else ["use_json_adapter_fallback=False"]
        return f"{type(self).__name__}({', '.join([*told, *self._told_layout(), *told_calling(self, False)])})"

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
        """The assistant's text that says *outputs*; one that is not there reads ``None``."""
        return _answer(self._plan(signature), outputs, None)

    def parse(self, signature: type[Signature], text: str) -> dict[str, Any]:
        """The outputs that *text* says, in the order of the signature.

        Of a field that comes twice the first counts; what stands under other headers is ignored.

        Raises:
            AdapterParseError: if an output is missing, or its value does not fit its type.
        """
        plan = self._plan(signature)
        if not text:
            raise AdapterParseError(self.name, text, {}, list(plan.readers), "the reply is empty")
        return plan.read(self.name, text, _sections(text))

    def params(self, signature: type[Signature], model: str) -> dict[str, Any]:
        """Nothing: the layout is in the messages."""
        return {}

    def _plan(self, signature: type[Signature]) -> Plan:
        return _PLAN[self.layout](signature)


def _system(layout: Layout, signature: type[Signature]) -> str:
    inputs = sections((field.name, placeholder(field, layout)) for field in signature.input_fields.values())
    outputs = sections((field.name, placeholder(field, layout)) for field in signature.output_fields.values())
    structure = f"{messages.INTERACTIONS}\n\n{inputs}\n\n{outputs}\n\n{COMPLETED}"
    return messages.system(signature, structure, layout)


def _requirements(signature: type[Signature], layout: Layout) -> str:
    fields = ", then ".join(
        f"`[[ ## {name} ## ]]`{requirement(field, layout)}" for name, field in signature.output_fields.items()
    )
    return (
        f"Respond with the corresponding output fields, starting with the field {fields}, "
        f"and then ending with the marker for `{COMPLETED}`."
    )


def _new_plan(layout: Layout, signature: type[Signature]) -> Plan:
    return Plan(signature, layout, _requirements(signature, layout))


def _answer(plan: Plan, values: Any, absent: Any) -> str:
    if plan.layout.early:
        return early.chat_answer(plan, values, absent)
    said = sections((name, format_value(values.get(name, absent), kind, plan.layout)) for name, kind in plan.outputs)
    return f"{said}{plan.layout.answer_end}"


def _sections(text: str) -> dict[str, str]:
    """What stands under each header; headers open a line, and the first of a name counts."""
    before, *rest = _HEADER.split(text)
    found: dict[str, str] = {}
    for name, content in zip(rest[::2], rest[1::2], strict=True):
        if before[-1:] != "\n" and (before or found):
            return _sections_with_care(text)
        if name not in found:
            # As nearly always: the header ends its line.
            found[name] = content.strip() if content[:1] == "\n" and "\r" not in content else _content(content)
        before = content
    return found


def _sections_with_care(text: str) -> dict[str, str]:
    """``_sections`` of a text where something stands before a header on its line."""
    found: dict[str, str] = {}
    name, start, after = "", 0, 0
    for header in _HEADER.finditer(text):
        if _opens_line(text, after, header.start()):
            if name:
                found.setdefault(name, _content(text[start : header.start()]))
            name, start = header[1], header.end()
        after = header.end()
    if name:
        found.setdefault(name, _content(text[start:]))
    return found


def _opens_line(text: str, after: int, position: int) -> bool:
    """Whether only blanks stand on the line before *position*; another header ends at *after*, if not 0."""
    if position == 0 or text[position - 1] == "\n":
        return True
    lines = (text[after:position] + "|").splitlines()
    return lines[-1].strip() == "|" and (after == 0 or len(lines) > 1)


def _content(text: str) -> str:
    """*text* as read: line ends all alike, no blanks around it, nor at the end of the header's line."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    first, end, rest = text.partition("\n")
    return f"{first.strip()}{end}{rest}".strip()


_SYSTEM = {name: PerSignature(partial(_system, layout)) for name, layout in LAYOUTS.items()}
_PLAN = {name: PerSignature(partial(_new_plan, layout)) for name, layout in LAYOUTS.items()}

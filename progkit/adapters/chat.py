"""The default layout: every field under a header of its own, ``[[ ## name ## ]]``."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from progkit.adapters import layout
from progkit.adapters.json_adapter import JSONAdapter
from progkit.adapters.memo import PerSignature
from progkit.adapters.plan import Plan
from progkit.adapters.protocol import Adapter
from progkit.adapters.values import format_value
from progkit.errors import AdapterParseError
from progkit.signature import Signature
from progkit.signature.types import type_name

_HEADER = re.compile(r"\[\[ ## (\w+) ## \]\]")
_COMPLETED = "[[ ## completed ## ]]"


class ChatAdapter:
    """Fields under headers; a reply that does not keep to that is asked for once more as JSON.

    use_json_adapter_fallback: False for no second try.
    """

    name = "ChatAdapter"

    def __init__(self, use_json_adapter_fallback: bool = True) -> None:
        self.fallback: Adapter | None = JSONAdapter() if use_json_adapter_fallback else None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.fallback else 'use_json_adapter_fallback=False'})"

    def prefix(self, signature: type[Signature], demos: Sequence[Any]) -> list[dict[str, Any]]:
        """The system message and the demos.

        Raises:
            SignatureError: if an output is of a type that cannot be described.
        """
        opening = {"role": "system", "content": _system(signature)}
        return [opening, *layout.examples(_plan(signature), signature, demos, _answer)]

    def suffix(self, signature: type[Signature], inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The user's message with the inputs that are there."""
        return [layout.question(_plan(signature), inputs)]

    def format(
        self, signature: type[Signature], demos: Sequence[Any], inputs: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """``prefix`` and then ``suffix``."""
        return self.prefix(signature, demos) + self.suffix(signature, inputs)

    def reply(self, signature: type[Signature], outputs: Mapping[str, Any]) -> str:
        """The assistant's text that says *outputs*; one that is not there reads ``None``."""
        return _answer(signature, outputs, None)

    def parse(self, signature: type[Signature], text: str) -> dict[str, Any]:
        """The outputs that *text* says, in the order of the signature.

        Of a field that comes twice the first counts; what stands under other headers is ignored.

        Raises:
            AdapterParseError: if an output is missing, or its value does not fit its type.
        """
        plan = _plan(signature)
        if not text:
            raise AdapterParseError(self.name, text, {}, list(plan.readers), "the reply is empty")
        return plan.read(self.name, text, _sections(text))

    def params(self, signature: type[Signature], model: str) -> dict[str, Any]:
        """Nothing: the layout is in the messages."""
        return {}


def _structure(signature: type[Signature]) -> str:
    inputs = layout.placeholders(signature.input_fields.values())
    outputs = layout.placeholders(signature.output_fields.values())
    return f"{layout.INTERACTIONS}\n\n{inputs}\n\n{outputs}\n\n{_COMPLETED}"


def _requirements(signature: type[Signature]) -> str:
    fields = ", then ".join(
        f"`[[ ## {name} ## ]]`"
        + ("" if field.type is str else f" (must be formatted as a valid Python {type_name(field.type)})")
        for name, field in signature.output_fields.items()
    )
    return (
        f"Respond with the corresponding output fields, starting with the field {fields}, "
        f"and then ending with the marker for `{_COMPLETED}`."
    )


def _answer(signature: type[Signature], values: Any, absent: Any) -> str:
    said = layout.sections(
        (name, format_value(values.get(name, absent), field.type)) for name, field in signature.output_fields.items()
    )
    return f"{said}\n\n{_COMPLETED}\n"


def _sections(text: str) -> dict[str, str]:
    """What stands under each header; headers open a line, and the first of a name counts."""
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


_system = PerSignature(lambda signature: layout.system(signature, _structure(signature)))
_plan = PerSignature(lambda signature: Plan(signature, _requirements(signature)))

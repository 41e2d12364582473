"""A user's message in the making: text, with parts that are no text at their places in it."""

import re
from collections.abc import Iterable, Mapping
from secrets import token_hex
from typing import Any

from progkit.adapters.layouts import Layout
from progkit.adapters.values import format_value, plain_copy


class Draft:
    """Writes the values of one message.

    What a content type makes parts of stands in the text as a word that nobody can have written, for it is
    drawn by lot; ``content`` puts the parts in its place. So the marks of DSPy within a user's text stay text.
    """

    __slots__ = ("_held", "_word", "layout")

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._held: list[list[Any]] = []
        self._word = ""

    def write(self, value: Any, annotation: Any) -> str:
        """*value* as the text of a field of type *annotation*."""
        return format_value(value, annotation, self.layout, self.hold)

    def hold(self, parts: list[dict[str, Any]]) -> str:
        """What stands in the text for *parts*."""
        if not self._word:
            self._word = token_hex(16)
        self._held.append(plain_copy(parts))
        return f"{self._word}-{len(self._held) - 1};"

    def content(self, text: str) -> str | list[dict[str, Any]]:
        """*text* as the content of a message: itself, or a list of parts if any are held."""
        if not self._held:
            return text
        quote = '"?' if self.layout.trims else ""
        pieces = re.split(f"{quote}{self._word}-([0-9]+);{quote}", text)
        content: list[dict[str, Any]] = []
        for number, piece in enumerate(pieces):
            if number % 2:
                content += map(_part, self._held[int(piece)])
            elif said := piece.strip() if self.layout.trims else piece:
                content.append({"type": "text", "text": said})
        return content


def _part(part: Any) -> dict[str, Any]:
    return part if isinstance(part, dict) else {"type": "text", "text": str(part)}


def sections(texts: Iterable[tuple[str, str]]) -> str:
    """Names with texts, each under its header."""
    return "\n\n".join(f"[[ ## {name} ## ]]\n{text}" for name, text in texts).strip()


def fields_text(values: Mapping[str, Any]) -> str:
    """*values* as sections, each written as a field of plain text: the steps of an agent as an LM sees them."""
    return sections((name, format_value(value, str)) for name, value in values.items())

"""Reasoning: what a model thought on its way to the answer; a text to whoever uses it."""

from collections.abc import Iterator
from typing import Any, ClassVar

import pydantic

from progkit.content.base import Type, undescribed


class Reasoning(Type):
    """A text that can be told from others by its type; prompts call it ``str``.

    It compares, joins, indexes and is searched as its text is, and has the methods of str.
    """

    content: str

    model_config = pydantic.ConfigDict(json_schema_extra=undescribed)
    __prompt_name__: ClassVar[str | None] = "str"
    says_own_shape: ClassVar[bool] = True
    is_thought_natively: ClassVar[bool] = True
    """Read by the adapters: a model that tells its thoughts of itself need not be asked for them."""

    def format(self) -> str:
        """The text."""
        return self.content

    @pydantic.model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"content": value} if isinstance(value, str) else value

    def __str__(self) -> str:
        return self.content

    def __repr__(self) -> str:
        return repr(self.content)

    def __eq__(self, other: object) -> bool:
        return self.content == (other.content if isinstance(other, Reasoning) else other)

    def __hash__(self) -> int:
        return hash(self.content)

    def __len__(self) -> int:
        return len(self.content)

    def __iter__(self) -> Iterator[str]:  # type: ignore[override] # a model's would be of its fields
        return iter(self.content)

    def __contains__(self, part: str) -> bool:
        return part in self.content

    def __getitem__(self, index: Any) -> str:
        return self.content[index]

    def __add__(self, other: Any) -> Any:
        if isinstance(other, Reasoning):
            return Reasoning(content=self.content + other.content)
        return self.content + other if isinstance(other, str) else NotImplemented

    def __radd__(self, other: Any) -> Any:
        return other + self.content if isinstance(other, str) else NotImplemented

    def __getattr__(self, name: str) -> Any:
        # Asked for what the model itself lacks: a method of str, for pydantic's own names never end up here.
        if not name.startswith("_") and hasattr(str, name):
            return getattr(self.content, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

"""What marks a content type, and what passes between it and whoever writes it into a message."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias, get_args

Sink: TypeAlias = Callable[[list[dict[str, Any]]], str]
"""Takes the parts that a value makes of a message, and returns what stands in their place in a text."""

SINK = "progkit.content"
"""The name of the sink in pydantic's serialisation context."""


LAYOUT = "progkit.layout"
"""The name, there, of the layout that is written."""


class Content:
    """The mark of a type that words itself: an adapter asks it for its description and its parts."""

    __prompt_name__: ClassVar[str | None] = None
    """What prompts call the type, if not by its name; for this class alone, not for those that derive from it."""

    says_own_shape: ClassVar[bool] = False
    """Whether the description suffices, and no JSON schema need be shown beside it."""

    @classmethod
    def description(cls) -> str:
        """What the prompt says of the type, beside its name; nothing if empty."""
        return ""

    @classmethod
    def description_in(cls, layout: str) -> str:
        """``description()`` as it was worded in *layout*, for types whose wording has changed."""
        return cls.description()

    @classmethod
    def requirement_in(cls, layout: str) -> str:
        """What the end of a user's message says of an output of this type, in *layout*; if empty, the type's name."""
        return ""


class Turns:
    """The mark of a conversation: its ``messages`` become turns of their own."""

    messages: list[dict[str, Any]]


def content_types(annotation: Any) -> list[type[Content]]:
    """The content types in *annotation*, however deep they stand, in order; one that stands twice comes twice."""
    if isinstance(annotation, type) and not get_args(annotation):
        return [annotation] if issubclass(annotation, Content) else []
    return [kind for each in get_args(annotation) for kind in content_types(each)]


def sink_of(context: Any) -> Sink | None:
    """The sink in a serialisation *context*, if there is one."""
    return context.get(SINK) if isinstance(context, Mapping) else None

"""Enums and models of the live program, through which a document's are restored."""

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, TypeAlias, get_args

from progkit.content import Content, content_types

Restore: TypeAlias = Callable[[Any, Any], Any]
"""``restore(annotation, plain)``: *plain* as *annotation* has it; ValueError or TypeError if it cannot be."""


STAND_IN = "Blocks"
"""The content type that stands in for any other: the parts of a message as they are."""


def live_class(annotation: Any, name: str) -> type | None:
    """The enum or model called *name* that *annotation* can hold, itself, inside a model or as a subclass; or None."""
    found = _stand_ins(annotation) if name == STAND_IN else _classes(annotation, set())
    return next((each for each in found if each.__name__ == name), None)


def model_fields(kind: type) -> dict[str, Any] | None:
    """The fields of a pydantic model class by name, ``FieldInfo`` each; None for any other class."""
    return getattr(kind, "model_fields", None) if hasattr(kind, "model_validate") else None


def _stand_ins(annotation: Any) -> Iterator[type]:
    """What derives from the same class as a content type in *annotation*."""
    for kind in content_types(annotation):
        for base in kind.__mro__:
            if issubclass(base, Content):
                yield from base.__subclasses__()


def _classes(annotation: Any, seen: set[type]) -> Iterator[type]:
    for part in get_args(annotation):
        yield from _classes(part, seen)
    if isinstance(annotation, type) and annotation not in seen:
        seen.add(annotation)
        fields = model_fields(annotation)
        if fields is not None or issubclass(annotation, Enum):
            yield annotation
            for inner in (*(each.annotation for each in (fields or {}).values()), *annotation.__subclasses__()):
                yield from _classes(inner, seen)

"""Enums and models of the live program, through which a document's are restored."""

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, TypeAlias, get_args

Restore: TypeAlias = Callable[[Any, Any], Any]
"""``restore(annotation, plain)``: *plain* as *annotation* has it; ValueError or TypeError if it cannot be."""


def live_class(annotation: Any, name: str) -> type | None:
    """The enum or model called *name* that *annotation* can hold, itself, inside a model or as a subclass; or None."""
    return next((each for each in _classes(annotation, set()) if each.__name__ == name), None)


def model_fields(kind: type) -> dict[str, Any] | None:
    """The fields of a pydantic model class by name, ``FieldInfo`` each; None for any other class."""
    return getattr(kind, "model_fields", None) if hasattr(kind, "model_validate") else None


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

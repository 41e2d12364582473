"""The body of a signature class, read: its fields, and what in it is none."""

import inspect
from collections.abc import Mapping
from types import FrameType, FunctionType
from typing import Any, get_type_hints

from progkit.errors import SignatureError
from progkit.signature.field import Field


def take_fields(name: str, namespace: dict[str, Any]) -> dict[str, Field]:
    """Move the fields out of the class body *namespace*; not attached yet, their types not known.

    They leave it so that no field hides a method (``name``, ``fields``, ``append``) of the class.

    Raises:
        SignatureError: for a plain value; methods, classes and names that begin with ``_`` may stay.
    """
    fields = {each: value for each, value in namespace.items() if isinstance(value, Field)}
    for each, value in namespace.items():
        if each not in fields and not each.startswith("_") and not _may_stay(value):
            raise SignatureError(f"{name}.{each}: {_write_instead(each, value)}")
    for each in fields:
        del namespace[each]
    return fields


def attach_fields(cls: type, fields: Mapping[str, Field], frame: FrameType) -> dict[str, Field]:
    """*fields* with the names and types that they have in the body of *cls*.

    frame: where the class stands; its variables are for annotations that are still text.

    Raises:
        SignatureError: for an annotation without a field, or one that names what is not there.
    """
    annotations = _annotations(cls)
    for name in annotations:
        if name not in fields:
            value = vars(cls).get(name)
            raise SignatureError(f"{cls.__name__}.{name}: {_write_instead(name, value)}")
    attached = {}
    for name, field in fields.items():
        type_ = _resolve(cls, name, annotations[name], frame) if name in annotations else None
        try:
            attached[name] = field.attach(name, type_)
        except SignatureError as error:
            raise SignatureError(f"{cls.__name__}: {error}") from None
    return attached


def _annotations(cls: type) -> dict[str, Any]:
    try:
        return inspect.get_annotations(cls)
    except NameError as error:  # pragma: no cover - annotations are evaluated here from Python 3.14 on
        raise SignatureError(f"{cls.__name__}: the type of a field is not known here ({error})") from None


def _resolve(cls: type, name: str, annotation: Any, frame: FrameType) -> Any:
    """The type that *annotation* means; text inside it (``list["Invoice"]``) included."""
    if isinstance(annotation, Field):
        return annotation  # refused where it is attached, in words of its own
    holder = type(cls.__name__, (), {"__annotations__": {name: annotation}})
    try:
        return get_type_hints(holder, frame.f_globals, {**frame.f_locals, **vars(cls)}, include_extras=True)[name]
    except Exception as error:  # an annotation is any expression of its author's, and fails in any way
        raise SignatureError(
            f"{cls.__name__}.{name}: the type {annotation!r} cannot be read where the class stands "
            f"({type(error).__name__}: {error}); define or import what it names above the class"
        ) from None


def _may_stay(value: Any) -> bool:
    return isinstance(value, (FunctionType, classmethod, staticmethod, property, type))


def _write_instead(name: str, value: Any) -> str:
    if value is None:
        return f"not a field yet: write `{name}: ... = InputField()` or `= OutputField()`"
    return f"{value!r} is not a field: write `{name}: ... = InputField(default={value!r})`, or OutputField"

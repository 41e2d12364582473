"""The types of fields: what counts as one, what it is called, when two are the same, what pydantic makes of it."""

import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, Union, get_args, get_origin

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_PIPED: Any = types.UnionType if get_origin(int | None) is not get_origin(Union[int, None]) else object()  # noqa: UP007
"""The origin of ``X | None``, where that is not the one of ``Optional[X]``: it is from Python 3.14 on."""


def is_type(annotation: Any) -> bool:
    """Whether *annotation* can be a field's type: a class, a generic with its arguments, a union, Any."""
    if isinstance(annotation, (type, typing.NewType, typing.TypeVar)) or annotation is Any:
        return True
    if get_origin(annotation) not in (None, ClassVar, Final):
        return True
    return type(annotation).__name__ == "TypeAliasType"  # `type Names = list[str]`, from Python 3.12 on


def type_name(annotation: Any, union: str = "Union") -> str:
    """What the prompt calls *annotation*: ``list[str]``, ``Union[str, NoneType]``, ``Literal['a', "it's"]``.

    As DSPy 3.4 prints it; ``X | None`` and ``Optional[X]`` read the same, a model is its class's name. Older
    layouts have another word for the *union* that is spelled ``X | None``. A class whose own ``__prompt_name__``
    is set is called that.
    """
    return _write(annotation, _PROMPT if union == "Union" else replace(_PROMPT, union=union))


def type_text(annotation: Any) -> str:
    """What the text form of a signature calls *annotation*; it parses back, given the classes it names.

    The same as ``type_name`` but for what is no Python there: ``Callable[[int], str]``, ``tuple[()]``, strings
    with a backslash or a line break.
    """
    return _write(annotation, _TEXT)


def same_type(one: Any, other: Any) -> bool:
    """Whether both make the same prompts and take the same values.

    ``List[int]`` is ``list[int]`` and ``Optional[int]`` is ``int | None``; the order of a Literal or a union
    counts, as it does in a prompt.
    """
    return bool(_shape(one) == _shape(other))


def type_adapter(annotation: Any) -> "TypeAdapter[Any]":
    """Pydantic's view of *annotation*: validates, dumps, has a JSON schema. Made once for each type.

    Raises:
        pydantic.PydanticUserError: for a type of which pydantic knows nothing.
    """
    key = _Key(annotation)
    try:
        return _kept_adapter(key)
    except TypeError:
        if key.is_hashable:
            raise
        return _new_adapter(annotation)


class _Key:
    """An annotation by its shape: ``list[Literal['a', 'b']]`` and ``list[Literal['b', 'a']]`` are equal to Python."""

    __slots__ = ("annotation", "shape")

    def __init__(self, annotation: Any) -> None:
        self.annotation = annotation
        self.shape = _shape(annotation)

    @property
    def is_hashable(self) -> bool:
        try:
            hash(self.shape)
        except TypeError:
            return False
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and bool(self.shape == other.shape)

    def __hash__(self) -> int:
        return hash(self.shape)


@lru_cache(maxsize=1024)
def _kept_adapter(key: _Key) -> "TypeAdapter[Any]":
    return _new_adapter(key.annotation)


def _new_adapter(annotation: Any) -> "TypeAdapter[Any]":
    # The door of pydantic, which takes longer to import than all of progkit.
    from pydantic import TypeAdapter

    return TypeAdapter(annotation)


def _shape(annotation: Any) -> Any:
    """Nested tuples that are equal for the same type alone; hashable if all that *annotation* names is."""
    if isinstance(annotation, list):  # the arguments in Callable[[int], str]
        return tuple(_shape(each) for each in annotation)
    origin = get_origin(annotation)
    if _is_bare(annotation):
        return origin
    if origin is None:
        return type(None) if annotation is None else annotation
    args = get_args(annotation)
    if origin is Literal:
        return (Literal, *((type(each), each) for each in args))
    if origin is Annotated:
        return (Annotated, _shape(args[0]), *args[1:])
    return (Union if origin is types.UnionType else origin, *(_shape(each) for each in args))


@dataclass(frozen=True, slots=True)
class _Style:
    """How to write a string in a Literal, what has neither a name nor arguments, a generic with arguments, a name."""

    literal: Callable[[str], str]
    other: Callable[[Any], str]
    generic: Callable[[Any, str, str], str]
    named: Callable[[Any], Any] = attrgetter("__name__")
    union: str = "Union"


def _write(annotation: Any, style: _Style) -> str:
    origin = get_origin(annotation)
    if origin is None:
        name = style.named(annotation) if hasattr(annotation, "__name__") else None
        return name if isinstance(name, str) else style.other(annotation)
    quote = origin is Literal
    written = [
        style.literal(each) if quote and isinstance(each, str) else _write(each, style) for each in get_args(annotation)
    ]
    name = style.union if origin is _PIPED else getattr(origin, "__name__", str(origin))
    return style.generic(annotation, name, ", ".join(written))


def _prompt_literal(value: str) -> str:
    if "'" not in value:
        return f"'{value}'"
    if '"' not in value:
        return f'"{value}"'
    return "'" + value.replace("'", "\\'") + "'"


def _text_value(value: Any) -> str:
    if isinstance(value, list):  # the parameters in Callable[[int], str]
        return f"[{', '.join(type_text(each) for each in value)}]"
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    return "..." if value is ... else repr(value)


def _text_generic(annotation: Any, name: str, args: str) -> str:
    return name if _is_bare(annotation) else f"{name}[{args or '()'}]"


def _prompt_name(annotation: Any) -> Any:
    return getattr(annotation, "__dict__", {}).get("__prompt_name__") or annotation.__name__


_PROMPT = _Style(_prompt_literal, str, lambda annotation, name, args: f"{name}[{args}]", _prompt_name)
_TEXT = _Style(_text_value, _text_value, _text_generic)


def _is_bare(annotation: Any) -> bool:
    """Whether this is ``typing.List`` without arguments; ``tuple[()]`` has some, none of them."""
    return get_origin(annotation) is not None and not hasattr(annotation, "__args__")

"""The content of a signature class: what can be asked of it, when two are equal, how one is pickled."""

import inspect
import sys
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from progkit.errors import SignatureError
from progkit.signature.field import Field
from progkit.signature.types import type_text

if TYPE_CHECKING:
    from progkit.signature.meta import Signature

SignatureClass: TypeAlias = "type[Signature]"


class Contract(type):
    """A class whose content is fields and instructions; equal content makes equal classes."""

    _fields: dict[str, Field]
    _inputs: dict[str, Field]
    _outputs: dict[str, Field]
    _instructions: str

    @property
    def fields(cls) -> Mapping[str, Field]:
        """Every field by name, inputs first; read-only."""
        return MappingProxyType(cls._fields)

    @property
    def input_fields(cls) -> Mapping[str, Field]:
        """The fields that a call takes, by name; read-only."""
        return MappingProxyType(cls._inputs)

    @property
    def output_fields(cls) -> Mapping[str, Field]:
        """The fields that the LM gives, by name; read-only."""
        return MappingProxyType(cls._outputs)

    @property
    def instructions(cls) -> str:
        """What the LM is to do: the docstring, without its indentation."""
        return cls._instructions

    @property
    def name(cls) -> str:
        """The class's name."""
        return cls.__name__

    @property
    def signature(cls) -> str:
        """The text form, ``question, context: list[str] -> answer``; parses back, given the classes that it names."""
        return f"{_side(cls._inputs)} -> {_side(cls._outputs)}".strip()

    def equals(cls, other: object) -> bool:
        """Whether *other* is a signature with the same instructions and the same fields in the same order."""
        return cls == other

    def _seal(cls, fields: Iterable[Field], instructions: str) -> SignatureClass:
        """Give the class its content; done once, when it is made."""
        told = {field.name: field for field in fields}
        cls._inputs = {name: field for name, field in told.items() if field.role == "input"}
        cls._outputs = {name: field for name, field in told.items() if field.role == "output"}
        cls._fields = cls._inputs | cls._outputs
        cls._instructions = instructions
        return cast("SignatureClass", cls)

    def _make(cls, name: str, module: str, fields: Iterable[Field], instructions: str | None) -> SignatureClass:
        """A new class beside *cls*: the same root, none of its methods. Instructions of None are the default ones."""
        fields = list(fields)
        if instructions is None:
            instructions = default_instructions(fields)
        body = {"__module__": module, "__qualname__": name, "__doc__": instructions}
        return type.__new__(type(cls), name, (_root(cls),), body)._seal(fields, instructions)

    def __eq__(cls, other: object) -> bool:
        if cls is other:
            return True
        if not isinstance(other, Contract):
            return NotImplemented
        mine, theirs = cls._fields, other._fields
        return cls._instructions == other._instructions and list(mine.items()) == list(theirs.items())

    def __hash__(cls) -> int:
        return hash((cls._instructions, tuple(cls._fields)))

    def __repr__(cls) -> str:
        if not cls._fields:
            return type.__repr__(cls)
        lines = [f"{cls.__name__}({cls.signature}", f"instructions={cls._instructions!r}"]
        lines += [f"{name} = {field!r}" for name, field in cls._fields.items()]
        return "\n    ".join(lines) + "\n)"


def pickled(cls: Contract) -> "str | tuple[Any, ...]":
    """How to pickle *cls*: by its name if that is where it can be imported from, else by its content."""
    found: Any = sys.modules.get(cls.__module__)
    for part in cls.__qualname__.split("."):
        found = getattr(found, part, None)
    if found is cls:
        return str(cls.__qualname__)
    return unpickled, (_root(cls), cls.__name__, cls.__module__, tuple(cls._fields.values()), cls._instructions)


def unpickled(root: Contract, name: str, module: str, fields: Iterable[Field], instructions: str) -> Contract:
    """The class that ``pickled`` was given."""
    return root._make(name, module, fields, instructions)


def _root(cls: Contract) -> Contract:
    """``Signature``, from which every other comes."""
    return next(each for each in reversed(cls.__mro__) if isinstance(each, Contract))


def clean_instructions(text: str | None) -> str | None:
    """Instructions as a docstring is read: without common indentation and blank lines around; None if empty.

    ``inspect.cleandoc``, and once only: a second time could take away indentation that is meant.

    Raises:
        SignatureError: if *text* is neither text nor None.
    """
    if text is not None and not isinstance(text, str):
        raise SignatureError(f"instructions are text, not {text!r}")
    return inspect.cleandoc(text) if text and text.strip() else None


def default_instructions(fields: Iterable[Field]) -> str:
    """``Given the fields `a`, `b`, produce the fields `c`.``; nothing if there are no fields."""
    fields = list(fields)
    sides = {role: ", ".join(f"`{each.name}`" for each in fields if each.role == role) for role in ("input", "output")}
    return f"Given the fields {sides['input']}, produce the fields {sides['output']}." if fields else ""


def _side(fields: Mapping[str, Field]) -> str:
    return ", ".join(name if each.type is str else f"{name}: {type_text(each.type)}" for name, each in fields.items())

"""Changes to a signature: every one answers with a new signature and leaves the old one as it was."""

# ruff: noqa: N805 - the `self` of a metaclass is a class

from collections.abc import Iterable
from typing import Any

from progkit.errors import SignatureError, did_you_mean
from progkit.signature.contract import Contract, SignatureClass, clean_instructions
from progkit.signature.field import Field


class Changes(Contract):
    """What every signature class can do to make another."""

    def with_instructions(cls, instructions: str | None, *, exact: bool = False) -> SignatureClass:
        """This signature with other instructions; the default ones for "" and None.

        Read as a docstring is (``inspect.cleandoc``, as DSPy does), or with *exact* left as they are: for
        instructions that come from a signature, as cleaning twice takes indentation away that is meant.

        Raises:
            SignatureError: if they are not text.
        """
        text = (instructions or None) if exact and isinstance(instructions, str) else clean_instructions(instructions)
        return cls._make(cls.__name__, cls.__module__, cls._fields.values(), text)

    def with_updated_fields(cls, name: str, type_: Any = None, **arguments: Any) -> SignatureClass:
        """This signature with the field *name* of *type_*, or with arguments of ``InputField`` replaced.

        ``QA.with_updated_fields("answer", desc="one word", max_length=20)``

        Raises:
            SignatureError: if there is no such field, or fields have no such argument.
        """
        changed = cls._field(name).update(arguments).attach(name, type_)
        return cls._derived({**cls._fields, name: changed}.values())

    def append(cls, name: str, field: Field, type_: Any = None) -> SignatureClass:
        """This signature with *field* as the last input or output, under *name*.

        Raises:
            SignatureError: if the name is taken, or name, field or type cannot be.
        """
        return cls._with_new(None, name, field, type_)

    def prepend(cls, name: str, field: Field, type_: Any = None) -> SignatureClass:
        """This signature with *field* as the first input or output, under *name*.

        Raises:
            SignatureError: if the name is taken, or name, field or type cannot be.
        """
        return cls._with_new(0, name, field, type_)

    def insert(cls, index: int, name: str, field: Field, type_: Any = None) -> SignatureClass:
        """This signature with *field* at *index* among the inputs, or the outputs, under *name*.

        A negative index counts from behind: -1 is the last place, as in DSPy and unlike a list.

        Raises:
            SignatureError: if the index is out of range, the name taken, or name, field or type cannot be.
        """
        return cls._with_new(index, name, field, type_)

    def delete(cls, name: str) -> SignatureClass:
        """This signature without the field *name*.

        Raises:
            SignatureError: if there is no such field.
        """
        gone = cls._field(name)
        return cls._derived(field for field in cls._fields.values() if field is not gone)

    def _with_new(cls, index: int | None, name: str, field: Field, type_: Any) -> SignatureClass:
        if not isinstance(field, Field):
            raise SignatureError(f"{name!r} is added as InputField() or OutputField(), not {field!r}")
        if name in cls._fields:
            raise SignatureError(f"{cls.__name__} already has a field {name!r}: use with_updated_fields({name!r}, ...)")
        fields = list(cls._fields.values())
        own_role = [each for each in fields if each.role == field.role]
        count = len(own_role)
        place = count if index is None else index + count + 1 if index < 0 else index
        if not 0 <= place <= count:
            raise SignatureError(
                f"{cls.__name__} has {count} {field.role} fields: {name!r} cannot be inserted at {index}, "
                f"only at {-count - 1} to {count}"
            )
        own_role.insert(place, field.attach(name, type_))
        return cls._derived(own_role + [each for each in fields if each.role != field.role])

    def _field(cls, name: str) -> Field:
        if name not in cls._fields:
            known = list(cls._fields)
            told = ", ".join(map(repr, known)) or "none"
            raise SignatureError(f"{cls.__name__} has no field {name!r}{did_you_mean(str(name), known)}; it has {told}")
        return cls._fields[name]

    def _derived(cls, fields: Iterable[Field]) -> SignatureClass:
        return cls._make(cls.__name__, cls.__module__, fields, cls._instructions)

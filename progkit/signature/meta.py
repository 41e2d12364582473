"""``Signature`` and its metaclass: a class body, text or a dict becomes a signature class."""

import copyreg
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from progkit.errors import SignatureError
from progkit.signature.body import attach_fields, take_fields
from progkit.signature.changes import Changes
from progkit.signature.contract import clean_instructions, default_instructions, pickled
from progkit.signature.field import Field
from progkit.signature.text import parse


class SignatureMeta(Changes):
    """The class of every signature class; its properties and methods are those of ``QA``, not of an instance."""

    def __new__(mcs, name: str, bases: tuple[type, ...], body: dict[str, Any], **kwargs: Any) -> "SignatureMeta":
        """Read a class statement: fields, and the docstring as instructions, on top of what the bases have."""
        own = take_fields(name, body)
        cls = super().__new__(mcs, name, bases, body, **kwargs)
        signatures = [each for each in bases if isinstance(each, SignatureMeta)]
        fields: dict[str, Field] = {}
        for each in reversed(signatures):
            fields |= each._fields
        if signatures:  # all but Signature itself, which says in its docstring what it is
            fields |= attach_fields(cls, own, sys._getframe(1))
            told = clean_instructions(body.get("__doc__"))
            inherited = next((each._instructions for each in signatures if each._instructions), None)
            instructions = told or inherited or default_instructions(fields.values())
            cls.__doc__ = instructions or None
        else:
            instructions = ""
        return cls._seal(fields.values(), instructions)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make a signature: ``Signature("question -> answer")``. The others are not called, but given to Predict."""
        if cls is not Signature:
            raise SignatureError(f"a signature is not called; a predictor of it is: Predict({cls.__name__})(...)")
        return super().__call__(*args, **kwargs)


copyreg.pickle(SignatureMeta, pickled)


class Signature(metaclass=SignatureMeta):
    """The contract of one call: fields that it takes, fields that it gives, and instructions.

    As a class: annotated fields, and the docstring is the instructions::

        class QA(Signature):
            "Answer in one word."
            question: str = InputField()
            answer: Literal["yes", "no"] = OutputField(desc="no hedging")

    As text: ``Signature("question, context: list[str] -> answer: bool", "Answer briefly.")``.
    As a dict: ``Signature({"question": InputField(), "answer": (bool, OutputField())})``.
    """

    def __new__(  # type: ignore[misc]
        cls,
        fields: str | Mapping[str, Any],
        instructions: str | None = None,
        *,
        custom_types: Mapping[str, Any] | None = None,
        name: str = "StringSignature",
    ) -> "type[Signature]":
        """A new signature class.

        fields: text, or by name a field or ``(type, field)``. custom_types: what names in the text mean.

        Raises:
            SignatureSyntaxError: for text that is wrong, with the place.
            SignatureError: for anything else that makes no sense.
        """
        if isinstance(fields, str):
            told: Iterable[Field] = parse(fields, custom_types)
        elif isinstance(fields, Mapping):
            told = [_field_of(each, value) for each, value in fields.items()]
        else:
            raise SignatureError(f"a signature is made of text or of a dict of fields, not of {fields!r}")
        return cls._make(name, __name__, told, clean_instructions(instructions))


def signature_of(value: "str | type[Signature]") -> type[Signature]:
    """The signature that *value* is, or that its text means.

    Raises:
        SignatureSyntaxError: for text that is wrong, with the place.
        SignatureError: if it is neither.
    """
    if isinstance(value, str):
        return Signature(value)
    if isinstance(value, SignatureMeta) and value is not Signature:
        return value
    raise SignatureError(f"neither a signature class nor the text of one: {value!r}; write 'question -> answer'")


def _field_of(name: Any, value: Any) -> Field:
    type_, field = value if isinstance(value, tuple) and len(value) == 2 else (None, value)
    if not isinstance(field, Field):
        raise SignatureError(f"{name!r}: write InputField(), OutputField() or (type, InputField()), not {value!r}")
    return field.attach(name, type_)

"""What a layout needs of a signature at every call, worked out once."""

from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

from progkit.adapters.layouts import Layout
from progkit.adapters.reading import Reader, reader
from progkit.content import Turns
from progkit.errors import AdapterParseError
from progkit.signature import Signature

Inputs: TypeAlias = tuple[tuple[str, str, Any], ...]
"""Name, header line and type of each."""


class Plan:
    """The part of a signature that messages and parse use.

    inputs: all of them; asked: those that the question itself tells, without the history; history: the name of
    the input that is one, or None. outputs: name and type of each. requirements: what ends a user's message.
    readers: how to read each output, in the order of the signature.
    """

    __slots__ = ("asked", "history", "inputs", "is_json", "layout", "optional", "outputs", "readers", "requirements")

    def __init__(self, signature: type[Signature], layout: Layout, requirements: str, is_json: bool = False) -> None:
        self.layout = layout
        self.is_json = is_json
        self.requirements = requirements
        self.inputs: Inputs = tuple(
            (name, f"[[ ## {name} ## ]]\n", field.type) for name, field in signature.input_fields.items()
        )
        self.history = next((name for name, _, kind in self.inputs if _is_history(kind)), None)
        self.asked: Inputs = tuple(each for each in self.inputs if each[0] != self.history)
        self.outputs = tuple((name, field.type) for name, field in signature.output_fields.items())
        self.readers: dict[str, Reader] = {name: reader(kind) for name, kind in self.outputs}
        self.optional: dict[str, Callable[[], Any]] = {}
        for name, field in signature.output_fields.items():
            if field.has_default:
                self.optional[name] = field.make_default
            elif _allows_none(field.type):
                self.optional[name] = NoneType

    def read(self, adapter: str, reply: str, written: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs, in order, from what the *reply* has *written* for them; others may be there too.

        An output that is not there takes its default, or None where its type allows that.

        Raises:
            AdapterParseError: naming every output that is missing, and every value that does not fit.
        """
        fields: dict[str, Any] = {}
        missing, wrong = [], []
        for name, read in self.readers.items():
            if name in written:
                try:
                    fields[name] = read(written[name])
                except (ValueError, TypeError) as error:
                    wrong.append(f"field {name!r} does not fit: {_reason(error)}")
            elif name in self.optional:
                fields[name] = self.optional[name]()
            else:
                missing.append(name)
        if missing or wrong:
            raise AdapterParseError(adapter, reply, fields, missing, "; ".join(wrong))
        return fields


def _reason(error: Exception) -> str:
    told = getattr(error, "errors", None)
    if told is None:
        return str(error)
    # Pydantic's ValidationError, without its second half of links.
    places = [(each["msg"], ".".join(map(str, each["loc"]))) for each in told(include_url=False, include_context=False)]
    return ", ".join(f"{message} (at {place})" if place else message for message, place in places)


def _allows_none(annotation: Any) -> bool:
    if annotation is NoneType:
        return True
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _allows_none(args[0])
    return (origin is Union or origin is UnionType) and any(map(_allows_none, args))


def _is_history(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Turns)

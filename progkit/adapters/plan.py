"""What a layout needs of a signature at every call, worked out once."""

from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from progkit.adapters.reading import Reader, reader
from progkit.errors import AdapterParseError
from progkit.signature import Signature


class Plan:
    """The part of a signature that suffix and parse use.

    inputs: name, header line and type of each. requirements: what ends a user's message.
    readers: how to read each output, in the order of the signature.
    """

    __slots__ = ("inputs", "optional", "readers", "requirements")

    def __init__(self, signature: type[Signature], requirements: str) -> None:
        self.requirements = requirements
        self.inputs = tuple(
            (name, f"[[ ## {name} ## ]]\n", field.type) for name, field in signature.input_fields.items()
        )
        self.readers: dict[str, Reader] = {name: reader(field.type) for name, field in signature.output_fields.items()}
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

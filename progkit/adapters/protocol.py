"""The adapter as a program sees it: how a signature becomes messages, and a reply fields."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from progkit.signature import Signature


@runtime_checkable
class Adapter(Protocol):
    """Turns a signature, demos and inputs into messages, and a reply into fields.

    Pure: the same arguments give the same messages. Messages are ``{"role", "content"}`` dicts of
    the caller's own. A demo is an ``Example`` or a dict of field values.
    """

    @property
    def name(self) -> str:
        """What errors call it."""
        ...

    @property
    def fallback(self) -> "Adapter | None":
        """Who asks once more when a reply cannot be parsed; None for nobody."""
        ...

    def prefix(self, signature: type[Signature], demos: Sequence[Any]) -> list[dict[str, Any]]:
        """The system message and the demos: all that does not depend on a call's inputs."""
        ...

    def suffix(self, signature: type[Signature], inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The messages of this call."""
        ...

    def format(
        self, signature: type[Signature], demos: Sequence[Any], inputs: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """The whole request: ``prefix`` and then ``suffix``."""
        ...

    def reply(self, signature: type[Signature], outputs: Mapping[str, Any]) -> str:
        """The reply of an LM that says *outputs*: ``parse`` reads them from it."""
        ...

    def parse(self, signature: type[Signature], text: str) -> dict[str, Any]:
        """The output fields that *text* says, in the order of the signature.

        Raises:
            AdapterParseError: if a field is missing or its value does not fit its type.
        """
        ...

    def params(self, signature: type[Signature], model: str) -> dict[str, Any]:
        """Parameters that the request to *model* needs beside the messages; the caller's own."""
        ...

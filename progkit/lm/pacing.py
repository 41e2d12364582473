"""How fast LMs are asked: a gate that requests pass, where one is in force. A batch puts one there.

A request waits at the gate before it is sent, and a retry before it is sent again; the gate hears of every reply and
every failure, and so can hold back everybody when a provider says that one asks too much.
"""

from collections.abc import Generator, Iterator
from contextvars import ContextVar
from typing import Any, Protocol

from progkit.errors import LMError
from progkit.lm.request import Request
from progkit.lm.response import Response


class Gate(Protocol):
    """What requests pass; may be asked from many threads."""

    def pauses(self, request: Request | None) -> Generator[float, None, Any]:
        """Seconds to let pass, one after the other, until *request* may be sent; None: a retry of some request.

        What it returns is handed to ``done``.
        """
        ...

    def done(self, request: Request, ticket: Any, outcome: Response | BaseException) -> None:
        """Hear what came of *request*, retries included; *ticket*: what ``pauses`` returned."""
        ...

    def failed(self, error: LMError) -> None:
        """Hear of a failure that may be followed by a retry."""
        ...


gate: ContextVar[Gate | None] = ContextVar("progkit_gate", default=None)
"""The gate in force here."""


def asked(request: Request) -> Generator[Any, Any, Response]:
    """Yield the seconds to let pass, then *request* itself, to be sent; return what came of it."""
    here = gate.get()
    if here is None:
        only: Response = yield request
        return only
    ticket = yield from here.pauses(request)
    try:
        response: Response = yield request
    except BaseException as error:  # whatever it is, the gate has counted the request
        here.done(request, ticket, error)
        raise
    here.done(request, ticket, response)
    return response


def failed(error: LMError) -> None:
    """Tell the gate of a failure that may be followed by a retry."""
    here = gate.get()
    if here is not None:
        here.failed(error)


def pauses() -> Iterator[float]:
    """Seconds to let pass before a retry."""
    here = gate.get()
    return iter(()) if here is None else here.pauses(None)

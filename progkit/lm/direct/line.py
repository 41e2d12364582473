"""One HTTP/1.1 connection on the running event loop: ``h11`` speaks, ``asyncio`` carries, one request at a time.

``httpx`` speaks by the same ``h11``, but through layers for what is not wanted here (trio, HTTP/2, a pool, tracing),
and these take five times the CPU of all the rest. Errors are ``httpx``'s.
"""

import asyncio
import select
import socket
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Self

MOST_OF_HEAD = 100 * 1024
"""Bytes of a reply's head; ``httpx``'s."""
_DELAY = 0.25
"""Seconds after which the next address of a host is tried; ``httpx``'s (RFC 8305)."""
_SHORT = 2**16
"""Bytes of a body that lie in no buffer once they are written, but in those of the two systems."""


class Raw(NamedTuple):
    """A reply as it came. headers: their names in lower case. chunks: of the body, packed; None if it is too large."""

    status: int
    headers: list[tuple[bytes, bytes]]
    chunks: list[bytes] | None


class Line(asyncio.Protocol):
    """A connection, opened by ``open``. errors: where ``httpx``'s are. most: bytes of a body."""

    def __init__(self, errors: Any, most: int) -> None:
        import h11  # 10 ms; httpx brings it, and it is wanted when that is: once something is asked

        self._h11: Any = h11
        self._wire: Any = h11.Connection(h11.CLIENT, MOST_OF_HEAD)
        self._errors = errors
        self._most = most
        self._transport: Any = None
        self._is_readable: Callable[[], bool] = bool
        self._waiting: asyncio.Future[Raw] | None = None
        self._head: Any = None
        self._chunks: list[bytes] = []
        self._size = 0
        self._asked = 0

    @classmethod
    async def open(cls, errors: Any, most: int, host: str, port: int, trust: Any) -> Self:
        """A new connection; *trust*: the ``SSLContext``, None for no TLS.

        Raises:
            httpx.ConnectError: if there is none.
        """
        from aiohappyeyeballs import start_connection  # as h11; asyncio's own race loses sockets when it is cancelled

        loop = asyncio.get_running_loop()
        name: dict[str, Any] = {"server_hostname": host} if trust is not None else {}
        try:
            found = _numeric(host, port) or await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            reached = await start_connection(found, happy_eyeballs_delay=_DELAY, interleave=1, loop=loop)
            made = await loop.create_connection(lambda: cls(errors, most), sock=reached, ssl=trust, **name)
        except (OSError, UnicodeError) as error:
            raise errors.ConnectError(str(error)) from error
        return made[1]

    @property
    def is_free(self) -> bool:
        """Whether it can take a request: nobody has closed it, and nothing lies there that was not asked for."""
        return self._transport is not None and not self._is_readable()

    async def ask(self, target: bytes, headers: Iterable[tuple[Any, Any]], body: bytes) -> Raw:
        """Post *body* and wait for the reply; after a failure, or when cancelled, ``close``.

        Raises:
            httpx.LocalProtocolError, UnicodeEncodeError: for what cannot be sent.
            httpx.ReadError, httpx.RemoteProtocolError: if there is no reply.
        """
        h11 = self._h11
        try:
            request = h11.Request(method=b"POST", target=target, headers=list(headers))
            parts = [self._wire.send(each) for each in (request, h11.Data(data=body), h11.EndOfMessage())]
        except h11.LocalProtocolError as error:
            raise self._errors.LocalProtocolError(str(error)) from None
        if self._transport is None:
            raise self._errors.ReadError("the connection was closed")
        waiting: asyncio.Future[Raw] = asyncio.get_running_loop().create_future()
        self._waiting = waiting
        self._asked = len(body)
        self._transport.write(b"".join(each for each in parts if each))
        return await waiting

    def close(self) -> None:
        """Close it at once; the loop has to turn for that."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    # --- what asyncio tells -------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """It is open."""
        self._transport = transport
        self._is_readable = _look(transport.get_extra_info("socket").fileno())

    def data_received(self, data: bytes) -> None:
        """Something has come."""
        if self._waiting is None:
            self.close()
        else:
            self._read(data)

    def eof_received(self) -> None:
        """Nothing more will come."""
        if self._waiting is not None:
            self._read(b"")

    def connection_lost(self, error: Exception | None) -> None:
        """It is closed."""
        self._transport = None
        self._fail("ReadError", str(error or "the connection was closed"))

    # --- the reply ----------------------------------------------------------------------------

    def _read(self, data: bytes) -> None:
        h11 = self._h11
        try:
            self._wire.receive_data(data)
            while self._waiting is not None:
                event = self._wire.next_event()
                kind = type(event)
                if kind is h11.Data:
                    self._take(event.data)
                elif kind is h11.Response:
                    self._head = event
                elif kind is h11.EndOfMessage:
                    self._end()
                elif kind is not h11.InformationalResponse:  # it needs more
                    return
        except h11.RemoteProtocolError as error:
            said = str(error) if data else "the server disconnected before the reply was whole"
            self._fail("RemoteProtocolError", said)

    def _take(self, data: Any) -> None:
        self._chunks.append(bytes(data))
        self._size += len(data)
        if self._size > self._most:
            self._answer(None)

    def _end(self) -> None:
        chunks, self._chunks, self._size = self._chunks, [], 0
        done = self._h11.DONE
        is_over = self._wire.our_state is done is self._wire.their_state and not self._wire.trailing_data[0]
        if is_over and self._is_sent:
            self._wire.start_next_cycle()
        else:  # it was the last one, or more has come than was asked for, or more is to be sent than was read
            self.close()
        self._answer(chunks)

    @property
    def _is_sent(self) -> bool:
        """Whether the server has surely read the question; one that refuses a long one may not have."""
        if self._transport is None or self._transport.get_write_buffer_size():
            return False
        return self._head.status_code < 400 or self._asked <= _SHORT

    def _answer(self, chunks: list[bytes] | None) -> None:
        waiting, self._waiting = self._waiting, None
        head, self._head = self._head, None
        if waiting is not None and not waiting.done():
            waiting.set_result(Raw(head.status_code, head.headers, chunks))

    def _fail(self, name: str, text: str) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(getattr(self._errors, name)(text))


def _numeric(host: str, port: int) -> list[Any]:
    """The address that *host* is itself; none if it is a name, which a thread has to look up."""
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return []


def _look(descriptor: int) -> Callable[[], bool]:
    """A way to see, without waiting, whether something has come on a socket, or its end."""
    if not hasattr(select, "poll"):  # pragma: no cover - Windows
        return lambda: bool(select.select([descriptor], [], [], 0)[0])
    watch = select.poll()
    watch.register(descriptor, select.POLLIN)
    return lambda: bool(watch.poll(0))

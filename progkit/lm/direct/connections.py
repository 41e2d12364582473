"""HTTP, and the one place that knows ``httpx``: the connections of each event loop, kept open, each for one at a time.

``httpx``'s own pool looks at every connection for every request: at 256 requests at a time that is ten times the CPU of
all the rest. So the idle connections lie on a stack here, and taking one is a pop; each is a ``Line``, or, behind a
proxy, a client of ``httpx``'s with room for one. HTTP/1.1: with so many connections nothing waits for another's reply,
and HTTP/2 costs more CPU, being written in Python; who wants few connections has it of ``httpx`` (``client="http2"``).
"""

import asyncio
import os
import ssl
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

from progkit.lm.direct.line import Line, Raw

AT_ONCE = 1000
"""Connections that an event loop has open at most, as OpenAI's client has; further requests wait."""
IDLE = 15.0
"""Seconds after which an unused connection is closed."""
LARGEST = 64 * 2**20
"""Bytes of a reply, unpacked; a larger one is an error."""
_HOPS = 3
"""Redirects followed, within the same origin."""
_PIECE = 2**16
"""Bytes that are unpacked at a time."""
_FRAMING = frozenset(("host", "content-length", "transfer-encoding"))
"""Headers that a request has in any case, unless the caller gives some of them."""


class Reply(NamedTuple):
    """What came back. headers: of a status of 300 and more. body: None if it is larger than ``LARGEST``."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None


async def post(url: str, headers: Mapping[str, str], body: bytes, http2: bool = False) -> Reply:
    """Send *body* and read the reply whole. It takes as long as it takes; cancelling closes the connection.

    http2: by HTTP/2, on a connection that is shared, if the server offers that when TLS begins.

    Raises:
        httpx.HTTPError: if there is none. httpx.InvalidURL, UnicodeEncodeError: for what cannot be sent.
    """
    connections = await _connections()
    for _ in range(_HOPS):
        reply = await connections.post(_Sending(url, headers, body), http2)
        if reply.status not in (307, 308):
            return reply
        onward = _onward(url, reply.headers.get("location", ""))
        if onward is None:
            return reply
        url = onward
    return reply


class Connections:
    """The connections of one event loop."""

    def __init__(self) -> None:
        self._idle: dict[str, deque[tuple[Any, float]]] = {}
        self._shared: _Client | None = None
        self._room = asyncio.Semaphore(AT_ONCE)
        self._sweeping = False
        self._closing: asyncio.Task[None] | None = None
        self.keeper: AsyncGenerator[None, None] | None = None

    async def post(self, request: "_Sending", http2: bool) -> Reply:
        """Send one request on a connection of its own, or on a shared one by *http2*."""
        async with self._room:
            if http2:
                self._shared = self._shared or _Client(http2=True)
                return await self._shared.post(request)
            idle = self._idle.setdefault(request.origin, deque())
            connection = _free(idle) or await _connection(request)
            try:
                reply: Reply = await connection.post(request)
            except BaseException:  # a cancellation, too: whatever is still to come on it must not reach another
                await connection.aclose()
                raise
            if reply.body is None:
                await connection.aclose()
            else:
                self._keep(idle, connection)
        return reply

    def _keep(self, idle: deque[tuple[Any, float]], connection: Any) -> None:
        loop = asyncio.get_running_loop()
        idle.append((connection, loop.time()))
        if not self._sweeping:
            self._sweeping = True
            loop.call_later(IDLE, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close what has lain idle for long; come back while anything is left."""
        since = loop.time() - IDLE
        old = []
        for idle in self._idle.values():
            while idle and idle[0][1] <= since:
                old.append(idle.popleft()[0])
        self._sweeping = any(self._idle.values())
        if self._sweeping:
            loop.call_later(IDLE / 2, self._sweep, loop)
        if old:
            self._closing = loop.create_task(_close(old))

    async def close(self) -> None:
        """Close every idle connection."""
        idle = [connection for each in self._idle.values() for connection, _ in each]
        shared, self._shared = self._shared, None
        self._idle.clear()
        await _close([*idle, shared] if shared else idle)


_by_loop: dict[asyncio.AbstractEventLoop, Connections] = {}


async def _connections() -> Connections:
    """Those of the running loop; closed when it shuts down its asynchronous generators, as ``asyncio.run`` does."""
    loop = asyncio.get_running_loop()
    found = _by_loop.get(loop)
    if found is None:
        for each in [each for each in list(_by_loop) if each.is_closed()]:
            _by_loop.pop(each, None)
        found = _by_loop[loop] = Connections()
        found.keeper = _keeper(loop)
        await anext(found.keeper)
    return found


async def _keeper(loop: asyncio.AbstractEventLoop) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        found = _by_loop.pop(loop, None)
        if found is not None:  # pragma: no branch - it is, but in a forked child
            await found.close()


async def _close(connections: list[Any]) -> None:
    for each in connections:
        await each.aclose()
    await asyncio.sleep(0)  # one turn of the loop, in which they are closed


def _free(idle: deque[tuple[Any, float]]) -> Any:
    """The connection used last of those that are still good; None if there is none."""
    while idle:
        connection = idle.pop()[0]
        if connection.is_free:
            return connection
        connection.close()
    return None


class _Sending:
    """A request to be sent: *address* and *origin* are those of its *url*."""

    __slots__ = ("address", "body", "headers", "origin")

    def __init__(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        self.address, self.origin = _parsed(url)
        self.headers = headers
        self.body = body

    def raw(self) -> Iterable[tuple[Any, Any]]:
        """The headers, as ``httpx`` would send them."""
        if not _FRAMING.isdisjoint(self.headers):
            framed: list[tuple[bytes, bytes]] = self.whole().headers.raw
            return framed
        return (("Host", self.address.netloc), *self.headers.items(), ("Content-Length", str(len(self.body))))

    def whole(self) -> Any:
        """An ``httpx.Request``."""
        import httpx  # as in ``_connection``

        return httpx.Request("POST", self.address, headers=self.headers, content=self.body)


class _Direct:
    """A connection to the server itself."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.close = line.close

    @property
    def is_free(self) -> bool:
        return self._line.is_free

    async def post(self, request: _Sending) -> Reply:
        return _read(await self._line.ask(request.address.raw_path, request.raw(), request.body))

    async def aclose(self) -> None:
        self._line.close()


class _Client:
    """A client of ``httpx``'s: behind the environment's proxies one for each connection, or one for all by *http2*."""

    is_free = True

    def __init__(self, http2: bool = False) -> None:
        import httpx  # as in ``_connection``

        most = None if http2 else 1
        limits = httpx.Limits(max_connections=most, max_keepalive_connections=most, keepalive_expiry=IDLE)
        # A context is for one of the two: ``httpx`` writes into it what is offered to the server.
        trust = httpx.create_ssl_context() if http2 else _trust()
        self._client = httpx.AsyncClient(verify=trust, limits=limits, timeout=None, trust_env=True, http2=http2)

    async def post(self, request: _Sending) -> Reply:
        response = await self._client.send(request.whole(), stream=True)
        chunks, size = [], 0
        try:
            async for chunk in response.aiter_raw():
                chunks.append(chunk)
                size += len(chunk)
                if size > LARGEST:
                    break
        finally:
            await response.aclose()
        return _read(Raw(response.status_code, response.headers.raw, chunks if size <= LARGEST else None))

    async def aclose(self) -> None:
        await self._client.aclose()


async def _connection(request: _Sending) -> Any:
    """A new connection for *request*."""
    import httpx  # 60 ms, and only wanted once something is asked: the reason for this door

    if set(getproxies()) - {"no"}:
        return _Client()
    address = request.address
    is_secure = address.scheme == "https"
    port = address.port or (443 if is_secure else 80)
    return _Direct(await Line.open(httpx, LARGEST, address.raw_host.decode(), port, _trust() if is_secure else None))


def _read(raw: Raw) -> Reply:
    """The reply, its body unpacked."""
    is_packed = any(name.lower() == b"content-encoding" for name, _ in raw.headers)
    if raw.chunks is None or (raw.status < 300 and not is_packed):
        return Reply(raw.status, {}, None if raw.chunks is None else b"".join(raw.chunks))
    import httpx  # as in ``_connection``

    response = httpx.Response(raw.status, headers=raw.headers, content=_pieces(raw.chunks))
    chunks, size = [], 0
    for chunk in response.iter_bytes():
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST:
            return Reply(raw.status, response.headers, None)
    return Reply(raw.status, response.headers, b"".join(chunks))


def _pieces(chunks: list[bytes]) -> Iterator[bytes]:
    """*chunks* in pieces that are small when unpacked, too."""
    for chunk in chunks:
        for at in range(0, len(chunk), _PIECE):
            yield chunk[at : at + _PIECE]


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    """What TLS trusts: certifi's authorities, or ``SSL_CERT_FILE``'s; read once, which takes some 20 ms."""
    import httpx  # as above

    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


@lru_cache(maxsize=256)
def _parsed(url: str) -> tuple[Any, str]:
    import httpx  # as above

    return httpx.URL(url), _origin(url)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def _onward(url: str, location: str) -> str | None:
    """Where a redirect leads if it stays within the origin; elsewhere neither prompt nor key may go."""
    import httpx  # as above

    try:
        onward = str(httpx.URL(url).join(location))
        return onward if location and _origin(onward) == _origin(url) and "@" not in onward else None
    except (httpx.InvalidURL, ValueError):
        return None


def _forked() -> None:  # pragma: no cover - in a forked child, where coverage does not look; a test forks
    """Forget the parent's connections without closing them; but hold them, so that nothing else does."""
    _parents.append(dict(_by_loop))
    _by_loop.clear()


_parents: list[Any] = []
if hasattr(os, "register_at_fork"):  # pragma: no branch - everywhere but on Windows
    os.register_at_fork(after_in_child=_forked)

"""HTTP, and the one place that knows ``httpx``: the connections of each event loop, kept open, each for one at a time.

``httpx``'s own pool looks at every connection for every request: at 256 requests at a time that is ten times the CPU of
all the rest. So each connection here is a transport of its own with room for one, the idle ones lie on a
stack, and taking one is a pop. HTTP/1.1: with so many connections nothing waits for another's reply, and HTTP/2
costs more CPU, being written in Python.
"""

import asyncio
import os
import ssl
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

AT_ONCE = 1000
"""Connections that an event loop has open at most, as OpenAI's client has; further requests wait."""
IDLE = 15.0
"""Seconds after which an unused connection is closed."""
LARGEST = 64 * 2**20
"""Bytes of a reply, unpacked; a larger one is an error."""
_HOPS = 3
"""Redirects followed, within the same origin."""


class Reply(NamedTuple):
    """What came back. body: None if it is larger than ``LARGEST``."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None


async def post(url: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """Send *body* and read the reply whole. It takes as long as it takes; cancelling closes the connection.

    Raises:
        httpx.HTTPError: if there is none. httpx.InvalidURL, UnicodeEncodeError: for what cannot be sent.
    """
    connections = await _connections()
    for _ in range(_HOPS):
        reply = await connections.post(url, headers, body)
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
        self._room = asyncio.Semaphore(AT_ONCE)
        self._sweeping = False
        self._closing: asyncio.Task[None] | None = None
        self.keeper: AsyncGenerator[None, None] | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send one request on a connection of its own."""
        request, origin = _request(url, headers, body)
        async with self._room:
            idle = self._idle.setdefault(origin, deque())
            connection = idle.pop()[0] if idle else _connection(origin)
            try:
                reply = await _sent(connection, request)
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
        self._idle.clear()
        await _close(idle)


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


async def _sent(connection: Any, request: Any) -> Reply:
    """Send and read; a connection is a transport, or a client where there is a proxy."""
    if hasattr(connection, "handle_async_request"):
        response = await connection.handle_async_request(request)
    else:
        response = await connection.send(request, stream=True)
    try:
        chunks, size = [], 0
        async for chunk in response.aiter_bytes():
            chunks.append(chunk)
            size += len(chunk)
            if size > LARGEST:
                return Reply(response.status_code, response.headers, None)
    finally:
        await response.aclose()
    return Reply(response.status_code, response.headers, b"".join(chunks))


def _connection(origin: str) -> Any:
    """A connection to be: it opens with its first request."""
    import httpx  # 60 ms, and only wanted once something is asked: the reason for this door

    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=IDLE)
    if set(getproxies()) - {"no"}:
        return httpx.AsyncClient(verify=_trust(), limits=limits, timeout=None, trust_env=True)
    verify = _trust() if origin.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.AsyncHTTPTransport(verify=verify, limits=limits, trust_env=False)


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    """What TLS trusts: certifi's authorities, or ``SSL_CERT_FILE``'s; read once, which takes some 20 ms."""
    import httpx  # as above

    return httpx.create_ssl_context()


def _request(url: str, headers: Mapping[str, str], body: bytes) -> tuple[Any, str]:
    import httpx  # as above

    address, origin = _parsed(url)
    return httpx.Request("POST", address, headers=headers, content=body), origin


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

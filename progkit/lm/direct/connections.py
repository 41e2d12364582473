"""The connections of each event loop, kept open, each for one request at a time.

``httpx``'s own pool looks at every connection for every request: at 256 requests at a time that is ten times the CPU of
all the rest. So the idle connections lie on a stack here, and taking one is a pop; each is a ``Line``, or, behind a
proxy, a client of ``httpx``'s with room for one. HTTP/1.1: with so many connections nothing waits for another's reply,
and HTTP/2 costs more CPU, being written in Python; who wants few connections has it of ``httpx`` (``client="http2"``).
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from typing import Any
from urllib.request import getproxies

from progkit.lm.direct.carriers import IDLE, Client, Reply, Sending, carrier, onward

AT_ONCE = 1000
"""Connections that an event loop has open at most, as OpenAI's client has; further requests wait."""
SPARE = 64
"""Idle connections to other places that are kept when a new one is opened: a process has few descriptors to spare."""
_HOPS = 3
"""Redirects followed, within the same origin."""


async def post(url: str, headers: Mapping[str, str], body: bytes, http2: bool = False) -> Reply:
    """Send *body* and read the reply whole. It takes as long as it takes; cancelling closes the connection.

    http2: by HTTP/2, on a connection that is shared, if the server offers that when TLS begins.

    Raises:
        httpx.HTTPError: if there is none. httpx.InvalidURL, UnicodeEncodeError: for what cannot be sent.
    """
    connections = await _connections()
    for _ in range(_HOPS):
        reply = await connections.post(Sending(url, headers, body), http2)
        if reply.status not in (307, 308):
            return reply
        further = onward(url, reply.headers.get("location", ""))
        if further is None:
            return reply
        url = further
    return reply


class Connections:
    """The connections of one event loop."""

    def __init__(self) -> None:
        self._idle: dict[str, deque[tuple[Any, float]]] = {}
        self._shared: Client | None = None
        self._room = asyncio.Semaphore(AT_ONCE)
        self._busy = 0
        self._proxies: dict[str, str] = {}
        self._sweeping = False
        self._closing: set[asyncio.Task[None]] = set()
        self.keeper: AsyncGenerator[None, None] | None = None

    async def post(self, request: Sending, http2: bool) -> Reply:
        """Send one request on a connection of its own, or on a shared one by *http2*."""
        async with self._room:
            if not self._busy:  # so at the begin of each batch, and not at each of its calls
                self._follow_environment()
            self._busy += 1
            try:
                return await (self._post_shared(request) if http2 else self._post(request))
            finally:
                self._busy -= 1

    async def _post_shared(self, request: Sending) -> Reply:
        self._shared = self._shared or Client(http2=True)
        return await self._shared.post(request)

    async def _post(self, request: Sending) -> Reply:
        idle = self._idle.setdefault(request.origin, deque())
        connection = _free(idle)
        if connection is None:
            self._make_room(idle)
            connection = await carrier(request)
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

    def _follow_environment(self) -> None:
        """Give up what is idle if the environment names other proxies than before."""
        before, self._proxies = self._proxies, getproxies()
        if self._proxies != before:
            self._let_go(self._taken())

    def _make_room(self, own: deque[tuple[Any, float]]) -> None:
        """Close idle connections to elsewhere, the oldest first, but for some."""
        others = [each for each in self._idle.values() if each and each is not own]
        surplus = sum(map(len, others)) - SPARE
        if surplus > 0:
            oldest = sorted((lain[1], number) for number, each in enumerate(others) for lain in each)[:surplus]
            self._let_go([others[number].popleft()[0] for _, number in oldest])

    def _let_go(self, connections: list[Any]) -> None:
        if connections:
            closing = asyncio.get_running_loop().create_task(_close(connections))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def _taken(self) -> list[Any]:
        """Every idle connection, and the shared one, kept no more."""
        idle = [connection for each in self._idle.values() for connection, _ in each]
        for each in self._idle.values():  # which calls under way may put theirs into
            each.clear()
        shared, self._shared = self._shared, None
        return [*idle, shared] if shared else idle

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
        self._let_go(old)

    async def close(self) -> None:
        """Close every idle connection."""
        await _close(self._taken())


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


def _forked() -> None:  # pragma: no cover - in a forked child, where coverage does not look; a test forks
    """Forget the parent's connections without closing them; but hold them, so that nothing else does."""
    _parents.append(dict(_by_loop))
    _by_loop.clear()


_parents: list[Any] = []
if hasattr(os, "register_at_fork"):  # pragma: no branch - everywhere but on Windows
    os.register_at_fork(after_in_child=_forked)

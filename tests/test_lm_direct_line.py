"""One connection of the direct client: what it sends and reads beside httpx's own, byte for byte, and how it ends."""

import asyncio
import gzip
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
from direct_cases import HI, LEFT, REQUESTS, Case
from servers import ChatServer, Reply

from progkit.errors import LMServerError
from progkit.lm import LM, Prefix, Request
from progkit.lm.direct import carriers, connections
from progkit.lm.direct.line import MOST_OF_HEAD, Line
from progkit.lm.direct.preparing import Prepared

HEADERS = {"accept": "application/json", "authorization": "Bearer fake"}
BODY = b'{"messages":[]}'


class Raw:
    """A server that answers each request with *says*, piece by piece, and then closes if *ends*; ``got``: what came."""

    def __init__(self, *says: bytes, ends: bool = False) -> None:
        self.says = says
        self.ends = ends
        self.got: list[bytes] = []
        self.connections = 0
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{self.port}/v1/chat/completions"
        finally:
            server.close()  # and no more: newer Pythons would wait until clients have closed what they keep

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.got.append(head + await reader.readexactly(len(BODY)))
                for piece in self.says:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.002)
                if self.ends:
                    break
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            writer.close()


async def by_httpx(url: str, headers: dict[str, str] = HEADERS) -> tuple[int, bytes]:
    async with httpx.AsyncHTTPTransport(trust_env=False) as transport:
        response = await transport.handle_async_request(httpx.Request("POST", url, headers=headers, content=BODY))
        return response.status_code, await response.aread()


async def by_line(url: str, headers: dict[str, str] = HEADERS) -> tuple[int, bytes]:
    reply = await connections.post(url, headers, BODY)
    assert reply.body is not None
    return reply.status, reply.body


async def outcome(call: Any, url: str) -> Any:
    """What it gives, or the class of what it raises."""
    try:
        return await asyncio.wait_for(call(url), 5)
    except httpx.HTTPError as error:
        return type(error)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
REPLIES: dict[str, tuple[bytes, ...]] = {
    "plain": (OK,),
    "byte by byte": tuple(bytes([each]) for each in OK),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",),
    "bare line feeds": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",),
    "chunked": (CHUNKED + b"1\r\no\r\n1;ext=1\r\nk\r\n0\r\n\r\n",),
    "chunked, with a trailer": (CHUNKED + b"2\r\n", b"ok\r\n0\r\nDigest: x\r\n\r\n"),
    "chunked, badly": (CHUNKED + b"zz\r\nok\r\n0\r\n\r\n",),
    "interim replies": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK,),
    "interim reply, then silence cut short": (b"HTTP/1.1 100 Continue\r\n\r\n",),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n",),
    "empty": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",),
    "until it closes": (b"HTTP/1.0 200 OK\r\n\r\n", b"o", b"k"),
    "packed": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(gzip.compress(b"ok")),
        gzip.compress(b"ok"),
    ),
    "both lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",),
    "a length that is none": (b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",),
    "too short": (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le",),
    "half a chunk": (CHUNKED + b"5\r\nok",),
    "silence": (),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n",),
    "a header without a colon": (b"HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 2\r\n\r\nok",),
    "a header with a NUL": (b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok",),
    "a head too large": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * (MOST_OF_HEAD // 4),),
    "an error": (b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",),
}


@pytest.mark.parametrize("says", REPLIES.values(), ids=REPLIES.keys())
def test_replies_are_read_as_httpx_reads_them(says: tuple[bytes, ...]) -> None:
    """The same status and body, or the same error; the server closes the connection afterwards."""

    async def both() -> list[Any]:
        async with Raw(*says, ends=True).serving() as url:
            return [await outcome(call, url) for call in (by_httpx, by_line)]

    theirs, ours = asyncio.run(both())

    assert ours == theirs


@pytest.mark.parametrize(
    "headers",
    [
        HEADERS,
        {},
        {**HEADERS, "host": "other.test"},
        {**HEADERS, "content-length": str(len(BODY)), "x-mine": "spaced out"},
    ],
)
def test_requests_are_httpx_s_to_the_byte(headers: dict[str, str]) -> None:
    """Names, order, case and framing."""

    async def both() -> list[bytes]:
        server = Raw(OK)
        async with server.serving() as url:
            await by_httpx(url, headers)
            await by_line(url, headers)
        return server.got

    theirs, ours = asyncio.run(both())

    assert ours == theirs


@pytest.mark.parametrize("headers", [{"x": " spaced "}, {"x": "a\nb"}, {"a b": "x"}, {"x": "é"}])
def test_what_cannot_be_sent_is_refused_as_httpx_does(headers: dict[str, str]) -> None:
    """A header that would break the request, or smuggle another one in."""

    async def both() -> list[Any]:
        found: list[Any] = []
        server = Raw(OK)
        async with server.serving() as url:
            for call in (by_httpx, by_line):
                with pytest.raises((httpx.LocalProtocolError, UnicodeEncodeError)) as caught:
                    await call(url, headers)
                found.append(caught.type)
        assert not server.got
        return found

    theirs, ours = asyncio.run(both())

    assert ours is theirs


# --- what is used again ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ((OK,), 1),
        ((CHUNKED + b"2\r\nok\r\n0\r\n\r\n",), 1),
        ((b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",), 3),
        ((b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",), 3),
        ((OK + OK,), 3),
        ((OK, OK), 3),
    ],
    ids=["kept", "kept, chunked", "closed", "old", "more than was asked for", "more, later"],
)
def test_only_a_clean_connection_is_used_again(says: tuple[bytes, ...], expected: int) -> None:
    """What a server sends unasked is never taken for the reply to the next request."""

    async def thrice() -> int:
        server = Raw(*says)
        async with server.serving() as url:
            for _ in range(3):
                assert await by_line(url) == (200, b"ok")
                await asyncio.sleep(0.02)
        return server.connections

    assert asyncio.run(thrice()) == expected


def test_what_came_at_the_last_moment_is_seen() -> None:
    """A connection that the server closed while the loop was busy is left, and no request is lost on it."""

    async def twice() -> int:
        server = Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ends=True)
        async with server.serving() as url:
            assert await by_line(url) == (200, b"ok")
            idle = next(iter(connections._by_loop[asyncio.get_running_loop()]._idle.values()))
            line = idle[0][0]._line
            line._transport.pause_reading()  # the loop does not look
            await asyncio.sleep(0.05)
            assert line._transport is not None
            assert not line.is_free
            assert await by_line(url) == (200, b"ok")
        return server.connections

    assert asyncio.run(twice()) == 2


async def opened(port: int) -> Line:
    return await Line.open(httpx, 100, "127.0.0.1", port, None)


def test_a_line_that_is_closed_takes_nothing() -> None:
    """Neither side has to have said so before."""

    async def ask() -> None:
        server = Raw(OK)
        async with server.serving():
            line = await opened(server.port)
            line.close()
            line.close()
            assert not line.is_free
            with pytest.raises(httpx.ReadError, match="closed"):
                await line.ask(b"/", [("Host", "x"), ("Content-Length", "0")], b"")

    asyncio.run(ask())


def test_a_reply_to_a_call_that_was_cancelled() -> None:
    """It comes in the moment between the cancellation and the end of the call: nobody gets it."""

    async def ask() -> None:
        server = Raw()
        async with server.serving():
            line = await opened(server.port)
            task = asyncio.create_task(line.ask(b"/", [("Host", "x"), ("Content-Length", "15")], BODY))
            await asyncio.sleep(0.01)
            task.cancel()
            line.data_received(OK)
            with pytest.raises(asyncio.CancelledError):
                await task
            line.close()

    asyncio.run(ask())


def test_a_call_that_was_cancelled_and_then_fails() -> None:
    """The failure is nobody's, either."""

    async def ask() -> None:
        server = Raw()
        async with server.serving():
            line = await opened(server.port)
            task = asyncio.create_task(line.ask(b"/", [("Host", "x"), ("Content-Length", "15")], BODY))
            await asyncio.sleep(0.01)
            task.cancel()
            line.connection_lost(ConnectionResetError("reset"))
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(ask())


def test_a_proxy_s_reply_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy the same bound holds."""
    monkeypatch.setattr(carriers, "LARGEST", 1000)
    with ChatServer(Reply(raw=b" " * 1_000_000)) as server:
        monkeypatch.setenv("HTTP_PROXY", server.url.removesuffix("/v1"))
        lm = LM("openai/test", api_base="http://another.test/v1", api_key="fake", num_retries=0, client="direct")
        with pytest.raises(LMServerError, match="larger than 1000 bytes"):
            lm.complete(Request.of([{"role": "user", "content": "hi"}]))


# --- what requests have in common -----------------------------------------------------------------------

TAIL = [{"role": "user", "content": "hi"}]
OTHERS = {
    "text": Case(messages=[{"role": "system", "content": "Be brief, «quoted», \u2028."}, *TAIL]),
    "blocks": Case(messages=[{"role": "user", "content": [{"type": "text", "text": "b"}]}, *TAIL]),
    "what is None": Case(messages=[{"role": "assistant", "content": None, "name": "x"}, *TAIL]),
    "other messages": Case(messages=HI * 3, settings={"extra_body": {"messages": [], "é": 1}}),
}
CASES = {**REQUESTS, **{f"left: {name}": case for name, case in LEFT.items()}, **OTHERS}


@pytest.mark.parametrize("name", CASES)
def test_a_prefix_changes_no_byte(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is encoded once for all requests of a predictor is what is encoded for each, wherever the prefix ends."""
    case = CASES[name]
    for variable, value in case.environment.items():
        monkeypatch.setenv(variable, value)
    lm = LM(case.model, **{"api_base": "http://127.0.0.1:9/v1", "api_key": "fake", **case.settings})

    bodies = []
    for count in range(len(case.messages) + 1):
        prefix = Prefix(case.messages[:count])
        for _ in range(2):
            direct = lm._ready(Request(prefix, case.messages[count:], lm.identity)).direct
            bodies.append(direct.body if isinstance(direct, Prepared) else direct)

    assert bodies == bodies[:1] * len(bodies)


@pytest.mark.parametrize("content", ["\ud800", [{"type": "text", "text": "a", "x": float("nan")}]])
def test_a_prefix_that_cannot_be_sent(content: Any) -> None:
    """It is told as it is of any message: of the request, before it goes."""
    lm = LM("openai/test", api_base="http://127.0.0.1:9/v1", api_key="fake", client="auto")

    found = [
        lm._ready(request).direct
        for request in (
            Request.of([{"role": "user", "content": content}, *TAIL], **lm.identity),
            Request(Prefix([{"role": "user", "content": content}]), TAIL, lm.identity),
        )
    ]

    assert type(found[0]) is type(found[1])
    assert str(found[0]) == str(found[1])


def test_a_prefix_is_encoded_once() -> None:
    """For each way of sending it."""
    prefix = Prefix([{"role": "system", "content": "Be brief."}])
    ways = [LM(model, api_base="http://127.0.0.1:9/v1", api_key="fake") for model in ("openai/a", "openai/o3")]

    for _ in range(3):
        for lm in ways:
            lm._ready(Request(prefix, TAIL, lm.identity))

    assert sorted(prefix.memo["lm.direct"].values()) == [
        b'{"role":"system","content":"Be brief."}',
        b'{"role":"user","content":"Be brief."}',
    ]


# --- what only a bad day brings -------------------------------------------------------------------


def test_a_header_of_the_caller_s_frames_the_body() -> None:
    """As ``httpx`` sends it, whatever the case of its name."""
    raw = Raw(OK)

    async def ask() -> list[bytes]:
        async with raw.serving() as url:
            for post in (by_line, by_httpx):
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await post(url, HEADERS | {"Transfer-Encoding": "chunked"})
        return raw.got

    mine, httpxs = asyncio.run(ask())
    assert mine.split(b"\r\n\r\n")[1] == httpxs.split(b"\r\n\r\n")[1]
    assert mine.split(b"\r\n\r\n")[1].startswith(b"f\r\n")
    assert (b"content-length" in mine.lower()) is (b"content-length" in httpxs.lower())


@pytest.mark.parametrize("size", [100_000, 8_000_000])
def test_a_question_that_was_refused_unread_is_nobody_s_else_s_burden(size: int) -> None:
    """The next one goes another way: behind what is still to be sent nobody would read it."""
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"
    opened: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(refusal if len(opened) == 1 else OK)

    async def ask() -> list[int]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with asyncio.timeout(5):
            found = [(await connections.post(url, HEADERS, body)).status for body in (b"x" * size, BODY)]
        server.close()
        for each in opened:
            each.transport.abort()
        await asyncio.sleep(0.01)  # in which they are closed
        return found

    assert asyncio.run(ask()) == [413, 200]
    assert len(opened) == 2


@pytest.mark.parametrize("host", ["a..b", ".localhost", f"{'a' * 64}.test"])
def test_a_host_that_can_be_none_is_not_reached(host: str) -> None:
    """As any that there is not."""
    with pytest.raises(httpx.ConnectError):
        asyncio.run(connections.post(f"http://{host}:1/", HEADERS, BODY))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="where descriptors can be counted")
def test_one_cancelled_while_it_connects_leaves_no_socket() -> None:
    """At whatever moment that is."""

    async def ask(seconds: float, url: str) -> None:
        tasks = [asyncio.create_task(connections.post(url, HEADERS, BODY)) for _ in range(50)]
        await asyncio.sleep(seconds)
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.02)  # in which transports are closed

    with socket.create_server(("127.0.0.1", 0), backlog=1000) as server:  # which takes them, and says nothing
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        asyncio.run(ask(0.1, url))
        before = len(os.listdir("/proc/self/fd"))
        for step in range(8):
            asyncio.run(ask(step * 0.003, url))
            assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_kept_for_elsewhere_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new connection closes the oldest idle ones to other places, but for some."""
    monkeypatch.setattr(connections, "SPARE", 3)

    async def ask() -> list[int]:
        found = []
        async with AsyncExitStack() as stack:
            for _ in range(3):
                url = await stack.enter_async_context(Raw(OK).serving())
                await asyncio.gather(*(connections.post(url, HEADERS, BODY) for _ in range(4)))
                idle = connections._by_loop[asyncio.get_running_loop()]._idle
                found.append([len(each) for each in idle.values()])
        return found  # type: ignore[return-value]

    assert asyncio.run(ask()) == [[4], [3, 4], [0, 3, 4]]

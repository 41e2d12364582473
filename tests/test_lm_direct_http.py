"""The direct client's connections: reused, bounded, closed; proxies, TLS, cancellation, replies too large."""

import asyncio
import gc
import gzip
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from servers import ChatServer, Reply
from tls_servers import self_signed

from progkit.errors import LMConnectionError, LMServerError, LMTimeoutError
from progkit.lm import LM, Request
from progkit.lm.direct import carriers, connections
from progkit.lm.direct.preparing import is_customised

HI = Request.of([{"role": "user", "content": "hi"}])


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture
def lm(server: ChatServer) -> LM:
    return LM("openai/test", api_base=server.url, api_key="fake", num_retries=0, timeout=10, client="direct")


def ports(server: ChatServer) -> set[int]:
    """One for each connection that asked something."""
    return {each.port for each in server.requests}


# --- reuse ------------------------------------------------------------------------------------------


def test_calls_one_after_another_share_a_connection(server: ChatServer, lm: LM) -> None:
    """From whatever thread."""
    lm.complete(HI)
    thread = threading.Thread(target=lm.complete, args=(HI,))
    thread.start()
    thread.join()
    lm.complete(HI)

    assert (server.count, len(ports(server))) == (3, 1)


def test_calls_at_once_have_one_each_and_leave_them_to_the_next(server: ChatServer, lm: LM) -> None:
    """256 at a time, twice: 256 connections."""
    server.always = Reply(delay=0.3)

    async def twice() -> None:
        for _ in range(2):
            await asyncio.gather(*(lm.acomplete(HI) for _ in range(256)))

    asyncio.run(twice())

    assert server.count == 512
    assert len(ports(server)) == 256


def test_no_more_than_so_many_at_once(server: ChatServer, lm: LM, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound, requests wait for a connection."""
    monkeypatch.setattr(connections, "AT_ONCE", 2)

    async def six() -> None:
        await asyncio.gather(*(lm.acomplete(HI) for _ in range(6)))

    asyncio.run(six())

    assert server.count == 6
    assert len(ports(server)) <= 2


def test_a_connection_that_the_server_closed_is_left(server: ChatServer, lm: LM) -> None:
    """The next request opens another."""
    server.then(Reply(headers={"Connection": "close"}))

    assert [lm.complete(HI).text for _ in range(2)] == ["ok", "ok"]
    assert len(ports(server)) == 2


def test_idle_connections_are_closed(server: ChatServer, lm: LM, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while; those in use stay, and what is asked later opens new ones."""
    monkeypatch.setattr(connections, "IDLE", 0.1)
    server.then(*[Reply(delay=0.05)] * 3)

    async def ask() -> None:
        await asyncio.gather(*(lm.acomplete(HI) for _ in range(3)))
        assert len(server._connections) == 3
        await lm.acomplete(HI)
        while server._connections:
            await asyncio.sleep(0.01)
        assert (await lm.acomplete(HI)).text == "ok"

    asyncio.run(ask())

    assert len(ports(server)) == 4


def test_nothing_is_closed_before_its_time(server: ChatServer, lm: LM) -> None:
    """A sweep that comes early leaves what is there."""

    async def ask() -> None:
        await lm.acomplete(HI)
        loop = asyncio.get_running_loop()
        connections._by_loop[loop]._sweep(loop)
        await lm.acomplete(HI)

    asyncio.run(ask())

    assert len(ports(server)) == 1


# --- the ends of loops --------------------------------------------------------------------------------


def test_a_loop_that_ends_closes_its_connections(server: ChatServer, lm: LM) -> None:
    """And is forgotten: nothing is left to warn about."""
    before = set(connections._by_loop)

    async def several() -> None:
        await asyncio.gather(*(lm.acomplete(HI) for _ in range(5)))
        assert len(set(connections._by_loop) - before) == 1

    for _ in range(3):
        asyncio.run(several())
    gc.collect()

    assert set(connections._by_loop) == before


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_loop_that_is_left_behind_is_forgotten(server: ChatServer, lm: LM) -> None:
    """Closed without shutting anything down: its connections are lost, and the next loop's call sweeps it out."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(lm.acomplete(HI))
    loop.close()
    assert loop in connections._by_loop

    assert asyncio.run(lm.acomplete(HI)).text == "ok"

    assert loop not in connections._by_loop
    del loop
    gc.collect()


def test_a_cancelled_call_closes_its_connection(server: ChatServer, lm: LM) -> None:
    """What the server may still say on it reaches nobody; the next call has another."""
    server.then(Reply(hang=True))

    async def ask() -> None:
        task = asyncio.create_task(lm.acomplete(HI))
        while not server.count:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await lm.acomplete(HI)).text == "ok"

    asyncio.run(ask())

    assert len(ports(server)) == 2


@pytest.mark.parametrize("reply", [Reply(hang=True), Reply(drip=0.05), Reply(delay=5.0)])
def test_the_timeout_is_for_all_of_it(server: ChatServer, lm: LM, reply: Reply) -> None:
    """Silence, a body byte by byte, late headers; and the late reply is not taken for the next one's."""
    server.then(reply, Reply("mine"))
    hurried = lm.copy(timeout=0.15)

    with pytest.raises(LMTimeoutError, match=r"no answer within 0\.15 s"):
        hurried.complete(HI)
    assert lm.complete(HI).text == "mine"
    assert len(ports(server)) == 2


def test_no_timeout_is_litellms_ten_minutes(server: ChatServer, lm: LM) -> None:
    """None is a time, too."""
    assert lm.copy(timeout=None).complete(HI).text == "ok"


# --- replies that are too large -------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
def test_a_reply_too_large(server: ChatServer, lm: LM, packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted unpacked; reading stops, and the connection goes."""
    monkeypatch.setattr(carriers, "LARGEST", 100_000)
    body = b" " * 10_000_000
    if packed:
        server.then(Reply(raw=gzip.compress(body), headers={"Content-Encoding": "gzip"}))
    else:
        server.then(Reply(raw=body))

    with pytest.raises(LMServerError, match="larger than 100000 bytes"):
        lm.complete(HI)
    assert lm.complete(HI).text == "ok"
    assert len(ports(server)) == 2


def test_a_reply_packed_wrongly(server: ChatServer, lm: LM) -> None:
    """It cannot be read, and may be asked for again."""
    server.then(Reply(raw=b"not gzip", headers={"Content-Encoding": "gzip"}))

    with pytest.raises(LMServerError, match="cannot be read") as caught:
        lm.complete(HI)
    assert caught.value.retryable


# --- proxies and TLS ------------------------------------------------------------------------------------


def test_a_proxy_of_the_environment_is_used(server: ChatServer, lm: LM, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the whole address, and is asked over one connection."""
    monkeypatch.setenv("HTTP_PROXY", server.url.removesuffix("/v1"))
    behind = lm.copy(api_base="http://provider.test/v1")

    assert [behind.complete(HI).text for _ in range(2)] == ["ok", "ok"]
    assert {each.path for each in server.requests} == {"http://provider.test/v1/chat/completions"}
    assert len(ports(server)) == 1


def test_other_proxies_are_followed(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the next batch; while calls are under way nobody looks."""
    lm = LM("openai/test", api_base=server.url.replace("127.0.0.1", "localhost"), api_key="fake", client="direct")
    paths = []
    for proxy in ("", server.url.removesuffix("/v1"), ""):
        if proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy)
        else:
            monkeypatch.delenv("HTTP_PROXY", raising=False)
        lm.complete(HI)
        paths.append(server.requests[-1].path)

    assert [each.startswith("http://localhost") for each in paths] == [False, True, False]


def test_no_proxy_means_none(server: ChatServer, lm: LM, monkeypatch: pytest.MonkeyPatch) -> None:
    """``NO_PROXY`` names hosts that are asked directly."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    assert lm.complete(HI).text == "ok"
    assert server.requests[0].path == "/v1/chat/completions"


def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown authority is refused; one in ``SSL_CERT_FILE`` is trusted. What is trusted is read once."""
    server, certificate = ChatServer(), self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server._http.socket = context.wrap_socket(server._http.socket, server_side=True)
    with server:
        url = server.url.replace("http:", "https:")
        lm = LM("openai/test", api_base=url, api_key="fake", num_retries=0, timeout=10, client="direct")
        carriers.trusted.cache_clear()
        try:
            with pytest.raises(LMConnectionError, match=r"(?i)certificate"):
                lm.complete(HI)
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            carriers.trusted.cache_clear()
            assert lm.complete(HI).text == "ok"
            assert carriers.trusted() is carriers.trusted()
        finally:
            carriers.trusted.cache_clear()


# --- a program that has set up litellm --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (None, False),
        (SimpleNamespace(), False),
        (SimpleNamespace(success_callback=[], drop_params=False, api_key=None), False),
        (SimpleNamespace(success_callback=["langfuse"]), True),
        (SimpleNamespace(drop_params=True), True),
        (SimpleNamespace(ssl_verify=True), False),
        (SimpleNamespace(ssl_verify=False), True),
    ],
)
def test_a_litellm_that_is_set_up_is_asked(module: Any, expected: bool) -> None:
    """Its callbacks would miss what goes past it."""
    assert is_customised(module) is expected


def test_callbacks_of_litellms_see_every_request(server: ChatServer, lm: LM, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``auto``; a litellm that is merely loaded, by an answer through it, changes nothing."""
    auto = lm.copy(client="auto")
    lm.copy(client="litellm").complete(HI)
    LM("progkit/demo")("hi")
    auto.complete(HI)

    import litellm

    monkeypatch.setattr(litellm, "success_callback", [lambda *_: None])
    auto.complete(HI)

    agents = [each.headers["user-agent"].partition("/")[0] for each in server.requests]
    assert agents == ["AsyncOpenAI", "progkit", "AsyncOpenAI"]

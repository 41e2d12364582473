"""HTTP/2: many requests on one connection, for who asks for it."""

import asyncio
import json
from pathlib import Path

import pytest
from servers import ChatServer
from tls_servers import Http2Server, self_signed

from progkit.errors import ConfigurationError, LMRateLimitError, LMServerError, LMTimeoutError
from progkit.lm import LM, Request

HI = Request.of([{"role": "user", "content": "hi"}])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all: what is trusted is read once for a loop, and that without one of the caller's lives on."""
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def certificate(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(made))
    return made


def lm(server: Http2Server | ChatServer, client: str = "http2", **settings: object) -> LM:
    """A model at *server*."""
    return LM("openai/test", api_base=server.url, api_key="fake", num_retries=0, client=client, **settings)


def test_many_at_once_share_a_connection(certificate: Path) -> None:
    """In a loop of the caller's, again and again; when the loop ends it is closed."""
    with Http2Server(certificate, delay=0.05) as server:
        model = lm(server)

        async def ask() -> list[str]:
            twice = [await asyncio.gather(*(model.acomplete(HI) for _ in range(30))) for _ in range(2)]
            return [each.text for once in twice for each in once]

        assert asyncio.run(ask()) == ["ok"] * 60
        assert server.connections == 1
        assert asyncio.run(ask()) == ["ok"] * 60
        assert server.connections == 2
    assert len(server.requests) == 120


def test_one_after_another(certificate: Path) -> None:
    """Without a loop of one's own; what is sent is what HTTP/1.1 sends."""
    with Http2Server(certificate) as server, ChatServer() as plain:
        assert [lm(server).complete(HI).text for _ in range(3)] == ["ok"] * 3
        assert lm(plain, "direct").complete(HI).text == "ok"
        asked, same = server.requests[0], plain.requests[0]

    assert server.connections == 1
    assert (asked[":method"], asked[":path"]) == ("POST", same.path)
    assert json.loads(asked["body"]) == same.body
    for name in ("authorization", "content-type", "user-agent", "accept"):
        assert asked[name] == {key.lower(): value for key, value in same.headers.items()}[name]


def test_a_server_without_it_is_asked_by_http_1(certificate: Path) -> None:
    """So is one without TLS, where nothing can be agreed on."""
    with ChatServer() as server:
        assert lm(server).complete(HI).text == "ok"
        assert server.count == 1


@pytest.mark.parametrize(("status", "kind"), [(429, LMRateLimitError), (500, LMServerError)])
def test_errors_are_the_same(certificate: Path, status: int, kind: type[Exception]) -> None:
    """By their status."""
    with Http2Server(certificate) as server:
        server.status = status
        with pytest.raises(kind):
            lm(server).complete(HI)


def test_one_that_takes_too_long_holds_up_no_other(certificate: Path) -> None:
    """Those on its connection are answered."""
    with Http2Server(certificate, delay=0.5) as server:

        async def ask() -> tuple[str, object]:
            slow, fast = lm(server, timeout=10), lm(server, timeout=0.2)
            return await asyncio.gather(slow.acomplete(HI), fast.acomplete(HI), return_exceptions=True)  # type: ignore[return-value]

        answered, failed = asyncio.run(ask())

        assert answered.text == "ok"  # type: ignore[attr-defined]
        assert isinstance(failed, LMTimeoutError)
        assert server.connections == 1


def test_what_cannot_be_asked_directly_is_refused() -> None:
    """As by ``direct``."""
    with pytest.raises(ConfigurationError, match="client='http2' cannot ask this"):
        LM("anthropic/claude-x", api_key="fake", client="http2").complete(HI)

"""One request by HTTP, and what carries it: a ``Line``, or a client of ``httpx``'s. Nobody else knows ``httpx``."""

import ssl
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

from progkit.lm.direct.line import Line, Raw

IDLE = 15.0
"""Seconds after which an unused connection is closed."""
LARGEST = 64 * 2**20
"""Bytes of a reply, unpacked; a larger one is an error."""
_PIECE = 2**16
"""Bytes that are unpacked at a time."""
_FRAMING = frozenset(("host", "content-length", "transfer-encoding"))
"""Headers that a request has in any case, unless the caller gives some of them."""


class Reply(NamedTuple):
    """What came back. headers: of a status of 300 and more. body: None if it is larger than ``LARGEST``."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None


class Sending:
    """A request to be sent: *address* and *origin* are those of its *url*."""

    __slots__ = ("address", "body", "headers", "origin")

    def __init__(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        self.address, self.origin = _parsed(url)
        self.headers = headers
        self.body = body

    def raw(self) -> Iterable[tuple[Any, Any]]:
        """The headers, as ``httpx`` would send them."""
        if not _FRAMING.isdisjoint(map(str.lower, self.headers)):
            framed: list[tuple[bytes, bytes]] = self.whole().headers.raw
            return framed
        return (("Host", self.address.netloc), *self.headers.items(), ("Content-Length", str(len(self.body))))

    def whole(self) -> Any:
        """An ``httpx.Request``."""
        import httpx  # as in ``carrier``

        return httpx.Request("POST", self.address, headers=self.headers, content=self.body)


class Direct:
    """A connection to the server itself."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.close = line.close

    @property
    def is_free(self) -> bool:
        """Whether it can take a request."""
        return self._line.is_free

    async def post(self, request: Sending) -> Reply:
        """Send *request* and read the reply; raises what ``connections.post`` does."""
        return _read(await self._line.ask(request.address.raw_path, request.raw(), request.body))

    async def aclose(self) -> None:
        """Close it."""
        self._line.close()


class Client:
    """A client of ``httpx``'s: behind the environment's proxies one for each connection, or one for all by *http2*."""

    is_free = True

    def __init__(self, http2: bool = False) -> None:
        import httpx  # as in ``carrier``

        most = None if http2 else 1
        limits = httpx.Limits(max_connections=most, max_keepalive_connections=most, keepalive_expiry=IDLE)
        # A context is for one of the two: ``httpx`` writes into it what is offered to the server.
        trust = httpx.create_ssl_context() if http2 else trusted()
        self._client = httpx.AsyncClient(verify=trust, limits=limits, timeout=None, trust_env=True, http2=http2)

    async def post(self, request: Sending) -> Reply:
        """Send *request* and read the reply; raises what ``connections.post`` does."""
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
        """Close it."""
        await self._client.aclose()


async def carrier(request: Sending) -> Any:
    """A new connection for *request*."""
    import httpx  # 60 ms, and only wanted once something is asked: the reason for this door

    if set(getproxies()) - {"no"}:
        return Client()
    address = request.address
    is_secure = address.scheme == "https"
    port = address.port or (443 if is_secure else 80)
    return Direct(await Line.open(httpx, LARGEST, address.raw_host.decode(), port, trusted() if is_secure else None))


def _read(raw: Raw) -> Reply:
    """The reply, its body unpacked."""
    is_packed = any(name.lower() == b"content-encoding" for name, _ in raw.headers)
    if raw.chunks is None or (raw.status < 300 and not is_packed):
        return Reply(raw.status, {}, None if raw.chunks is None else b"".join(raw.chunks))
    import httpx  # as in ``carrier``

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
def trusted() -> ssl.SSLContext:
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


def onward(url: str, location: str) -> str | None:
    """Where a redirect leads if it stays within the origin; elsewhere neither prompt nor key may go."""
    import httpx  # as above

    try:
        target = str(httpx.URL(url).join(location))
        return target if location and _origin(target) == _origin(url) and "@" not in target else None
    except (httpx.InvalidURL, ValueError):
        return None

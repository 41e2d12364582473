"""TLS for the tests' servers, and one that speaks HTTP/2."""

import asyncio
import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.exceptions import ProtocolError


def self_signed(directory: Path) -> Path:
    """A certificate and its key for 127.0.0.1, signed by itself, in one file of *directory*."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


class Http2Server:
    """Chat completions by HTTP/2 alone, over TLS: says ``ok`` to each question, after *delay* seconds.

    requests: the header of each, with its body under ``body``. connections: how many were opened. status: of the
    replies.
    """

    def __init__(self, certificate: Path, delay: float = 0.0) -> None:
        self.delay = delay
        self.status = 200
        self.requests: list[dict[str, Any]] = []
        self.connections = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._context.set_alpn_protocols(["h2"])
        self._transports: list[Any] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        opened = self._loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, ssl=self._context)
        self._server = asyncio.run_coroutine_threadsafe(opened, self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        for each in self._transports:
            each.abort()
        await asyncio.sleep(0.01)  # in which they are closed

    @property
    def url(self) -> str:
        """Its base address."""
        return f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"


class _Connection(asyncio.Protocol):
    def __init__(self, server: Http2Server) -> None:
        self.server = server
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.open: dict[int, dict[str, Any]] = {}

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.server.connections += 1
        self.server._transports.append(transport)
        self.h2.initiate_connection()
        self._send()

    def data_received(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            if isinstance(event, RequestReceived):
                self.open[event.stream_id] = {**dict(event.headers), "body": b""}
            elif isinstance(event, DataReceived):
                self.open[event.stream_id]["body"] += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                self.server.requests.append(self.open.pop(event.stream_id))
                loop = asyncio.get_running_loop()
                loop.call_later(self.server.delay, self._answer, event.stream_id)
        self._send()

    def _answer(self, stream: int) -> None:
        message = {"role": "assistant", "content": "ok"}
        body = json.dumps({"id": "1", "model": "test", "choices": [{"index": 0, "message": message}]}).encode()
        try:
            self.h2.send_headers(stream, [(":status", str(self.server.status)), ("content-type", "application/json")])
            self.h2.send_data(stream, body, end_stream=True)
        except ProtocolError:  # whoever asked has gone
            return
        self._send()

    def _send(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(self.h2.data_to_send())

"""A real HTTP server on loopback that speaks chat completions and says what it is told.

::

    with ChatServer() as server:
        server.then(Reply("no"), Reply(status=429, headers={"Retry-After": "1"}))
        lm = progkit.LM("openai/test", api_base=server.url, api_key="sk-test")
        ...
        assert server.count == 2
        assert server.requests[0].body["messages"] == [...]

What is queued with ``then`` is served in order; after that, ``always`` answers.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from typing import Any, Self


@dataclass(frozen=True)
class Reply:
    """What the server does with one request.

    text: what it says, to each of the *n* asked for (None: no content). status, message: an error instead, for
    a status of 400 or more. headers: added to the reply's. delay: seconds before it answers. hang: it never
    answers. drop: it closes the connection without a word. cut: it does so after so many bytes of the body. drip:
    seconds between bytes of the body. raw: the body's bytes, whatever they are. usage, finish_reason, tool_calls,
    reasoning, error_code: fields of the body.
    """

    text: str | None = "ok"
    status: int = 200
    message: str = "the server was told to fail"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    hang: bool = False
    drop: bool = False
    cut: int | None = None
    drip: float = 0.0
    raw: bytes | None = None
    usage: Mapping[str, Any] | None = None
    finish_reason: str = "stop"
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    reasoning: str | None = None
    error_code: str | None = None

    def body(self, asked: Mapping[str, Any]) -> bytes:
        """The bytes that answer *asked*, the request's body."""
        if self.raw is not None:
            return self.raw
        if self.status >= 400:
            return _json({"error": {"message": self.message, "type": "test", "param": None, "code": self.error_code}})
        message: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.tool_calls:
            message["tool_calls"] = list(self.tool_calls)
        if self.reasoning is not None:
            message["reasoning_content"] = self.reasoning
        count = asked.get("n") or 1
        choices = [{"index": at, "message": message, "finish_reason": self.finish_reason} for at in range(count)]
        usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18} if self.usage is None else self.usage
        return _json(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1,
                "model": asked.get("model"),
                "choices": choices,
                "usage": usage,
            }
        )


@dataclass(frozen=True)
class Received:
    """A request as it came over the wire; header names in lower case. port: the client's, one for each connection."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    port: int = field(default=0, compare=False)


class ChatServer:
    """Chat completions at ``url`` while the ``with`` block lasts; may be used from many threads."""

    def __init__(self, always: Reply | Callable[[dict[str, Any]], Reply] | None = None) -> None:
        """*always* answers what no queued reply does; a function gets the request's body."""
        self.always = always or Reply()
        self.requests: list[Received] = []
        self._queue: deque[Reply] = deque()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._connections: set[socket] = set()
        self._http = _Listener(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """What ``api_base`` is to be: ``http://127.0.0.1:<port>/v1``."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @property
    def count(self) -> int:
        """How many requests have come in."""
        return len(self.requests)

    def then(self, *replies: Reply) -> Self:
        """Queue *replies*, one for each of the next requests."""
        with self._lock:
            self._queue.extend(replies)
        return self

    def close(self) -> None:
        """Stop listening and break every open connection, also of requests that hang."""
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        with self._lock:
            connections = list(self._connections)
        for each in connections:
            _break(each)
        self._thread.join()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, received: Received) -> Reply:
        with self._lock:
            self.requests.append(received)
            if self._queue:
                return self._queue.popleft()
        return self.always if isinstance(self.always, Reply) else self.always(received.body)

    def _wait(self, seconds: float | None) -> None:
        """Wait *seconds*, or for ever, but no longer than the server lives."""
        self._closing.wait(seconds)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    owner: ChatServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that give up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def setup(self) -> None:
        super().setup()
        with self.server.owner._lock:
            self.server.owner._connections.add(self.connection)

    def finish(self) -> None:
        with self.server.owner._lock:
            self.server.owner._connections.discard(self.connection)
        super().finish()

    def do_POST(self) -> None:
        owner = self.server.owner
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length) or b"{}")
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = owner._take(Received(self.command, self.path, headers, body, self.client_address[1]))
        if reply.delay or reply.hang:
            owner._wait(None if reply.hang else reply.delay)
        if reply.hang or reply.drop:
            self.close_connection = True
            _break(self.connection)
            return
        self._answer(reply, reply.body(body))

    def _answer(self, reply: Reply, content: bytes) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if reply.cut is not None:
            self.wfile.write(content[: reply.cut])
            self.close_connection = True
            _break(self.connection)
            return
        if not reply.drip:
            self.wfile.write(content)
            return
        for byte in content:
            self.wfile.write(bytes([byte]))
            time.sleep(reply.drip)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output clean."""


def _break(connection: socket) -> None:
    try:
        connection.shutdown(SHUT_RDWR)
    except OSError:
        return  # the client was faster


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()

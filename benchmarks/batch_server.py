"""A server as ``server.py``, made for many connections at once: one event loop, little work for a call.

It prints its port on the first line of its output, answers each completion after ``BENCH_DELAY`` seconds, counts (``GET
/asked``), and serves until its input closes.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.server import reply

DELAY = float(os.environ.get("BENCH_DELAY", "0"))


class Connection(asyncio.Protocol):
    """One connection, kept alive; requests come one after the other."""

    asked = 0

    def __init__(self) -> None:
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self.received += data
        while b"\r\n\r\n" in self.received:
            head, _, rest = self.received.partition(b"\r\n\r\n")
            lengths = (line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            length = int(next(lengths, b":0").split(b":")[1])
            if len(rest) < length:
                return
            self.received = rest[length:]
            self.answer(head, rest[:length])

    def answer(self, head: bytes, body: bytes) -> None:
        """Send what was asked for, now or later."""
        if head.startswith(b"GET"):
            self.send(json.dumps({"asked": Connection.asked}).encode())
            return
        Connection.asked += 1
        asked = json.loads(body)
        message = {"role": "assistant", "content": reply(asked["messages"])}
        document = {
            "id": f"chatcmpl-{Connection.asked}",
            "object": "chat.completion",
            "created": 0,
            "model": asked["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 700, "completion_tokens": 60, "total_tokens": 760},
        }
        asyncio.get_running_loop().call_later(DELAY, self.send, json.dumps(document).encode())

    def send(self, body: bytes) -> None:
        """A whole answer."""
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)


async def main() -> None:
    """Serve until standard input closes."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())

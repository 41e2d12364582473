"""A server that speaks chat completions on the loopback and answers at once, for both peers alike.

It prints its port on the first line of its output, serves until its input closes, and counts: ``GET
/asked`` says how many completions it was asked for. Every reply gives the three output fields of
``work.py`` in the layout that both peers read.
"""

import json
import os
import sys
import threading
import time
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DELAY = float(os.environ.get("BENCH_DELAY", "0"))
"""Seconds after which it answers."""

QUEUES = ("billing", "shipping", "account", "bug", "other")


def reply(messages: list[dict[str, Any]]) -> str:
    """The text answered to *messages*: the same for the same last message."""
    digest = sha256(str(messages[-1]["content"]).encode()).digest()
    queue = QUEUES[digest[0] % len(QUEUES)]
    urgent = bool(digest[1] % 2)
    said = f"Thank you for writing to us. Your case {digest.hex()[:8]} is with the {queue} team now."
    fields = {"queue": queue, "urgent": urgent, "reply": said, "completed": ""}
    return "\n\n".join(f"[[ ## {name} ## ]]\n{value}" for name, value in fields.items())


class Handler(BaseHTTPRequestHandler):
    """One connection, kept alive."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    asked = 0
    lock = threading.Lock()

    def do_POST(self) -> None:
        """Answer a chat completion."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with Handler.lock:
            Handler.asked += 1
            number = Handler.asked
        time.sleep(DELAY)
        self._send(
            {
                "id": f"chatcmpl-{number}",
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": reply(body["messages"])},
                        "finish_reason": "stop",
                    }
                ],
                "usage": {"prompt_tokens": 700, "completion_tokens": 60, "total_tokens": 760},
            }
        )

    def do_GET(self) -> None:
        """Say how often completions were asked for."""
        self._send({"asked": Handler.asked})

    def _send(self, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the output is the port."""


def main() -> None:
    """Serve until standard input closes."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main()

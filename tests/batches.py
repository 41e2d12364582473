"""What the tests of batches share: an LM on the event loop, and one that is a program of its own."""

import asyncio
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from progkit.lm.request import Request
from progkit.lm.response import Response

QA = "question -> answer"


def said(text: str) -> str:
    """A reply to ``QA``."""
    return f"[[ ## answer ## ]]\n{text}\n\n[[ ## completed ## ]]"


def asked(request: Request) -> str:
    """The question of a request of ``QA``."""
    return request.messages[-1]["content"].split("[[ ## question ## ]]\n")[1].split("\n")[0]


def rows(count: int, start: int = 0) -> list[dict[str, str]]:
    """So many inputs, no two alike."""
    return [{"question": str(number)} for number in range(start, start + count)]


def lines(path: Path) -> list[Any]:
    """What a file of JSON Lines holds."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


class EchoLM:
    """Answers each question with itself, on the event loop; counts, and knows how many asked at once.

    script: by question, an exception to raise, or seconds to take. hold: answers nothing before ``let`` is set.
    """

    def __init__(
        self, script: Mapping[str, Any] | None = None, *, cost: float | None = 0.01, hold: bool = False
    ) -> None:
        self.script = dict(script or {})
        self.cost = cost
        self.cache: Any = True
        self.identity: dict[str, Any] = {"model": "echo/lm"}
        self.questions: list[str] = []
        self.now = self.most = 0
        self.cancelled: list[str] = []
        self.let = threading.Event()
        if not hold:
            self.let.set()

    @property
    def count(self) -> int:
        """How many requests have come."""
        return len(self.questions)

    def complete(self, request: Request) -> Response:
        """Answer, for callers in threads."""
        return asyncio.run(self.acomplete(request))

    async def acomplete(self, request: Request) -> Response:
        """Answer."""
        question = asked(request)
        self.questions.append(question)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0)
            while not self.let.is_set():
                await asyncio.sleep(0.001)
            line = self.script.get(question)
            if isinstance(line, BaseException):
                raise line
            await asyncio.sleep(line or 0)
        except asyncio.CancelledError:
            self.cancelled.append(question)
            raise
        finally:
            self.now -= 1
        return Response((Response.of(said(question)).completions), "echo/lm", {"total_tokens": 10}, self.cost)


DESK = """
import http.client, json, os
import progkit

PORT = int(os.environ["DESK_PORT"])


class Line:
    '''An LM behind a real connection.'''

    identity = {"model": "line/lm"}
    cache = True

    def complete(self, request):
        line = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
        body = json.dumps({"model": "line/lm", "messages": request.messages, "user": os.getpid()})
        line.request("POST", "/v1/chat/completions", body)
        said = json.loads(line.getresponse().read())
        line.close()
        return progkit.Response.of(said["choices"][0]["message"]["content"], model="line/lm", usage=said["usage"])


class Desk(progkit.Module):
    def __init__(self):
        self.ask = progkit.Predict("question -> answer")

    def forward(self, question):
        return self.ask(question=question)


def from_state(path):
    program = Desk()
    program.load(path)
    return program


progkit.configure(lm=Line())
"""
"""A program for other processes, ``desk.py``; its LM asks the server of ``DESK_PORT``."""

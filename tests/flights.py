"""What the tests of single-flight share: an LM that answers when it is let, and a look at who waits."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import progkit
from progkit import Cache, Predict
from progkit.lm.request import Request
from progkit.lm.response import Response

QA = "question -> answer"

SECONDS = 20.0
"""How long anything may take before a test fails."""


def until(condition: Callable[[], bool]) -> None:
    """Wait for *condition*."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.001)


def waiting(cache: Cache) -> int:
    """How many calls wait for another one's answer."""
    with cache.flights.lock:
        return sum(len(flight.waiting) for flight in cache.flights.flights.values())


def when_waiting(count: int, act: Callable[[], object]) -> threading.Thread:
    """Do *act* as soon as *count* calls wait in the cache in force here."""
    cache = progkit.cache

    def work() -> None:
        until(lambda: waiting(cache) >= count)
        act()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


class HeldLM:
    """Holds every request until ``let`` is set, then answers ``answer 1``, ``answer 2``, ...

    script: what to raise or to say instead, for the first calls.
    """

    def __init__(self, *script: BaseException | Response | str, model: str = "held/lm") -> None:
        self.let = threading.Event()
        self.calls: list[Request] = []
        self.script = script
        self.identity: Mapping[str, Any] = {"model": model}
        self._lock = threading.Lock()

    def complete(self, request: Request) -> Response:
        """Answer, or fail, when it is let."""
        number = self._begin(request)
        assert self.let.wait(SECONDS)
        return self._end(number)

    async def acomplete(self, request: Request) -> Response:
        """As ``complete``."""
        number = self._begin(request)
        end = time.monotonic() + SECONDS
        while not self.let.is_set():
            assert time.monotonic() < end
            await asyncio.sleep(0.001)
        return self._end(number)

    def _begin(self, request: Request) -> int:
        with self._lock:
            self.calls.append(request)
            return len(self.calls)

    def _end(self, number: int) -> Response:
        said = f"[[ ## answer ## ]]\nanswer {number}\n\n[[ ## completed ## ]]"
        line = self.script[number - 1] if number <= len(self.script) else said
        if isinstance(line, BaseException):
            raise line
        return line if isinstance(line, Response) else Response.of(line, model="held/lm", usage={"total_tokens": 7})


def ask(predict, count, lm, let_at=None):
    """The predictions of *count* threads that ask the same, the LM being let when *let_at* of them wait."""
    when_waiting(count - 1 if let_at is None else let_at, lm.let.set)
    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(progkit.carry(predict), question="?") for _ in range(count)]
        return [future.exception() or future.result() for future in futures]


async def gathered(*calls):
    """What the tasks get that make *calls*."""
    return await asyncio.gather(*calls, return_exceptions=True)


def tasks(lm, count, predict=None):
    """What *count* tasks get that ask the same, the LM being let when all but one of them wait."""

    async def main():
        when_waiting(count - 1, lm.let.set)
        return await gathered(*((predict or Predict(QA)).acall(question="?") for _ in range(count)))

    return asyncio.run(main())

"""When to ask again. The only place that does: litellm's retries and its clients' are off.

``delay`` decides, a pure function; ``run`` and ``arun`` carry it out. A failure is handed around as a value and
raised at the very end, so that no error drags an earlier one, or litellm's, behind it.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from progkit.errors import LMError, LMTimeoutError
from progkit.lm import pacing
from progkit.lm.response import Response

FIRST = 0.5
"""Seconds: the ceiling of the first wait; it doubles with each."""
CEILING = 30.0
"""Seconds: no wait of our own choosing is longer."""
PATIENCE = 60.0
"""Seconds: a server that asks for a longer pause than this gets none; the error is raised at once."""

Outcome: TypeAlias = Response | LMError
"""An answer, or why there is none."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The clock, the ways to wait and the dice, for a test to replace. Seconds; jitter is in [0, 1)."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    asleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    jitter: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class Limits:
    """How often, how long. retries: after the first attempt. timeout: seconds for each. deadline: for all."""

    retries: int = 3
    timeout: float | None = 60.0
    deadline: float | None = None

    def attempt(self, elapsed: float) -> float | None:
        """Seconds that an attempt may take which begins after *elapsed* seconds; None: no limit."""
        known = [each for each in (self.timeout, self.left(elapsed)) if each is not None]
        return min(known) if known else None

    def left(self, elapsed: float) -> float | None:
        """Seconds until the deadline, never negative; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - elapsed)


def delay(error: LMError, failures: int, limits: Limits, elapsed: float, jitter: float) -> float | None:
    """Seconds to wait before asking again, or None: give up.

    Exponential backoff with full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS, 2015); a server's
    Retry-After is the least to wait, with a little jitter on top so that its clients do not return as one.
    """
    if not error.retryable or failures > limits.retries:
        return None
    ceiling = min(CEILING, FIRST * 2.0 ** (failures - 1))
    if error.retry_after is None:
        wait = jitter * ceiling
    elif error.retry_after > PATIENCE:
        return None
    else:
        wait = error.retry_after + jitter * FIRST
    left = limits.left(elapsed)
    return wait if left is None or wait < left else None


class _Attempts:
    """One request's attempts so far; ``after`` says what an outcome leads to."""

    def __init__(self, limits: Limits, pace: Pace) -> None:
        self.limits = limits
        self.pace = pace
        self.failures = 0
        self.start = pace.now()

    @property
    def elapsed(self) -> float:
        return self.pace.now() - self.start

    def limit(self) -> float | None:
        return self.limits.attempt(self.elapsed)

    def after(self, error: LMError) -> float | None:
        self.failures += 1
        wait = delay(error, self.failures, self.limits, self.elapsed, self.pace.jitter())
        if wait is None and isinstance(error, LMTimeoutError) and self.limits.left(self.elapsed) == 0:
            error.message = f"no answer within the deadline of {self.limits.deadline} s: {error.message}"
            error.args = (error.message, *error.args[1:])
        return wait


def run(ask: Callable[[float | None], Outcome], limits: Limits, pace: Pace) -> Response:
    """Ask until there is an answer or no sense in asking. *ask* gets the seconds that it may take.

    Raises:
        LMError: the last one.
    """
    attempts = _Attempts(limits, pace)
    while True:
        outcome = ask(attempts.limit())
        if isinstance(outcome, Response):
            return outcome
        pacing.failed(outcome)
        wait = attempts.after(outcome)
        if wait is None:
            raise outcome
        pace.sleep(wait)
        for seconds in pacing.pauses():
            pace.sleep(seconds)


async def arun(ask: Callable[[float | None], Awaitable[Outcome]], limits: Limits, pace: Pace) -> Response:
    """As ``run``, without blocking the event loop."""
    attempts = _Attempts(limits, pace)
    while True:
        outcome = await ask(attempts.limit())
        if isinstance(outcome, Response):
            return outcome
        pacing.failed(outcome)
        wait = attempts.after(outcome)
        if wait is None:
            raise outcome
        await pace.asleep(wait)
        for seconds in pacing.pauses():
            await pace.asleep(seconds)

"""How fast a batch asks: requests and tokens per minute, and a step back for all when a provider says: too much.

Cache hits do not come here. The tokens of a request are estimated from its length and from what replies have used so
far, and put right when its usage is known.

A 429 holds everybody until the time that the provider gives (``Retry-After``), or for a second, twice as long each time
it happens again. From then on requests go at 0.7 of the pace that had been too fast; it rises by a tenth a second, and
at twice the old pace nothing is held back any more. Additive increase, multiplicative decrease: D.-M. Chiu and R. Jain,
"Analysis of the Increase and Decrease Algorithms for Congestion Avoidance", 1989.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from typing import Any

from progkit.batch import patience
from progkit.batch.bucket import Bucket
from progkit.errors import LMError, LMRateLimitError
from progkit.lm import Request, Response
from progkit.lm.usage import tokens

FIRST, CEILING = 1.0, 60.0
"""Seconds: the pause after a 429 that says none, and the longest."""
CUT, RISE = 0.7, 0.1
"""Which part of the pace is left after a 429, and how much of that comes back in a second."""
REMEMBERED = 200
"""Requests from whose times the pace is taken."""
CHARACTERS = 4
"""A token has about so many: the provider's count replaces this as soon as there is one."""
REPLY = 100
"""Tokens of a reply, until one has come."""
_MEMO = "batch.characters"


class Limiter:
    """A gate (``lm.pacing``) for all requests of a batch; for many threads. clock: seconds."""

    def __init__(
        self, requests: float | None, tokens: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        now = clock()
        self.clock = clock
        self.lock = threading.Lock()
        self.requests = None if requests is None else Bucket(requests, now)
        self.tokens = None if tokens is None else Bucket(tokens, now)
        self.reply = float(REPLY)
        self.sent: deque[float] = deque(maxlen=REMEMBERED)
        self.slowed: _Slowed | None = None

    # --- before -------------------------------------------------------------------------------

    def pauses(self, request: Request | None) -> Generator[float, None, float]:
        """Seconds to let pass, until *request* may be sent; they are no part of the item's time.

        Returns:
            The tokens that it was taken to need.
        """
        needs = 0.0 if self.tokens is None or request is None else _characters(request) / CHARACTERS + self.reply
        while True:
            with self.lock:
                now = self.clock()
                held = 0.0 if self.slowed is None else self.slowed.until - now
                wait = held if held > 0 else self._take(needs, now)
            if wait > 0:
                patience.extend(wait)
                yield wait
            if held > 0:
                continue
            with self.lock:
                now = self.clock()
                if self.slowed is None or self.slowed.until <= now:
                    self.sent.append(now)
                    return needs
                # Everybody was held while it waited for its turn: it takes another one afterwards.
                self._give_back(needs, now)

    def _take(self, needs: float, now: float) -> float:
        waits = [0.0]
        if self.requests is not None:
            waits.append(self.requests.take(1, now))
        if self.tokens is not None and needs:
            waits.append(self.tokens.take(needs, now))
        if self.slowed is not None:
            waits.append(self.slowed.take(now))
            if self.slowed.is_over(now):
                self.slowed = None
        return max(waits)

    def _give_back(self, needs: float, now: float) -> None:
        if self.requests is not None:
            self.requests.give(1, now)
        if self.tokens is not None:
            self.tokens.give(needs, now)

    # --- after --------------------------------------------------------------------------------

    def done(self, request: Request, ticket: float, outcome: Response | BaseException) -> None:
        """Put the count of tokens right; or slow down."""
        if isinstance(outcome, LMError):
            self.failed(outcome)
        if self.tokens is not None:
            used = tokens(outcome.usage) if isinstance(outcome, Response) else 0
            with self.lock:
                self._correct(self.tokens, request, ticket, used)

    def _correct(self, bucket: Bucket, request: Request, needed: float, used: int) -> None:
        bucket.give(needed - used, self.clock())
        if used:
            self.reply += 0.1 * (max(0.0, used - _characters(request) / CHARACTERS) - self.reply)

    def failed(self, error: LMError) -> None:
        """Slow down, if *error* says that too much was asked."""
        if isinstance(error, LMRateLimitError):
            with self.lock:
                self._slow(error.retry_after)

    def _slow(self, retry_after: float | None) -> None:
        now = self.clock()
        old = self.slowed
        if old is not None and now < old.until:
            # Requests that were under way when the first of them was refused: the same incident.
            old.until = max(old.until, now + min(retry_after or 0.0, CEILING))
            return
        pause = min(CEILING, retry_after or (FIRST if old is None else 2 * old.pause))
        self.slowed = _Slowed(self._pace(now), now, pause)
        self.sent.clear()

    def _pace(self, now: float) -> float:
        """Requests a second, of late."""
        seconds = now - self.sent[0] if self.sent else 0.0
        return max(len(self.sent) / max(seconds, 1.0), 0.1)


class _Slowed:
    """A time of going slowly, after requests at *pace* (a second) were too many; from *now*, after *pause* seconds."""

    def __init__(self, pace: float, now: float, pause: float) -> None:
        self.pace = pace
        self.pause = pause
        self.until = now + pause
        self.next = self.until

    def take(self, now: float) -> float:
        """Seconds to wait for a turn."""
        wait = max(0.0, self.next - now)
        rise = CUT * (1 + RISE * max(0.0, now - self.until))
        self.next = max(self.next, now) + 1 / (self.pace * rise)
        return wait

    def is_over(self, now: float) -> bool:
        """Whether it has risen to twice the pace."""
        return CUT * (1 + RISE * (now - self.until)) >= 2


def _characters(request: Request) -> int:
    """How long the texts of *request* are; its prefix is measured once."""
    memo = request.prefix.memo
    if _MEMO not in memo:
        memo[_MEMO] = sum(map(_length, request.prefix.messages))
    own: int = memo[_MEMO]
    return own + sum(map(_length, request.tail))


def _length(message: Any) -> int:
    content = message.get("content")
    return len(content if isinstance(content, str) else str(content))

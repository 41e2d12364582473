"""Whether a server is worth asking: a circuit breaker that bounds what a server in trouble can cost.

Closed, everybody asks. ``LIMIT`` strikes, and it is open: nobody does, for a while. Then it is half open: one caller
asks, the others still do not, and the answer closes it or leaves it open for twice as long. So a
server that is dead, hangs or crawls costs ``LIMIT`` timeouts, and then one timeout a minute.
"""

import logging
import threading
import time
from collections.abc import Callable

LIMIT = 2.0
"""Strikes that open it."""

FORGIVEN = 0.05
"""Strikes that a success takes back: one failure in twenty calls is borne, and more is not."""

REST = 1.0
LONGEST_REST = 60.0
"""Seconds for which it is open: the first time, and at most."""

log = logging.getLogger("progkit")


class Breaker:
    """A circuit breaker for the server called *name*; each change of its state is logged, once.

    slow: seconds; an answer that takes longer is a strike as well. clock: seconds. ``skipped`` counts who was sent
    away.
    """

    def __init__(self, name: str, slow: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.slow = slow
        self.clock = clock
        self.lock = threading.Lock()
        self.skipped = 0
        self._strikes = 0.0
        self._rest = REST
        self._opened: float | None = None
        self._until = 0.0

    @property
    def state(self) -> str:
        """``closed``, ``open`` or ``half-open``."""
        if self._opened is None:
            return "closed"
        return "open" if self.clock() < self._until else "half-open"

    def begin(self) -> float | None:
        """The time, for a caller who may ask and then says ``answered`` or ``failed``; None for one who may not."""
        now = self.clock()
        if self._opened is None:
            return now
        with self.lock:
            if self._opened is not None and now < self._until:
                self.skipped += 1
                return None
            # This one tries. If it is never heard of again, another does after as long a rest.
            self._until = now + self._rest
        return now

    def answered(self, began: float) -> None:
        """The server answered what began at *began*."""
        seconds = self.clock() - began
        if seconds > self.slow:
            self.failed(began, f"it took {seconds * 1000:.0f} ms to answer")
        elif self._strikes or self._opened is not None:
            with self.lock:
                self._forgive(began)

    def failed(self, began: float, reason: str) -> None:
        """The server did not answer what began at *began*, or too late. *reason* is for the log."""
        with self.lock:
            now = self.clock()
            if self._opened is None:
                self._strikes += 1
                if self._strikes >= LIMIT:
                    self._opened, self._until = now, now + self._rest
                    log.warning("%s is left alone for %.0f s, then tried again: %s", self.name, self._rest, reason)
            elif began >= self._opened:  # else it was on its way before, with all the others
                self._rest = min(self._rest * 2, LONGEST_REST)
                self._until = now + self._rest

    def _forgive(self, began: float) -> None:
        if self._opened is None:
            self._strikes = max(0.0, self._strikes - FORGIVEN)
            if not self._strikes:
                self._rest = REST
        elif began >= self._opened:
            self._opened = None
            # On probation: one strike opens it again, for longer, until it has been good for a while.
            self._strikes = LIMIT - 1
            self._rest = min(self._rest * 2, LONGEST_REST)
            log.warning("%s answers again; %d calls have done without it so far", self.name, self.skipped)

"""Replies past their soft time to live, asked for again in the background while the old ones are served."""

import threading
import time
from collections.abc import Callable
from contextvars import Context
from typing import Final

from progkit.caching import forking

MOST: Final = 8
"""Refreshes under way at once; what comes beyond is left to a later call."""

REST: Final = 10.0
"""Seconds for which a key whose refresh failed is left alone."""


class Refreshes:
    """Runs refreshes, one for each key at a time, each in a thread of its own. clock: seconds.

    The threads are daemons: a process that ends does not wait for them. In a forked child there are none.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._running: dict[str, threading.Thread] = {}
        self._resting: dict[str, float] = {}
        forking.track(self)

    def start(self, key: str, work: Callable[[], object]) -> bool:
        """Run *work* in the background, in an empty context; False if *key* has its refresh, or must do without."""
        thread = threading.Thread(target=self._run, args=(key, work), name="progkit-refresh", daemon=True)
        with self._lock:
            if key in self._running or len(self._running) >= MOST or self._clock() < self._resting.get(key, 0.0):
                return False
            self._running[key] = thread
        try:
            thread.start()
        except RuntimeError:  # no more threads, or the interpreter is about to end
            self._done(key)
            return False
        return True

    def join(self, timeout: float) -> bool:
        """Wait for what is under way, for *timeout* seconds at most; whether all of it is done."""
        until = time.monotonic() + timeout
        for thread in list(self._running.values()):
            thread.join(max(until - time.monotonic(), 0.0))
        return not self._running

    def _run(self, key: str, work: Callable[[], object]) -> None:
        failed = True
        try:
            Context().run(work)
            failed = False
        except Exception:  # the old reply stands until it expires, and then the failure is a caller's
            pass
        finally:
            self._done(key, failed)

    def _done(self, key: str, failed: bool = False) -> None:
        with self._lock:
            self._running.pop(key, None)
            now = self._clock()
            self._resting = {each: until for each, until in self._resting.items() if until > now}
            if failed:
                self._resting[key] = now + REST

    @property
    def locks(self) -> tuple[threading.Lock]:
        """The one lock."""
        return (self._lock,)

    def forked(self) -> None:
        """Forget the parent's threads."""
        self._running.clear()

"""The event loop on which requests travel: one for the process, on a thread of its own.

HTTP clients belong to the loop that they were made on. Callers' loops come and go (``asyncio.run`` in a
notebook, one for each thread); this one stays, so connections are reused from wherever the call
comes, a blocking caller can give up on time, and no client outlives its loop. Everything that goes through litellm
travels here, and what blocking callers ask directly; a coroutine's direct requests stay on its own loop.
"""

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from progkit.errors import ConfigurationError

T = TypeVar("T")


class Background:
    """Runs coroutines, from any thread. Starts at first use; a forked child starts one of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._parents: list[asyncio.AbstractEventLoop] = []
        os.register_at_fork(after_in_child=self._forked)
        atexit.register(self._exit)

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin *work*, in the caller's context variables. Cancelling the future cancels the work."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_serve, args=(self._loop,), name="progkit-lm", daemon=True)
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def wait(self, future: Future[T]) -> T:
        """The result of *future*, however long it takes.

        An interrupted wait cancels the work.

        Raises:
            ConfigurationError: on the loop's own thread, where waiting would be for ever.
        """
        if threading.current_thread() is self._thread:
            future.cancel()
            raise ConfigurationError("a provider's own coroutine cannot call an LM and block: use await lm.acomplete()")
        try:
            return future.result()
        finally:
            future.cancel()  # of no effect on one that is done

    def stop(self, last: Coroutine[Any, Any, object]) -> None:
        """Run *last*, cancel what is under way, and end the thread; the next ``start`` begins anew."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            last.close()
            return
        asyncio.run_coroutine_threadsafe(_finish(last), loop)
        thread.join(timeout=5.0)

    def _exit(self) -> None:  # pragma: no cover - at the end of a process, where coverage does not look
        self.stop(_nothing())

    def _forked(self) -> None:  # pragma: no cover - in a forked child, where coverage does not look; a test forks
        """Forget the parent's loop, whose thread is not here; but keep it, so that no new one gets its id."""
        self._lock = threading.Lock()
        if self._loop is not None:
            self._parents.append(self._loop)
            for each in asyncio.all_tasks(self._loop):
                each._log_destroy_pending = False  # type: ignore[attr-defined]  # they are the parent's to finish
        self._loop = self._thread = None


async def _nothing() -> None:
    """Nothing is left to be done: connections close with the loop."""


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


async def _finish(last: Coroutine[Any, Any, object]) -> None:
    """Cancel every other task, run *last* for at most two seconds, cancel what that began, stop the loop."""
    loop = asyncio.get_running_loop()
    await _cancel_others()
    await asyncio.gather(asyncio.wait_for(last, 2.0), return_exceptions=True)
    await _cancel_others()
    await loop.shutdown_asyncgens()
    loop.call_soon(loop.stop)


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for each in others:
        each.cancel()
    await asyncio.gather(*others, return_exceptions=True)


shared = Background()
"""The process's own."""

"""Threads for what blocks: as many as items may be under way, and not one for each item."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import ContextVar, copy_context
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeAlias

_Task: TypeAlias = tuple[Future[Any], Callable[[], Any]]


class Pool:
    """Up to *size* threads, started as they are needed. Unlike those of ``concurrent.futures`` they are daemons.

    A thread cannot be stopped: one that waits for a reply nobody wants any more must not hold up the end of the process
    (``Ctrl-C``), nor take the place of another: ``give_up`` lets one more start in its stead.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.lock = threading.Lock()
        self.tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self.active: set[Future[Any]] = set()
        self.count = self.idle = 0

    def submit(self, work: Callable[[], Any]) -> Future[Any]:
        """Let a thread do *work*."""
        future: Future[Any] = Future()
        with self.lock:
            self.tasks.put((future, work))
            if self.idle:
                self.idle -= 1
            elif self.count < self.size:
                self._start()
        return future

    def _start(self) -> None:
        self.count += 1
        threading.Thread(target=self._serve, name="progkit-batch-worker", daemon=True).start()

    def _serve(self) -> None:
        while (task := self.tasks.get()) is not None:
            future, work = task
            with self.lock:
                self.active.add(future)
            _do(future, work)
            with self.lock:
                if future not in self.active:
                    return  # another one has taken its place
                self.active.remove(future)
                self.idle += 1

    def give_up(self, future: Future[Any]) -> None:
        """Let another thread take the place of the one that works for *future*: nobody waits for that any more."""
        with self.lock:
            if future in self.active:
                self.active.remove(future)
                self.count -= 1
                if not self.tasks.empty():
                    self._start()

    def close(self) -> None:
        """Let each thread end when it has done its work."""
        for _ in range(self.count):
            self.tasks.put(None)


def _do(future: Future[Any], work: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(work())
    except BaseException as error:  # handed to who waits for it, as concurrent.futures does
        future.set_exception(error)


class Threads:
    """A pool of *size* threads; or *given*, a pool of the caller's."""

    def __init__(self, size: int, given: Executor | None = None) -> None:
        self.given = given
        self.own = Pool(size)

    async def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What *function* returns, called in a thread with the context variables of here."""
        work = partial(copy_context().run, partial(function, *args, **kwargs))
        future = self.own.submit(work) if self.given is None else self.given.submit(work)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if not future.cancel():
                self.own.give_up(future)
            raise

    def close(self) -> None:
        """Begin nothing more; a thread that still works is left to itself."""
        self.own.close()


_in_force: ContextVar[tuple[asyncio.AbstractEventLoop, Threads] | None] = ContextVar("progkit_threads", default=None)


def use(threads: Threads) -> None:
    """Let calls that block on this event loop run in *threads*, from here on."""
    _in_force.set((asyncio.get_running_loop(), threads))


async def in_thread(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What *function* returns, called in a thread: the batch's, or else ``asyncio.to_thread``."""
    here = _in_force.get()
    # Another loop's threads may all be waiting for this one.
    if here is None or here[0] is not asyncio.get_running_loop():
        return await asyncio.to_thread(function, *args, **kwargs)
    return await here[1].run(function, *args, **kwargs)

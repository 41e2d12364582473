"""Event loops for callers that have none: each on a thread of its own, kept for a while for the next batch.

With the loop, its connections to providers are kept, and 256 of them take longer to open than most questions to answer.
A loop that is lent serves one batch at a time, and one that is asked for while all are lent is a new one, so
that a batch within a batch never waits for itself. Tasks that a batch leaves behind on its loop are cancelled, as
``asyncio.run`` does; asynchronous generators and executors of its making end with the loop. Loops that are not lent
end before a fork, and with the process.
"""

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from contextvars import Context
from queue import Empty, SimpleQueue
from typing import Any, Final, NamedTuple

KEPT: Final = 15.0
"""Seconds for which a loop is kept; its connections are not kept longer either."""


class Work(NamedTuple):
    """A coroutine to run in *context*. ended: called, on the loop's thread, when nothing of it is left, with what
    it raised or None.
    """

    main: Coroutine[Any, Any, None]
    context: Context
    ended: Callable[[BaseException | None], object]


class Home:
    """A thread with an event loop."""

    def __init__(self) -> None:
        self._work: SimpleQueue[Work | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="progkit-batch", daemon=True)
        self._thread.start()

    def do(self, work: Work) -> None:
        """Begin *work*; at its end this home is there for others."""
        self._work.put(work)

    def end(self) -> None:
        """Close the loop and what belongs to it."""
        self._work.put(None)
        self._thread.join(5.0)

    def _serve(self) -> None:
        runner = asyncio.Runner()
        try:
            runner.get_loop()
        except Exception as error:  # too many files are open, for one
            _refuse(self._work.get(), error)
            return
        broken: tuple[Work, BaseException] | None = None
        try:
            with runner:
                broken = self._served(runner)
        except RuntimeError:
            # While the interpreter ends, some Pythons start no thread any more, such as the one in which a loop waits
            # for its executor; the loop is closed all the same.
            if not _is_over.is_set():
                raise
        finally:
            if broken is not None:
                work, end = broken
                work.ended(end)

    def _served(self, runner: asyncio.Runner) -> tuple[Work, BaseException] | None:
        """Work for as long as some comes; the one that ended that, since the process is to end, and with what."""
        while (work := self._next()) is not None:
            error = _done(runner, work)
            if error is not None and not isinstance(error, (Exception, asyncio.CancelledError)):
                return work, error
            ended = work.ended
            del work  # nothing of a batch is held while the next one is waited for
            _idle.append(self)
            ended(error)
            del ended, error
        return None

    def _next(self) -> Work | None:
        """The next work; None if it has not come for long, or nobody will have any."""
        while True:
            try:
                return self._work.get(timeout=KEPT)
            except Empty:
                try:
                    _idle.remove(self)
                except ValueError:  # somebody has just taken this one
                    continue
                return None


_idle: list[Home] = []


def lend() -> Home:
    """A home that nobody uses; the one used last, where a connection is most likely still good."""
    try:
        return _idle.pop()
    except IndexError:
        return Home()


def end() -> None:
    """Close all that are not lent."""
    while _idle:
        _idle.pop().end()


def _refuse(work: Work | None, error: Exception) -> None:
    if work is not None:  # pragma: no branch - nobody ends a home that he has not got back
        work.main.close()
        work.ended(error)


def _done(runner: asyncio.Runner, work: Work) -> BaseException | None:
    """Do *work*, and clear away what it leaves; what it raised."""
    try:
        try:
            runner.run(work.main, context=work.context)
        finally:
            if asyncio.all_tasks(runner.get_loop()):
                runner.run(_cancel_others())
    except BaseException as error:  # handed to the caller, who raises it
        return error
    return None


async def _cancel_others() -> None:
    loop = asyncio.get_running_loop()
    others = list(asyncio.all_tasks() - {asyncio.current_task()})
    for each in others:
        each.cancel()
    for task, result in zip(others, await asyncio.gather(*others, return_exceptions=True), strict=True):
        if isinstance(result, Exception):
            said = "a task that a batch left behind failed when it was cancelled"
            loop.call_exception_handler({"message": said, "exception": result, "task": task})


def _end_for_good() -> None:
    _is_over.set()
    end()


_is_over = threading.Event()
atexit.register(_end_for_good)
if hasattr(os, "register_at_fork"):  # pragma: no branch - everywhere but on Windows
    # So a child inherits no thread that is not there, and no connection of another's.
    os.register_at_fork(before=end, after_in_child=_idle.clear)

"""The engine for a caller without an event loop: it runs on a thread of its own (``loops``).

The inputs are read on the caller's thread, and his alone, so that they may be a cursor or a file that belongs to it;
and it works where an event loop runs already (a notebook). The two threads meet in an ``Exchange``.
"""

import asyncio
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import copy_context

from progkit.batch import loops
from progkit.batch.engine import Run
from progkit.batch.items import InOrder, Item, Outcome


class Exchange:
    """Items go one way, outcomes the other; no more than *most* items lie in it.

    is_prompt: the caller is told of each outcome, and not only when it has something to do.
    """

    def __init__(self, most: int, is_prompt: bool = True) -> None:
        self.most = most
        self.is_prompt = is_prompt
        self.lock = threading.Condition()
        self.items: deque[Item] = deque()
        self.outcomes: list[Outcome] = []
        self.is_complete = self.is_over = False
        self.loop: asyncio.AbstractEventLoop | None = None
        self.filled = asyncio.Event()

    # --- the caller's side --------------------------------------------------------------------

    def wants(self) -> bool:
        """Whether it has room for another item."""
        return len(self.items) < self.most and not self.is_over

    def put(self, item: Item) -> None:
        """Hand over *item*."""
        self.items.append(item)
        self._wake()

    def complete(self) -> None:
        """Say that no item comes any more."""
        self.is_complete = True
        self._wake()

    def _wake(self) -> None:
        if self.loop is not None and not self.filled.is_set():
            self.tell(self.filled.set)

    def tell(self, what: Callable[[], object]) -> None:
        """Let the engine's thread do *what*."""
        assert self.loop is not None
        try:
            self.loop.call_soon_threadsafe(what)
        except RuntimeError:  # it is over
            return

    def take(self) -> list[Outcome]:
        """What has come; waits until there is something, or room for an item, or the end."""
        with self.lock:
            self.lock.wait_for(lambda: self.outcomes or self.is_over or (self.wants() and not self.is_complete))
            taken, self.outcomes = self.outcomes, []
        return taken

    # --- the engine's side --------------------------------------------------------------------

    async def source(self) -> AsyncIterator[Item]:
        """The items."""
        while True:
            # In this order: what is put, or said, after the flag was lowered raises it again.
            self.filled.clear()
            is_complete = self.is_complete
            while self.items:
                item = self.items.popleft()
                if len(self.items) == self.most // 2:
                    self.notify()
                yield item
            if is_complete:
                return
            self.notify()
            await self.filled.wait()

    def give(self, outcome: Outcome) -> None:
        """Hand over *outcome*."""
        with self.lock:
            self.outcomes.append(outcome)
            if self.is_prompt:
                self.lock.notify()

    def notify(self) -> None:
        """Let the caller look."""
        with self.lock:
            self.lock.notify()


class Bridge:
    """*run* on a thread of its own, in the caller's context."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.exchange = Exchange(run.ways.concurrency, run.is_held)
        self.error: BaseException | None = None
        self.task: asyncio.Task[None] | None = None
        self.ready = threading.Event()
        self.over = threading.Event()

    def outcomes(self, items: Iterator[Item], ordered: bool) -> Iterator[Outcome]:
        """What becomes of *items*, as they finish or in their order.

        Left before its end (an error of the caller's, Ctrl-C), it cancels what is under way and waits for that.
        """
        sort = InOrder() if ordered else None
        home = loops.lend()
        home.do(loops.Work(self._pass(), copy_context(), self._ended))
        self.ready.wait()
        try:
            while True:
                self._fill(items)
                is_over = self.exchange.is_over
                taken = self.exchange.take()
                count = 0
                for each in taken if sort is None else sort.all(taken):
                    yield each
                    count += 1
                if self.run.is_held:
                    self._hand(count)
                if is_over and not taken:
                    break
        finally:
            self._close()
        if self.error is not None:
            raise self.error

    def _fill(self, items: Iterator[Item]) -> None:
        exchange = self.exchange
        while not exchange.is_complete and exchange.wants():
            try:
                item = next(items, None)
            except Exception as error:  # the caller's own; raised when what is under way has ended
                self.error = error
                item = None
            if item is None:
                exchange.complete()
            else:
                exchange.put(item)

    def _hand(self, count: int) -> None:
        if count:
            self.exchange.tell(lambda: self.run.hand(count))

    def _close(self) -> None:
        if self.task is not None and not self.exchange.is_over:
            self.exchange.tell(self.task.cancel)
        if not sys.is_finalizing():  # pragma: no branch - else the engine's thread is frozen, and would never say so
            self.over.wait()

    # --- on the engine's thread ---------------------------------------------------------------

    async def _pass(self) -> None:
        self.task = asyncio.current_task()
        self.exchange.loop = asyncio.get_running_loop()
        self.ready.set()
        async for outcome in self.run.outcomes(self.exchange.source()):
            self.exchange.give(outcome)

    def _ended(self, error: BaseException | None) -> None:
        if not isinstance(error, asyncio.CancelledError):
            self.error = self.error or error
        self.exchange.is_over = True
        self.ready.set()
        self.over.set()
        self.exchange.notify()

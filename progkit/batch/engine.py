"""The engine: items in, a function awaited for each, outcomes out, as they finish; on whatever event loop it runs.

One task reads items and begins them (``_feed``), one task runs each item (``_one``), and the caller takes the outcomes.
Nothing is read that cannot be begun soon: items under way are ``concurrency`` at most, and those begun and not yet
handed on by the caller ``AHEAD`` times as many, so that what is held does not grow with the number of items.

A batch that stops (too many failures, the cost ceiling, inputs that raise) begins nothing more; what is under way
comes to its end and is handed out before the error. Cancelling the caller cancels what is under way.
"""

import asyncio
import statistics
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

from progkit.batch import patience, threads
from progkit.batch.budget import Budget
from progkit.batch.checkpoint import Checkpoint
from progkit.batch.items import Failure, Item, Outcome, told
from progkit.batch.limiter import Limiter
from progkit.batch.options import Ways
from progkit.batch.report import BatchReport
from progkit.errors import BatchStoppedError, ItemTimeoutError
from progkit.lm import UsageTracker, pacing, track_usage

Work = Callable[[dict[str, Any]], Awaitable[Any]]

AHEAD = 4
"""How many times ``concurrency`` items may have been begun and not yet handed on."""
PATIENCE, LEAST = 5.0, 1.0
"""A straggler has taken so many times the median, and at least so many seconds."""
MEASURED = 256
"""Items from whose times the median is taken."""


class Run:
    """One batch: *work* awaited for items, in the *ways* said, the *report* kept up to date.

    is_held: the caller says ``hand`` for outcomes that it has passed on, and no more than a bound are held for it;
    otherwise it keeps them all.
    """

    def __init__(
        self, work: Work, ways: Ways, report: BatchReport, checkpoint: Checkpoint | None = None, is_held: bool = False
    ) -> None:
        self.work = work
        self.ways = ways
        self.report = report
        self.checkpoint = checkpoint
        self.is_held = is_held
        self.budget = Budget(ways.max_cost)
        self.limiter = Limiter(ways.requests_per_minute, ways.tokens_per_minute)
        self.running: dict[asyncio.Task[Outcome], Item] = {}
        self.limits: dict[asyncio.Task[Outcome], tuple[asyncio.Timeout, float]] = {}
        self.finished: deque[Outcome] = deque()
        self.hurried: set[asyncio.Task[Outcome]] = set()
        self.times: deque[float] = deque(maxlen=MEASURED)
        self.begun = self.handed = 0
        self.changed: asyncio.Event = asyncio.Event()
        self.room: asyncio.Event = asyncio.Event()
        self.stopped: BaseException | None = None
        self.is_read = self.is_closing = False

    async def outcomes(self, source: AsyncIterator[Item]) -> AsyncGenerator[Outcome, None]:
        """What becomes of the items of *source*, as they finish.

        Raises:
            BatchStoppedError: after all that was finished.
        """
        pool = threads.Threads(self.ways.concurrency, self.ways.threads)
        self.report.begin()
        feeder = asyncio.create_task(self._feed(source, pool))
        feeder.add_done_callback(self._fed)
        try:
            while True:
                while self.finished:
                    yield self.finished.popleft()
                if not self.running and (self.is_read or self.stopped is not None):
                    break
                self._hurry()
                self.changed.clear()
                await self.changed.wait()
        finally:
            await self._end(feeder, pool)
        if self.stopped is not None:
            raise self.stopped

    async def _end(self, feeder: asyncio.Task[None], pool: threads.Threads) -> None:
        self.is_closing = True
        left = [feeder, *self.running]
        for each in left:
            each.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        pool.close()
        self.report.end()

    def hand(self, count: int = 1) -> None:
        """Say that *count* more outcomes have been passed on."""
        self.handed += count
        self.room.set()

    # --- items read and begun -----------------------------------------------------------------

    async def _feed(self, source: AsyncIterator[Item], pool: threads.Threads) -> None:
        # What is put in force here holds for the items, which this task begins, and not for the caller.
        threads.use(pool)
        pacing.gate.set(self.limiter)
        most = self.ways.concurrency
        async for item in source:
            known = self._known(item)
            if known is not None:
                self.begun += 1
                self._deliver(known)
                await asyncio.sleep(0)  # there may be thousands of them, and others on this loop
            elif await self._is_affordable():
                self._begin(item)
            # Only then is the next one read: none lies about that cannot be begun.
            await self._has_room(most)
            if self.stopped is not None:
                return

    async def _has_room(self, most: int) -> None:
        """Wait until another item may be begun, or the batch has stopped."""
        while self.stopped is None and not (len(self.running) < most and self.begun - self.handed < AHEAD * most):
            await self._changed_room()

    async def _is_affordable(self) -> bool:
        """Wait until the budget allows one more, or never will: then the batch stops."""
        while self.stopped is None and not self.budget.begin():
            if self.budget.refusal:
                self._stop(BatchStoppedError(self.budget.refusal))
            else:
                await self._changed_room()
        return self.stopped is None

    async def _changed_room(self) -> None:
        self.room.clear()
        await self.room.wait()

    def _known(self, item: Item) -> Outcome | None:
        """What becomes of *item* without a call."""
        if item.error is not None:
            return Outcome(item, Failure(item.id, item.inputs, item.error), None)
        return None if self.checkpoint is None else self.checkpoint.find(item)

    def _begin(self, item: Item) -> None:
        self.begun += 1
        task = asyncio.create_task(self._one(item))
        self.running[task] = item
        task.add_done_callback(self._done)

    def _fed(self, feeder: asyncio.Task[None]) -> None:
        self.is_read = True
        if not feeder.cancelled() and feeder.exception() is not None:
            self._stop(feeder.exception())
        self.changed.set()

    # --- an item ------------------------------------------------------------------------------

    async def _one(self, item: Item) -> Outcome:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with track_usage() as used:
            try:
                result = await self._called(item)
            except Exception as error:  # the program is the user's: whatever it raises fails this item, no other
                result = Failure(item.id, item.inputs, error)
        return Outcome(item, result, used, loop.time() - began)

    async def _called(self, item: Item) -> Any:
        timeout = self.ways.timeout
        if timeout is None and not self.ways.straggler_limit:
            return await self.work(item.inputs)
        task: Any = asyncio.current_task()
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(timeout) as limit:
                self.limits[task] = (limit, began)
                patience.begin(limit)
                return await self.work(item.inputs)
        except TimeoutError as error:
            if not limit.expired():
                raise
            took = asyncio.get_running_loop().time() - began
            late = timeout is None or took < timeout
            why = "a straggler: so few are left, and it took so much longer than the others" if late else "timeout"
            raise ItemTimeoutError(took, why) from error
        finally:
            del self.limits[task]

    def _hurry(self) -> None:
        """When no more than the stragglers are left, let each end when it has taken too long."""
        if not self.is_read or len(self.running) > self.ways.straggler_limit or not self.times:
            return
        allowed = max(LEAST, PATIENCE * statistics.median(self.times))
        for task in self.limits.keys() - self.hurried:
            self.hurried.add(task)
            limit, began = self.limits[task]
            when = limit.when()
            if when is None or began + allowed < when:
                limit.reschedule(began + allowed)

    def _done(self, task: asyncio.Task[Outcome]) -> None:
        item = self.running.pop(task)
        if task.cancelled():
            if self.is_closing:
                return
            gone = Failure(item.id, item.inputs, asyncio.CancelledError("the program was cancelled from within"))
            outcome = Outcome(item, gone, UsageTracker())
        elif task.exception() is not None:
            # No Exception, or _one would have it: the process is to end.
            self._stop(task.exception())
            return
        else:
            outcome = task.result()
        self._settle(outcome)
        self._deliver(outcome)

    def _settle(self, outcome: Outcome) -> None:
        used = outcome.used
        if used is not None and used.calls:
            self.budget.end(None if used.unpriced else used.cost)
        else:
            self.budget.end_free()
        if not outcome.failed:
            self.times.append(outcome.seconds)

    # --- outcomes -----------------------------------------------------------------------------

    def _deliver(self, outcome: Outcome) -> None:
        self.report.note(outcome)
        self.finished.append(outcome)
        self.handed += not self.is_held
        try:
            if self.checkpoint is not None:
                self.checkpoint.add(outcome)
            if callable(self.ways.progress):
                self.ways.progress(self.report)
        except Exception as error:  # of a full disk, or of the caller's own progress: the batch cannot go on
            self._stop(error)
        most = self.ways.max_errors
        if outcome.failed and most is not None and self.report.failed > most:
            self._stop(_too_many(self.report.failed, most, outcome.result.error))
        self.changed.set()
        self.room.set()

    def _stop(self, error: BaseException | None) -> None:
        """Begin nothing more; *error* is why, unless there is a reason already."""
        self.stopped = self.stopped or error
        self.room.set()
        self.changed.set()


def _too_many(failed: int, most: int, last: BaseException) -> BatchStoppedError:
    error = BatchStoppedError(f"{failed} failed, and max_errors is {most}; the last: {told(last)}")
    error.__cause__ = last
    return error

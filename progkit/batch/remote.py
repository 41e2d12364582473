"""Calls made elsewhere: by the workers of an executor, a chunk of items at a time, each chunk on an event loop there.

The program goes pickled with each chunk, or a function that gives it (``loader``), and is unpacked once in a worker.
The settings that are in force here (LM, adapter, offline, tags) go with it. What does not: credentials, which the
workers take from their environment, and the cache, which is the worker's own: ``PROGKIT_CACHE_DIR``, or what the loader
configures. Results and usage come back pickled.
"""

import asyncio
import hashlib
import pickle
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from typing import Any

from progkit.batch import threads
from progkit.errors import BatchError, ConfigurationError
from progkit.lm import UsageTracker, pacing, track_usage
from progkit.lm.usage import absorb
from progkit.runtime import Settings, context, current

SOON = 0.005
"""Seconds that items wait for others to fill a chunk."""
SETTINGS = ("lm", "adapter", "track_usage", "offline", "tags")

Answer = tuple[Any, BaseException | None, UsageTracker]
"""A result, or why there is none, and what it used."""


class Remote:
    """Work for an engine that *executor* does: ``work(inputs)``, in chunks of *size*.

    Raises:
        ConfigurationError: if the program cannot be pickled.
    """

    def __init__(self, executor: Executor, program: Any, loader: Callable[[], Any] | None, size: int) -> None:
        self.executor = executor
        self.size = size
        self.cargo = _packed(program, loader)
        self.waiting: list[tuple[dict[str, Any], asyncio.Future[bytes]]] = []
        self.sending: set[asyncio.Task[None]] = set()

    async def work(self, inputs: dict[str, Any]) -> Any:
        """The result for *inputs*, made elsewhere; what it used is counted here."""
        # The gate sees no request of a worker's: an item counts as one.
        for seconds in pacing.pauses():
            await asyncio.sleep(seconds)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        self.waiting.append((inputs, answer))
        if len(self.waiting) == 1:
            loop.call_later(SOON, self._send)
        if len(self.waiting) >= self.size:
            self._send()
        result, error, used = _unpacked_answer(await answer)
        absorb(used)
        if error is not None:
            raise error
        return result

    def _send(self) -> None:
        waiting = [each for each in self.waiting if not each[1].done()]
        self.waiting = []
        if waiting:
            task = asyncio.get_running_loop().create_task(self._sent(waiting))
            self.sending.add(task)
            task.add_done_callback(self.sending.discard)

    async def _sent(self, chunk: Sequence[tuple[dict[str, Any], asyncio.Future[bytes]]]) -> None:
        try:
            future = self.executor.submit(call_all, self.cargo, [inputs for inputs, _ in chunk])
            answers = await asyncio.wrap_future(future)
        except Exception as error:  # a broken pool, a worker that died: every item of the chunk hears of it
            for _, waiter in chunk:
                if not waiter.done():
                    waiter.set_exception(error)
            return
        for (_, waiter), answer in zip(chunk, answers, strict=True):
            if not waiter.done():
                waiter.set_result(answer)


def _packed(program: Any, loader: Callable[[], Any] | None) -> bytes:
    here, unset = current(), Settings()
    settings = {name: getattr(here, name) for name in SETTINGS if getattr(here, name) != getattr(unset, name)}
    what = program if loader is None else loader
    try:
        return pickle.dumps((loader is not None, what, settings))
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"the program cannot be sent to the executor's workers: {error}; give loader=, a function of an importable "
            "module that returns it there, such as functools.partial(progkit.load, 'program.json')"
        ) from error


def _unpacked_answer(data: bytes) -> Answer:
    try:
        answer: Answer = pickle.loads(data)
    except Exception as error:  # unpickling calls constructors of the user's classes, which raise what they like
        raise BatchError(f"a worker's answer cannot be read here: {type(error).__name__}: {error}") from error
    return answer


# --- in a worker ----------------------------------------------------------------------------------

_programs: dict[str, tuple[Any, dict[str, Any]]] = {}
"""By the hash of its cargo: the program that this worker has unpacked last."""


def call_all(cargo: bytes, rows: list[dict[str, Any]]) -> list[bytes]:
    """The answers of *cargo*'s program to *rows*, all called at once; each a pickled ``Answer``."""
    program, settings = _unpacked(cargo)
    with context(**settings):
        return asyncio.run(_all(program, rows))


def _unpacked(cargo: bytes) -> tuple[Any, dict[str, Any]]:
    name = hashlib.blake2b(cargo).hexdigest()
    found = _programs.get(name)
    if found is None:
        is_loader, what, settings = pickle.loads(cargo)
        _programs.clear()
        found = _programs[name] = (what() if is_loader else what, settings)
    return found


async def _all(program: Any, rows: list[dict[str, Any]]) -> list[bytes]:
    pool = threads.Threads(len(rows))
    threads.use(pool)
    try:
        return await asyncio.gather(*(_one(program.acall, row) for row in rows))
    finally:
        pool.close()


async def _one(call: Callable[..., Awaitable[Any]], inputs: dict[str, Any]) -> bytes:
    result, trouble = None, None
    with track_usage() as used:
        try:
            result = await call(**inputs)
        except Exception as error:  # the user's program: whatever it raises is this item's and goes back as such
            trouble = error
    try:
        return pickle.dumps((result, trouble, used))
    except Exception as error:  # pickling calls methods of the user's classes, which raise what they like
        what = "result" if trouble is None else f"{type(trouble).__name__}: {trouble}"
        lost = BatchError(f"the {what} cannot be sent back by the worker: {type(error).__name__}: {error}")
        return pickle.dumps((None, lost, used))

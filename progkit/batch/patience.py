"""How long an item may take, and that waiting for a rate limit is no part of it."""

import asyncio
from contextvars import ContextVar

_limit: ContextVar["tuple[asyncio.AbstractEventLoop, asyncio.Timeout] | None"] = ContextVar(
    "progkit_batch_limit", default=None
)


def begin(limit: asyncio.Timeout) -> None:
    """Let *limit* be that of the item which runs here, on this event loop, and of what it starts."""
    _limit.set((asyncio.get_running_loop(), limit))


def extend(seconds: float) -> None:
    """Give the item that runs here so much more, from whatever thread."""
    here = _limit.get()
    if here is not None:
        loop, limit = here
        loop.call_soon_threadsafe(_extend, limit, seconds)


def _extend(limit: asyncio.Timeout, seconds: float) -> None:
    when = limit.when()
    if when is not None:
        try:
            limit.reschedule(when + seconds)
        except RuntimeError:  # the item is over
            return

"""Doing what an answering asks for: the LM asked, others waited for, time let pass; blocking, or on an event loop.

An answering (see ``answering``) is a generator that yields what is to be done next and is sent what came of
it, errors included, so that sync and async calls are the same code.
"""

import asyncio
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from progkit.batch.threads import in_thread
from progkit.caching.flight import Seat
from progkit.example import Prediction
from progkit.lm import LanguageModel, Request

if TYPE_CHECKING:
    from progkit.program.call import Ask

Step: TypeAlias = Request | Seat | float
"""Ask the LM; wait for the one who does; let so many seconds pass."""

T = TypeVar("T")

Answering: TypeAlias = Generator[Step, Any, Prediction]


def drive(ask: "Ask", answering: Generator[Step, Any, T]) -> T:
    """What *answering* comes to, here and now."""
    try:
        step = next(answering)
        while True:
            try:
                done = _do(ask, step)
            except BaseException as error:  # whatever it is, the answering decides, and lets go of what it holds
                step = answering.throw(error)
            else:
                step = answering.send(done)
    except StopIteration as end:
        last: T = end.value
        return last


async def adrive(ask: "Ask", answering: Generator[Step, Any, T]) -> T:
    """``drive``, without holding up the event loop."""
    try:
        step = next(answering)
        while True:
            try:
                done = await _ado(ask, step)
            except BaseException as error:  # as above; a cancellation, too
                step = answering.throw(error)
            else:
                step = answering.send(done)
    except StopIteration as end:
        last: T = end.value
        return last


def _do(ask: "Ask", step: Step) -> Any:
    if isinstance(step, Request):
        return ask.lm.complete(step)
    if isinstance(step, Seat):
        return step.wait(ask.patience)
    return time.sleep(step)


async def _ado(ask: "Ask", step: Step) -> Any:
    if isinstance(step, Request):
        return await _acomplete(ask.lm, step)
    if isinstance(step, Seat):
        return await step.wait_async(ask.patience)
    return await asyncio.sleep(step)


async def _acomplete(lm: LanguageModel, request: Request) -> Any:
    """The response to *request*; an LM without ``acomplete`` runs in a worker thread."""
    acomplete = getattr(lm, "acomplete", None)
    return await (acomplete(request) if acomplete else in_thread(lm.complete, request))

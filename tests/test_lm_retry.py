"""When an LM asks again: the policy as a function, and at a real server by the number of requests."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import ChatServer, Reply

from progkit.errors import ConfigurationError, LMBadRequestError, LMRateLimitError, LMServerError, LMTimeoutError
from progkit.lm import LM, Request
from progkit.lm.retry import CEILING, FIRST, PATIENCE, Limits, Pace, delay

HI = Request.of([{"role": "user", "content": "hi"}])


class Clock:
    """A clock that only waiting moves; jitter is always half."""

    def __init__(self) -> None:
        self.time = 0.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)

    @property
    def pace(self) -> Pace:
        return Pace(lambda: self.time, self.sleep, self.asleep, lambda: 0.5)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lm_at(server: ChatServer, clock: Clock, **settings: Any) -> LM:
    lm = LM("openai/test", api_base=server.url, api_key="fake", **settings)
    lm.pace = clock.pace
    return lm


# --- the policy -------------------------------------------------------------------------------------


@given(st.integers(1, 60), st.floats(0, 1, exclude_max=True))
def test_waits_grow_up_to_a_ceiling(failures: int, jitter: float) -> None:
    """Full jitter: from nothing to twice as much each time, never over the ceiling."""
    wait = delay(LMServerError("down"), failures, Limits(retries=100), 0.0, jitter)

    assert wait is not None
    assert 0 <= wait <= min(CEILING, FIRST * 2 ** (failures - 1))


@given(st.floats(0, PATIENCE), st.floats(0, 1, exclude_max=True))
def test_the_server_is_given_its_time(asked: float, jitter: float) -> None:
    """Never less than Retry-After, and little more."""
    wait = delay(LMRateLimitError("slow", retry_after=asked), 1, Limits(), 0.0, jitter)

    assert wait is not None
    assert asked <= wait <= asked + FIRST


@pytest.mark.parametrize(
    ("error", "failures", "limits", "elapsed"),
    [
        (LMBadRequestError("no"), 1, Limits(retries=3), 0.0),
        (LMServerError("down"), 4, Limits(retries=3), 0.0),
        (LMServerError("down"), 1, Limits(retries=0), 0.0),
        (LMRateLimitError("slow", retry_after=PATIENCE + 1), 1, Limits(), 0.0),
        (LMRateLimitError("slow", retry_after=5.0), 1, Limits(deadline=5.0), 0.0),
        (LMServerError("down"), 1, Limits(deadline=5.0), 5.0),
    ],
    ids=["not retryable", "no retries left", "none wanted", "too long a pause", "past the deadline", "no time left"],
)
def test_when_it_gives_up(error: Any, failures: int, limits: Limits, elapsed: float) -> None:
    """Where waiting cannot help, it does not wait."""
    assert delay(error, failures, limits, elapsed, 0.9) is None


@given(st.floats(0.1, 100), st.floats(0, 200), st.floats(0, 1, exclude_max=True), st.integers(1, 10))
def test_no_wait_goes_past_the_deadline(deadline: float, elapsed: float, jitter: float, failures: int) -> None:
    """What is left after a wait is time to ask."""
    wait = delay(LMServerError("down"), failures, Limits(99, None, deadline), elapsed, jitter)

    assert wait is None or elapsed + wait < deadline


def test_an_attempt_gets_what_is_left() -> None:
    """The smaller of timeout and what remains until the deadline."""
    assert Limits(timeout=10, deadline=15).attempt(0.0) == 10
    assert Limits(timeout=10, deadline=15).attempt(12.0) == 3
    assert Limits(timeout=10, deadline=15).attempt(99.0) == 0
    assert Limits(timeout=10).attempt(99.0) == 10
    assert Limits(timeout=None).attempt(99.0) is None


# --- at a server --------------------------------------------------------------------------------------


def test_asks_again_until_it_is_answered(server: ChatServer, clock: Clock) -> None:
    """Two failures that may pass, then an answer: three requests, and waits that double."""
    server.then(Reply(status=500), Reply(status=503), Reply("at last"))

    assert lm_at(server, clock).complete(HI).text == "at last"
    assert clock.waits == [0.25, 0.5]
    assert server.count == 3


def test_asks_again_async(server: ChatServer, clock: Clock) -> None:
    """The same from a coroutine."""
    server.then(Reply(status=500), Reply(drop=True), Reply("at last"))

    assert asyncio.run(lm_at(server, clock).acomplete(HI)).text == "at last"
    assert clock.waits == [0.25, 0.5]
    assert server.count == 3


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("retries", [0, 2])
def test_nobody_else_retries(server: ChatServer, clock: Clock, status: int, retries: int) -> None:
    """One attempt and *num_retries* more reach the server: litellm and its clients add none of their own."""
    server.always = Reply(status=status)
    lm = lm_at(server, clock, num_retries=retries)

    for attempt in (lambda: lm.complete(HI), lambda: asyncio.run(lm.acomplete(HI))):
        with pytest.raises((LMRateLimitError, LMServerError)):
            attempt()

    assert server.count == 2 * (1 + retries)


def test_what_cannot_pass_is_asked_once(server: ChatServer, clock: Clock) -> None:
    """A bad request stays one."""
    server.always = Reply(status=400)

    with pytest.raises(LMBadRequestError):
        lm_at(server, clock).complete(HI)

    assert server.count == 1


def test_honours_retry_after(server: ChatServer, clock: Clock) -> None:
    """The server's pause is kept, with a little on top."""
    server.then(Reply(status=429, headers={"Retry-After": "7"}), Reply(status=429, headers={"retry-after-ms": "100"}))

    lm_at(server, clock).complete(HI)

    assert clock.waits == pytest.approx([7.25, 0.35])


def test_a_pause_that_is_too_long_is_for_the_caller(server: ChatServer, clock: Clock) -> None:
    """An hour is not waited for; the error says how long it would be."""
    server.always = Reply(status=429, headers={"Retry-After": "3600"})

    with pytest.raises(LMRateLimitError) as caught:
        lm_at(server, clock).complete(HI)

    assert caught.value.retry_after == 3600
    assert (server.count, clock.waits) == (1, [])


def test_the_deadline_is_for_all_attempts(server: ChatServer, clock: Clock) -> None:
    """Waits are part of it: at 1 s a pause, a deadline of 3 s has room for three attempts."""
    server.always = Reply(status=429, headers={"Retry-After": "0.75"})

    with pytest.raises(LMRateLimitError):
        lm_at(server, clock, num_retries=99, deadline=3.0).complete(HI)

    assert clock.waits == [1.0, 1.0]
    assert server.count == 3


def test_a_call_has_limits_of_its_own(server: ChatServer, clock: Clock) -> None:
    """``num_retries`` (litellm's ``max_retries`` too) and ``deadline`` of a request win over the LM's."""
    server.always = Reply(status=500)
    lm = lm_at(server, clock, num_retries=5)

    for params in ({"num_retries": 1}, {"max_retries": 0}, {"deadline": 0.2}):
        with pytest.raises(LMServerError):
            lm.complete(Request.of(HI.messages, **params))
    with pytest.raises(LMServerError):
        lm_at(server, clock, max_retries=0).complete(HI)

    assert server.count == 2 + 1 + 1 + 1


@pytest.mark.parametrize("how", ["sync", "async"])
def test_the_deadline_holds_against_silence(server: ChatServer, how: str) -> None:
    """A hanging server, no timeout for each attempt: the deadline alone ends it, and is named."""
    server.always = Reply(hang=True)
    lm = LM("openai/test", api_base=server.url, api_key="fake", timeout=None, deadline=0.1)

    with pytest.raises(LMTimeoutError, match=r"within the deadline of 0\.1 s") as caught:
        lm.complete(HI) if how == "sync" else asyncio.run(lm.acomplete(HI))

    assert caught.value.args[0] == caught.value.message
    assert server.count == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"num_retries": -1},
        {"num_retries": 1.5},
        {"num_retries": True},
        {"timeout": 0},
        {"timeout": float("nan")},
        {"deadline": "1"},
    ],
)
def test_numbers_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    """When the LM is made, and when a request brings them."""
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        LM("openai/test", **settings)
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        LM("openai/test").complete(Request.of(HI.messages, **settings))

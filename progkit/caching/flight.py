"""One call, however many ask: who asks the LM for a key, and who waits for what comes.

The first to board a key leads, those after it wait. What the leader lands, each of them gets as a copy of its own. A
leader that leaves without landing (it failed, or was cancelled) hands over to one who waits.

Nobody waits for himself, because

- who leads does not wait: a call made inside a leading one asks by itself;
- a blocking call on the thread of an event loop does not wait for a leader that needs an event loop;
- leadership passes to threads first, and to event loops when no thread waits any more.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from progkit.caching import forking
from progkit.caching.codec import decode, encode
from progkit.caching.expiry import Controls
from progkit.errors import EntryError
from progkit.lm.response import Response

PATIENCE: Final = 10.0
"""Seconds after which those who wait stop following leaders that fail one after the other, and ask all at once."""


class State(Enum):
    """Of a seat: what its holder does."""

    LEADS = "asks, for all"
    WAITS = "waits"
    SERVED = "has what the leader got"
    ALONE = "asks, for itself"


@dataclass(frozen=True, slots=True)
class Landing:
    """What a leader got: the *entry* that says it, and how it stands. asked: the LM was, just now."""

    key: str
    entry: bytes
    stale: bool
    keys: tuple[str, ...]
    asked: bool
    controls: Controls

    def copy(self) -> Response:
        """The reply, the caller's own, as a hit."""
        return replace(decode(self.key, self.entry).as_hit(), stale=self.stale, keys=self.keys)


class Flights:
    """The keys that are being asked for in this process; a forked child starts with none. clock: seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.lock = threading.Lock()
        self.clock = clock
        self.flights: dict[str, Flight] = {}
        forking.track(self)

    def board(self, key: str, blocking: bool) -> "Seat":
        """A seat for a caller that asks for *key*; blocking: it holds up its thread when it waits."""
        seat = Seat(self, key, blocking)
        with self.lock:
            flight = self.flights.get(key)
            if flight is None:
                seat.flight = self.flights[key] = Flight(seat, self.clock())
                seat.state = State.LEADS
            elif seat.may_wait_for(flight.leader):
                seat.flight = flight
                seat.state = State.WAITS
                seat.signal = Future()  # most calls lead, and need none
                flight.waiting[seat] = None
        return seat

    @property
    def locks(self) -> tuple[threading.Lock]:
        """The one lock."""
        return (self.lock,)

    def forked(self) -> None:
        """Forget all, in a child: who leads and who waits is not here."""
        for flight in self.flights.values():
            flight.waiting.clear()
        self.flights.clear()


class Flight:
    """A key that is being asked for: who leads, who waits (in order), since when, and how many leaders it lost."""

    __slots__ = ("began", "leader", "losses", "waiting")

    def __init__(self, leader: "Seat", began: float) -> None:
        self.leader = leader
        self.waiting: dict[Seat, None] = {}
        self.began = began
        self.losses = 0

    def successor(self) -> "Seat | None":
        """Who leads next: a thread, if one waits."""
        return next((seat for seat in self.waiting if seat.blocking), next(iter(self.waiting), None))


_leading: ContextVar["Seat | None"] = ContextVar("progkit_leading", default=None)


class Seat:
    """A caller's part in a flight. ``leave`` it, whatever happens."""

    __slots__ = ("_above", "_noted", "blocking", "flight", "flights", "key", "landing", "signal", "state", "thread")

    signal: Future[None]

    def __init__(self, flights: Flights, key: str, blocking: bool) -> None:
        self.flights = flights
        self.key = key
        self.blocking = blocking
        self.thread = threading.get_ident()
        self.state = State.ALONE
        self.flight: Flight | None = None
        self.landing: Landing | None = None
        self._above: Seat | None = None
        self._noted = False

    @property
    def leads(self) -> bool:
        """Whether its holder is to ask for all, between ``lead`` and ``land``."""
        return self.state is State.LEADS

    @property
    def waits(self) -> bool:
        """Whether its holder is to ``wait``."""
        return self.state is State.WAITS

    def may_wait_for(self, leader: "Seat") -> bool:
        """Whether waiting for *leader* cannot be waiting for oneself."""
        above = _leading.get()
        if above is not None and above.leads:
            return False
        return not (self.blocking and (leader.thread == self.thread or (not leader.blocking and _on_a_loop())))

    # --- waiting ------------------------------------------------------------------------------

    def wait(self, timeout: float) -> None:
        """Until the leader has landed or handed over to this one, or *timeout* seconds have passed."""
        try:
            self.signal.result(timeout)
        except TimeoutError:
            self._give_up()

    async def wait_async(self, timeout: float) -> None:
        """``wait``, without holding up the event loop."""
        try:
            async with asyncio.timeout(timeout):
                await asyncio.wrap_future(self.signal)
        except TimeoutError:
            self._give_up()

    def _give_up(self) -> None:
        """Ask alone, unless the word has come at the last moment."""
        with self.flights.lock:
            if self.state is State.WAITS:
                self._withdraw()

    def _withdraw(self) -> None:
        self.state = State.ALONE
        if self.flight is not None:  # pragma: no branch - who waits has a flight
            self.flight.waiting.pop(self, None)

    # --- leading ------------------------------------------------------------------------------

    def lead(self) -> None:
        """Begin: calls made from here on are a leader's."""
        self._above = _leading.get()
        self._noted = True
        _leading.set(self)

    def land(self, response: Response, controls: Controls) -> None:
        """Hand *response* to all who wait, the reply to a call with *controls*."""
        waiting = self._end()
        landing: Landing | None = None
        if waiting:
            try:
                entry = encode(self.key, response)
            except EntryError:  # it cannot be copied: each asks for its own
                pass
            else:
                asked = not response.cache_hit
                landing = Landing(self.key, entry, response.stale, response.keys, asked, controls)
        with self.flights.lock:
            told = [seat for seat in waiting if seat.state is State.WAITS]
            for seat in told:
                seat.landing = landing
                seat.state = State.ALONE if landing is None else State.SERVED
        for seat in told:
            seat.wake()

    def _end(self) -> list["Seat"]:
        """Close the flight; who waited."""
        with self.flights.lock:
            self.state = State.ALONE
            flight = self._led()
            if flight is None:
                return []
            del self.flights.flights[self.key]
            return list(flight.waiting)

    def _led(self) -> "Flight | None":
        """The flight; None in a forked child, where it is over."""
        return self.flight if self.flights.flights.get(self.key) is self.flight else None

    def leave(self) -> None:
        """Stop waiting; a leader that has not landed hands over."""
        if self._noted and _leading.get() is self:
            _leading.set(self._above)
        told: list[Seat] = []
        with self.flights.lock:
            if self.state is State.LEADS:
                told = self._hand_over()
            elif self.state is State.WAITS:
                self._withdraw()
            self.state = State.ALONE
        for seat in told:
            seat.wake()

    def _hand_over(self) -> list["Seat"]:
        """Let another one lead, or everybody for himself; whom to wake."""
        flight = self._led()
        if flight is None:
            return []
        flight.losses += 1
        successor = flight.successor()
        if successor is None:
            del self.flights.flights[self.key]
            return []
        if flight.losses > 1 and self.flights.clock() - flight.began > PATIENCE:
            del self.flights.flights[self.key]
            left = list(flight.waiting)
            for seat in left:
                seat._withdraw()
            return left
        del flight.waiting[successor]
        flight.leader = successor
        successor.state = State.LEADS
        return [successor]

    def wake(self) -> None:
        """Tell its holder that something has changed."""
        if self.signal.set_running_or_notify_cancel():
            self.signal.set_result(None)


def _on_a_loop() -> bool:
    """Whether this thread is running an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True

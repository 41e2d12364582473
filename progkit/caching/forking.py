"""Locks and connections across ``os.fork``.

A lock that another thread held at the fork stays locked in the child for ever, and a SQLite
connection must not be used there (https://sqlite.org/howtocorrupt.html, section 2.6). So the thread
that forks first takes every lock of what is tracked here, and in the child each tracked thing
lets go of what it inherited.
"""

import os
import threading
from collections.abc import Iterable
from typing import Protocol
from weakref import WeakSet


class Forked(Protocol):
    """Something that outlives a fork."""

    @property
    def locks(self) -> Iterable[threading.Lock]:
        """Every lock of its own, in the order in which it takes them."""
        ...

    def forked(self) -> None:
        """Begin anew, in the child; nothing else runs meanwhile."""
        ...


_tracked: WeakSet[Forked] = WeakSet()
_forking = threading.Lock()
_held: list[threading.Lock] = []


def track(each: Forked) -> None:
    """See *each* through every fork from now on, as long as it lives."""
    with _forking:
        _tracked.add(each)


def _before() -> None:
    _forking.acquire()
    for each in list(_tracked):
        for lock in each.locks:
            lock.acquire()
            _held.append(lock)


def _after() -> None:
    while _held:
        _held.pop().release()
    _forking.release()


def _in_child() -> None:  # pragma: no cover - runs in children only, where nothing measures
    for each in list(_tracked):
        each.forked()
    _after()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_in_child)

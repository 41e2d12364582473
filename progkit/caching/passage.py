"""One call, however many processes ask: a leader passes a gate for each circle of processes that share a tier.

A gate lets one through for each key. Who does not get through looks into the tiers from time to time, for what the
other one gets, and tries again; after a while it asks all the same. A gate that fails stands open: it saves calls
and guards nothing.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol

from progkit.caching.guard import REST, Tell
from progkit.caching.keylocks import KeyLocks
from progkit.caching.tiers import Tier, innermost

FIRST_PAUSE: Final = 0.005
LONGEST_PAUSE: Final = 0.1
"""Seconds between two looks: at first, and at most."""

LEASE: Final = 60.0
"""Seconds after which a lease ends by itself: so long others wait for a machine that died."""


class Gate(Protocol):
    """Lets one through for each key, among those who share it; may raise whatever it runs into."""

    @property
    def name(self) -> str:
        """One word, for warnings."""
        ...

    def enter(self, key: str) -> Any:
        """What to ``leave`` with; None while another one is in."""
        ...

    def leave(self, key: str, token: Any) -> None:
        """Let the next one in."""
        ...

    def close(self) -> None:
        """Let go of files; using it again opens them again."""
        ...


class Lease:
    """One machine for each key: a lease in a tier that has ``lease(key, seconds)`` and ``release(key, token)``."""

    def __init__(self, tier: Any) -> None:
        self.name = f"{tier.name} lease"
        self._tier = tier

    def enter(self, key: str) -> Any:
        """The token; None while another one has the lease."""
        return self._tier.lease(key, LEASE)

    def leave(self, key: str, token: Any) -> None:
        """Give the lease back."""
        self._tier.release(key, token)

    def close(self) -> None:
        """Nothing: the tier is closed by who has it."""


class Guardian:
    """*gate*, failing open: what it raises is told once, and it is left alone for a while. clock: seconds."""

    def __init__(self, gate: Gate, tell: Tell, clock: Callable[[], float] = time.monotonic) -> None:
        self.gate = gate
        self._tell = tell
        self._clock = clock
        self._until = 0.0

    def enter(self, key: str) -> tuple[bool, Any]:
        """Whether the way is free, and the token if one was given."""
        if self._until and self._clock() < self._until:
            return True, None
        try:
            token = self.gate.enter(key)
        except Exception as error:  # a gate may fail in any way, and none may reach a call
            self._failed(error)
            return True, None
        return token is not None, token

    def leave(self, key: str, token: Any) -> None:
        """Let the next one in."""
        try:
            self.gate.leave(key, token)
        except Exception as error:  # as above
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self._until = self._clock() + REST
        self._tell(
            f"{self.gate.name} {type(error).__name__}",
            f"the {self.gate.name} of the cache failed and is left alone for {REST:.0f} s; other processes may ask "
            f"the LM the same: {type(error).__name__}: {error}",
        )


def gates(tiers: Sequence[Tier], tell: Tell, clock: Callable[[], float]) -> tuple[Guardian, ...]:
    """The gates of *tiers*: locks in the first that has a ``directory``, a lease for each that can ``lease``."""
    bare = [innermost(each) for each in tiers]
    files = [KeyLocks(each) for each in bare if hasattr(type(each), "directory")]  # not asked for: that looks it up
    found: list[Gate] = [*files[:1], *(Lease(each) for each in bare if hasattr(each, "lease"))]
    return tuple(Guardian(each, tell, clock) for each in found)


class Passage:
    """A leader's way through *guardians* with *key*. ``leave`` it, whatever happens."""

    def __init__(self, guardians: Sequence[Guardian], key: str) -> None:
        self._ahead = list(guardians)
        self._held: list[tuple[Guardian, Any]] = []
        self.key = key

    def enter(self) -> bool:
        """Go as far as the gates let one; whether that was through all of them."""
        while self._ahead:
            free, token = self._ahead[0].enter(self.key)
            if not free:
                return False
            guardian = self._ahead.pop(0)
            if token is not None:
                self._held.append((guardian, token))
        return True

    def pauses(self, most: float) -> Iterator[float]:
        """Seconds to wait until the next try, again and again until it is through, or *most* seconds have gone."""
        waited, pause = 0.0, FIRST_PAUSE
        while not self.enter() and waited < most:
            now = random.uniform(pause / 2, pause)
            yield now
            waited += now
            pause = min(pause * 1.5, LONGEST_PAUSE)

    def leave(self) -> None:
        """Let the next ones in."""
        while self._held:
            guardian, token = self._held.pop()
            guardian.leave(self.key, token)

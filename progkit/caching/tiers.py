"""The tier: a place that keeps bytes under a key. What every one must do stands in ``tests/contracts/tier.py``."""

from collections.abc import Iterator
from typing import Protocol


class Tier(Protocol):
    """A place that keeps bytes under a key; safe to use from many threads.

    A tier may raise whatever its store raises: the cache catches it, counts it and does without the
    tier for a while. A value is never None, so None means: not here.
    """

    @property
    def name(self) -> str:
        """One word, for figures and warnings."""
        ...

    def get(self, key: str) -> bytes | None:
        """What is kept under *key*, or None."""
        ...

    def put(self, key: str, value: bytes) -> None:
        """Keep *value* under *key*, replacing what was there; of what is too large, keep nothing."""
        ...

    def delete(self, key: str) -> bool:
        """Forget *key*; whether it was here."""
        ...

    def clear(self) -> None:
        """Forget everything."""
        ...

    def keys(self) -> Iterator[str]:
        """Every key kept here, in no particular order."""
        ...

    def stats(self) -> dict[str, int]:
        """``entries``, and the ``bytes`` that they take up."""
        ...

    def close(self) -> None:
        """Let go of files and connections; using the tier again opens them again."""
        ...

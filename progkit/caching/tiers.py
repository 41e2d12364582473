"""The tier: a place that keeps bytes under a key. What every one must do stands in ``tests/contracts/tier.py``."""

from collections.abc import Iterator
from typing import Any, Protocol


class Tier(Protocol):
    """A place that keeps bytes under a key; safe to use from many threads.

    A tier may raise whatever its store raises: the cache catches it, counts it and does without the
    tier for a while; ``EntryError`` says that one entry alone is spoilt. A value is never None, so None
    means: not here.

    It may also have: ``read`` and ``write``, switches that the cache looks at each time; ``get_many(keys)``, a dict of
    those that are here; ``lease(key, seconds)`` and ``release(key, token)``, see ``RedisTier``; ``within(namespace)``,
    the tier to use instead in a cache of that namespace; ``directory``, where its files are; ``inner``, the tier
    that it wraps.
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


def innermost(tier: Any) -> Any:
    """What *tier* wraps, to the last; itself if it wraps nothing."""
    while (below := getattr(tier, "inner", None)) is not None:
        tier = below
    return tier


def within(tier: Tier, namespace: str) -> Tier:
    """*tier* as a cache of *namespace* uses it."""
    bound: Any = getattr(tier, "within", None)
    found: Tier = tier if bound is None else bound(namespace)
    return found

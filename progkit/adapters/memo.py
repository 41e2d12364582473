"""What an adapter works out once for a signature, and forgets with it."""

from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import ref

from progkit.signature import Signature

T = TypeVar("T")


class PerSignature(Generic[T]):
    """The results of *make*, one for each signature class.

    By identity and not by equality: signatures compare by content, which costs more than a hit
    may, and are never changed once made. Two threads may both make one; the results are equal.
    """

    def __init__(self, make: Callable[[type[Signature]], T]) -> None:
        self._make = make
        self._kept: dict[int, tuple[ref[type[Signature]], T]] = {}

    def __call__(self, signature: type[Signature]) -> T:
        """The result for *signature*."""
        kept = self._kept.get(id(signature))
        # An id may be given out again, before the callback below has run.
        if kept is not None and kept[0]() is signature:
            return kept[1]
        made = self._make(signature)
        key, forget = id(signature), self._forget
        self._kept[key] = (ref(signature, lambda dead: forget(key, dead)), made)
        return made

    def __len__(self) -> int:
        return len(self._kept)

    def _forget(self, key: int, dead: "ref[type[Signature]]") -> None:
        kept = self._kept.get(key)
        if kept is not None and kept[0] is dead:
            del self._kept[key]

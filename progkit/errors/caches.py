"""Errors of the cache."""

from progkit.errors.root import ProgkitError


class CacheError(ProgkitError):
    """Something about the cache; never raised into a call of a program."""


class UncacheableError(CacheError):
    """A request without a stable key: *where* in it (``params.seed``), and *reason*."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where = where
        self.reason = reason

    def __str__(self) -> str:
        return f"not cacheable: {self.where} {self.reason}"


class EntryError(CacheError):
    """Bytes that are no entry of ours, or an entry of another key."""

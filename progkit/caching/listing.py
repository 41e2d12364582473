"""The entries of a cache's tiers, one after the other, and what they come to by model, program or tag."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, TypeAlias

from progkit.caching.cache import Cache
from progkit.caching.codec import Entry, open_entry
from progkit.caching.tags import PREFIX
from progkit.caching.tiers import Tier
from progkit.errors import CacheError, EntryError
from progkit.lm.usage import tokens

BATCH = 500
"""Keys read in one go, from a tier that can (``get_many``)."""

SPOILT = b""
"""In the place of an entry that its tier does not open."""

By: TypeAlias = Literal["model", "source", "program", "version", "tag", "entry"]
Sort: TypeAlias = Literal["entries", "bytes", "tokens", "cost"]


def rows(tier: Tier) -> Iterator[tuple[str, bytes]]:
    """Key and bytes of all that *tier* keeps, stamps included.

    Raises:
        CacheError: if the tier cannot be read.
    """
    batches = _batches(tier)
    while True:
        with _naming(tier):
            batch = next(batches, None)
        if batch is None:
            return
        yield from ((key, entry) for key, entry in batch.items() if entry is not None)


def _batches(tier: Tier) -> Iterator[dict[str, bytes | None]]:
    keys = tier.keys()
    get_many = getattr(tier, "get_many", None)
    while batch := list(islice(keys, BATCH)):
        yield dict(get_many(batch)) if get_many else {key: _got(tier, key) for key in batch}


def _got(tier: Tier, key: str) -> bytes | None:
    try:
        return tier.get(key)
    except EntryError:  # the tier says itself that this one is spoilt; nor can it be read as an entry
        return SPOILT


def entries(cache: Cache) -> Iterator[tuple[Entry, int]]:
    """Every entry that can be read, once, and its size in bytes; of several under a key the newest.

    Raises:
        CacheError: if a tier cannot be read.
    """
    seen: set[str] = set()
    above = list(cache.tiers)
    while above:
        # The lowest first: it holds what the others hold, as a rule.
        for key, value in rows(above.pop()):
            if key in seen or key.startswith(PREFIX):
                continue
            seen.add(key)
            found = [each for each in (_readable(key, at) for at in (value, *_under(key, above))) if each is not None]
            if found:
                yield max(found, key=lambda each: each[0].created)


def _under(key: str, tiers: list[Tier]) -> Iterator[bytes]:
    """What *tiers* hold under *key*."""
    for tier in tiers:
        with _naming(tier):
            value = _got(tier, key)
        if value is not None:
            yield value


def _readable(key: str, value: bytes) -> tuple[Entry, int] | None:
    try:
        return open_entry(key, value), len(value)
    except EntryError:
        return None


@contextmanager
def _naming(tier: Tier) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a tier may fail in any way
        raise CacheError(f"the {tier.name} tier cannot be read: {type(error).__name__}: {error}") from error


@dataclass(slots=True)
class Group:
    """What entries of one *name* come to: how many, bytes, tokens and US dollars that they had been billed.

    oldest, newest: seconds since 1970.
    """

    name: str
    entries: int = 0
    bytes: int = 0
    tokens: int = 0
    cost: float = 0.0
    oldest: float = field(default=float("inf"))
    newest: float = 0.0

    def add(self, entry: Entry, size: int) -> None:
        """Count *entry*."""
        self.entries += 1
        self.bytes += size
        self.tokens += tokens(entry.response.usage)
        self.cost += entry.response.cost or 0.0
        self.oldest = min(self.oldest, entry.created)
        self.newest = max(self.newest, entry.created)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        return {name: getattr(self, name) for name in self.__slots__}


def top(cache: Cache, by: By = "model", sort: Sort = "bytes", most: int = 10) -> list[Group]:
    """The *most* groups of entries that come to the most."""
    groups: dict[str, Group] = {}
    for entry, size in entries(cache):
        for name in _names(entry, by):
            groups.setdefault(name, Group(name)).add(entry, size)
    return sorted(groups.values(), key=lambda each: getattr(each, sort), reverse=True)[:most]


def _names(entry: Entry, by: By) -> list[str]:
    if by == "entry":
        return [entry.key]
    if by == "source":
        return [entry.response.source]
    if by == "tag":
        return list(entry.tags) or ["(none)"]
    marked = [tag.partition(":")[2] for tag in entry.tags if tag.startswith(f"{by}:")]
    return marked or ([entry.response.model] if by == "model" else ["(none)"])

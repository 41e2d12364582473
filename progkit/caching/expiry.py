"""How long a kept reply is served, and what a single call may say about that.

A reply has its times from the moment it is kept: ``soft``, from which on it is served while somebody
asks for it again, and ``expires``, from which on it is not served. A reader may be stricter (``max_age``), or, when the
LM gives no answer, more lenient (``stale_on_failure``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal
from zlib import crc32

from progkit.caching.codec import Entry
from progkit.errors import ConfigurationError, did_you_mean

JITTER: Final = 0.1
"""By how much of its time at most a reply goes earlier, so that what was kept together does not go together."""


@dataclass(frozen=True, slots=True)
class Controls:
    """How a call uses the cache; all times are seconds.

    no_cache: it is not read. no_store: nothing is kept. only_if_cached: a miss is an error, the LM is not asked.
    max_age: what was kept so long ago is a miss. ttl: what the call keeps is served for so long, or a little less
    (``JITTER``); soft_ttl: from then on it is served, marked stale, while it is asked for again in the background;
    None: for ever. stale_on_failure: for so long after its end a reply is served, marked stale, if the LM gives none.
    tags: names by which what the call keeps can be invalidated.

    Raises:
        ConfigurationError: for a value that cannot be.
    """

    no_cache: bool = False
    no_store: bool = False
    only_if_cached: bool = False
    max_age: float | None = None
    ttl: float | None = None
    soft_ttl: float | None = None
    stale_on_failure: float = 0.0
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("no_cache", "no_store", "only_if_cached"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"{name} is True or False, not {getattr(self, name)!r}")
        for name in ("ttl", "soft_ttl"):
            _check(name, getattr(self, name), "a number of seconds above 0, or None", 0.0)
        _check("max_age", self.max_age, "a number of seconds, or None")
        if self.stale_on_failure is None:
            raise ConfigurationError("stale_on_failure is a number of seconds, not None; 0 turns it off")
        _check("stale_on_failure", self.stale_on_failure, "a number of seconds")
        object.__setattr__(self, "tags", _texts(self.tags))

    @property
    def is_plain(self) -> bool:
        """Whether the cache is read as well as written."""
        return not (self.no_cache or self.no_store)


_NAMES: Final = tuple(each.name for each in fields(Controls))


def controls_of(said: Any, usual: Controls) -> Controls:
    """What a true ``config["cache"]`` says: a mapping changes *usual*.

    Raises:
        ConfigurationError: for a name that is none of ``Controls``, or a value that cannot be.
    """
    if said is True or not isinstance(said, Mapping):
        return usual
    for name in said:
        if name not in _NAMES:
            near = did_you_mean(str(name), _NAMES)
            raise ConfigurationError(f"cache={{{name!r}: ...}} is no control{near}; there are {', '.join(_NAMES)}")
    return replace(usual, **said)


def times(key: str, created: float, controls: Controls) -> tuple[float | None, float | None]:
    """``soft`` and ``expires`` of what is kept under *key*, in the time of *created*."""
    soft, ttl = controls.soft_ttl, controls.ttl
    if soft is None and ttl is None:
        return None, None
    share = 1.0 - JITTER * crc32(key.encode()) / 2**32
    return (None if soft is None else created + soft * share), (None if ttl is None else created + ttl * share)


def standing(entry: Entry, max_age: float | None, now: float) -> Literal["fresh", "soft", "expired"]:
    """How *entry* stands at *now* (seconds since 1970) for a reader with *max_age*."""
    if entry.expires is not None and now >= entry.expires:
        return "expired"
    if max_age is not None and now - entry.created >= max_age:
        return "expired"
    return "soft" if entry.soft is not None and now >= entry.soft else "fresh"


def _check(name: str, value: Any, what: str, above: float | None = None) -> None:
    if value is None:
        return
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not (value >= 0 if above is None else value > above):
        raise ConfigurationError(f"{name} is {what}, not {value!r}")


def _texts(tags: Any) -> tuple[str, ...]:
    if not isinstance(tags, (list, tuple)) or not all(isinstance(each, str) for each in tags):
        raise ConfigurationError(f"tags is a list of names, not {tags!r}")
    return tuple(tags)

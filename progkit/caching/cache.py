"""The cache that stands between a predictor and its LM: tiers in order, one key, one codec.

``cache_key``, ``get`` and ``put`` are what a subclass overrides; ``safe_key``, ``safe_get`` and
``safe_put`` are what a program calls, and they do not raise, whatever happens below.
"""

import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from progkit.caching.codec import decode, encode
from progkit.caching.disk import DiskTier
from progkit.caching.guard import Guarded
from progkit.caching.key import cache_key
from progkit.caching.memory import MemoryTier
from progkit.caching.tiers import Tier
from progkit.caching.view import MemoryView
from progkit.errors import CacheError, ConfigurationError, EntryError, UncacheableError
from progkit.lm.request import Request
from progkit.lm.response import Response

T = TypeVar("T")


class Cache:
    """Keeps responses: in memory, and on disk for the processes to come.

    disk_cache_dir: None means ``PROGKIT_CACHE_DIR``, or else the user's cache directory. The limits are numbers of
    entries and of bytes. namespace: apart from it nothing is shared; a cache with another one finds nothing of this.
    tiers: used in this order instead of memory and disk; a hit is copied into those before it. clock: seconds, for
    the rest of a tier that failed.

    Raises:
        ConfigurationError: for a limit that is not above 0.
    """

    _keys_itself: ClassVar[bool] = False

    def __init__(
        self,
        enable_memory_cache: bool = True,
        enable_disk_cache: bool = True,
        disk_cache_dir: str | os.PathLike[str] | None = None,
        disk_size_limit_bytes: int = 1_000_000_000,
        memory_max_entries: float = 1_000_000,
        memory_max_bytes: float = 500_000_000,
        namespace: str = "",
        tiers: Sequence[Tier] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        _above_zero(disk_size_limit_bytes=disk_size_limit_bytes)
        _above_zero(memory_max_entries=memory_max_entries, memory_max_bytes=memory_max_bytes)
        if tiers is None:
            memory = [MemoryTier(memory_max_entries, memory_max_bytes)] if enable_memory_cache else []
            tiers = [*memory, *([DiskTier(disk_cache_dir, int(disk_size_limit_bytes))] if enable_disk_cache else [])]
        self.namespace = namespace
        self._tiers = tuple(Guarded(tier, self._tell, clock) for tier in tiers)
        in_memory = next((tier for tier in tiers if isinstance(tier, MemoryTier)), None)
        self._memory_cache = MemoryView(in_memory or MemoryTier(max_entries=0))
        self._counts = {"hits": 0, "misses": 0, "puts": 0, "uncacheable": 0, "errors": 0}
        self._told: dict[str, object] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._keys_itself = cls.cache_key is not Cache.cache_key

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(tier.name for tier in self._tiers) or 'off'})"

    # --- what a subclass overrides ------------------------------------------------------------

    def cache_key(self, request: Mapping[str, Any]) -> str:
        """The key of *request*, which has ``messages``, ``model`` and every other parameter by name.

        Raises:
            UncacheableError: if it has no stable key.
        """
        return cache_key(request, self.namespace)

    def get(self, key: str) -> Response | None:
        """The response under *key* as it was put, the caller's own; None if there is none."""
        for depth, tier in enumerate(self._tiers):
            entry = tier.get(key)
            if entry is None:
                continue
            try:
                response = decode(key, entry)
            except EntryError as error:
                tier.rejected(error)
                continue
            tier.hits += 1
            for above in self._tiers[:depth]:
                above.put(key, entry)
            return response
        return None

    def put(self, key: str, value: Response) -> None:
        """Keep *value* under *key* in every tier.

        Raises:
            EntryError: if it holds something that is no plain data.
        """
        entry = encode(key, value)
        for tier in self._tiers:
            tier.put(key, entry)

    # --- what a program calls -----------------------------------------------------------------

    def key_for(self, request: Request) -> str:
        """The key of *request* by ``cache_key``, without hashing again what its prefix has hashed already.

        Raises:
            UncacheableError: if it has no stable key, or an overriding ``cache_key`` fails; counted, and told once.
        """
        try:
            if not self._keys_itself:
                return cache_key(request, self.namespace)
            key = self.cache_key(dict(request))
            if not isinstance(key, str):
                raise UncacheableError("request", f"gets from {type(self).__name__}.cache_key no text: {key!r}")
            return key
        except UncacheableError as error:
            raise self._uncacheable(error) from None
        except Exception as error:  # what overrides cache_key may raise anything, and must not fail a call
            reason = f"makes {type(self).__name__}.cache_key fail: {type(error).__name__}: {error}"
            raise self._uncacheable(UncacheableError("request", reason)) from error

    def safe_key(self, request: Request) -> str | None:
        """``key_for``; None if there is no key."""
        try:
            return self.key_for(request)
        except UncacheableError:
            return None

    def safe_get(self, key: str) -> Response | None:
        """``get``; None also if it fails, which is counted, and told once."""
        try:
            response = self.get(key)
            if response is not None and not isinstance(response, Response):
                raise TypeError(f"it gave no progkit.Response but {type(response).__name__}")
        except Exception as error:  # what overrides get may raise anything, and must not fail a call
            self._failed("get", error)
            response = None
        self._counts["misses" if response is None else "hits"] += 1
        return response

    def safe_put(self, key: str, value: Response) -> None:
        """``put``; a failure is counted, and told once."""
        try:
            self.put(key, value)
        except Exception as error:  # what overrides put may raise anything, and must not fail a call
            self._failed("put", error)
        else:
            self._counts["puts"] += 1

    # --- from outside -------------------------------------------------------------------------

    @property
    def directory(self) -> Path | None:
        """Where the disk tier keeps its files; None without one."""
        return next((tier.tier.directory for tier in self._tiers if isinstance(tier.tier, DiskTier)), None)

    def delete(self, key: str) -> bool:
        """Forget *key* in every tier; whether it was in one.

        Raises:
            CacheError: naming every tier that fails; the others have done it. So with ``clear`` and ``close``.
        """
        return any(self._everywhere("delete", lambda tier: tier.delete(key)))

    def clear(self) -> None:
        """Forget everything in every tier."""
        self._everywhere("clear", lambda tier: tier.clear())

    def close(self) -> None:
        """Let go of files and connections; using the cache opens them again."""
        self._everywhere("close", lambda tier: tier.close())

    def reset_memory_cache(self) -> None:
        """Forget what is in memory; other tiers keep theirs."""
        self._memory_cache.clear()

    def stats(self) -> dict[str, Any]:
        """What happened since this cache was made, and what the tiers hold now.

        ``tiers``: by name, in order, ``hits``, ``misses``, ``errors``, ``entries``, ``bytes`` (or ``failed`` with the
        reason). ``hits``, ``misses``, ``puts``: of programs' calls. ``uncacheable``: requests without a key.
        ``errors``: failures of an overriding method or of an encoding.
        """
        return {"tiers": {tier.name: tier.stats() for tier in self._tiers}, **self._counts}

    # --- troubles -----------------------------------------------------------------------------

    def _everywhere(self, verb: str, act: Callable[[Tier], T]) -> list[T]:
        done, failures = [], []
        for each in self._tiers:
            try:
                done.append(act(each.tier))
            except Exception as error:  # a tier may fail in any way; the others come first
                failures.append(f"the {each.name} tier cannot {verb}: {type(error).__name__}: {error}")
        if failures:
            raise CacheError("; ".join(failures))
        return done

    def _uncacheable(self, error: UncacheableError) -> UncacheableError:
        self._counts["uncacheable"] += 1
        self._tell("uncacheable", f"{error}; the LM is asked each time (told once)")
        return error

    def _failed(self, what: str, error: Exception) -> None:
        self._counts["errors"] += 1
        kind = f"{type(self).__name__}.{what} failed: {type(error).__name__}"
        self._tell(kind, f"{kind}: {error}; the LM is asked instead (told once)")

    def _tell(self, kind: str, sentence: str) -> None:
        mine = object()
        if self._told.setdefault(kind, mine) is mine:
            warnings.warn(sentence, RuntimeWarning, stacklevel=2)


def _above_zero(**limits: float) -> None:
    for name, limit in limits.items():
        if not limit > 0:
            raise ConfigurationError(
                f"{name} must be a number above 0, not {limit!r}; enable_..._cache=False turns off"
            )

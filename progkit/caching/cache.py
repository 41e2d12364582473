"""The cache that stands between a predictor and its LM: tiers in order, one key, one codec.

``cache_key``, ``get`` and ``put`` are what a subclass overrides; ``safe_key``, ``safe_get``, ``safe_put`` and
their like are what a program calls, and they do not raise, whatever happens below.
"""

import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final

from progkit.caching.disk import DiskTier
from progkit.caching.expiry import Controls
from progkit.caching.flight import Flights
from progkit.caching.guard import Guarded
from progkit.caching.key import cache_key
from progkit.caching.limits import not_negative, usual_tiers
from progkit.caching.memory import MemoryTier
from progkit.caching.passage import Passage, gates
from progkit.caching.redacting import Redact, redacted_request, redacted_response
from progkit.caching.refreshing import Refreshes
from progkit.caching.stack import Stack
from progkit.caching.tiers import Tier, innermost, within
from progkit.caching.view import MemoryView
from progkit.errors import UncacheableError
from progkit.lm.request import Request
from progkit.lm.response import Response
from progkit.lm.usage import tokens

_COUNTS: Final = ("hits", "misses", "puts", "coalesced", "stale", "refreshed", "expired", "invalidated", "rejected") + (
    "uncacheable",
    "errors",
    "saved_tokens",
    "saved_cost",
)

_said: ContextVar[tuple[Controls, bool] | None] = ContextVar("progkit_cache_call", default=None)
"""What the call says that ``get`` or ``put`` is made for, and whether it counts: these two take a key alone."""


class Cache:
    """Keeps responses: in memory, and on disk for the processes to come.

    disk_cache_dir: None means ``PROGKIT_CACHE_DIR``, or else the user's cache directory. The limits are numbers of
    entries and of bytes. namespace: apart from it nothing is shared; a cache with another one finds nothing of this.
    tiers: used in this order instead of memory and disk; a hit is copied into those before it.

    redact: a hook, text to text, over requests before their keys are made and over replies before anybody sees them;
    see ``Redactor``. redact_sent: the LM is asked without what the hook takes out, too; if not, requests that
    differ in nothing else still share an answer, and so may their users.

    ttl, soft_ttl, stale_on_failure: seconds; how long a reply is served, see ``Controls``. A call may say its own, in
    ``config={"cache": {...}}``. wait: seconds for which a call waits while another one, of this process or another,
    asks the LM the same; 0: each asks for itself. clock: seconds, for what rests or waits; now: since 1970.

    Raises:
        ConfigurationError: for a limit that is not above 0, or a time that cannot be.
    """

    _keys_itself: ClassVar[bool] = False
    _keeps_itself: ClassVar[bool] = False

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
        *,
        ttl: float | None = None,
        soft_ttl: float | None = None,
        stale_on_failure: float = 0.0,
        wait: float = 300.0,
        now: Callable[[], float] = time.time,
        redact: Redact | None = None,
        redact_sent: bool = True,
    ) -> None:
        not_negative(wait=wait)
        on = enable_memory_cache, enable_disk_cache
        usual = usual_tiers(*on, disk_cache_dir, disk_size_limit_bytes, memory_max_entries, memory_max_bytes)
        tiers = [within(tier, namespace) for tier in (usual if tiers is None else tiers)]
        self.namespace = namespace
        self.redact = redact
        self.redact_sent = redact_sent
        self.controls = Controls(ttl=ttl, soft_ttl=soft_ttl, stale_on_failure=stale_on_failure)
        self.wait = wait
        self._counts: dict[str, float] = dict.fromkeys(_COUNTS, 0)
        self._told: dict[str, object] = {}
        self._stack = Stack([Guarded(tier, self._tell, clock) for tier in tiers], self._counts, namespace, clock, now)
        self._tiers = self._stack.tiers
        self.stamps = self._stack.stamps
        in_memory = next((tier for tier in tiers if isinstance(tier, MemoryTier)), None)
        self._memory_cache = MemoryView(in_memory or MemoryTier(max_entries=0), self._controls, now)
        self._gates = gates(tiers, self._tell, clock)
        self.flights = Flights(clock)
        self.refreshes = Refreshes(clock)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._keys_itself = cls.cache_key is not Cache.cache_key
        cls._keeps_itself = cls.get is not Cache.get

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
        """The response under *key* as it was put, the caller's own; None if there is none, or it has expired.

        One past its soft time to live is marked ``stale``.
        """
        said = _said.get()
        return self._stack.find(key, self.controls) if said is None else self._stack.find(key, *said)

    def put(self, key: str, value: Response) -> None:
        """Keep *value* under *key* in every tier.

        Raises:
            EntryError: if it holds something that is no plain data.
        """
        self._stack.keep(key, self.cleaned(value), self._controls())

    # --- what a program calls -----------------------------------------------------------------

    def key_for(self, request: Request) -> str:
        """The key of *request* by ``cache_key``, without hashing again what its prefix has hashed already.

        Raises:
            UncacheableError: if it has no stable key, or an overriding ``cache_key`` fails; counted, and told once.
        """
        try:
            if self.redact is not None:
                request = redacted_request(request, self.redact)
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

    def sent(self, request: Request) -> Request:
        """*request* as the LM is to be asked: without what ``redact`` takes out, if that is not to be sent."""
        return redacted_request(request, self.redact) if self.redact is not None and self.redact_sent else request

    def cleaned(self, response: Response) -> Response:
        """*response* without what ``redact`` takes out, as a hit will give it."""
        return response if self.redact is None else redacted_response(response, self.redact)

    def safe_key(self, request: Request) -> str | None:
        """``key_for``; None if there is no key."""
        try:
            return self.key_for(request)
        except UncacheableError:
            return None

    def safe_get(self, key: str, controls: Controls | None = None) -> Response | None:
        """``get`` as *controls* say; None also if it fails, which is counted, and told once."""
        if controls is None or controls is self.controls:
            response = self._get(key)
        else:
            response = self._saying(controls, True, key)
        if response is None:
            self._counts["misses"] += 1
        else:
            self._counts["hits"] += 1
            self._counts["stale"] += response.stale
        return response

    def look_again(self, key: str, controls: Controls) -> Response | None:
        """``safe_get`` for a call that has missed already, and is counted as that."""
        return self._saying(controls, False, key)

    def late(self, key: str, controls: Controls) -> Response | None:
        """For a call that the LM does not answer: what has expired, if *controls* allow it so late; marked stale."""
        if not controls.stale_on_failure:
            return None
        response = self._stack.find(key, controls, False, controls.stale_on_failure)
        return None if response is None else replace(response, stale=True)

    def safe_put(self, key: str, value: Response, controls: Controls | None = None) -> None:
        """``put`` as *controls* say; a failure is counted, and told once."""
        before = _said.get()
        _said.set((controls or self.controls, True))
        try:
            self.put(key, self.cleaned(value))
        except Exception as error:  # what overrides put may raise anything, and must not fail a call
            self._failed("put", error)
        else:
            self._counts["puts"] += 1
        finally:
            _said.set(before)

    @property
    def coalesces(self) -> bool:
        """Whether calls that ask the same at once share an answer: they do if it is kept for the next one anyway."""
        return self.wait > 0 and (bool(self._tiers) or self._keeps_itself)

    def passage(self, key: str) -> Passage:
        """The way to the LM past other processes that ask it for *key*."""
        return Passage(self._gates, key)

    def count(self, what: str) -> None:
        """Add one to a figure of ``stats``."""
        self._counts[what] += 1

    def spare(self, hit: Response) -> None:
        """Add what *hit*, served in place of the LM's reply, had been billed to what was saved."""
        if hit.saved:
            self._counts["saved_tokens"] += tokens(hit.saved)
        if hit.saved_cost:
            self._counts["saved_cost"] += hit.saved_cost

    # --- from outside -------------------------------------------------------------------------

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """The tiers, in the order in which they are asked."""
        return tuple(each.tier for each in self._tiers)

    @property
    def directory(self) -> Path | None:
        """Where the disk tier keeps its files; None without one."""
        bare = (innermost(each.tier) for each in self._tiers)
        return next((tier.directory for tier in bare if isinstance(tier, DiskTier)), None)

    def delete(self, key: str) -> bool:
        """Forget *key* in every tier; whether it was in one.

        Raises:
            CacheError: naming every tier that fails; the others have done it. So with ``clear`` and ``close``.
        """
        return any(self._stack.everywhere("delete", lambda tier: tier.delete(key)))

    def reject(self, answer: Any) -> int:
        """Forget the kept replies that *answer*, a prediction or a response, came from; how many there were.

        Other processes may still have them in memory. What a program has put together itself came from none.

        Raises:
            CacheError: as ``delete``.
        """
        responses = [answer] if isinstance(answer, Response) else answer.get_lm_responses()
        rejected = sum([self.delete(key) for each in responses for key in each.keys])
        self._counts["rejected"] += rejected
        return rejected

    def clear(self) -> None:
        """Forget everything in every tier."""
        self._stack.everywhere("clear", lambda tier: tier.clear())

    def invalidate(self, *tags: str) -> None:
        """Let nothing that was kept until now and bears one of *tags* be found again; ``"*"`` is on everything.

        It takes one stamp for each tag, however many entries there are; other processes that share a tier follow within
        ``caching.tags.REFRESH`` seconds. What is invalidated takes up its room until it is dropped or collected.

        Raises:
            CacheError: if a tier cannot keep the stamp; this process has done it.
        """
        self.stamps.invalidate(tags)

    def close(self) -> None:
        """Let go of files and connections; using the cache opens them again."""
        for guardian in self._gates:
            guardian.gate.close()
        self._stack.everywhere("close", lambda tier: tier.close())

    def reset_memory_cache(self) -> None:
        """Forget what is in memory; other tiers keep theirs."""
        self._memory_cache.clear()

    def stats(self) -> dict[str, Any]:
        """What happened since this cache was made, and what the tiers hold now.

        ``tiers``: by name, in order, ``hits``, ``misses``, ``missed`` (why: see ``Guarded``), ``errors``, ``dropped``
        (writes), ``entries``, ``bytes`` (or ``failed`` with the reason). ``hits``, ``misses``, ``puts``: of programs'
        calls. ``uncacheable``: requests without a key. ``errors``: failures of an overriding method or of an encoding.
        ``expired``, ``invalidated``: entries met that are no longer good. ``stale``: replies served past their time.
        ``coalesced``: misses that were served what another call got. ``refreshed``: replies asked for again in the
        background. ``rejected``: by ``reject``.
        ``saved_tokens``, ``saved_cost`` (US dollars): what the replies served had been billed when the LM gave them.
        """
        return {"tiers": {tier.name: tier.stats() for tier in self._tiers}, **self._counts}

    # --- troubles -----------------------------------------------------------------------------

    def _get(self, key: str) -> Response | None:
        try:
            response = self.get(key)
            if response is not None and not isinstance(response, Response):
                raise TypeError(f"it gave no progkit.Response but {type(response).__name__}")
            return response
        except Exception as error:  # what overrides get may raise anything, and must not fail a call
            self._failed("get", error)
            return None

    def _controls(self) -> Controls:
        said = _said.get()
        return self.controls if said is None else said[0]

    def _saying(self, controls: Controls, counted: bool, key: str) -> Response | None:
        before = _said.get()
        _said.set((controls, counted))
        try:
            return self._get(key)
        finally:
            _said.set(before)

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

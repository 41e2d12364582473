"""Result caching: what a whole module or function answers, kept under what it is and what it is given."""

import hashlib
import inspect
import json
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import lru_cache, partial, update_wrapper
from types import FunctionType, MethodType
from typing import Any, ClassVar, TypeVar

from progkit.caching import current_cache
from progkit.caching.expiry import controls_of
from progkit.caching.flight import Seat
from progkit.errors import ConfigurationError, NoLMError, UncacheableError, UnsavableError
from progkit.lm import UsageTracker, track_usage
from progkit.program.identity import identity
from progkit.program.module import Module
from progkit.program.result_place import Place

T = TypeVar("T", bound=Callable[..., Any])

VERSION = 1
"""Of what is hashed, and of the texts in ``results``; whoever changes either raises it."""


def cached(
    target: T | None = None,
    /,
    *,
    ttl: float | None = None,
    key: Callable[..., Any] | None = None,
    ignore: Collection[str] = (),
) -> Any:
    """*target*, a module or a function, sync or async, whose results are kept in the cache in force; also a decorator.

    A result is kept under what the target is (its code, signatures, instructions, demos, config, adapter, the LMs in
    force) and its inputs, so that a changed demo asks again by itself. What comes out of the cache equals what
    was computed, falsy or not. A result that is no ``Prediction``, ``Example`` or plain data, or that rests on a reply
    which may not be kept, is not kept; the former is told once. An exception is never kept.

    ttl: seconds for which a result is good; None for as long as the cache keeps it. key: called with the arguments,
    gives plain data to stand for them. ignore: names of attributes and variables that change no result (clients).

    A module gives a module, ``Cached``, with the same predictors under the same paths; a function a function. Both have
    ``cache_key(...)``.

    Raises:
        ConfigurationError: for what has no result to keep: a class, a generator function.
    """
    if ttl is not None and not ttl > 0:
        raise ConfigurationError(f"ttl is a number of seconds above 0, or None, not {ttl!r}")
    keeping = Keeping(ttl, key, frozenset(ignore))
    if target is None:
        return partial(_wrapped, keeping)
    return _wrapped(keeping, target)


def _wrapped(keeping: "Keeping", target: Any) -> Any:
    if isinstance(target, Module):
        return Cached(target, keeping)
    plain = isinstance(target, (FunctionType, MethodType))
    if not plain or inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
        raise ConfigurationError(f"cached() takes a module or a function that returns its result, not {target!r}")

    async def acall(*args: Any, **kwargs: Any) -> Any:
        return await keeping.acall(target, target, args, kwargs)

    def call(*args: Any, **kwargs: Any) -> Any:
        return keeping.call(target, target, args, kwargs)

    new: Any = update_wrapper(acall if inspect.iscoroutinefunction(target) else call, target)
    new.cache_key = lambda *args, **kwargs: keeping.key_of(target, args, kwargs)
    return new


class Cached(Module):
    """*module* with its results kept; made by ``cached``. Its parts are found under the paths they have in *module*."""

    own_state: ClassVar[frozenset[str]] = Module.own_state | {"keeping"}
    seen_through: ClassVar[str] = "module"

    def __init__(self, module: Module, keeping: "Keeping") -> None:
        self.module = module
        self.keeping = keeping

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The module's result, from the cache or made now."""
        return self.keeping.call(self.module, self.module, args, kwargs)

    async def aforward(self, *args: Any, **kwargs: Any) -> Any:
        """As ``forward``, without holding up the event loop."""
        return await self.keeping.acall(self.module, self.module.acall, args, kwargs)

    def cache_key(self, *args: Any, **kwargs: Any) -> str:
        """The key of the result for these inputs under the settings in force.

        Raises:
            UncacheableError: if something in the module or the inputs has no stable content.
            NoLMError: if a predictor has no LM.
        """
        return self.keeping.key_of(self.module, args, kwargs)

    def __repr__(self) -> str:
        return f"cached({self.module!r})"


class Keeping:
    """How results are kept: see ``cached``. *told* remembers which troubles have been told."""

    def __init__(self, ttl: float | None, key: Callable[..., Any] | None, ignore: frozenset[str]) -> None:
        self.ttl = ttl
        self.key = key
        self.ignore = ignore
        self.told: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "told": set()}  # by this process

    def call(self, target: Any, ask: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The kept result of *target*, or what *ask* gives."""
        place = self._place(target, args, kwargs)
        found = None if place is None else place.find()
        if place is None or found is not None:
            return ask(*args, **kwargs) if found is None else found[0]
        with place.shared(blocking=True) as seat:
            if seat is not None and seat.waits:
                seat.wait(place.cache.wait)
            found = place.landed(seat)
            if found is not None:
                return found[0]
            with track_usage() as tracker:
                result = ask(*args, **kwargs)
            self._keep(place, seat, result, tracker)
            return result

    async def acall(self, target: Any, ask: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """As ``call``, for an *ask* to be awaited."""
        place = self._place(target, args, kwargs)
        found = None if place is None else place.find()
        if place is None or found is not None:
            return await ask(*args, **kwargs) if found is None else found[0]
        with place.shared(blocking=False) as seat:
            if seat is not None and seat.waits:
                await seat.wait_async(place.cache.wait)
            found = place.landed(seat)
            if found is not None:
                return found[0]
            with track_usage() as tracker:
                result = await ask(*args, **kwargs)
            self._keep(place, seat, result, tracker)
            return result

    def key_of(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The key of what *target* gives for these arguments; see ``Cached.cache_key``."""
        name = _name(target)
        given = _arguments(target, args, kwargs) if self.key is None else self.key(*args, **kwargs)
        hashed = {
            "result": VERSION,
            "namespace": current_cache().namespace,
            "target": identity(target, name, self.ignore),
            "given": identity(given, "inputs", self.ignore),
        }
        return hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()

    def _place(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Place | None:
        said, kwargs = _controls(target, kwargs)
        if not said and not isinstance(said, Mapping):
            return None
        cache = current_cache()
        # Nobody would make anew what has passed its soft time.
        usual = replace(cache.controls, soft_ttl=None, ttl=self.ttl or cache.controls.ttl)
        try:
            return Place(cache, self.key_of(target, args, kwargs), target, controls_of(said, usual))
        except UncacheableError as error:
            self._tell(f"{error}; the result of {_name(target)} is made each time (told once)", error.where)
        except (NoLMError, _UnfitError):
            # The call itself says best what is missing.
            return None
        return None

    def _keep(self, place: Place, seat: Seat | None, result: Any, tracker: UsageTracker) -> None:
        try:
            place.keep(seat, result, tracker)
        except UnsavableError as error:
            self._tell(f"what {_name(place.target)} returns is not kept: {error} (told once)", error.reason)

    def _tell(self, sentence: str, kind: str) -> None:
        if kind not in self.told:
            self.told.add(kind)
            warnings.warn(sentence, RuntimeWarning, stacklevel=2)


class _UnfitError(TypeError):
    """Arguments that the target does not take."""


def _controls(target: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """What a call of a module says of the cache, as ``config={"cache": ...}``; and its arguments without that."""
    config = kwargs.get("config") if isinstance(target, Module) else None
    if not isinstance(config, Mapping) or "cache" not in config:
        return True, kwargs
    rest = {name: value for name, value in config.items() if name != "cache"}
    without = {name: value for name, value in kwargs.items() if name != "config"}
    return config["cache"], {**without, "config": rest} if rest else without


def _name(target: Any) -> str:
    named = target if isinstance(target, (FunctionType, MethodType)) else type(target)
    return str(named.__qualname__)


_signature = lru_cache(maxsize=1024)(inspect.signature)


def _arguments(target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments by parameter, however they were given."""
    if isinstance(target, Module):
        signature, args = _signature(type(target).forward), (None, *args)
    elif isinstance(target, MethodType):
        signature, args = _signature(target.__func__), (None, *args)
    else:
        signature = _signature(target)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise _UnfitError(str(error)) from None
    bound.apply_defaults()
    loose = [each.name for each in bound.signature.parameters.values() if each.kind is each.VAR_KEYWORD]
    return bound.arguments | {name: dict(sorted(bound.arguments[name].items())) for name in loose}

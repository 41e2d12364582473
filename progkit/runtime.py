"""What is in force: the settings of the process, and what a context overrides.

``configure`` sets the process, from any thread, and every thread and task sees it at once.
``context`` overrides for the block it stands on and for what that block calls, and nobody else:
the overrides live in one ``ContextVar``. Tasks and ``asyncio.to_thread`` inherit them by
themselves; a plain executor does not, ``carry`` makes it.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, fields, replace
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from progkit.errors import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from progkit.adapters import Adapter
    from progkit.caching import Cache
    from progkit.lm import LanguageModel

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force; a value, never changed in place.

    lm: who answers. adapter: how to ask, None means ``ChatAdapter()``. cache: None means the
    default one. track_usage: collect usage for ``Prediction.get_lm_usage``. offline: a miss is an
    error; None means what ``PROGKIT_OFFLINE`` says. tags: names on all that is kept in the cache, by
    which it can be invalidated.
    """

    lm: "LanguageModel | None" = None
    adapter: "Adapter | None" = None
    cache: "Cache | None" = None
    track_usage: bool = False
    offline: bool | None = None
    tags: tuple[str, ...] = ()

    @property
    def is_offline(self) -> bool:
        """Whether a miss is an error."""
        if self.offline is not None:
            return self.offline
        return os.environ.get("PROGKIT_OFFLINE", "").lower() not in ("", "0", "false", "no")


class _Process:
    """The settings of the process, behind a lock for writers."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.lock = threading.Lock()


class _Overrides:
    """What a context overrides, merged into the process's settings once per change of those."""

    __slots__ = ("base", "merged", "values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.base: Settings | None = None
        self.merged = Settings()

    def over(self, base: Settings) -> Settings:
        if self.base is not base:
            merged = replace(base, **self.values)
            # Two threads may both merge; what they write is equal, and `base` comes last.
            self.merged = merged
            self.base = base
            return merged
        return self.merged


_NAMES = tuple(each.name for each in fields(Settings))
_process = _Process()
_overrides: ContextVar[_Overrides | None] = ContextVar("progkit_overrides", default=None)


def current() -> Settings:
    """The settings in force here."""
    overrides = _overrides.get()
    return _process.settings if overrides is None else overrides.over(_process.settings)


def configure(**values: Any) -> None:
    """Set the process's settings: lm, adapter, cache, track_usage, offline, tags.

    What is not named stays as it is. A ``context`` that overrides a name goes on overriding it.

    Raises:
        ConfigurationError: for a name that is no setting, or an *lm* that is none.
    """
    _check(values)
    with _process.lock:
        _process.settings = replace(_process.settings, **values)


@contextmanager
def context(**values: Any) -> Iterator[None]:
    """Override settings for a block, in this thread or task alone.

    Raises:
        ConfigurationError: for a name that is no setting, or an *lm* that is none.
    """
    _check(values)
    before = _overrides.get()
    _overrides.set(_Overrides({**before.values, **values} if before else values))
    try:
        yield
    finally:
        # Not reset(token): an async generator may be closed in another context than it began in.
        _overrides.set(before)


def carry(function: Callable[P, T]) -> Callable[P, T]:
    """*function*, to be run elsewhere with all context variables of here and now.

    ``pool.submit(progkit.carry(program), question=...)``: the worker sees this thread's settings.
    May run in many threads at once.
    """
    here = copy_context()

    @wraps(function)
    def carried(*args: P.args, **kwargs: P.kwargs) -> T:
        return here.copy().run(function, *args, **kwargs)

    return carried


class SettingsView:
    """The public ``progkit.settings``: reads what is in force where it is read."""

    def __getattr__(self, name: str) -> Any:
        if name not in _NAMES:
            raise AttributeError(f"no setting {name!r}{did_you_mean(name, _NAMES)}")
        return getattr(current(), name)

    def __dir__(self) -> list[str]:
        return list(_NAMES)

    def __repr__(self) -> str:
        return repr(current())


settings = SettingsView()


def require_lm(value: Any) -> None:
    """Nothing, if *value* is an LM, or None.

    Raises:
        ConfigurationError: if it is not.
    """
    is_one = hasattr(value, "identity") and hasattr(value, "complete") and not isinstance(value, type)
    if value is not None and not is_one:
        named = value if isinstance(value, str) else "provider/model"
        raise ConfigurationError(f"lm is an LM, like progkit.LM({named!r}), and not {value!r:.80}")


def _check(values: Mapping[str, Any]) -> None:
    for name in values:
        if name not in _NAMES:
            known = ", ".join(_NAMES)
            raise ConfigurationError(f"no setting {name!r}{did_you_mean(name, _NAMES)}; the settings are {known}")
    require_lm(values.get("lm"))
    tags = values.get("tags", ())
    if not isinstance(tags, (list, tuple)) or not all(isinstance(tag, str) for tag in tags):
        raise ConfigurationError(f"tags is a list of names, like ['tenant:7'], not {tags!r}")

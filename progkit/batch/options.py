"""What can be said of a batch."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from progkit.batch.report import BatchReport
from progkit.errors import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from progkit.batch.checkpoint import Checkpoint

Progress = Callable[[BatchReport], object]


class BatchOptions(TypedDict, total=False):
    """The options of ``Module.batch`` and its like, all of them by name.

    concurrency (16; DSPy's ``num_threads`` is another name for it): items under way at once. max_errors (10): how many
    items may fail, one more stops the batch; None: any number. timeout: seconds that an item may take, waiting for
    rate limits left out; it fails then, and is not asked again. straggler_limit (0): when no more than so many items
    are left, each gets five times the median time and fails then.

    requests_per_minute, tokens_per_minute: of the LM calls, cache hits left out. max_cost: US dollars; no item is
    begun that could pass it, judged by the dearest so far. checkpoint: a file, see ``batch.checkpoint``; the same call
    with the same file goes on where it stopped; or an open ``Checkpoint``, which stays open. progress: called with the
    ``BatchReport`` after each item, on the event loop's thread; None: a bar if stderr is a terminal; False: nothing.
    report: the ``BatchReport`` to keep.

    executor: where the calls are made, any ``concurrent.futures.Executor``; other than a thread pool it gets the
    program pickled, or what ``loader``, a function without arguments, gives there. chunk (16): items sent to it at
    once, and called at once where they come to.

    DSPy's: ``return_failed_examples`` gives its triple of results, failed inputs and errors. ``disable_progress_bar``.
    ``provide_traceback`` changes nothing: a failure's error has its traceback.
    """

    concurrency: int
    num_threads: int | None
    max_errors: int | None
    timeout: float | None
    straggler_limit: int
    requests_per_minute: float | None
    tokens_per_minute: float | None
    max_cost: float | None
    checkpoint: "str | os.PathLike[str] | Checkpoint | None"
    progress: "Progress | bool | None"
    report: BatchReport | None
    executor: Executor | None
    loader: Callable[[], Any] | None
    chunk: int
    ordered: bool
    return_failed_examples: bool
    provide_traceback: bool | None
    disable_progress_bar: bool


@dataclass(frozen=True, slots=True)
class Ways:
    """The options of one batch, checked."""

    concurrency: int = 16
    max_errors: int | None = 10
    timeout: float | None = None
    straggler_limit: int = 0
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    max_cost: float | None = None
    checkpoint: "str | os.PathLike[str] | Checkpoint | None" = None
    progress: "Progress | bool | None" = None
    report: BatchReport | None = None
    executor: Executor | None = None
    loader: Callable[[], Any] | None = None
    chunk: int = 16
    ordered: bool = True
    return_failed_examples: bool = False

    @property
    def threads(self) -> Executor | None:
        """The executor, if it is threads of this process."""
        return self.executor if isinstance(self.executor, ThreadPoolExecutor) else None

    @property
    def remote(self) -> Executor | None:
        """The executor, if it may be elsewhere: what goes there is pickled."""
        return None if isinstance(self.executor, ThreadPoolExecutor) else self.executor

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Ways":
        """The ways that *options* say.

        Raises:
            ConfigurationError: for what is no option, or cannot work.
        """
        given = dict(options)
        known = list(BatchOptions.__annotations__)
        for name in given:
            if name not in known:
                raise ConfigurationError(f"batch has no option {name!r}{did_you_mean(name, known)}")
        threads = given.pop("num_threads", None)
        if threads is not None:
            given.setdefault("concurrency", threads)
        given.pop("provide_traceback", None)
        if given.pop("disable_progress_bar", False):
            given.setdefault("progress", False)
        ways = cls(**given)
        ways._check()
        return ways

    def _check(self) -> None:
        for name in ("concurrency", "chunk"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ConfigurationError(f"{name} is a whole number of items, 1 or more, not {value!r}")
        for name in ("timeout", "requests_per_minute", "tokens_per_minute"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigurationError(f"{name} is a number above 0, or None, not {value!r}")
        for name in ("max_errors", "straggler_limit", "max_cost"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ConfigurationError(f"{name} is a number, 0 or more, not {value!r}")
        if self.tokens_per_minute is not None and self.remote is not None:
            raise ConfigurationError(
                "tokens_per_minute cannot be kept where workers elsewhere send the requests: give requests_per_minute, "
                "of which an item counts as one there"
            )
        if self.loader is not None and self.executor is None:
            raise ConfigurationError("loader says how an executor's workers get the program: give executor=, too")

"""Errors of many calls at once."""

from collections.abc import Sequence
from typing import Any

from progkit.errors.root import ProgkitError


class BatchError(ProgkitError):
    """A batch, or an item of one, that did not come to its end."""


class BatchStoppedError(BatchError):
    """A batch that stopped before its end; *reason* says why.

    finished: ``(id, result)`` for each item that was finished, failures included, in the order of the inputs; empty
    where they were handed out one by one. Its ``__cause__`` is the last failure, if failures stopped it.
    """

    def __init__(self, reason: str, finished: Sequence[tuple[Any, Any]] = ()) -> None:
        super().__init__(reason, finished)
        self.reason = reason
        self.finished = list(finished)

    def __str__(self) -> str:
        have = f" ({len(self.finished)} results are in .finished)" if self.finished else ""
        return f"the batch stopped: {self.reason}{have}. With a checkpoint, the same call again goes on from here"


class ItemTimeoutError(BatchError):
    """An item that took longer than it may: *seconds*, and *reason*, what set the limit."""

    def __init__(self, seconds: float, reason: str) -> None:
        super().__init__(seconds, reason)
        self.seconds = seconds
        self.reason = reason

    def __str__(self) -> str:
        return f"no result after {self.seconds:.3g} s ({self.reason}); its call may have been billed"


class CheckpointError(BatchError):
    """A checkpoint that cannot be used for this batch: *path*, *reason*, *hint*."""

    def __init__(self, path: str, reason: str, hint: str) -> None:
        super().__init__(path, reason, hint)
        self.path = path
        self.reason = reason
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.path} {self.reason}; {self.hint}"


class RowError(BatchError):
    """A row that cannot be read as inputs: *where*, as ``line 7 of rows.jsonl``, and the *reason*."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where = where
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"

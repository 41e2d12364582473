"""What of a program cannot be pickled: all of it is looked for, and told at once."""

import pickle
from collections.abc import Callable

from progkit.errors import UnsavableError

MOST = 10
"""So many are looked for."""
_USUAL = (TypeError, pickle.PicklingError, UnsavableError, RecursionError)
"""What says all there is to say; another error is the cause of ours."""
_WAY_OUT = "leave it out in __getstate__"
_PARTS = ", or name the parts that travel without it: modules_to_serialize=['<path>', ...]"


class Enough(Exception):  # noqa: N818 - a way out, and no error
    """Nothing more is looked for."""


class Refusals:
    """What was refused, by path; *has_parts*: the parts that travel were chosen already, and need not be advised."""

    def __init__(self, has_parts: bool) -> None:
        self.by_path: dict[str, str] = {}
        self.cause: Exception | None = None
        self.has_parts = has_parts
        self.way_out = ""

    def add(self, error: Exception, where: Callable[[], str], told: Callable[[Exception], tuple[str, str]]) -> None:
        """Take note of *error*. where: the path of what was being written; told: path and reason of what is to blame.

        Raises:
            Enough: if there is no use in going on.
        """
        if isinstance(error, UnsavableError):
            path, reason = error.where, error.reason
        elif isinstance(error, RecursionError):
            path, reason = where(), "is nested too deeply to be pickled"
        else:
            path, reason = told(error)
            self.way_out = f"; {_WAY_OUT}{'' if self.has_parts else _PARTS}"
        if not self.by_path and not isinstance(error, _USUAL):
            self.cause = error
        self.by_path.setdefault(path, reason)
        if len(self.by_path) == MOST or isinstance(error, RecursionError):
            raise Enough

    def error(self) -> UnsavableError:
        """The error for all of them: the first with its path, the others named after it."""
        (where, reason), *others = self.by_path.items()
        also = "".join(f"\n  also {path}: {each}" for path, each in others)
        return UnsavableError(where, f"{reason}{self.way_out}{also}")

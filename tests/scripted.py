"""An LM for tests: it says what its script says, and fails if asked for more."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from progkit.lm.request import Request
from progkit.lm.response import Response

Line: TypeAlias = str | Response | BaseException | Callable[[Request], "str | Response"]
"""What to do with a request: say it, answer it, raise it, or ask the function."""


class ScriptedLM:
    """Answers request after request from its script; may be used from many threads.

    ``requests`` are those it has been asked, in order; ``count`` is how many.
    """

    cache = True

    def __init__(self, *script: Line, model: str = "scripted/lm", **settings: Any) -> None:
        """*settings* become part of the identity, as temperature would."""
        self.script = list(script)
        self.requests: list[Request] = []
        self.settings: Mapping[str, Any] = {"model": model, **settings}
        self._lock = threading.Lock()

    @property
    def identity(self) -> Mapping[str, Any]:
        """The model's name and the settings given."""
        return self.settings

    @property
    def count(self) -> int:
        """How many requests it has answered or refused."""
        return len(self.requests)

    def complete(self, request: Request) -> Response:
        """Do the next line of the script.

        Raises:
            AssertionError: if the script has come to its end.
        """
        with self._lock:
            at = len(self.requests)
            self.requests.append(request)
        assert at < len(self.script), f"asked {at + 1} times, but the script has {len(self.script)} lines: {request!r}"
        line = self.script[at]
        if isinstance(line, BaseException):
            raise line
        said = line(request) if callable(line) else line
        model = str(self.settings["model"])
        return said if isinstance(said, Response) else Response.of(said, model=model, usage={"total_tokens": 1})

    async def acomplete(self, request: Request) -> Response:
        """As ``complete``."""
        return self.complete(request)

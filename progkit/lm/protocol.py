"""The LM as a program sees it. Anything with these members is one; nothing to inherit or register."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from progkit.lm.request import Request
from progkit.lm.response import Response


@runtime_checkable
class LanguageModel(Protocol):
    """Answers requests.

    An LM may also have ``async acomplete(request)``: without it, async calls run ``complete`` in a
    worker thread. And ``cache = False`` keeps its replies out of the cache.
    """

    @property
    def identity(self) -> Mapping[str, Any]:
        """``model`` and every setting of the LM's own that can change an answer; plain data, no secrets.

        It opens the request's parameters and so becomes part of the cache key.
        """
        ...

    def complete(self, request: Request) -> Response:
        """Answer *request*.

        Raises:
            LMError: if there is no answer.
        """
        ...

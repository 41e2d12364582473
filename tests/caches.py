"""What the tests of the cache share: an answer, a request, and the warnings that something gives."""

import warnings
from collections.abc import Callable
from typing import Any

from progkit.lm.request import Prefix, Request
from progkit.lm.response import Response

ANSWER = Response.of("yes", model="m", usage={"total_tokens": 3})


def ask(content: str = "?", **params: Any) -> Request:
    """A request that asks *content*."""
    return Request(Prefix([{"role": "system", "content": "s"}]), [{"role": "user", "content": content}], params)


def told(act: Callable[[], Any]) -> list[str]:
    """The warnings that *act* gives."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        act()
    return [str(each.message) for each in caught]

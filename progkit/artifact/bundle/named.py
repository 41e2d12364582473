"""What the pickles of bundles name of this room. The names stand in files that were saved: none is ever changed."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any


def remembering(function: Callable[..., Any], maxsize: int | None, typed: bool) -> Any:
    """*function* with ``functools.lru_cache`` around it, and nothing remembered yet."""
    return lru_cache(maxsize, typed)(function)

"""What the tests of the cache share: an answer, a request, the warnings that something gives, another process."""

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
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


def run(script: str, *args: object, before: list[str] | None = None, **settings: object) -> str:
    """What *script* prints in a process of its own, run by the command *before* if there is one."""
    here = Path(__file__).parent
    head = f"import os, sys; sys.path[:0] = [{str(here.parent)!r}, {str(here)!r}]\n"
    command = [*(before or []), sys.executable, "-c", head + script, *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, **settings)
    assert done.returncode == 0, done.stderr
    return done.stdout

"""The last requests and their replies, to look at: of the process, and of each LM."""

import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, TextIO

from progkit.lm.request import Request
from progkit.lm.response import Response
from progkit.lm.secrecy import is_secret

LIMIT = 1000
"""Entries kept for the process."""
LIMIT_PER_LM = 100
"""Entries kept by an ``LM``."""


@dataclass(slots=True)
class Entry:
    """A request, without its credentials, and its reply. at: when, in seconds since the epoch."""

    request: Request
    response: Response
    at: float = field(default_factory=time.time)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages sent."""
        return self.request.messages


_recent: deque[Entry] = deque(maxlen=LIMIT)


def record(lm: object, request: Request, response: Response) -> None:
    """Remember a call in the process's history, and in ``lm.history`` if it is a deque."""
    entry = Entry(_without_secrets(request), response)
    _recent.append(entry)
    own = getattr(lm, "history", None)
    if isinstance(own, deque):
        own.append(entry)


def recent() -> list[Entry]:
    """The process's history, oldest first."""
    return list(_recent)


def clear() -> None:
    """Forget the process's history."""
    _recent.clear()


def inspect_history(n: int = 1, file: TextIO | None = None, entries: Sequence[Entry] | None = None) -> None:
    """Print the last *n* calls to *file*, standard output by default; *entries* instead of the process's own."""
    out = sys.stdout if file is None else file
    shown = recent() if entries is None else list(entries)
    for entry in shown[-n:] if n > 0 else []:
        print(_text(entry), file=out)


def _text(entry: Entry) -> str:
    response = entry.response
    marks = ", from the cache" if response.cache_hit else ""
    lines = [f"[{datetime.fromtimestamp(entry.at):%Y-%m-%d %H:%M:%S}] {response.model or entry.request.model}{marks}"]
    for message in entry.messages:
        lines += ["", f"{str(message.get('role', '?')).capitalize()} message:", "", _content(message.get("content"))]
    for at, completion in enumerate(response.completions):
        count = f" {at + 1} of {len(response.completions)}" if len(response.completions) > 1 else ""
        ended = completion.finish_reason or "no finish reason"
        lines += ["", f"Reply{count} ({ended}):", "", completion.text or "(no text)"]
        lines += [f"Tool call: {each['name']}({each['args']})" for each in completion.tool_calls]
    return "\n".join([*lines, ""])


def _content(content: object) -> str:
    if isinstance(content, (list, tuple)):
        return "\n".join(_block(each) for each in content)
    return "" if content is None else str(content)


def _block(block: Mapping[str, Any]) -> str:
    """A content block: its text, or what else it is; data is not printed."""
    return str(block["text"]) if "text" in block else f"<{block.get('type', 'block')}>"


@lru_cache(maxsize=256)
def _has_secrets(names: tuple[str, ...]) -> bool:
    return any(map(is_secret, names))


def _without_secrets(request: Request) -> Request:
    if not _has_secrets(tuple(request.params)):
        return request
    return Request(request.prefix, request.tail, {n: v for n, v in request.params.items() if not is_secret(n)})

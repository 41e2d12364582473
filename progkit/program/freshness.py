"""Whether demos are still what they were when a prompt was prepared from them.

Asked at every call, so it compares identities and reads no text: an ``Example`` has a new edition
after each change; what can change below it (a list in a demo, a model) is remembered with its
children. A value that cannot be watched makes the demos never fresh: slow, and right.
"""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from operator import attrgetter, is_
from typing import Any

from progkit.example import Example
from progkit.program.held import Held

_FIXED = (str, int, float, bool, type(None), bytes, date, datetime, time, timedelta, Decimal, Enum)
_edition = attrgetter("_edition")


class Watch:
    """Remembers demos as they are now; ``holds`` says whether they still are."""

    __slots__ = ("contents", "demos", "editions", "parts", "watchable")

    def __init__(self, demos: Any) -> None:
        self.watchable = True
        self.parts: list[Any] = []
        self.contents: list[list[Any]] = []
        self.demos: Any = None
        self.editions: list[object] = []
        if isinstance(demos, Held):  # which nobody can change
            self.demos = demos
        elif all(isinstance(demo, Example) for demo in demos):
            self.editions = list(map(_edition, demos))
            for demo in demos:
                for value in demo.values():
                    self._remember(value)
        else:
            self.demos = demos
            self._remember(demos)

    def _remember(self, value: Any) -> None:
        if isinstance(value, _FIXED):
            return
        if isinstance(value, Example):
            value = value._values
        elif hasattr(type(value), "model_fields"):
            value = vars(value)
        if type(value) in (list, dict, tuple):
            children = _contents(value)
            self.parts.append(value)
            self.contents.append(children)
            for child in children:
                self._remember(child)
        else:
            self.watchable = False

    def holds(self, demos: Any) -> bool:
        """Whether *demos* are the same, in the same order, unchanged."""
        if not self.watchable:
            return False
        if self.demos is None:
            try:
                if list(map(_edition, demos)) != self.editions:
                    return False
            except AttributeError:
                return False
        elif demos is not self.demos:
            return False
        return all(map(_same, self.parts, self.contents)) if self.parts else True


def _contents(value: Any) -> list[Any]:
    return [*value, *value.values()] if type(value) is dict else list(value)


def _same(part: Any, contents: list[Any]) -> bool:
    now = _contents(part)
    return len(now) == len(contents) and all(map(is_, now, contents))

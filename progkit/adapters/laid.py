"""What an adapter has that lays messages out as one of DSPy's versions did."""

from copy import copy
from typing import Any, Self

from progkit.adapters.layouts import NEWEST, layout_named
from progkit.adapters.protocol import Adapter


class Laid:
    """The layout of an adapter: the one it was made with, or another's that a predictor brings along.

    Raises:
        ConfigurationError: for a layout that there is not.
    """

    fallback: Adapter | None

    def __init__(self, layout: str | None) -> None:
        self.layout = layout_named(NEWEST if layout is None else layout).version
        self._is_chosen = layout is not None
        self._others: dict[str, Any] = {}

    def with_layout(self, layout: str) -> Self:
        """This adapter in another *layout*, always the same one; itself if it was made for a certain layout.

        Raises:
            ConfigurationError: for a layout that there is not.
        """
        if self._is_chosen or layout == self.layout:
            return self
        other: Self | None = self._others.get(layout)
        if other is None:
            other = copy(self)
            Laid.__init__(other, layout)
            relay = getattr(other.fallback, "with_layout", None)
            if relay is not None:
                other.fallback = relay(layout)
            other = self._others.setdefault(layout, other)
        return other

    def _told_layout(self) -> list[str]:
        return [f"layout={self.layout!r}"] if self._is_chosen else []

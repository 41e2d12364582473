"""Demos as a file holds them, until somebody looks at them.

A prompt is made of the values alone. Examples, which can be changed, are made when a program's author asks for
``predict.demos``; most programs in production never do.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from progkit.example import Example
from progkit.schema import as_dicts


class Held:
    """The demos of a predictor, their values all words.

    rows: the values of each, a dict or a record, which nobody changes. inputs: the names of the inputs, *named* those
    of the demos, by index, that have others. A pickle of it is that of a list of examples.
    """

    __slots__ = ("_inputs", "_made", "_named", "_rows")

    def __init__(self, rows: Sequence[Any], inputs: frozenset[str], named: Mapping[int, Sequence[str]]) -> None:
        self._rows = rows
        self._inputs = inputs
        self._named = named
        self._made: list[list[Any]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def values(self) -> list[dict[str, Any]]:
        """The values of each, in new dicts."""
        return list(as_dicts(self._rows))

    def examples(self) -> list[Any]:
        """An example of each: the same list for whoever asks."""
        if not self._made:
            values = self.values()
            made = Example.many(values, self._inputs)
            for index, names in self._named.items():
                made[index] = Example.of(values[index], frozenset(names))
            self._made.append(made)  # of several threads at once, the first
        return self._made[0]

    def __reduce__(self) -> Any:
        return list, (self.examples(),)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Held":
        return Held(self._rows, self._inputs, self._named)

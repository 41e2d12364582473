"""Named values: an ``Example`` (a demo) and a ``Prediction`` (an answer).

Both are read by attribute or by item. A name that is also a method (``items``, ``inputs``) is
reached by item alone. Every change gives an example a new ``edition``, which is how a
predictor sees in one look that a demo it has prepared is not what it was.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat, starmap
from typing import Any, Self


class Example:
    """Named values, some of which may be marked as inputs.

    ``Example(question="...", answer="...").with_inputs("question")``; ``Example(other, answer="new")``
    starts from another example or mapping.
    """

    __slots__ = ("__weakref__", "_edition", "_input_keys", "_values")

    _values: dict[str, Any]
    _input_keys: frozenset[str] | None
    _edition: object

    def __init__(self, base: "Example | Mapping[str, Any] | None" = None, /, **values: Any) -> None:
        start = dict(base.items()) if base is not None else {}
        keys = base._input_keys if isinstance(base, Example) else None
        self._set(start | values, keys)

    @classmethod
    def of(cls, values: dict[str, Any], input_keys: frozenset[str]) -> Self:
        """An example of *values*, which are its own from now on; made with little work, for demos by the thousand."""
        new = cls.__new__(cls)
        _put_values(new, values)
        _put_input_keys(new, input_keys)
        return new

    @classmethod
    def many(cls, values: Sequence[dict[str, Any]], input_keys: frozenset[str]) -> list[Self]:
        """``of`` for each of *values*, in a few passes without a step of Python for each."""
        made: list[Self] = list(starmap(cls.__new__, repeat((cls,), len(values))))
        deque(starmap(_put_values, zip(made, values, strict=True)), maxlen=0)
        deque(starmap(_put_input_keys, zip(made, repeat(input_keys), strict=False)), maxlen=0)
        return made

    def _set(self, values: dict[str, Any], input_keys: frozenset[str] | None) -> None:
        _put_values(self, values)
        _put_input_keys(self, input_keys)

    @property
    def edition(self) -> object:
        """A new object after every change, compared by identity."""
        return self._edition

    # --- values -----------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        """A value by name. A slot that nobody has filled comes here too: an edition is made when it is asked for."""
        if name == "_edition":
            object.__setattr__(self, "_edition", object())
            return self._edition
        if name in ("_values", "_input_keys") or name.startswith("__"):
            raise AttributeError(name)
        try:
            return self._values[name]
        except KeyError:
            known = ", ".join(self._values) or "nothing"
            raise AttributeError(f"{type(self).__name__} has no {name!r}; it has {known}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        if name not in self._values:
            raise AttributeError(name)
        del self[name]

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._values[name] = value
        object.__setattr__(self, "_edition", object())

    def __delitem__(self, name: str) -> None:
        del self._values[name]
        object.__setattr__(self, "_edition", object())

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def keys(self) -> Iterable[str]:
        """The names, in the order they were given."""
        return self._values.keys()

    def values(self) -> Iterable[Any]:
        """The values, in the order they were given."""
        return self._values.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names with values."""
        return self._values.items()

    def get(self, name: str, default: Any = None) -> Any:
        """The value of *name*, or *default*."""
        return self._values.get(name, default)

    # --- inputs and labels ------------------------------------------------------------------

    def with_inputs(self, *names: str) -> Self:
        """A copy in which *names* are the inputs and every other value is a label."""
        new = self.copy()
        new._set(dict(self._values), frozenset(names))
        return new

    def inputs(self) -> "Example":
        """The inputs alone.

        Raises:
            ValueError: if ``with_inputs`` has not said which they are.
        """
        if self._input_keys is None:
            raise ValueError("which values are inputs is not known: use example.with_inputs('question', ...)")
        return Example({name: value for name, value in self.items() if name in self._input_keys}).with_inputs(
            *self._input_keys
        )

    def labels(self) -> "Example":
        """All that is not an input.

        Raises:
            ValueError: if ``with_inputs`` has not said which the inputs are.
        """
        given = self.inputs()
        return Example({name: value for name, value in self.items() if name not in given})

    @property
    def input_keys(self) -> frozenset[str] | None:
        """The names of the inputs, or None if nobody has said."""
        return self._input_keys

    # --- as a value -------------------------------------------------------------------------

    def copy(self, **values: Any) -> Self:
        """A copy with *values* replaced; the values themselves are shared."""
        new = type(self).__new__(type(self))
        self._copy_into(new)
        new._set(self._values | values, self._input_keys)
        return new

    def _copy_into(self, new: "Example") -> None:
        """Hand a subclass's own slots to *new*."""

    def without(self, *names: str) -> Self:
        """A copy that lacks *names*."""
        new = self.copy()
        new._set({name: value for name, value in self.items() if name not in names}, self._input_keys)
        return new

    def toDict(self) -> dict[str, Any]:  # noqa: N802 - DSPy's name
        """Plain data: nested examples become dicts."""
        return {name: _plain(value) for name, value in self.items()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Example) and self._values == other._values

    def __hash__(self) -> int:
        return hash(frozenset(self._values))  # values may be unhashable; equal examples have equal names

    def __repr__(self) -> str:
        inputs = f" (inputs: {', '.join(sorted(self._input_keys))})" if self._input_keys else ""
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in self.items())}){inputs}"

    def __getstate__(self) -> dict[str, Any]:
        return {"_values": self._values, "_input_keys": self._input_keys}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._set(state["_values"], state["_input_keys"])


# The slots themselves: half the time of setattr.
_put_values = Example._values.__set__  # type: ignore[attr-defined, misc]
_put_input_keys = Example._input_keys.__set__  # type: ignore[union-attr, misc]


class Prediction(Example):
    """What a program answers: the output fields by name.

    ``get_lm_usage()`` is what the call was billed for; ``completions`` holds one prediction for each
    of the *n* replies asked for, this one being the first.
    """

    __slots__ = ("_completions", "_responses", "_usage")

    _completions: "tuple[Prediction, ...]"
    _responses: Sequence[Any]
    _usage: dict[str, dict[str, Any]] | None

    def __init__(self, base: Example | Mapping[str, Any] | None = None, /, **values: Any) -> None:
        super().__init__(base, **values)
        self._reset()

    def _reset(self) -> None:
        object.__setattr__(self, "_completions", ())
        object.__setattr__(self, "_responses", ())
        object.__setattr__(self, "_usage", None)

    @classmethod
    def answered(cls, completions: Sequence[dict[str, Any]], responses: Sequence[Any]) -> "Prediction":
        """The prediction that *responses* (``progkit.Response``) were parsed into, one dict for each completion."""
        new = cls.__new__(cls)
        _put_values(new, completions[0])
        _put_input_keys(new, None)
        _put_completions(new, ())
        _put_usage(new, None)
        _put_responses(new, responses)
        if len(completions) > 1:
            object.__setattr__(new, "_completions", tuple(cls(each) for each in completions))
        return new

    @property
    def completions(self) -> "tuple[Prediction, ...]":
        """One prediction for each reply of the call."""
        return self._completions or (self,)

    def get_lm_usage(self) -> dict[str, dict[str, Any]]:
        """Billed usage by model: token counts as the provider names them; ``{}`` from the cache.

        Collected while ``track_usage`` is set; without it, what this prediction's own calls used.
        """
        if self._usage is not None:
            return self._usage
        usage: dict[str, dict[str, Any]] = {}
        for response in self._responses:
            if response.usage:
                usage[response.model] = response.usage
        return usage

    def set_lm_usage(self, usage: dict[str, dict[str, Any]]) -> None:
        """Replace what ``get_lm_usage`` answers."""
        object.__setattr__(self, "_usage", usage)

    def get_lm_responses(self) -> Sequence[Any]:
        """The LM's replies (``progkit.Response``) that this was parsed from; ``cache_hit`` marks a hit."""
        return self._responses

    def _copy_into(self, new: Example) -> None:
        for slot in Prediction.__slots__:
            object.__setattr__(new, slot, getattr(self, slot))

    def __getstate__(self) -> dict[str, Any]:
        own = {slot: getattr(self, slot) for slot in Prediction.__slots__}
        return super().__getstate__() | own

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for slot in Prediction.__slots__:
            object.__setattr__(self, slot, state[slot])


def _plain(value: Any) -> Any:
    if isinstance(value, Example):
        return value.toDict()
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return value


_put_completions = Prediction._completions.__set__  # type: ignore[attr-defined, misc]
_put_responses = Prediction._responses.__set__  # type: ignore[attr-defined, misc]
_put_usage = Prediction._usage.__set__  # type: ignore[union-attr, misc]

"""What a batch takes and gives: items, read from whatever the caller has, and what became of each."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from progkit.errors import ConfigurationError
from progkit.example import Example
from progkit.lm import UsageTracker

Id: TypeAlias = Any
"""What the caller knows an item by: its own id, or else its number, from 0."""


@dataclass(frozen=True, slots=True)
class Item:
    """One call to be made: *number* in the order of the inputs, *inputs* by name, *given* as it came.

    error: why it cannot be called, if that is known before.
    """

    number: int
    id: Id
    inputs: dict[str, Any]
    given: Any
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """In the place of a result: the *error* that the item ``id`` ended in, and its *inputs*. It is false."""

    id: Id
    inputs: dict[str, Any]
    error: BaseException

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of *item*: its *result*, or a ``Failure``; what it *used*, None if it comes from a checkpoint.

    seconds: how long it took.
    """

    item: Item
    result: Any
    used: UsageTracker | None
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether it is a failure."""
        return type(self.result) is Failure


class Unreadable:
    """In the place of inputs: why a row of a file has none; its item fails without a call."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


def item_of(number: int, given: Any) -> Item:
    """The item that *given* is: inputs by name, an ``Example``, or either with an id before it.

    Raises:
        ConfigurationError: for anything else.
    """
    known, inputs = given if isinstance(given, tuple) and len(given) == 2 else (number, given)
    if isinstance(inputs, Unreadable):
        return Item(number, known, {}, inputs, inputs.error)
    if isinstance(inputs, Example):
        chosen = inputs if inputs.input_keys is None else inputs.inputs()
        return Item(number, known, dict(chosen.items()), inputs)
    if isinstance(inputs, Mapping):
        return Item(number, known, dict(inputs), inputs)
    raise ConfigurationError(
        f"input {number} of the batch is {given!r:.80}; an input is a dict of inputs by name, an Example, "
        "or (id, one of these)"
    )


def items_of(inputs: Iterable[Any]) -> Iterator[Item]:
    """The items of *inputs*, each read when it is asked for.

    Raises:
        ConfigurationError: for what is no iterable, or no input.
    """
    if isinstance(inputs, (Mapping, str, bytes)) or not hasattr(inputs, "__iter__"):
        more = ": `await program.abatch(...)` takes an async iterable" if hasattr(inputs, "__aiter__") else ""
        raise ConfigurationError(
            f"the inputs of a batch are an iterable of dicts or Examples, not {inputs!r:.80}{more}"
        )
    return (item_of(number, given) for number, given in enumerate(inputs))


async def aitems_of(inputs: Any) -> AsyncIterator[Item]:
    """The items of *inputs*, an iterable or an async one."""
    if not hasattr(inputs, "__aiter__"):
        for item in items_of(inputs):
            yield item
        return
    number = 0
    async for given in inputs:
        yield item_of(number, given)
        number += 1


class InOrder:
    """Puts outcomes that come as they finish into the order of the inputs."""

    def __init__(self) -> None:
        self.next = 0
        self.early: dict[int, Outcome] = {}

    def all(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        """Those whose turn has come with *outcomes*."""
        for outcome in outcomes:
            self.early[outcome.item.number] = outcome
            while self.next in self.early:
                yield self.early.pop(self.next)
                self.next += 1


def told(error: BaseException) -> str:
    """The first line of what *error* says, with its class."""
    return f"{type(error).__name__}: {error}".splitlines()[0]

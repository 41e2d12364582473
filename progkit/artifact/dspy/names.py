"""The names of fields, recovered from what DSPy saves in their place.

Sure are: ``${name}``, the description of a field that its author did not describe; the default instructions, which
name all fields in order; a demo's key whose title is the field's; and the one key that is left when
all other fields are named. Anything else is a guess from the title, and said to be one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from progkit.signature.field import infer_prefix, placeholder

_PLACEHOLDER = re.compile(r"\$\{([^\W\d]\w*)\}")
_DEFAULT = re.compile(r"Given the fields (.*), produce the fields (.*)\.")
_EXTRA_KEYS = frozenset({"augmented", "dspy_uuid", "dspy_split"})
"""What optimisers and datasets add to demos."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """Names of all fields in order, their roles ("" if not known), and which of the names are guesses."""

    names: list[str]
    roles: list[str]
    guessed: list[str]


def recover(instructions: str, fields: Sequence[Mapping[str, str]], demos: Sequence[Mapping[str, Any]]) -> Recovered:
    """What is known of the *fields* (``prefix`` and ``description`` each) of a signature."""
    names = _from_placeholders(fields)
    roles = [""] * len(fields)
    if (told := _from_instructions(instructions, names)) is not None:
        names, roles = told
    names = _from_demos(names, fields, demos)
    guesses: list[str] = []
    whole: list[str] = []
    for place, name in enumerate(names):
        if name is None:
            taken = {*whole, *filter(None, names)}
            name = _guess(fields[place]["prefix"], place, taken)
            guesses.append(name)
        whole.append(name)
    return Recovered(whole, roles, guesses)


def _from_placeholders(fields: Sequence[Mapping[str, str]]) -> list[str | None]:
    found = [_PLACEHOLDER.fullmatch(each["description"]) for each in fields]
    names = [each[1] if each else None for each in found]
    return [None if names.count(name) > 1 else name for name in names]


def _from_instructions(instructions: str, names: list[str | None]) -> tuple[list[str | None], list[str]] | None:
    """Names and roles as default instructions tell them; None if they are not, or are of other fields.

    ChainOfThought keeps the instructions of the signature that it was given, so they lack its first output.
    """
    match = _DEFAULT.fullmatch(instructions)
    if match is None:
        return None
    inputs, outputs = ([each.strip("`") for each in side.split(", ") if each] for side in match.groups())
    told: list[str | None] = [*inputs, *outputs]
    if len(names) == len(told) + 1:
        told.insert(len(inputs), names[len(inputs)])
    if (
        None in told
        or len(set(told)) != len(names)
        or any(name not in (None, each) for name, each in zip(names, told, strict=False))
    ):
        return None
    return told, ["input"] * len(inputs) + ["output"] * (len(names) - len(inputs))


def _from_demos(
    names: list[str | None], fields: Sequence[Mapping[str, str]], demos: Sequence[Mapping[str, Any]]
) -> list[str | None]:
    named = list(names)
    left = {key for demo in demos for key in demo} - _EXTRA_KEYS - set(named)
    for place, each in enumerate(fields):
        titled = [key for key in left if infer_prefix(key) == each["prefix"]]
        if named[place] is None and len(titled) == 1:
            named[place] = titled[0]
            left.remove(titled[0])
    whole = [demo for demo in demos if demo.get("augmented")]
    keys = {key for demo in whole for key in demo} - _EXTRA_KEYS - set(named)
    if named.count(None) == len(keys) == 1 and all(keys <= demo.keys() for demo in whole):
        named[named.index(None)] = keys.pop()
    return named


def _guess(prefix: str, place: int, taken: set[str]) -> str:
    name = re.sub(r"\W+", "_", prefix.removesuffix(":").lower()).strip("_")
    if name.isidentifier() and infer_prefix(name) == prefix and name not in taken:
        return name
    number = place + 1
    while f"field_{number}" in taken:
        number += 1
    return f"field_{number}"


def is_described(name: str, description: str) -> bool:
    """Whether *description* is more than the placeholder of the field *name*."""
    return description not in ("", placeholder(name))

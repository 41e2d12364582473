"""Signature classes in a module whose annotations are all text."""

from __future__ import annotations

import enum
from datetime import date
from typing import Literal

import pytest

from progkit.errors import SignatureError
from progkit.signature import InputField, OutputField, Signature


class Visit(Signature):
    """Plan a visit."""

    class Season(enum.Enum):  # noqa: D106
        DRY = "dry"

    date: date = InputField()
    seasons: list[Season] = InputField()
    nothing: None = InputField()
    verdict: Literal["go", "stay"] | None = OutputField()


def test_types_come_from_the_module_and_the_class():
    """A field called as its type does not hide it here."""
    assert Visit.fields["date"].type is date
    assert Visit.fields["seasons"].type == list[Visit.Season]
    assert Visit.fields["nothing"].type is type(None)
    assert Visit.fields["verdict"].type == Literal["go", "stay"] | None


def test_types_come_from_the_function():
    """What is local where the class stands is found."""

    class Local:
        pass

    class Made(Signature):
        local: dict[str, Local] = InputField()
        out: str = OutputField()

    assert Made.fields["local"].type == dict[str, Local]


def test_a_type_that_is_nowhere_is_told():
    """With class, field and text."""
    with pytest.raises(SignatureError, match=r"Bad\.local: the type 'Unheard' cannot be read .*NameError"):

        class Bad(Signature):
            local: Unheard = InputField()  # noqa: F821

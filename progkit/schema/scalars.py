"""Single values that JSON has no word for, each as a tag and one text.

Both directions stand together here. A value has one spelling: a text that reads as the same value
but is written otherwise is refused, so that equal values are equal bytes.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from progkit.schema.limits import MAX_DIGITS, MAX_PLAIN_INT


@dataclass(frozen=True, slots=True)
class Scalar:
    """A kind of value: its tag, its exact class, text from value, value from text, and words for an error."""

    tag: str
    type: type
    spell: Callable[[Any], str]
    parse: Callable[[str], Any]
    what: str

    def read(self, text: str) -> Any:
        """The value of *text*.

        Raises:
            ValueError: if *text* is not the spelling of a value of this kind.
        """
        try:
            value = self.parse(text)
            if self.spell(value) == text:
                return value
        except (ValueError, ArithmeticError):
            pass
        raise ValueError(f"{text[:80]!r} is not {self.what}")


_INT = re.compile(r"-?[1-9][0-9]*")
_TIMEDELTA = re.compile(r"P(-?[0-9]+)DT([0-9]+)\.([0-9]{6})S")


def _parse_int(text: str) -> int:
    if len(text) > MAX_DIGITS + 1 or not _INT.fullmatch(text) or abs(value := int(text)) <= MAX_PLAIN_INT:
        raise ValueError(text)
    return value


def _parse_decimal(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError(text)
    return value


def _spell_timedelta(value: timedelta) -> str:
    return f"P{value.days}DT{value.seconds}.{value.microseconds:06d}S"


def _parse_timedelta(text: str) -> timedelta:
    parts = _TIMEDELTA.fullmatch(text)
    if parts is None:
        raise ValueError(text)
    days, seconds, microseconds = map(int, parts.groups())
    return timedelta(days, seconds, microseconds)


def _spell_bytes(value: bytes) -> str:
    return b64encode(value).decode()


SCALARS = (
    Scalar("$int", int, str, _parse_int, "an integer beyond 2**53"),
    Scalar("$bytes", bytes, _spell_bytes, b64decode, "base64 (RFC 4648, section 4)"),
    Scalar("$decimal", Decimal, str, _parse_decimal, "a finite decimal (1.50)"),
    Scalar("$date", date, date.isoformat, date.fromisoformat, "a date (2024-12-31)"),
    Scalar("$time", time, time.isoformat, time.fromisoformat, "a time (23:59:00)"),
    Scalar("$datetime", datetime, datetime.isoformat, datetime.fromisoformat, "a datetime (2024-12-31T23:59:00)"),
    Scalar("$timedelta", timedelta, _spell_timedelta, _parse_timedelta, "a duration (P1DT30.000000S)"),
)

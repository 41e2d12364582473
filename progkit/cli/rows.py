"""Rows of inputs from a file, one after the other: JSON Lines, CSV, Parquet.

A row that cannot be read as inputs is given as why: one bad row is no reason not to call the others. What is wrong
with all of them (a column that is no input, an id that is no column) is told before the first.
"""

import csv
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import Any

from progkit.batch import Unreadable
from progkit.cli.inputs import Inputs
from progkit.errors import ConfigurationError, RowError, did_you_mean
from progkit.signature import type_adapter, type_name

FORMATS = ("jsonl", "csv", "parquet")
ROWS = 1024
"""Rows of a Parquet file in memory at once."""
LONGEST = 2**31 - 1
"""Characters of a CSV field; csv's own limit is 131,072."""

Row = tuple[Any, Any]
"""An id, and inputs by name or ``Unreadable``."""
_Found = tuple[int, str, Any]
"""A row's number from 0, where it stands, and inputs by name, or text that says why there are none."""
_Reader = Callable[["Rows"], AbstractContextManager[Iterator[_Found]]]


@dataclass(slots=True)
class Rows:
    """The rows of *source*, to go over once: each has its number, from 0, or what is in *id_column*.

    A row's number is that of its line in JSON Lines, empty ones counted. Of rows with one id the second is given as
    ``7 (2)``, as what is done for each is kept by id; ``id_of`` says the id of the file.
    """

    source: str
    inputs: Inputs
    id_column: str | None
    found: Iterator[_Found] = field(default_factory=lambda: iter(()))
    seen: set[Any] = field(default_factory=set)
    again: dict[str, Any] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Row]:
        return map(self._row, self.found)

    def id_of(self, name: Any) -> Any:
        """The id in the file of the row that was given as *name*."""
        return self.again.get(name, name) if isinstance(name, str) else name

    def check(self, columns: Sequence[str]) -> None:
        """Nothing, if rows with these *columns* can be inputs.

        Raises:
            ConfigurationError: for a column that is there twice, no input, or lacking.
        """
        twice = [name for name in dict.fromkeys(columns) if columns.count(name) > 1]
        if twice:
            raise ConfigurationError(f"{self.source} has {', '.join(map(repr, twice))} as the name of several columns")
        self._require_id(columns)
        given = [name for name in columns if name != self.id_column]
        missing, unexpected = self.inputs.differences(given)
        told = [f"{name!r} is no input{self._meant(name)}" for name in unexpected]
        told += [f"{name!r} is an input, and no column" for name in missing]
        if told:
            known = ", ".join(map(repr, self.inputs.names or ()))
            raise ConfigurationError(f"{self.source}: {'; '.join(told)}. The program takes {known or 'nothing'}")

    def _meant(self, name: str) -> str:
        if self.id_column is None and (name.lower() == "id" or name.lower().endswith("_id")):
            return f" (--id {name} names the rows by it)"
        return did_you_mean(name, self.inputs.names or ())

    def _require_id(self, columns: Sequence[str]) -> None:
        """Nothing, if the *columns* have the one of the ids.

        Raises:
            ConfigurationError: if not.
        """
        if self.id_column is not None and self.id_column not in columns:
            meant = did_you_mean(self.id_column, columns)
            known = ", ".join(map(repr, columns))
            raise ConfigurationError(f"{self.source} has no {self.id_column!r}, which --id names{meant}, but {known}")

    def first(self, found: Iterator[_Found]) -> Iterator[_Found]:
        """*found*, the first of which is read and checked now.

        Raises:
            ConfigurationError: if it has inputs, and no id.
        """
        head = next(found, None)
        if head is None:
            return found
        if isinstance(head[2], dict):
            self._require_id(list(head[2]))
        return chain((head,), found)

    def _row(self, found: _Found) -> Row:
        """The row that was *found*: inputs, or the reason why there are none."""
        number, where, inputs = found
        if isinstance(inputs, str):
            return number, Unreadable(RowError(where, inputs))
        name: Any = number
        if self.id_column is not None:
            if self.id_column not in inputs:
                return number, Unreadable(RowError(where, f"has no {self.id_column!r}, which --id names"))
            name = self._name(inputs.pop(self.id_column), where)
        fault = self.inputs.fault(inputs)
        return name, inputs if fault is None else Unreadable(fault)

    def _name(self, known: Any, where: str) -> Any:
        """What the row with the id *known* is given as: that, if it is the first."""
        if type(known) not in (int, str):
            return known
        if known not in self.seen:
            self.seen.add(known)
            return known
        if not self.again:
            told = f"{where}: its {self.id_column!r}, {known!r}, is that of another row, too: both are answered"
            print(f"progkit: {told} (told once)", file=sys.stderr)
        count = 2
        while (name := f"{known} ({count})") in self.seen:
            count += 1
        self.seen.add(name)
        self.again[name] = known
        return name


@contextmanager
def read(source: str, form: str | None, inputs: Inputs, id_column: str | None) -> Iterator[Rows]:
    """The rows of *source* (``-`` is stdin), open; see ``Rows``.

    form: one of ``FORMATS``; None goes by the name, and takes stdin for JSON Lines. inputs: what the program takes: by
    the types the texts of a CSV file are read, and by the names its columns, and a Parquet file's, are checked.

    Raises:
        ConfigurationError: for a format that is not known, a file that is no such, or whose rows cannot be inputs.
    """
    form = form or ("jsonl" if source == "-" else Path(source).suffix.lstrip(".").lower())
    if form not in FORMATS:
        raise ConfigurationError(f"{source}: whether it is {', '.join(FORMATS)} is not known: say --input-format")
    rows = Rows(source, inputs, id_column)
    readers: dict[str, _Reader] = {"jsonl": _lines, "csv": _csv, "parquet": _parquet}
    with readers[form](rows) as found:
        rows.found = found
        yield rows


# --- JSON Lines -----------------------------------------------------------------------------------


@contextmanager
def _lines(rows: Rows) -> Iterator[Iterator[_Found]]:
    source = rows.source
    with ExitStack() as files:
        lines = sys.stdin.buffer if source == "-" else files.enter_context(Path(source).open("rb"))
        yield rows.first(
            (number, f"line {number + 1} of {_shown(source)}", _object(line))
            for number, line in enumerate(lines)
            if line.strip()
        )


def _shown(source: str) -> str:
    return "stdin" if source == "-" else source


def _object(line: bytes) -> Any:
    try:
        inputs = json.loads(line)
    except ValueError as error:
        return f"is not JSON: {error}"
    return inputs if isinstance(inputs, dict) else f"is to be a JSON object of inputs, not {inputs!r:.60}"


# --- CSV ------------------------------------------------------------------------------------------


@contextmanager
def _csv(rows: Rows) -> Iterator[Iterator[_Found]]:
    csv.field_size_limit(LONGEST)
    with ExitStack() as files:
        raw = sys.stdin.buffer if rows.source == "-" else files.enter_context(Path(rows.source).open("rb"))
        text = TextIOWrapper(raw, encoding="utf-8-sig", newline="")
        files.callback(text.detach)
        cells = _cells(text, rows.source)
        _, header = next(cells, (0, None))
        if header is not None:
            rows.check(header)
        yield (
            (number, f"line {line} of {_shown(rows.source)}", _typed(header or [], row, rows))
            for number, (line, row) in enumerate(cells)
        )


def _cells(text: TextIOWrapper, source: str) -> Iterator[tuple[int, list[str]]]:
    """The texts of each row that is not empty, with the number of the line in which it begins."""
    reader = csv.reader(text)
    line = 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1
    except (csv.Error, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{source} is no CSV in UTF-8: {error}") from error


def _typed(header: list[str], row: list[str], rows: Rows) -> Any:
    """*row* with its texts read as their fields' types; why it cannot be."""
    if len(row) != len(header):
        return "has more or fewer fields than the header"
    inputs: dict[str, Any] = {}
    for name, text in zip(header, row, strict=True):
        kind = rows.inputs.types.get(name, str)
        plain = kind is str or name == rows.id_column
        try:
            inputs[name] = text if plain else _value(text, kind, name in rows.inputs.optional)
        except _Nothing:
            continue
        except ValueError:
            return f"{name!r} is {text!r:.60}, which is no {type_name(kind)}"
    return inputs


class _Nothing(Exception):  # noqa: N818 - it is no error
    """An empty text says nothing of an input that has a default."""


def _value(text: str, kind: Any, has_default: bool) -> Any:
    """What *text* says for a field of type *kind*: a plain spelling of it, nothing for None, or JSON."""
    adapter = type_adapter(kind)
    try:
        return adapter.validate_strings(text)
    except ValueError:
        if not text and has_default:
            raise _Nothing from None
        return adapter.validate_json(text or "null")


# --- Parquet --------------------------------------------------------------------------------------


@contextmanager
def _parquet(rows: Rows) -> Iterator[Iterator[_Found]]:
    source = rows.source
    try:
        # pyarrow's door: an extra, and a tenth of a second.
        from pyarrow import ArrowInvalid, parquet
    except ImportError as error:
        raise ConfigurationError("reading Parquet needs pyarrow: pip install 'progkit[parquet]'") from error

    if source == "-":
        raise ConfigurationError("Parquet is read from a file, not from stdin: its directory stands at its end")
    try:
        with parquet.ParquetFile(source) as file:
            rows.check(file.schema_arrow.names)
            batches = file.iter_batches(batch_size=ROWS)
            every = (row for batch in batches for row in batch.to_pylist())
            yield ((number, f"row {number} of {source}", row) for number, row in enumerate(every))
    except ArrowInvalid as error:
        raise ConfigurationError(f"{source} is no Parquet: {error}") from error

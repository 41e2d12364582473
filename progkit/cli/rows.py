"""Rows of inputs from a file, one after the other: JSON Lines, CSV, Parquet.

A row that cannot be read as inputs is given as why: one bad row is no reason not to call the others.
"""

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from progkit.batch import Unreadable
from progkit.errors import ConfigurationError, RowError
from progkit.program import Module
from progkit.signature import type_adapter, type_name

FORMATS = ("jsonl", "csv", "parquet")
ROWS = 1024
"""Rows of a Parquet file in memory at once."""
LONGEST = 2**31 - 1
"""Characters of a CSV field; csv's own limit is 131,072."""

Row = tuple[Any, Any]
"""An id, and inputs by name or ``Unreadable``."""
_Reader = Callable[[str], Iterator[Any]]
"""Gives the rows of a file: inputs by name, or text that says why there are none."""


def input_types(program: Module) -> dict[str, Any]:
    """The types of the fields that predictors of *program* take as inputs, by name."""
    return {name: f.type for each in program.predictors() for name, f in each.signature.input_fields.items()}


def read(source: str, form: str | None, types: Mapping[str, Any], id_column: str | None) -> Iterator[Row]:
    """The rows of *source* (``-`` is stdin), each with its number, from 0, or with what *id_column* holds.

    form: one of ``FORMATS``; None goes by the name, and takes stdin for JSON Lines. types: of the inputs, by which the
    texts of a CSV file are read.

    Raises:
        ConfigurationError: for a format that is not known, or a file that is no such.
    """
    form = form or ("jsonl" if source == "-" else Path(source).suffix.lstrip(".").lower())
    if form not in FORMATS:
        raise ConfigurationError(f"{source}: whether it is {', '.join(FORMATS)} is not known: say --input-format")
    readers: dict[str, _Reader] = {"jsonl": _lines, "csv": partial(_csv, types), "parquet": _parquet}
    return (_row(source, number, found, id_column) for number, found in enumerate(readers[form](source)))


def _row(source: str, number: int, found: Any, id_column: str | None) -> Row:
    """The row that *found* is: inputs, or the reason why there are none."""
    if isinstance(found, str):
        return number, Unreadable(RowError(source, number + 1, found))
    if id_column is None:
        return number, found
    if id_column not in found:
        return number, Unreadable(RowError(source, number + 1, f"has no {id_column!r}, which --id names"))
    return found[id_column], {name: value for name, value in found.items() if name != id_column}


def _lines(source: str) -> Iterator[Any]:
    with ExitStack() as files:
        for line in sys.stdin.buffer if source == "-" else files.enter_context(Path(source).open("rb")):
            if line.strip():
                yield _object(line)


def _object(line: bytes) -> Any:
    try:
        inputs = json.loads(line)
    except ValueError as error:
        return f"is not JSON: {error}"
    return inputs if isinstance(inputs, dict) else f"is to be a JSON object of inputs, not {inputs!r:.60}"


def _csv(types: Mapping[str, Any], source: str) -> Iterator[Any]:
    csv.field_size_limit(LONGEST)
    with ExitStack() as files:
        raw = sys.stdin.buffer if source == "-" else files.enter_context(Path(source).open("rb"))
        text = TextIOWrapper(raw, encoding="utf-8-sig", newline="")
        files.callback(text.detach)
        try:
            for row in csv.DictReader(text):
                yield _typed(row, types)
        except (csv.Error, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{source} is no CSV in UTF-8: {error}") from error


def _typed(row: dict[Any, Any], types: Mapping[str, Any]) -> Any:
    """*row* with its texts read as their fields' types; why it cannot be."""
    if None in row or None in row.values():
        return "has more or fewer fields than the header"
    inputs = {}
    for name, text in row.items():
        kind = types.get(name, str)
        try:
            inputs[name] = text if kind is str else _value(text, kind)
        except ValueError:
            return f"{name!r} is {text!r:.60}, which is no {type_name(kind)}"
    return inputs


def _value(text: str, kind: Any) -> Any:
    """What *text* says for a field of type *kind*: a plain spelling of it, nothing for None, or JSON."""
    adapter = type_adapter(kind)
    try:
        return adapter.validate_strings(text)
    except ValueError:
        return adapter.validate_json(text or "null")


def _parquet(source: str) -> Iterator[Any]:
    try:
        # pyarrow's door: an extra, and a tenth of a second.
        from pyarrow import ArrowInvalid, parquet
    except ImportError as error:
        raise ConfigurationError("reading Parquet needs pyarrow: pip install 'progkit[parquet]'") from error

    if source == "-":
        raise ConfigurationError("Parquet is read from a file, not from stdin: its directory stands at its end")
    try:
        with parquet.ParquetFile(source) as file:
            for batch in file.iter_batches(batch_size=ROWS):
                yield from batch.to_pylist()
    except ArrowInvalid as error:
        raise ConfigurationError(f"{source} is no Parquet: {error}") from error

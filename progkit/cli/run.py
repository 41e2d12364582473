"""``progkit run``: one answer, or an answer for each line of a file."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from progkit.cli import blaming, places, telling
from progkit.cli.inputs import Inputs, inputs_of
from progkit.cli.opening import open_program
from progkit.cli.printing import as_json, values_of
from progkit.errors import ConfigurationError, ProgkitError
from progkit.program import Module, Predict
from progkit.runtime import context


def run(options: argparse.Namespace) -> int:
    """Answer FIELD=VALUE, or every line of ``--input``; status 1 if a line failed."""
    if bool(options.fields) == bool(options.input):
        raise ConfigurationError("give the inputs as FIELD=VALUE ..., or as --input FILE, one of the two")
    if options.output and not options.input:
        raise ConfigurationError("--output goes with --input")
    places.keep_apart(options)
    program = open_program(options)
    takes = inputs_of(program)
    with context(**({"offline": True} if options.offline else {})):
        if options.input:
            return _lines(program, takes, options)
        answer = _answered(program, takes, fields_of(program, options.fields))
        _show(values_of(answer), options.json)
    return 0


def _answered(program: Module, takes: Inputs, inputs: dict[str, Any]) -> Any:
    """What *program* says to *inputs*.

    Raises:
        InputError: for inputs that it does not take.
    """
    if fault := takes.fault(inputs):
        raise fault
    return program(**inputs)


def fields_of(program: Module, fields: list[str]) -> dict[str, Any]:
    """Inputs from FIELD=VALUE: text for a str field and where the type is not known, else JSON.

    Raises:
        ConfigurationError: for what is no FIELD=VALUE.
    """
    types = {n: f.type for n, f in program.signature.input_fields.items()} if isinstance(program, Predict) else {}
    inputs: dict[str, Any] = {}
    for each in fields:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise ConfigurationError(f"an input is FIELD=VALUE, like question='Why?'; {each!r} is not")
        inputs[name] = value
        if types.get(name, str) is not str:
            try:
                inputs[name] = json.loads(value)
            except ValueError:
                # Text is a fair value for a Literal, an Enum or a date.
                continue
    return inputs


def _show(values: dict[str, Any], is_json: bool) -> None:
    if is_json:
        print(as_json(values))
        return
    for name, value in values.items():
        print(f"{name}: {value if isinstance(value, str) else as_json(value)}")


def _lines(program: Module, takes: Inputs, options: argparse.Namespace) -> int:
    failed = 0
    hints: dict[str, None] = {}
    with ExitStack() as files:
        lines = sys.stdin if options.input == "-" else files.enter_context(Path(options.input).open(encoding="utf-8"))
        out = files.enter_context(places.written(options.output))
        for number, inputs in _objects(lines, options.input):
            try:
                found = values_of(_answered(program, takes, inputs))
            # The program is the user's: whatever it raises fails this line and not the others.
            except Exception as error:
                failed += 1
                found = _record(error, number)
                print(f"progkit: {options.input}, line {number}: {blaming.sentence(error)}", file=sys.stderr)
                hints[telling.advice(error, options)] = None
                telling.trace(error, options)
            print(as_json(found), file=out)
    for hint in filter(None, hints):
        print(hint, file=sys.stderr)
    return 1 if failed else 0


def _record(error: Exception, number: int) -> dict[str, Any]:
    found = {"error": type(error).__name__, "message": str(error), "line": number}
    where = "" if isinstance(error, ProgkitError) else blaming.place(error)
    return {**found, "place": where} if where else found


def _objects(lines: TextIO, source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, _object(line, f"{source}, line {number}")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{source} is not in UTF-8: {error}") from error


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        inputs = json.loads(line)
    except ValueError as error:
        raise ConfigurationError(f"{where}: not JSON: {error}") from error
    if not isinstance(inputs, dict):
        raise ConfigurationError(f"{where}: a line is a JSON object of inputs, not {inputs!r:.60}")
    return inputs

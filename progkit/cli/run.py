"""``progkit run``: one answer, or an answer for each line of a file."""

import argparse
import inspect
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from progkit.cli.opening import open_program
from progkit.errors import ConfigurationError
from progkit.example import Prediction
from progkit.program import Module, Predict
from progkit.runtime import context


def run(options: argparse.Namespace) -> int:
    """Answer FIELD=VALUE, or every line of ``--input``; status 1 if a line failed."""
    if bool(options.fields) == bool(options.input):
        raise ConfigurationError("give the inputs as FIELD=VALUE ..., or as --input FILE, one of the two")
    if options.output and not options.input:
        raise ConfigurationError("--output goes with --input")
    program = open_program(options)
    with context(**({"offline": True} if options.offline else {})):
        if options.input:
            return _lines(program, options)
        answer = _answered(program, inputs_of(program, options.fields))
        _show(answer, options.json)
    return 0


def _answered(program: Module, inputs: dict[str, Any]) -> Any:
    """What *program* says to *inputs*.

    Raises:
        ConfigurationError: for inputs that its ``forward`` does not take.
    """
    try:
        inspect.signature(program.forward).bind(**inputs)
    except TypeError as error:
        names = ", ".join(inspect.signature(program.forward).parameters)
        raise ConfigurationError(f"{error}; {type(program).__name__} takes {names}") from error
    return program(**inputs)


def inputs_of(program: Module, fields: list[str]) -> dict[str, Any]:
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


def values_of(answer: Any) -> dict[str, Any]:
    """What a program said, by name, to print; an answer that is no prediction is ``answer``."""
    return answer.toDict() if isinstance(answer, Prediction) else {"answer": answer}


def _show(answer: Any, as_json: bool) -> None:
    values = values_of(answer)
    if as_json:
        print(json.dumps(values, ensure_ascii=False, default=str))
        return
    for name, value in values.items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        print(f"{name}: {shown}")


def _lines(program: Module, options: argparse.Namespace) -> int:
    failed = 0
    with ExitStack() as files:
        lines = sys.stdin if options.input == "-" else files.enter_context(Path(options.input).open(encoding="utf-8"))
        out = files.enter_context(Path(options.output).open("w", encoding="utf-8")) if options.output else sys.stdout
        for number, inputs in _objects(lines, options.input):
            try:
                found = values_of(_answered(program, inputs))
            # The program is the user's: whatever it raises fails this line and not the others.
            except Exception as error:
                failed += 1
                found = {"error": type(error).__name__, "message": str(error), "line": number}
                print(f"progkit: {options.input}, line {number}: {type(error).__name__}: {error}", file=sys.stderr)
            print(json.dumps(found, ensure_ascii=False, default=str), file=out)
    return 1 if failed else 0


def _objects(lines: TextIO, source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            inputs = json.loads(line)
        except ValueError as error:
            raise ConfigurationError(f"{source}, line {number}: not JSON: {error}") from error
        if not isinstance(inputs, dict):
            raise ConfigurationError(f"{source}, line {number}: a line is a JSON object of inputs, not {inputs!r:.60}")
        yield number, inputs

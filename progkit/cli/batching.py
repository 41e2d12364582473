"""``progkit batch``: an answer for every row of a file, many at once; the same command goes on after a stop.

A line of the output is ``{"id": ..., "outputs": {...}}``, or ``{"id": ..., "error": {"type": ..., "message": ...}}``,
with the ``place`` of an error of the program's own code, ``desk.py:12``.
The output is made beside its place and put there when it is whole; with ``--as-completed`` it grows where it is. Either
way it is written anew from the checkpoint when the command is run again.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from progkit.batch import BatchReport, Failure
from progkit.batch.checkpoint import Checkpoint
from progkit.cli import blaming, places, rows, telling
from progkit.cli.inputs import inputs_of
from progkit.cli.opening import open_program
from progkit.cli.printing import as_json, values_of
from progkit.errors import ProgkitError
from progkit.program import Module
from progkit.program.batching import codec_of
from progkit.runtime import context


def run(options: argparse.Namespace) -> int:
    """Answer every row of ``--input``; status 1 if one failed."""
    is_file = bool(options.output) and places.is_file(options.output)
    path = options.checkpoint or (f"{options.output}.checkpoint" if is_file else None)
    places.keep_apart(options, path)
    program = open_program(options)
    report = BatchReport()
    # In this order: what cannot be read, or is another batch's, is known before anything is written or asked.
    with (
        context(**({"offline": True} if options.offline else {})),
        rows.read(options.input, options.input_format, inputs_of(program), options.id) as given,
        _checkpoint(path, program, options, report) as checkpoint,
        places.written(options.output, in_place=options.as_completed) as out,
    ):
        _answer(program, options, given, _Ways(checkpoint, report, out))
    print(json.dumps(report.to_dict()) if options.json else report, file=sys.stdout if is_file else sys.stderr)
    return 1 if report.failed else 0


@contextmanager
def _checkpoint(
    path: str | None, program: Module, options: argparse.Namespace, report: BatchReport
) -> Iterator[Checkpoint | None]:
    """The checkpoint, this batch's alone; one that nobody asked for is removed when all is answered."""
    if path is None:
        yield None
        return
    checkpoint = Checkpoint(path, codec_of(program), fresh=options.fresh)
    try:
        yield checkpoint
        if not options.checkpoint and not report.failed:
            checkpoint.remove()
    finally:
        checkpoint.close()


class _Ways:
    """What a batch keeps, counts and writes."""

    __slots__ = ("checkpoint", "out", "report")

    def __init__(self, checkpoint: Checkpoint | None, report: BatchReport, out: TextIO) -> None:
        self.checkpoint = checkpoint
        self.report = report
        self.out = out


def _answer(program: Module, options: argparse.Namespace, given: rows.Rows, ways: _Ways) -> None:
    """Write the answers to the rows *given*."""
    answers = program.batch_iter(
        given,
        ordered=not options.as_completed,
        concurrency=options.concurrency,
        max_errors=None if options.max_errors < 0 else options.max_errors,
        timeout=options.timeout,
        requests_per_minute=options.rpm,
        tokens_per_minute=options.tpm,
        max_cost=options.max_cost,
        checkpoint=ways.checkpoint,
        report=ways.report,
    )
    hints: dict[str, None] = {}
    for name, answer in answers:
        if isinstance(answer, Failure):
            hints[telling.advice(answer.error, options)] = None
        print(as_json(_line(given.id_of(name), answer)), file=ways.out)
        if options.as_completed:
            ways.out.flush()
    for hint in filter(None, hints):
        print(hint, file=sys.stderr)


def _line(name: Any, answer: Any) -> dict[str, Any]:
    if not isinstance(answer, Failure):
        return {"id": name, "outputs": values_of(answer)}
    error = answer.error
    told = {"type": type(error).__name__, "message": str(error)}
    where = "" if isinstance(error, ProgkitError) else blaming.place(error)
    return {"id": name, "error": {**told, "place": where} if where else told}

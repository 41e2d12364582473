"""``progkit batch``: an answer for every row of a file, many at once; the same command goes on after a stop.

A line of the output is ``{"id": ..., "outputs": {...}}``, or ``{"id": ..., "error": {"type": ..., "message": ...}}``.
The output is made beside its place and put there when it is whole; with ``--as-completed`` it grows where it is. Either
way it is written anew from the checkpoint when the command is run again.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from progkit.batch import BatchReport, Failure
from progkit.cli import rows
from progkit.cli.opening import open_program
from progkit.cli.run import values_of
from progkit.program import Module
from progkit.runtime import context


def run(options: argparse.Namespace) -> int:
    """Answer every row of ``--input``; status 1 if one failed."""
    checkpoint = options.checkpoint or (f"{options.output}.checkpoint" if options.output else None)
    if options.fresh and checkpoint:
        Path(checkpoint).unlink(missing_ok=True)
    program = open_program(options)
    with context(**({"offline": True} if options.offline else {})), _output(options) as out:
        report = _answer(program, options, checkpoint, out)
    print(json.dumps(report.to_dict()) if options.json else report, file=sys.stdout if options.output else sys.stderr)
    if checkpoint and not options.checkpoint and not report.failed:
        Path(checkpoint).unlink(missing_ok=True)
    return 1 if report.failed else 0


def _answer(program: Module, options: argparse.Namespace, checkpoint: str | None, out: TextIO) -> BatchReport:
    """Write the answers to *out*; how it went."""
    report = BatchReport()
    given = rows.read(options.input, options.input_format, rows.input_types(program), options.id)
    answers = program.batch_iter(
        given,
        ordered=not options.as_completed,
        concurrency=options.concurrency,
        max_errors=None if options.max_errors < 0 else options.max_errors,
        timeout=options.timeout,
        requests_per_minute=options.rpm,
        tokens_per_minute=options.tpm,
        max_cost=options.max_cost,
        checkpoint=checkpoint,
        report=report,
    )
    for name, answer in answers:
        print(json.dumps(_line(name, answer), ensure_ascii=False, default=str), file=out)
        if options.as_completed:
            out.flush()
    return report


def _line(name: Any, answer: Any) -> dict[str, Any]:
    if isinstance(answer, Failure):
        return {"id": name, "error": {"type": type(answer.error).__name__, "message": str(answer.error)}}
    return {"id": name, "outputs": values_of(answer)}


@contextmanager
def _output(options: argparse.Namespace) -> Iterator[TextIO]:
    """Where the lines go: a file beside ``--output`` that takes its place at the end, or that itself, or stdout."""
    if not options.output:
        yield sys.stdout
        return
    place = Path(options.output)
    part = place if options.as_completed else place.with_name(f"{place.name}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(place)
    finally:
        if part != place:
            part.unlink(missing_ok=True)

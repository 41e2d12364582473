"""Many calls of a program at once: what ``Module.batch`` and its like do, on the engine of the batch room."""

import hashlib
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

from progkit.batch.bar import Bar
from progkit.batch.bridge import Bridge
from progkit.batch.checkpoint import Checkpoint, Codec
from progkit.batch.engine import Run, Work
from progkit.batch.items import Failure, InOrder, Item, Outcome, aitems_of, items_of
from progkit.batch.options import Ways
from progkit.batch.remote import Remote
from progkit.batch.report import BatchReport, BatchResults
from progkit.batch.threads import in_thread
from progkit.errors import BatchStoppedError, ConfigurationError, UncacheableError
from progkit.program import results, tree
from progkit.program.identity import identity
from progkit.program.module import Module
from progkit.program.result_place import types_of


class _Done(NamedTuple):
    """What is kept of an outcome until the batch ends: little, since there may be many. given: of one that failed."""

    number: int
    id: Any
    result: Any
    given: Any

    @classmethod
    def of(cls, outcome: Outcome) -> "_Done":
        item, result = outcome.item, outcome.result
        return cls(item.number, item.id, result, item.given if type(result) is Failure else None)


def run_batch(program: Module, inputs: Any, options: dict[str, Any]) -> Any:
    """What ``Module.batch`` does."""
    ways = Ways.of(options)
    items = items_of(inputs)
    done: list[_Done] = []
    with _begun(program, inputs, ways, is_held=False) as run:
        try:
            for outcome in Bridge(run).outcomes(items, ordered=False):
                done.append(_Done.of(outcome))
        except BatchStoppedError as error:
            raise _with(error, done) from error.__cause__
    return _answer(done, run.report, ways)


async def arun_batch(program: Module, inputs: Any, options: dict[str, Any]) -> Any:
    """What ``Module.abatch`` does."""
    ways = Ways.of(options)
    done: list[_Done] = []
    with _begun(program, inputs, ways, is_held=False) as run:
        try:
            async with aclosing(run.outcomes(aitems_of(inputs))) as outcomes:
                async for outcome in outcomes:
                    done.append(_Done.of(outcome))
        except BatchStoppedError as error:
            raise _with(error, done) from error.__cause__
    return _answer(done, run.report, ways)


def iterate_batch(program: Module, inputs: Any, options: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """What ``Module.batch_iter`` does."""
    ways = _for_iteration(options)
    return _iterated(program, inputs, ways, items_of(inputs))


def _iterated(program: Module, inputs: Any, ways: Ways, items: Iterator[Item]) -> Iterator[tuple[Any, Any]]:
    with _begun(program, inputs, ways, is_held=True) as run:
        for outcome in Bridge(run).outcomes(items, ways.ordered):
            yield outcome.item.id, outcome.result


async def aiterate_batch(
    program: Module, inputs: Any, options: dict[str, Any]
) -> AsyncGenerator[tuple[Any, Any], None]:
    """What ``Module.abatch_iter`` does."""
    ways = _for_iteration(options)
    sort = InOrder() if ways.ordered else None
    with _begun(program, inputs, ways, is_held=True) as run:
        async with aclosing(run.outcomes(aitems_of(inputs))) as outcomes:
            async for outcome in outcomes:
                for each in (outcome,) if sort is None else sort.all((outcome,)):
                    yield each.item.id, each.result
                    run.hand()


# --- before ---------------------------------------------------------------------------------------


def _for_iteration(options: dict[str, Any]) -> Ways:
    ways = Ways.of(options)
    if ways.return_failed_examples:
        raise ConfigurationError("return_failed_examples goes with batch() and abatch(), which return lists")
    return ways


@contextmanager
def _begun(program: Module, inputs: Any, ways: Ways, is_held: bool) -> Iterator[Run]:
    """The run of a batch, with its checkpoint open and its bar drawn."""
    bar = Bar() if ways.progress is None and Bar.is_seen() else None
    if bar is not None:
        ways = replace(ways, progress=bar.show)
    report = BatchReport() if ways.report is None else ways.report
    if hasattr(inputs, "__len__"):
        report.total = len(inputs)
    work = _work(program, ways)
    own = None
    checkpoint = ways.checkpoint
    if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
        own = checkpoint = Checkpoint(checkpoint, codec_of(program))
    try:
        yield Run(work, ways, report, checkpoint, is_held)
    finally:
        if own is not None:
            own.close()
        if bar is not None:
            bar.close()


def _work(program: Module, ways: Ways) -> Work:
    remote = ways.remote
    if remote is not None:
        return Remote(remote, program, ways.loader, ways.chunk).work
    if ways.threads is not None:
        return lambda inputs: in_thread(program, **inputs)
    return lambda inputs: program.acall(**inputs)


def codec_of(program: Module) -> Codec:
    """What a checkpoint of *program* needs to know.

    Raises:
        NoLMError: if a predictor has no LM.
    """
    kind = type(tree.inmost(program))
    types = cache(lambda: types_of(program))
    return Codec(
        f"{kind.__module__}:{kind.__qualname__}",
        hashlib.blake2b(json.dumps(_identity(program), sort_keys=True).encode(), digest_size=16).hexdigest(),
        lambda inputs: identity(dict(sorted(inputs.items())), "inputs"),
        lambda result: results.encode(result, types),
        lambda text: results.decode(text, types, None),
    )


def _identity(program: Module) -> Any:
    """What *program* is; where parts of it have no content that could be compared, its class and predictors alone."""
    name = type(program).__qualname__
    try:
        return identity(program, name)
    except UncacheableError:
        return [name, *([path, identity(each, path)] for path, each in program.named_predictors())]


# --- after ----------------------------------------------------------------------------------------


def _answer(done: list[_Done], report: BatchReport, ways: Ways) -> Any:
    """The results of *done* as asked for."""
    if ways.ordered:
        done.sort(key=_number)
    if not ways.return_failed_examples:
        pairs = ((each.result if ways.ordered else (each.id, each.result)) for each in done)
        return BatchResults(pairs, report)
    failed = [each for each in done if type(each.result) is Failure]
    found = [None if type(each.result) is Failure else each.result for each in done]
    return found, [each.given for each in failed], [each.result.error for each in failed]


def _with(error: BatchStoppedError, done: list[_Done]) -> BatchStoppedError:
    """*error*, with what was finished."""
    return BatchStoppedError(error.reason, [(each.id, each.result) for each in sorted(done, key=_number)])


def _number(done: _Done) -> int:
    return done.number

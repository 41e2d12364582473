"""The work of ``artifacts.py``: one task of one peer in one process, its figures as JSON on standard output.

::

    python artifact_work.py files|bundle_save|bundle_load --peer progkit|dspy|mlflow --home DIRECTORY [--demos N]

Times are seconds. The programs are the same for all; ``mlflow`` is DSPy's program in MLflow's hands.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import work

Figures = dict[str, Any]

DESK = """
import {peer} as lib

from desk_words import ADVICE


class Triage(lib.Signature):
    \"\"\"Sort a customer's message.\"\"\"

    ticket: str = lib.InputField()
    queue: str = lib.OutputField(desc=ADVICE)


class Desk(lib.Module):
    def __init__(self):
        super().__init__()
        self.triage = lib.Predict(Triage)
        self.reply = lib.Predict("ticket, queue -> reply")

    def forward(self, ticket):
        return self.reply(ticket=ticket, queue=self.triage(ticket=ticket).queue)
"""
"""A user's module; it imports another of the user's."""


def timed(call: Callable[[Any], Any], items: Sequence[Any]) -> float:
    """The median time of *call* with each of *items*, the first left out."""
    return median([clocked(call, item) for item in items][1:])


def clocked(call: Callable[[Any], Any], item: Any) -> float:
    """The time of one *call* with *item*."""
    before = time.perf_counter()
    call(item)
    return time.perf_counter() - before


def files(options: argparse.Namespace) -> Figures:
    """Save to new files and load into new programs; and what nobody can leave out of either."""
    peer = import_module(options.peer)
    number, times = options.demos, 4 if options.quick else 12
    program = work.predictor(peer, number)
    home = Path(options.home)
    paths = [home / f"state-{at}.json" for at in range(times)]
    plain = [home / f"plain-{at}.json" for at in range(times)]
    # In turns with the same state as plain JSON, written by hand: no fsync, no rename, nothing looked at. What waits
    # for a disk finds the processor's caches cold, and so does what comes after it.
    saves, writes = [], []
    for path, other in zip(paths, plain, strict=True):
        saves.append(clocked(lambda path: program.save(str(path)), path))
        writes.append(clocked(lambda path: path.write_text(json.dumps(program.dump_state(), indent=1), "utf-8"), other))
    found = {"save": median(saves[1:]), "write": median(writes[1:])}
    fresh = [work.predictor(peer, 0) for _ in paths]
    found["load"] = timed(lambda other: other.load(str(paths[0])), fresh)
    if [dict(each) for each in fresh[-1].demos] != [dict(each) for each in program.demos]:
        raise AssertionError("what was loaded is not what was saved")
    found["bytes"] = paths[0].stat().st_size
    # progkit makes its Examples only now; DSPy keeps dicts.
    fresh = [work.predictor(peer, 0) for _ in paths]
    found["look"] = timed(lambda other: (other.load(str(paths[0])), [each["reply"] for each in other.demos]), fresh)
    # Texts with colons, or with quotes as well, are read with more care: see progkit's artifact/proving.py.
    for name, reply in (("load_colons", "Re: {}"), ("load_quotes", 'Re: "{}"')):
        for number, demo in enumerate(program.demos):
            demo["reply"] = reply.format(work.demo_values(number)["reply"])
        program.save(str(paths[1]))
        fresh = [work.predictor(peer, 0) for _ in paths]
        found[name] = timed(lambda other: other.load(str(paths[1])), fresh)
    found["read"] = timed(lambda path: json.loads(path.read_bytes()), plain)
    for path in [*paths, *plain]:
        path.unlink()
    return found


def desk(options: argparse.Namespace) -> Any:
    """The user's program, from a directory of its own; optimised by hand."""
    library = "dspy" if options.peer == "mlflow" else options.peer
    sources = Path(options.home, "project")
    sources.mkdir(exist_ok=True)
    Path(sources, "desk.py").write_text(DESK.format(peer=library), "utf-8")
    Path(sources, "desk_words.py").write_text('ADVICE = "billing, shipping or other"\n', "utf-8")
    sys.path.insert(0, str(sources))
    program = import_module("desk").Desk()
    example = import_module(library).Example
    program.triage.demos = [example(ticket=f"Order {at} is late.", queue="shipping") for at in range(8)]
    return program


def bundle_save(options: argparse.Namespace) -> Figures:
    """Save the program with its code; the user's modules travel with it."""
    program = desk(options)
    modules = [sys.modules["desk"], sys.modules["desk_words"]]
    save: dict[str, Callable[[Path], Any]] = {
        "progkit": lambda path: program.save(path, save_program=True),
        "dspy": lambda path: program.save(str(path), save_program=True, modules_to_serialize=modules),
        "mlflow": lambda path: import_module("mlflow.dspy").save_model(
            program, str(path), code_paths=[each.__file__ for each in modules]
        ),
    }
    paths = [Path(options.home, f"bundle-{at}") for at in range(2 if options.quick else 5)]
    found = {"save": timed(save[options.peer], paths)}
    for path in paths[1:]:
        shutil.rmtree(path)
    return found


def bundle_load(options: argparse.Namespace) -> Figures:
    """Load it in a process that has not imported the library yet, where the user's modules are not to be found."""
    path = str(Path(options.home, "bundle-0"))
    before = time.perf_counter()
    if options.peer == "progkit":
        program = import_module("progkit").load(path)
    elif options.peer == "dspy":
        program = import_module("dspy").load(path, allow_pickle=True)
    else:
        program = import_module("mlflow.dspy").load_model(path)
    seconds = time.perf_counter() - before
    predictor = program.triage if hasattr(program, "triage") else program.model.triage
    if len(predictor.demos) != 8 or os.path.join(options.home, "project") in sys.path:
        raise AssertionError("what was loaded is not what was saved")
    return {"load": seconds}


TASKS: dict[str, Callable[[argparse.Namespace], Figures]] = {
    "files": files,
    "bundle_save": bundle_save,
    "bundle_load": bundle_load,
}


def main() -> None:
    """One task, and its figures on the last line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--peer", required=True)
    parser.add_argument("--home", required=True)
    parser.add_argument("--demos", type=int, default=8)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    print(json.dumps(TASKS[options.task](options)))


if __name__ == "__main__":
    main()

"""``progkit demo``: the whole loop on a real program, each step timed, no network and no key needed."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from progkit.caching import Cache
from progkit.cli.showcase import MODEL, STATE, SupportDesk
from progkit.errors import ConfigurationError
from progkit.lm import LM, track_usage
from progkit.runtime import configure

TICKET = "We were billed twice for October, invoices 1907 and 1911. Can you refund one of them?"
PLAN = "team"
PROGRAM = "progkit.cli.showcase:SupportDesk"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the loop: what was done, in how many *seconds*, and what it showed.

    calls, hits: LM calls and cache hits counted in this process; None for a step in another one.
    """

    title: str
    seconds: float
    shown: str
    calls: int | None = None
    hits: int | None = None


def run(options: argparse.Namespace) -> int:
    """Show the loop; with ``--json`` the steps as data."""
    if options.keep:
        Path(options.keep).mkdir(parents=True, exist_ok=True)
        return _tour(Path(options.keep), options.json)
    with tempfile.TemporaryDirectory(prefix="progkit-demo-", ignore_cleanup_errors=True) as made:
        return _tour(Path(made), options.json)


def _tour(place: Path, as_json: bool) -> int:
    steps = []
    if not as_json:
        print(_INTRODUCTION)
    for step in _steps(place):
        steps.append(step)
        if not as_json:
            counts = "" if step.calls is None else f", {step.calls} LM calls, {step.hits} from the cache"
            print(f"\n{step.title}\n  {step.seconds * 1000:,.1f} ms{counts}\n{_indented(step.shown)}")
    if as_json:
        print(json.dumps([asdict(step) for step in steps], ensure_ascii=False))
    return 0


def _steps(place: Path) -> Any:
    cache = Cache(disk_cache_dir=place / "cache")
    configure(lm=LM(MODEL), cache=cache)
    program = SupportDesk()
    file = place / "support_desk.json"

    yield _step("1. Load a program that was optimised elsewhere, from a state file", lambda: _loaded(program))
    ask = f"  question: {TICKET}"
    yield _step("2. Ask it something new: the LM answers (and litellm is imported, once)", lambda: _asked(program, ask))
    yield _step("3. Ask the same again: the memory cache answers", lambda: _asked(program))
    yield _step("4. Save it: text for git, the same program gives the same bytes", lambda: _saved(program, file))
    cache.close()

    lm = ("--program", PROGRAM, "--lm", MODEL)
    yield _process(
        "5. A new process loads the file and warms the cache from its demos, no LM", place, "warm", file, *lm
    )
    question = (f"ticket={TICKET}", f"plan={PLAN}")
    title = "6. Another process, offline, answers the first question from disk"
    yield _process(title, place, "run", file, *lm, "--offline", *question)
    demo = program.triage.predict.demos[1]
    question = (f"ticket={demo['ticket']}", f"plan={demo['plan']}")
    title = "7. ... and a question that only a demo knew, which nobody has asked yet"
    yield _process(title, place, "run", file, *lm, "--offline", *question)


def _step(title: str, act: Callable[[], str]) -> Step:
    with track_usage() as usage:
        started = time.perf_counter()
        shown = act()
        seconds = time.perf_counter() - started
    return Step(title, seconds, shown, usage.calls, usage.hits)


def _loaded(program: SupportDesk) -> str:
    program.load(STATE)
    return "\n".join(f"{path}: {len(each.demos)} demos" for path, each in program.named_predictors())


def _asked(program: SupportDesk, before: str = "") -> str:
    answer = program(ticket=TICKET, plan=PLAN)
    said = f"{answer.category}, {answer.urgency}, escalate={answer.escalate}\n{answer.reply}"
    return f"{before.strip()}\n{said}" if before else said


def _saved(program: SupportDesk, file: Path) -> str:
    program.save(file)
    text = file.read_text(encoding="utf-8")
    return f"{file.name}: {len(text.splitlines())} lines, {len(text.encode())} bytes"


def _process(title: str, place: Path, command: str, file: Path, *words: str) -> Step:
    """A command of ours in a new process: what it printed, and the whole time it took."""
    # -P: the directory one happens to be in is no place to import from.
    line = [sys.executable, "-P", "-c", _START, str(Path(__file__).parents[2]), command, str(file), *words]
    environment = os.environ | {"PROGKIT_CACHE_DIR": str(place / "cache")}
    started = time.perf_counter()
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise ConfigurationError(f"the demo's new process failed ({' '.join(line)}):\n{done.stderr}")
    typed = " ".join(f'"{word}"' if " " in word else word for word in ["progkit", command, file.name, *words])
    return Step(title, seconds, f"$ {typed}\n{done.stdout.strip()}")


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


_START = "import sys; sys.path.append(sys.argv.pop(1)); from progkit.cli import main; sys.exit(main())"
"""Runs the command in a new process: this progkit's, where none is installed."""
_INTRODUCTION = f"""\
A support desk: one predictor sorts a ticket, another drafts the answer; fourteen demos.
The LM is {MODEL}: no language model, but a stand-in inside this process that looks for the most
similar demo in the prompt and answers as that demo does. Everything around it is the real thing."""

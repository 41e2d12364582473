"""Many calls at once: progkit's batch beside DSPy's, and its client beside litellm and OpenAI's library.

::

    ./x bench batch [--quick] [--json] [--rounds N]

What is measured and how: ``README.md`` here. DSPy (with litellm and OpenAI's library, which it brings) stands in an
environment of its own under ``.bench``, made once. The tables go to standard output, progress to standard error.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from benchmarks import cache, run  # noqa: E402 - found through the line above, from wherever this is started

PEERS = {
    "progkit": "progkit",
    "progkit_litellm": "progkit, litellm",
    "dspy": "DSPy",
    "client": "progkit's client",
    "openai": "openai",
    "litellm": "litellm",
}
AT_ONCE = 256
WORK = ((0.0, 1000), (0.02, 1000), (0.2, 1000), (0.2, 10_000))
"""Seconds that the server takes, and how many questions."""
SLOW = ("progkit_litellm", "litellm")
"""Not asked 10,000 questions: it takes minutes and tells nothing new."""

Figures = dict[str, float]


@dataclass(frozen=True)
class Bench:
    """The peers, ready to be set to work."""

    pythons: dict[str, str]
    home: Path

    def do(self, peer: str, **options: object) -> Figures:
        """What a peer found out, in a new process with a cache of its own.

        Raises:
            SystemExit: if it failed.
        """
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PROGKIT_", "DSPY", "PYTHON"))}
        env |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1", "PYTHONWARNINGS": "ignore"}
        words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        with tempfile.TemporaryDirectory(dir=self.home) as home:
            env |= {"DSPY_CACHEDIR": home, "PROGKIT_CACHE_DIR": home}
            command = [self.pythons[peer], str(HERE / "batch_work.py"), f"--peer={peer}", *words]
            done = subprocess.run(command, env=env, cwd=home, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"bench: {peer} failed\n{done.stderr}")
        found: Figures = json.loads(done.stdout.splitlines()[-1])
        return found


@contextmanager
def serving(delay: float) -> Iterator[str]:
    """The endpoint of a server that answers after *delay* seconds."""
    process = subprocess.Popen(
        [sys.executable, HERE / "batch_server.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "BENCH_DELAY": str(delay)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def measure(bench: Bench, rounds: int, work: tuple[tuple[float, int], ...]) -> Figures:
    """The median of the rounds; the peers take turns, and who begins changes."""
    samples: dict[str, list[float]] = {}
    for number in range(rounds):
        for delay, many in work:
            run.say(f"round {number + 1} of {rounds}: {many:,} questions, {delay * 1000:.0f} ms")
            for peer in list(bench.pythons)[:: 1 if number % 2 == 0 else -1]:
                if peer == "stream" or (many > 1000 and peer in SLOW):
                    continue
                with serving(delay) as endpoint:
                    for name, value in bench.do(peer, endpoint=endpoint, many=many, at_once=AT_ONCE).items():
                        samples.setdefault(f"{peer}.{name}.{delay * 1000:.0f}.{many}", []).append(value)
    return {name: median(each) for name, each in samples.items()}


# --- the tables -----------------------------------------------------------------------------------


def tables(found: Figures, work: tuple[tuple[float, int], ...]) -> Iterator[str]:
    """Every figure, in Markdown."""
    rows = [[f"{many:,}, {delay * 1000:.0f} ms"] for delay, many in work]
    keys = [f"{delay * 1000:.0f}.{many}" for delay, many in work]
    rates = {name: f"{value:,.0f}" for name, value in found.items()}
    head = ["calls a second", *PEERS.values()]
    yield from cache.table(head, rows, rates, [f".rate.{key}" for key in keys], list(PEERS))
    times = {name: f"{value * 1e3:.2f} ms" for name, value in found.items()}
    head = ["CPU for a call", *PEERS.values()]
    yield from cache.table(head, rows, times, [f".cpu.{key}" for key in keys], list(PEERS))
    tenth, whole = (found[f"stream.rss.{each}"] / 2**20 for each in ("tenth", "all"))
    yield f"Memory held while rows stream through: {tenth:.1f} MB after a tenth, {whole:.1f} MB after all."


def judged(found: Figures) -> Iterator[tuple[str, float, bool]]:
    """Each target, in words, what came out, and whether it is met."""
    share = found["progkit.rate.200.1000"] / (AT_ONCE / 0.2)
    cpu = found["progkit.cpu.200.1000"]
    yield "200 ms, 256 at once: 80 % of the ideal rate, or 1.5 ms CPU for a call", share, share >= 0.8 or cpu <= 1.5e-3
    times = found["progkit.rate.0.1000"] / found["dspy.rate.0.1000"]
    yield "five times DSPy's rate, 0 ms", times, times >= 5
    over = (found["progkit.cpu.0.1000"] - found["client.cpu.0.1000"]) * 1e3
    yield "over its own client 0.3 ms CPU for a miss", over, over <= 0.3
    grown = found["stream.rss.all"] / found["stream.rss.tenth"]
    yield "memory does not grow with the rows (5 % at most)", grown, grown <= 1.05


def main() -> None:
    """Measure, and print the tables or, with ``--json``, the figures."""
    parser = argparse.ArgumentParser(prog="./x bench batch", description="Many calls at once, beside others.")
    parser.add_argument("--json", action="store_true", help="the figures, for a machine")
    parser.add_argument("--quick", action="store_true", help="a look, not a measurement")
    parser.add_argument("--rounds", type=int, help="how often everything is done by each peer (3; quick: 1)")
    options = parser.parse_args()
    other = run.dspy_python(run.DSPY)
    pythons = {peer: other if peer in ("dspy", "openai", "litellm") else sys.executable for peer in PEERS}
    rounds = options.rounds or (1 if options.quick else 3)
    work = WORK[:-1] if options.quick else WORK
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        bench = Bench({**pythons, "stream": sys.executable}, Path(home))
        found = measure(bench, rounds, work)
        run.say("rows that stream through")
        many = 10_000 if options.quick else 100_000
        found |= {f"stream.{name}": value for name, value in bench.do("stream", many=many).items()}
    targets = {name: {"value": value, "met": met} for name, value, met in judged(found)}
    if options.json:
        print(json.dumps({"figures": found, "targets": targets}, indent=1))
        return
    print(*tables(found, work), sep="\n")
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    print(f"\nDSPy {run.DSPY}, {AT_ONCE} at once, {system}; medians of {rounds} rounds in turns, {date.today()}.")
    print("\nTargets:")
    for name, target in targets.items():
        print(f"- {name}: {target['value']:.2f}, {'met' if target['met'] else 'NOT MET'}")


if __name__ == "__main__":
    main()

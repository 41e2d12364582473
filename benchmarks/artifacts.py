"""Saving and loading: state files and whole-program bundles, beside DSPy and MLflow.

::

    ./x bench artifacts [--quick] [--json] [--rounds N]

What is measured and how: ``README.md`` here. DSPy and MLflow stand in environments of their own under ``.bench``, made
once. The table goes to standard output, progress to standard error.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from benchmarks import cache, run  # noqa: E402 - found through the line above, from wherever this is started

MLFLOW = "3.17.2"
DEMOS = (8, 1000, 10_000)

Figures = dict[str, float]


@dataclass(frozen=True)
class Target:
    """What *figure* should come to: at most *most* times the figure *of*."""

    figure: str
    most: float
    of: str


TARGETS = (
    *(Target(f"progkit.load.{demos}", 1.0, of=f"dspy.load.{demos}") for demos in DEMOS),
    *(Target(f"progkit.load_colons.{demos}", 1.0, of=f"dspy.load_colons.{demos}") for demos in DEMOS),
    Target("progkit.load.10000", 13.0, of="progkit.load.1000"),  # ten times the demos; three more for noise
    *(Target(f"progkit.save.{demos}", 3.0, of=f"progkit.write.{demos}") for demos in DEMOS),
)


def mlflow_python() -> str | None:
    """A Python with MLflow and DSPy: ``BENCH_MLFLOW_PYTHON``, or one made once; None where they do not install."""
    given = os.environ.get("BENCH_MLFLOW_PYTHON")
    if given:
        return given
    directory = run.MADE / f"mlflow-{MLFLOW}-{platform.python_version()}"
    python = directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (directory / "whole").exists():
        run.say(f"installing MLflow {MLFLOW} into {directory.relative_to(HERE.parent)} (once)")
        subprocess.run([sys.executable, "-m", "venv", "--clear", directory], check=True, stdout=sys.stderr)
        pip = [str(python), "-m", "pip", "install", "-qq", "--no-input", "--disable-pip-version-check"]
        done = subprocess.run([*pip, f"mlflow=={MLFLOW}", f"dspy=={run.DSPY}"], stdout=sys.stderr)
        if done.returncode:
            run.say("MLflow does not install here: its rows are left out")
            return None
        (directory / "whole").touch()
    return str(python)


@dataclass(frozen=True)
class Bench:
    """The peers, ready to be set to work."""

    pythons: dict[str, str]
    home: Path
    quick: bool

    def do(self, task: str, peer: str, *words: str) -> Figures:
        """What a task found out, in a new process.

        Raises:
            SystemExit: if it failed.
        """
        home = self.home / peer
        home.mkdir(exist_ok=True)
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PROGKIT_", "DSPY", "PYTHON"))}
        env |= {"DSPY_CACHEDIR": str(home / "cache"), "PROGKIT_CACHE_DIR": str(home / "cache")}
        # A user's home of its own: what is trusted here is trusted nowhere else.
        env |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        options = [f"--peer={peer}", f"--home={home}", *words, *(["--quick"] if self.quick else [])]
        command = [self.pythons[peer], str(HERE / "artifact_work.py"), task, *options]
        done = subprocess.run(command, env=env, cwd=home, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"bench: {task} failed for {peer}\n{done.stderr}")
        found: Figures = json.loads(done.stdout.splitlines()[-1])
        return found


def measure(bench: Bench, rounds: int) -> Figures:
    """The median of the rounds of every figure; the peers take turns, and who begins changes."""
    samples: dict[str, list[float]] = {}
    for number in range(rounds):
        run.say(f"round {number + 1} of {rounds}")
        peers = list(bench.pythons)[:: 1 if number % 2 == 0 else -1]
        for demos in DEMOS:
            for peer in peers:
                if peer != "mlflow":  # it has no state files of its own
                    for name, value in bench.do("files", peer, f"--demos={demos}").items():
                        samples.setdefault(f"{peer}.{name}.{demos}", []).append(value)
        for peer in peers:
            bundle = bench.do("bundle_save", peer) | bench.do("bundle_load", peer)
            for name, value in bundle.items():
                samples.setdefault(f"{peer}.bundle.{name}", []).append(value)
    return {name: median(each) for name, each in samples.items()}


# --- the tables -----------------------------------------------------------------------------------


def tables(found: Figures) -> Iterator[str]:
    """Every figure, in Markdown."""
    shown = {name: f"{value:,.0f} B" if ".bytes." in name else run.worded(value, "s") for name, value in found.items()}
    both = ["progkit", "dspy"]
    rows = [
        (f"{title}, {demos:,} demos", f".{figure}.{demos}")
        for figure, title in (
            ("save", "save a state file"),
            ("write", "the same state with json.dumps, no fsync"),
            ("load", "load a state file"),
            ("look", "load it, and look at every demo"),
            ("load_colons", "load one whose texts hold colons"),
            ("load_quotes", "load one whose texts hold colons and quotes"),
            ("read", "json.loads of that state, nothing checked"),
            ("bytes", "size of the file"),
        )
        for demos in DEMOS
    ]
    titles = [[title] for title, _ in rows]
    yield from cache.table(["state files", "progkit", "DSPy"], titles, shown, [key for _, key in rows], both)
    peers = [*both, "mlflow"]
    head = ["a program with its code", "progkit", "DSPy", "MLflow"]
    keys = [".bundle.save", ".bundle.load"]
    yield from cache.table(head, [["save"], ["load, in a new process, with the import"]], shown, keys, peers)


def judged(found: Figures) -> Iterator[tuple[str, float, bool]]:
    """Each target, in words, what came out, and whether it is met."""
    for target in TARGETS:
        times = found[target.figure] / found[target.of]
        yield f"{target.figure} at most {target.most:g} times {target.of}", times, times <= target.most


def main() -> None:
    """Measure, and print the tables or, with ``--json``, the figures."""
    parser = argparse.ArgumentParser(prog="./x bench artifacts", description="Saving and loading, beside others.")
    parser.add_argument("--json", action="store_true", help="the figures, for a machine")
    parser.add_argument("--quick", action="store_true", help="a look, not a measurement")
    parser.add_argument("--rounds", type=int, help="how often everything is done by each peer (5; quick: 1)")
    options = parser.parse_args()
    pythons: dict[str, Any] = {"progkit": sys.executable, "dspy": run.dspy_python(run.DSPY), "mlflow": mlflow_python()}
    rounds = options.rounds or (1 if options.quick else 5)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        there = {peer: python for peer, python in pythons.items() if python}
        found = measure(Bench(there, Path(home), options.quick), rounds)
    targets = {name: {"times": times, "met": met} for name, times, met in judged(found)}
    if options.json:
        print(json.dumps({"figures": found, "targets": targets}, indent=1))
        return
    print(*tables(found), sep="\n")
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    print(
        f"DSPy {run.DSPY}, MLflow {MLFLOW}, {system}; medians of {rounds} rounds in turns, {date.today()}.\n\nTargets:"
    )
    for name, target in targets.items():
        print(f"- {name}: {target['times']:.2f}, {'met' if target['met'] else 'NOT MET'}")


if __name__ == "__main__":
    main()

"""progkit beside DSPy: the same work, in turns, in one run, as one table.

::

    ./x bench [--quick] [--json] [--rounds N] [--dspy VERSION]

What is measured and how: ``README.md`` here. The table goes to standard output, progress to standard error.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import urlopen

HERE = Path(__file__).parent
MADE = HERE.parent / ".bench"
DSPY = "3.4.1"

TASKS = {"import": 0, "cold": 0, "hits": 0, "files": 0, "miss": None}
"""The tasks of a round; 0 is how many completions each may ask for, None is any number."""

Samples = dict[str, dict[str, list[float]]]
"""Figure -> peer -> one value for each round."""


@dataclass(frozen=True)
class Row:
    """A line of the table: a figure of both peers, and what it should come to.

    most: what progkit's figure divided by DSPy's may be at most; None where nothing was promised.
    over: another figure by which each peer's own is divided; *most* is then for progkit's own ratio.
    """

    figure: str
    title: str
    unit: str = "s"
    most: float | None = None
    over: str = ""


ROWS = (
    Row("import", "import", most=0.25),
    Row("cold", "new process to first cached answer", most=0.25),
    Row("memory.0", "hit in memory, 0 demos"),
    Row("memory.8", "hit in memory, 8 demos", most=1 / 40),
    Row("memory.64", "hit in memory, 64 demos"),
    Row("memory.64", "hit in memory, 64 demos by 0 demos", unit="", most=1.2, over="memory.0"),
    Row("disk.0", "hit on disk, 0 demos", most=1 / 15),
    Row("disk.8", "hit on disk, 8 demos", most=1 / 15),
    Row("disk.64", "hit on disk, 64 demos", most=1 / 15),
    Row("disk.64", "hit on disk, 64 demos by 0 demos", unit="", most=1.2, over="disk.0"),
    Row("save.8", "save 8 demos"),
    Row("save.1000", "save 1,000 demos"),
    Row("load.8", "load 8 demos"),
    Row("load.1000", "load 1,000 demos", most=1.0),
    Row("miss.first", "miss, the first in a process"),
    Row("miss", "miss"),
    Row("rss.import", "memory held after import", unit="B", most=0.6),
    Row("rss.hit", "memory held after the first hit", unit="B"),
)


def say(text: str) -> None:
    """Tell how far it is."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


# --- the peers ------------------------------------------------------------------------------------


def dspy_python(version: str) -> str:
    """A Python with DSPy: ``BENCH_DSPY_PYTHON``, or an environment of its own under ``.bench``, made once."""
    given = os.environ.get("BENCH_DSPY_PYTHON")
    if given:
        return given
    directory = MADE / f"dspy-{version}-{platform.python_version()}"
    python = directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    whole = directory / "whole"
    if not whole.exists():
        say(f"installing DSPy {version} into {directory.relative_to(HERE.parent)} (once)")
        subprocess.run([sys.executable, "-m", "venv", "--clear", directory], check=True, stdout=sys.stderr)
        wanted = "dspy" if version == "newest" else f"dspy=={version}"
        pip = [str(python), "-m", "pip", "install", "-qq", "--no-input", "--disable-pip-version-check", wanted]
        subprocess.run(pip, check=True, stdout=sys.stderr)
        whole.touch()
    return str(python)


@contextmanager
def server() -> Iterator[str]:
    """The endpoint of a server of our own, for as long as the block runs."""
    process = subprocess.Popen(
        [sys.executable, HERE / "server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


@dataclass(frozen=True)
class Bench:
    """Both peers, ready to be set to work."""

    pythons: dict[str, str]
    endpoint: str
    home: Path
    quick: bool

    def asked(self) -> int:
        """How many completions the server has been asked for."""
        with urlopen(self.endpoint.removesuffix("/v1") + "/asked") as response:
            return int(json.load(response)["asked"])

    def do(self, task: str, peer: str, may_ask: int | None = None) -> dict[str, Any]:
        """What ``work.py`` found out, in a new process.

        Raises:
            SystemExit: if it failed, or asked for other completions than *may_ask*: it did not do the work.
        """
        home = self.home / peer
        home.mkdir(exist_ok=True)
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PROGKIT_", "DSPY", "PYTHON"))}
        env |= {
            "DSPY_CACHEDIR": str(home / "cache"),
            "PROGKIT_CACHE_DIR": str(home / "cache"),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "NO_PROXY": "127.0.0.1",
        }
        options = [f"--peer={peer}", f"--endpoint={self.endpoint}", f"--home={home}", f"--asked={self.asked()}"]
        command = [self.pythons[peer], str(HERE / "work.py"), task, *options, *(["--quick"] if self.quick else [])]
        started = time.monotonic_ns()
        done = subprocess.run([*command, f"--started={started}"], env=env, cwd=home, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"bench: {task} failed for {peer}\n{done.stderr}")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        if may_ask is not None and found["asked"] != may_ask:
            raise SystemExit(f"bench: {task} of {peer} asked for {found['asked']} completions, not {may_ask}")
        return found


def measure(bench: Bench, rounds: int) -> tuple[Samples, dict[str, str]]:
    """Every figure of every round, and the versions of the peers.

    The peers take turns at every task, and who begins changes from round to round.
    """
    peers = list(bench.pythons)
    say("filling both caches")
    answers = {peer: bench.do("fill", peer)["answers"] for peer in peers}
    if len({json.dumps(each, sort_keys=True) for each in answers.values()}) > 1:
        raise SystemExit("bench: the peers sent different messages or read the replies differently: not the same work")
    samples: Samples = {}
    versions: dict[str, str] = {}
    for number in range(rounds):
        for task, may_ask in TASKS.items():
            say(f"round {number + 1} of {rounds}: {task}")
            for peer in peers if number % 2 == 0 else peers[::-1]:
                found = bench.do(task, peer, may_ask)
                versions[peer] = found.pop("version", versions.get(peer))
                for figure, value in found.items():
                    if isinstance(value, int | float):
                        samples.setdefault(figure, {}).setdefault(peer, []).append(value)
    return samples, versions


# --- the table ------------------------------------------------------------------------------------


def worded(value: float, unit: str) -> str:
    """*value* with three digits and a unit that suits it."""
    if unit == "B":
        return f"{value / 2**20:.1f} MB"
    if unit == "":
        return f"{value:.2f}"
    for scale, name in ((1, "s"), (1e3, "ms")):
        if value * scale >= 1:
            return f"{value * scale:.3g} {name}"
    return f"{value * 1e6:.3g} µs"


def results(samples: Samples) -> list[dict[str, Any]]:
    """A row of plain values for each of ``ROWS``."""
    found = []
    for row in ROWS:
        values = {peer: median(each) for peer, each in samples[row.figure].items()}
        if row.over:
            values = {peer: value / median(samples[row.over][peer]) for peer, value in values.items()}
        ratio = values["progkit"] / values["dspy"]
        judged = values["progkit"] if row.over else ratio
        found.append(
            {
                "figure": row.figure + (f"/{row.over}" if row.over else ""),
                "title": row.title,
                "unit": row.unit,
                **values,
                "ratio": ratio,
                "target": row.most,
                "met": None if row.most is None else judged <= row.most,
                "samples": None if row.over else samples[row.figure],
            }
        )
    return found


def lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The table, in Markdown, its columns aligned."""
    table = [("", "progkit", "DSPy", "progkit / DSPy", "target", "")]
    for row in rows:
        ratio = row["ratio"]
        apart = f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.4f} ({1 / ratio:.0f} x faster)"
        target = "" if row["target"] is None else f"{row['target']:.3g} at most"
        met = {None: "", True: "met", False: "NOT MET"}[row["met"]]
        shown = (worded(row[peer], row["unit"]) for peer in ("progkit", "dspy"))
        table.append((row["title"], *shown, "" if row["unit"] == "" else apart, target, met))
    widths = [max(3, *map(len, column)) for column in zip(*table, strict=True)]
    for number, cells in enumerate(table):
        first, *others = (f"{cell:{'<' if at == 0 else '>'}{widths[at]}}" for at, cell in enumerate(cells))
        yield f"| {' | '.join([first, *others])} |"
        if number == 0:
            yield f"| {' | '.join(['-' * widths[0], *('-' * (width - 1) + ':' for width in widths[1:])])} |"


def main() -> None:
    """Measure, and print the table or, with ``--json``, all that is behind it."""
    parser = argparse.ArgumentParser(prog="./x bench", description="progkit beside DSPy on the same work, in one run.")
    parser.add_argument("--json", action="store_true", help="the figures of every round, for a machine")
    parser.add_argument("--quick", action="store_true", help="two short rounds: a look, not a measurement")
    parser.add_argument("--rounds", type=int, help="how often everything is done by each peer (7; quick: 2)")
    parser.add_argument("--dspy", default=DSPY, metavar="VERSION", help=f"a version, or 'newest' ({DSPY})")
    options = parser.parse_args()
    rounds = options.rounds or (2 if options.quick else 7)
    pythons = {"progkit": sys.executable, "dspy": dspy_python(options.dspy)}
    with server() as endpoint, tempfile.TemporaryDirectory() as home:
        samples, versions = measure(Bench(pythons, endpoint, Path(home), options.quick), rounds)
    rows = results(samples)
    about = {
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "rounds": rounds,
        **versions,
    }
    if options.json:
        print(json.dumps({"about": about, "rows": rows}, indent=1))
        return
    print(*lines(rows), sep="\n")
    print(
        f"\nprogkit {about['progkit']} and DSPy {about['dspy']}, Python {about['python']}, {about['system']}; "
        f"medians of {rounds} rounds in turns, {about['date']}."
    )


if __name__ == "__main__":
    main()

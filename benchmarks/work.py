"""The work, the same for both peers: one task in one process, its figures as JSON on standard output.

::

    python work.py TASK --peer progkit|dspy --endpoint http://127.0.0.1:PORT/v1 --home DIRECTORY ...

Both peers are driven through their public names, which are the same names: what runs is the same
source, line for line. Where the cache lies is said by the environment (``PROGKIT_CACHE_DIR``,
``DSPY_CACHEDIR``). Times are seconds, sizes are bytes. Imports of the standard library stand above
the clock; nothing of a peer is imported before it.
"""

import argparse
import json
import os
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, Literal

DEMOS = (0, 8, 64)
FILED = (8, 1000)
QUESTIONS = 16

Queue = Literal["billing", "shipping", "account", "bug", "other"]
Figures = dict[str, Any]


def demo_values(number: int) -> dict[str, Any]:
    """A demo of some 400 characters, as a support desk would label it."""
    return {
        "ticket": f"Order {10_000 + number} was to arrive on Monday, but the parcel went back to the depot and nobody "
        f"tells me why. I have called twice. Please send it again, or give me back the {20 + number % 80} euros.",
        "product": ("shop", "app", "card")[number % 3],
        "queue": ("billing", "shipping", "account", "bug", "other")[number % 5],
        "urgent": number % 2 == 0,
        "reply": f"We are sorry about order {10_000 + number}. It goes out again tomorrow, and you will get the number "
        "of the parcel by mail.",
    }


def ticket(number: int, salt: str = "") -> dict[str, str]:
    """The inputs of a call; a *salt* makes them new."""
    return {"ticket": f"My card was charged twice for invoice {number}{salt}. What now?", "product": "shop"}


def predictor(peer: Any, demos: int) -> Any:
    """A predictor of *peer* with so many demos: two inputs; a label, a yes or no and a text as outputs."""

    class Triage(peer.Signature):  # type: ignore[misc]
        """Sort a customer's message, say whether it must be answered today, and draft the answer."""

        ticket: str = peer.InputField(desc="what the customer wrote")
        product: str = peer.InputField()
        queue: Queue = peer.OutputField()
        urgent: bool = peer.OutputField(desc="whether it must be answered today")
        reply: str = peer.OutputField(desc="two sentences, friendly")

    program = peer.Predict(Triage)
    program.demos = [peer.Example(**demo_values(each)).with_inputs("ticket", "product") for each in range(demos)]
    return program


class Task:
    """What every task is given."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.state = Path(options.home, "state.json")

    def start(self) -> Any:
        """Import the peer and say which LM to ask."""
        peer = import_module(self.options.peer)
        peer.configure(lm=peer.LM("openai/bench", api_base=self.options.endpoint, api_key="none"))
        return peer

    def asked(self) -> int:
        """How many completions the server has been asked for, by anyone."""
        address = self.options.endpoint.removesuffix("/v1") + "/asked"
        with urllib.request.urlopen(address) as response:
            return int(json.load(response)["asked"])


def timed(call: Callable[[Any], Any], items: Sequence[Any]) -> float:
    """The median time of *call* with each of *items*, the first tenth (the warm-up) left out."""
    times = []
    for item in items:
        before = time.perf_counter()
        call(item)
        times.append(time.perf_counter() - before)
    return median(times[len(items) // 10 :])


def resident() -> int:
    """Bytes of memory that the process holds now; at its most, where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        resource = import_module("resource")
        peak: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak * (1 if sys.platform == "darwin" else 1024)


def importing(task: Task) -> Figures:
    """Import, and resolve the names that any program needs: a lazy package must not win by doing nothing."""
    before = time.perf_counter()
    peer = import_module(task.options.peer)
    for name in ("Signature", "InputField", "OutputField", "Predict", "Example", "LM", "configure"):
        getattr(peer, name)
    seconds = time.perf_counter() - before
    return {"import": seconds, "rss.import": resident(), "version": peer.__version__}


def fill(task: Task) -> Figures:
    """Ask every question once with every number of demos, so that it is on disk; save a program for ``cold``."""
    peer = task.start()
    answers: list[Any] = []
    for demos in DEMOS:
        program = predictor(peer, demos)
        answers.extend(program(**ticket(each)).toDict() for each in range(QUESTIONS))
    predictor(peer, 8).save(str(task.state))
    return {"answers": answers}


def cold(task: Task) -> Figures:
    """From the start of the process to the first answer: import, configure, load 8 demos, answer from disk."""
    peer = task.start()
    program = predictor(peer, 0)
    program.load(str(task.state))
    answer = program(**ticket(0))
    seconds = (time.monotonic_ns() - task.options.started) / 1e9
    return {"cold": seconds, "rss.hit": resident(), "answers": [answer.toDict()]}


def hits(task: Task) -> Figures:
    """Ask again what is in the cache: in memory first, then with the memory tier off."""
    peer = task.start()
    questions = [ticket(each) for each in range(QUESTIONS)]
    often = questions * (4 if task.options.quick else 20)

    def hit(demos: int) -> float:
        program = predictor(peer, demos)
        for question in questions:
            program(**question)
        return timed(lambda question: program(**question), often)

    figures: Figures = {}
    for tier in ("memory", "disk"):
        peer.configure_cache(enable_memory_cache=tier == "memory", enable_disk_cache=True)
        for demos in DEMOS:
            figures[f"{tier}.{demos}"] = hit(demos)
    return figures


def files(task: Task) -> Figures:
    """Save to a new file, as a first save does, and load into a new program."""
    peer = task.start()
    times = 5 if task.options.quick else 20

    def save_and_load(demos: int) -> tuple[float, float]:
        program = predictor(peer, demos)
        paths = [Path(task.options.home, f"saved-{os.getpid()}-{demos}-{number}.json") for number in range(times)]
        saving = timed(lambda path: program.save(str(path)), paths)
        fresh = [predictor(peer, 0) for _ in paths]
        loading = timed(lambda other: other.load(str(paths[0])), fresh)
        if [dict(each) for each in fresh[-1].demos] != [dict(each) for each in program.demos]:
            raise AssertionError("what was loaded is not what was saved")
        for path in paths:
            path.unlink()
        return saving, loading

    figures: Figures = {}
    for demos in FILED:
        figures[f"save.{demos}"], figures[f"load.{demos}"] = save_and_load(demos)
    return figures


def miss(task: Task) -> Figures:
    """Ask what nobody has asked: the first time in the process, and from then on."""
    peer = task.start()
    program = predictor(peer, 8)
    new = [ticket(number, f"-{task.options.started}") for number in range(20 if task.options.quick else 60)]
    before = time.perf_counter()
    program(**new[0])
    first = time.perf_counter() - before
    return {"miss.first": first, "miss": timed(lambda question: program(**question), new[1:])}


TASKS: dict[str, Callable[[Task], Figures]] = {
    "import": importing,
    "fill": fill,
    "cold": cold,
    "hits": hits,
    "files": files,
    "miss": miss,
}


def main() -> None:
    """Do one task and print its figures, with how many completions it cost."""
    parser = argparse.ArgumentParser(description="One task of the benchmark; benchmarks/run.py calls it.")
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--peer", choices=("progkit", "dspy"), required=True)
    parser.add_argument("--endpoint", required=True, help="http://127.0.0.1:PORT/v1")
    parser.add_argument("--home", required=True, help="a directory for this peer's files")
    parser.add_argument("--started", type=int, required=True, help="time.monotonic_ns() when the process was started")
    parser.add_argument("--asked", type=int, required=True, help="completions asked for before the process was started")
    parser.add_argument("--quick", action="store_true")
    task = Task(parser.parse_args())
    figures = TASKS[task.options.task](task)
    figures["asked"] = task.asked() - task.options.asked
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

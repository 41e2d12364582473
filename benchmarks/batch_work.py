"""The work of ``batch.py``: many questions at once, by one peer in one process; its figures as JSON on standard output.

::

    python batch_work.py --peer progkit|progkit_litellm|client|dspy|litellm|openai --endpoint URL --many N --at-once N
    python batch_work.py --peer stream --many N

Times are seconds, sizes are bytes. Every peer asks the same questions with the same prompt; every answer is looked at.
The CPU is that of this process, all threads of it.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import work

Figures = dict[str, Any]
DEMOS = 8
WARM = 32
"""Calls before the clock starts: imports, connections, threads."""


def tickets(start: int, many: int) -> list[dict[str, str]]:
    """Questions that nobody has asked yet."""
    return [work.ticket(number, f"-{time.time_ns()}") for number in range(start, start + many)]


def timed(run: Callable[[list[dict[str, str]]], list[Any]], many: int) -> Figures:
    """The rate and the CPU time of *run* with so many questions; *run* gives an answer for each."""
    run(tickets(0, WARM))
    questions = tickets(WARM, many)
    wall, processor = time.perf_counter(), time.process_time()
    answers = run(questions)
    seconds, processor = time.perf_counter() - wall, time.process_time() - processor
    wrong = [each for each in answers if "is with the" not in str(each)]
    if len(answers) != many or wrong:
        raise AssertionError(f"{len(answers)} answers for {many} questions; {len(wrong)} are wrong, like {wrong[:1]}")
    return {"rate": many / seconds, "cpu": processor / many}


# --- programs -------------------------------------------------------------------------------------


def progkit(options: argparse.Namespace) -> Figures:
    """``program.batch`` with the direct client, the disk and the memory tier."""
    return programs(options, "direct")


def progkit_litellm(options: argparse.Namespace) -> Figures:
    """The same through litellm."""
    return programs(options, "litellm")


def programs(options: argparse.Namespace, client: str) -> Figures:
    """``program.batch`` of progkit."""
    peer = import_module("progkit")
    peer.configure(lm=peer.LM("openai/bench", api_base=options.endpoint, api_key="none", client=client))
    program = work.predictor(peer, DEMOS)
    return timed(lambda questions: list(program.batch(questions, concurrency=options.at_once)), options.many)


def dspy(options: argparse.Namespace) -> Figures:
    """``program.batch`` of DSPy."""
    peer = import_module("dspy")
    peer.configure(lm=peer.LM("openai/bench", api_base=options.endpoint, api_key="none"))
    program = work.predictor(peer, DEMOS)

    def run(questions: list[dict[str, str]]) -> list[Any]:
        examples = [peer.Example(**each).with_inputs(*each) for each in questions]
        return list(program.batch(examples, num_threads=options.at_once, disable_progress_bar=True))

    return timed(run, options.many)


# --- clients --------------------------------------------------------------------------------------


def messages(question: dict[str, str]) -> list[dict[str, str]]:
    """A prompt of the size that the programs send, made with no work."""
    text = "\n\n".join(f"[[ ## {name} ## ]]\n{value}" for name, value in question.items())
    return [*OPENING, {"role": "user", "content": text}]


OPENING: list[dict[str, str]] = [{"role": "system", "content": "Sort a customer's message and draft the answer. " * 30}]
for _number in range(DEMOS):
    _demo = work.demo_values(_number)
    OPENING.append({"role": "user", "content": f"[[ ## ticket ## ]]\n{_demo['ticket']}\n\n[[ ## product ## ]]\nshop"})
    OPENING.append({"role": "assistant", "content": f"[[ ## queue ## ]]\nbug\n\n[[ ## reply ## ]]\n{_demo['reply']}"})


def pooled(options: argparse.Namespace, call: Callable[[dict[str, str]], Awaitable[Any]]) -> Figures:
    """*call* by so many workers on one event loop."""

    async def all_of(questions: list[dict[str, str]]) -> list[Any]:
        todo, answers = iter(questions), []

        async def worker() -> None:
            for question in todo:
                answers.append(await call(question))

        await asyncio.gather(*(worker() for _ in range(options.at_once)))
        return answers

    with asyncio.Runner() as runner:
        return timed(lambda questions: runner.run(all_of(questions)), options.many)


def client(options: argparse.Namespace) -> Figures:
    """progkit's own client, without a program around it."""
    room = import_module("progkit.lm")
    lm = room.LM("openai/bench", api_base=options.endpoint, api_key="none", client="direct")

    async def call(question: dict[str, str]) -> Any:
        return (await lm.acomplete(room.Request.of(messages(question), **lm.identity))).text

    return pooled(options, call)


def litellm(options: argparse.Namespace) -> Figures:
    """``litellm.acompletion``."""
    library = import_module("litellm")

    async def call(question: dict[str, str]) -> Any:
        endpoint = {"api_base": options.endpoint, "api_key": "none", "num_retries": 0}
        found = await library.acompletion("openai/bench", messages(question), **endpoint)
        return found.choices[0].message.content

    return pooled(options, call)


def openai(options: argparse.Namespace) -> Figures:
    """OpenAI's own library."""
    asker = import_module("openai").AsyncOpenAI(base_url=options.endpoint, api_key="none", max_retries=0)

    async def call(question: dict[str, str]) -> Any:
        found = await asker.chat.completions.create(model="bench", messages=messages(question))
        return found.choices[0].message.content

    return pooled(options, call)


# --- memory ---------------------------------------------------------------------------------------


def stream(options: argparse.Namespace) -> Figures:
    """Memory held after a tenth of the rows and after all of them; nothing is kept, nothing is asked over a network."""
    peer = import_module("progkit")

    class Instant:
        def __init__(self) -> None:
            self.identity = {"model": "bench/instant"}

        async def acomplete(self, request: Any) -> Any:
            fields = {"queue": "bug", "urgent": True, "reply": "It is with the team.", "completed": ""}
            text = "\n\n".join(f"[[ ## {name} ## ]]\n{value}" for name, value in fields.items())
            return peer.Response.of(text)

        def complete(self, request: Any) -> Any:
            return asyncio.run(self.acomplete(request))

    peer.configure(lm=Instant())
    peer.configure_cache(enable_disk_cache=False, enable_memory_cache=False)
    program = work.predictor(peer, DEMOS)
    found: Figures = {}

    def rows() -> Iterator[dict[str, str]]:
        for number in range(options.many):
            yield work.ticket(number)

    for number, _ in enumerate(program.batch_iter(rows(), concurrency=64), 1):
        if number == options.many // 10:
            found["rss.tenth"] = work.resident()
    return found | {"rss.all": work.resident()}


def main() -> None:
    """One peer, and its figures on the last line."""
    parser = argparse.ArgumentParser()
    peers = {each.__name__: each for each in (progkit, progkit_litellm, dspy, client, litellm, openai, stream)}
    parser.add_argument("--peer", choices=peers, required=True)
    parser.add_argument("--endpoint", default="")
    parser.add_argument("--many", type=int, required=True)
    parser.add_argument("--at-once", type=int, default=256)
    options = parser.parse_args()
    print(json.dumps(peers[options.peer](options)))


if __name__ == "__main__":
    main()

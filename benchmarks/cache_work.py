"""The work of ``cache.py``: one task of one peer in one process, its figures as JSON on standard output.

::

    python cache_work.py TASK --peer progkit|dspy|litellm|langchain|floor --home DIRECTORY [--endpoint URL] ...

Times are seconds, sizes are bytes. A hit is: the key of a request, the reply under it, in a form that the caller may
change. The requests and replies are the same for all.
"""

import argparse
import asyncio
import copy
import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

Figures = dict[str, Any]
Hit = Callable[[int], str]

QUESTIONS = 100
REPLY = "The parcel went back to the depot. " * 58
"""2 KB."""

OPENING = [{"role": "system", "content": "Sort a customer's message and draft the answer. " * 30}]
for number in range(8):
    OPENING.append({"role": "user", "content": f"Order {number} was to arrive on Monday, and nobody knows why. " * 4})
    OPENING.append({"role": "assistant", "content": f"We are sorry about order {number}; it goes out tomorrow. " * 3})
PARAMS = {"model": "openai/bench", "temperature": 0.5, "max_tokens": 500}


def question(number: int) -> list[dict[str, Any]]:
    """The messages that belong to one call alone."""
    return [{"role": "user", "content": f"My card was charged twice for invoice {number}. What now? " * 4}]


def timed(hit: Hit, rounds: int) -> float:
    """The median time of a hit; the first tenth is left out."""
    times = []
    for number in [each for _ in range(rounds) for each in range(QUESTIONS)]:
        before = time.perf_counter()
        text = hit(number)
        times.append(time.perf_counter() - before)
        if text != REPLY:
            raise AssertionError("a hit gave something else than was kept")
    return median(times[len(times) // 10 :])


# --- hits, by peer --------------------------------------------------------------------------------


def hits(options: argparse.Namespace) -> Figures:
    """The time of a hit, in memory and on disk."""
    tiers = globals()[f"hits_{options.peer}"](Path(options.home))
    return {name: timed(hit, 3 if options.quick else 20) for name, hit in tiers.items()}


def hits_floor(home: Path) -> dict[str, Hit]:
    """What nobody can leave out: encode and hash what is new in a request, look it up, decode a private copy.

    In memory it is looked up in a dict with bounds that threads may share, on disk in a SQLite table.
    """
    from cachetools import LRUCache
    from msgspec import json as text
    from msgspec import msgpack

    from progkit import Completion, Response

    encode, decode = text.Encoder(order="sorted").encode, msgpack.Decoder(Response).decode
    prefix = hashlib.sha256(encode(OPENING))
    kept: LRUCache[str, bytes] = LRUCache(10**9, getsizeof=len)
    lock = threading.Lock()
    database = sqlite3.connect(home / "floor.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE kept (key TEXT PRIMARY KEY, value BLOB)")

    def key(number: int) -> str:
        digest = prefix.copy()
        digest.update(encode([question(number), PARAMS]))
        return digest.hexdigest()

    entry = msgpack.encode(Response((Completion(REPLY, "stop"),), "m", {"total_tokens": 700}))
    for number in range(QUESTIONS):
        kept[key(number)] = entry
        database.execute("INSERT INTO kept VALUES (?, ?)", (key(number), entry))

    def look(key: str) -> bytes:
        with lock:
            return kept[key]

    find = "SELECT value FROM kept WHERE key = ?"
    return {
        "memory": lambda number: decode(look(key(number))).text,
        "disk": lambda number: decode(database.execute(find, (key(number),)).fetchone()[0]).text,
    }


def hits_progkit(home: Path) -> dict[str, Hit]:
    """As a predictor asks the cache: its opening messages are hashed once."""
    progkit = import_module("progkit")
    prefix = import_module("progkit.lm").Prefix(OPENING)

    def request(number: int) -> Any:
        return progkit.Request(prefix, question(number), PARAMS)

    found = {}
    for tier in ("memory", "disk"):
        on = {"enable_memory_cache": tier == "memory", "enable_disk_cache": tier == "disk"}
        cache = progkit.Cache(disk_cache_dir=home / "cache", **on)
        for number in range(QUESTIONS):
            reply = progkit.Response((progkit.Completion(REPLY, "stop"),), "m", {"total_tokens": 700})
            cache.put(cache.key_for(request(number)), reply)
        found[tier] = lambda number, cache=cache: cache.safe_get(cache.key_for(request(number))).text
    return found


def _model_response() -> Any:
    litellm = import_module("litellm")
    message = {"role": "assistant", "content": REPLY}
    usage = {"prompt_tokens": 600, "completion_tokens": 100, "total_tokens": 700}
    return litellm.ModelResponse(choices=[{"message": message, "finish_reason": "stop"}], usage=usage, model="bench")


def hits_dspy(home: Path) -> dict[str, Hit]:
    """``dspy.clients.Cache``: it keeps litellm's own reply."""
    cache_class = import_module("dspy.clients.cache").Cache
    found = {}
    for tier in ("memory", "disk"):
        cache = cache_class(
            enable_disk_cache=tier == "disk",
            enable_memory_cache=tier == "memory",
            disk_cache_dir=str(home / "cache"),
            disk_size_limit_bytes=10**9,
            memory_max_entries=10**6,
        )
        for number in range(QUESTIONS):
            cache.put({"messages": [*OPENING, *question(number)], **PARAMS}, _model_response())

        def hit(number: int, cache: Any = cache) -> str:
            return str(cache.get({"messages": [*OPENING, *question(number)], **PARAMS}).choices[0].message.content)

        found[tier] = hit
    return found


def hits_litellm(home: Path) -> dict[str, Hit]:
    """``litellm.caching``: what it keeps is a dict, from which ``litellm.completion`` then builds the reply."""
    caching = import_module("litellm.caching.caching")
    found = {}
    for tier, settings in {"memory": {"type": "local"}, "disk": {"type": "disk", "disk_cache_dir": home}}.items():
        cache = caching.Cache(**settings)
        cache.max_messages = None  # newer versions keep no reply to a long prompt, unless told to
        for number in range(QUESTIONS):
            cache.add_cache(_model_response(), messages=[*OPENING, *question(number)], **PARAMS)

        def hit(number: int, cache: Any = cache) -> str:
            kept = cache.get_cache(messages=[*OPENING, *question(number)], **PARAMS)
            kept = json.loads(kept) if isinstance(kept, str) else copy.deepcopy(kept)
            return str(kept["choices"][0]["message"]["content"])

        found[tier] = hit
    return found


def hits_langchain(home: Path) -> dict[str, Hit]:
    """LangChain's ``InMemoryCache`` and ``SQLiteCache``, with the messages as the prompt's text, as it does."""
    outputs = import_module("langchain_core.outputs")
    messages = import_module("langchain_core.messages")
    dumps = import_module("langchain_core.load").dumps
    memory = import_module("langchain_core.caches").InMemoryCache()
    disk = import_module("langchain_community.cache").SQLiteCache(database_path=str(home / "langchain.db"))
    kinds = {"system": messages.SystemMessage, "user": messages.HumanMessage, "assistant": messages.AIMessage}

    def prompt(number: int) -> str:
        return str(dumps([kinds[each["role"]](each["content"]) for each in [*OPENING, *question(number)]]))

    settings = json.dumps(PARAMS)
    found: dict[str, Hit] = {}
    for tier, cache in {"memory": memory, "disk": disk}.items():
        for number in range(QUESTIONS):
            generation = outputs.ChatGeneration(message=messages.AIMessage(REPLY))
            cache.update(prompt(number), settings, [generation])
        found[tier] = lambda number, cache=cache: str(cache.lookup(prompt(number), settings)[0].text)
    return found


# --- a program, asked by many ---------------------------------------------------------------------


def predictor(options: argparse.Namespace) -> Any:
    """A predictor of the peer that asks the bench's server."""
    peer = import_module(options.peer)
    peer.configure(lm=peer.LM("openai/bench", api_base=options.endpoint, api_key="none"))
    if options.redis:
        peer.configure_cache(tiers=[peer.MemoryTier(), peer.RedisTier(options.redis)])
    program = peer.Predict("ticket, product -> queue, urgent, reply")
    demo = {"ticket": "Where is it? " * 20, "product": "app", "queue": "bug", "urgent": "no", "reply": "Here. " * 20}
    program.demos = [peer.Example(**demo, number=each).with_inputs("ticket", "product") for each in range(8)]
    return program


def throughput(options: argparse.Namespace) -> Figures:
    """Hits a second, of a program's calls, by threads and by tasks."""
    program = predictor(options)
    asked = [{"ticket": f"Invoice {number}?", "product": "shop"} for number in range(16)]
    for each in asked:
        program(**each)
    number = 500 if options.quick else 4000
    carry = getattr(import_module(options.peer), "carry", lambda function: function)
    figures: Figures = {}
    for threads in (1, 8, 64):
        ask = carry(program)

        def hit(at: int, ask: Any = ask) -> Any:
            return ask(**asked[at % 16])

        with ThreadPoolExecutor(threads) as pool:
            before = time.perf_counter()
            list(pool.map(hit, range(number)))
            figures[f"threads.{threads}"] = number / (time.perf_counter() - before)

    async def tasks() -> float:
        before = time.perf_counter()
        await asyncio.gather(*(program.acall(**asked[at % 16]) for at in range(1000)))
        return 1000 / (time.perf_counter() - before)

    figures["tasks.1000"] = asyncio.run(tasks())
    return figures


def ask_threads(options: argparse.Namespace) -> Figures:
    """One question, asked by many threads at once."""
    program = predictor(options)
    ready = threading.Barrier(options.many)

    def ask(_: int) -> str:
        ready.wait()
        return str(program(ticket=options.salt, product="shop").reply)

    with ThreadPoolExecutor(options.many) as pool:
        return {"answers": len(set(pool.map(ask, range(options.many))))}


def ask_tasks(options: argparse.Namespace) -> Figures:
    """One question, asked by many tasks at once."""
    program = predictor(options)

    async def all_of_them() -> list[Any]:
        asked = (program.acall(ticket=options.salt, product="shop") for _ in range(options.many))
        return await asyncio.gather(*asked)

    return {"answers": len({each.reply for each in asyncio.run(all_of_them())})}


def ask_once(options: argparse.Namespace) -> Figures:
    """One question, asked when the clock says so, as all the other processes do."""
    program = predictor(options)
    time.sleep(max(0.0, options.at - time.time()))
    return {"answers": len({program(ticket=options.salt, product="shop").reply})}


# --- many entries, and a server that is dead ------------------------------------------------------


def fill(options: argparse.Namespace) -> Figures:
    """Many entries, kept on disk: how many a second, and the bytes they take."""
    progkit = import_module("progkit")
    prefix = import_module("progkit.lm").Prefix(OPENING)
    cache = progkit.Cache(enable_memory_cache=False, disk_cache_dir=Path(options.home, "many"))
    before = time.perf_counter()
    for number in range(options.many):
        reply = progkit.Response.of(f"Invoice {number} is paid. " * 20, model="m", usage={"total_tokens": 700})
        cache.put(cache.key_for(progkit.Request(prefix, question(number), PARAMS)), reply)
    seconds = time.perf_counter() - before
    cache.close()
    size = sum(each.stat().st_size for each in Path(options.home, "many").rglob("*") if each.is_file())
    return {"rate": options.many / seconds, "bytes": size / options.many}


def opening(options: argparse.Namespace) -> Figures:
    """From nothing to the first hit among many entries; imports are not counted."""
    progkit = import_module("progkit")
    prefix = import_module("progkit.lm").Prefix(OPENING)
    progkit.Cache(enable_memory_cache=False, disk_cache_dir=Path(options.home, "none")).get("warm")
    request = progkit.Request(prefix, question(options.many // 2), PARAMS)
    before = time.perf_counter()
    cache = progkit.Cache(enable_memory_cache=False, disk_cache_dir=Path(options.home, "many"))
    found = cache.get(cache.key_for(request))
    seconds = time.perf_counter() - before
    if found is None:
        raise AssertionError("an entry is missing")
    return {"open": seconds}


def dead(options: argparse.Namespace) -> Figures:
    """What a shared tier whose server is dead adds to so many calls, all of them misses."""
    progkit = import_module("progkit")

    class Echo:
        @property
        def identity(self) -> dict[str, str]:
            return {"model": "echo"}

        def complete(self, request: Any) -> Any:
            return progkit.Response.of("[[ ## answer ## ]]\nyes")

    def calls(tiers: list[Any]) -> float:
        cache = progkit.Cache(tiers=tiers)
        program = progkit.Predict("question -> answer")
        with progkit.context(lm=Echo(), cache=cache):
            before = time.perf_counter()
            for number in range(options.many):
                program(question=f"{number}")
            return time.perf_counter() - before

    calls([progkit.MemoryTier()])
    alone = min(calls([progkit.MemoryTier()]) for _ in range(3))
    return {"added": calls([progkit.MemoryTier(), progkit.RedisTier(options.redis)]) - alone}


TASKS = (hits, throughput, ask_threads, ask_tasks, ask_once, fill, opening, dead)


def main() -> None:
    """Do one task and print its figures."""
    parser = argparse.ArgumentParser(description="One task of the cache's benchmark; benchmarks/cache.py calls it.")
    parser.add_argument("task", choices=[each.__name__ for each in TASKS])
    parser.add_argument("--peer", choices=("progkit", "dspy", "litellm", "langchain", "floor"), required=True)
    parser.add_argument("--home", required=True, help="a directory for this peer's files")
    parser.add_argument("--endpoint", default="", help="http://127.0.0.1:PORT/v1")
    parser.add_argument("--redis", default="", help="the URL of a server to share")
    parser.add_argument("--many", type=int, default=0, help="threads, tasks, entries or calls")
    parser.add_argument("--salt", default="", help="what makes the question new")
    parser.add_argument("--at", type=float, default=0.0, help="when to ask, seconds since 1970")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    figures = globals()[options.task](options)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

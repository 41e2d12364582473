"""litellm at its door, in processes of their own: when it is imported, how, and how it is left; and when it is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from servers import ChatServer

from progkit.errors import ConfigurationError
from progkit.lm.background import Background
from progkit.lm.litellm_door import refuse_malicious

TOP = Path(__file__).parent.parent


def run(script: str, directory: Path, *arguments: str, path: str = "") -> "subprocess.CompletedProcess[str]":
    """*script* in a new Python in *directory*, warnings shown."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "LITELLM"))}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [path, str(TOP)]))
    command = [sys.executable, "-B", "-W", "default", "-c", script, *arguments]
    return subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True, timeout=120, check=False)


FIRST_MISS = """
import asyncio, os, sys

def loaded():
    return sorted({"litellm", "openai", "httpx", "pydantic"} & set(sys.modules))

from progkit.lm import LM, Request, inspect_history, track_usage

lm = LM("openai/test", api_base=sys.argv[1], api_key="fake", temperature=0.5, client="litellm")
request = Request.of([{"role": "user", "content": "hi"}], **lm.identity)
lm.copy(), lm.dump_state(), LM.from_state(lm.dump_state()[0]), repr(lm), inspect_history()
print("before", loaded())

async def both():
    return await asyncio.gather(lm.acomplete(request), asyncio.to_thread(lm.complete, request))

print("answers", [each.text for each in asyncio.run(both())])
print("after", "litellm" in loaded(), os.environ["LITELLM_LOCAL_MODEL_COST_MAP"], os.environ["LITELLM_MODE"])
print("stray", os.environ.get("STRAY"))

import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons advise against fork beside threads
child = os.fork()
if not child:
    os._exit(lm.complete(request).text != "ok" or asyncio.run(lm.acomplete(request)).text != "ok")
print("child", os.waitpid(child, 0)[1], "parent", lm.complete(request).text)
"""


def test_litellm_comes_at_the_first_miss(tmp_path: Path) -> None:
    """Not with an LM, its copies or its state; then once for all who ask at that moment.

    It is told to fetch no price list and to leave a ``.env`` alone. A forked child asks by itself, and the process ends
    without a word.
    """
    (tmp_path / ".env").write_text("STRAY=1\n")

    with ChatServer() as server:
        done = run(FIRST_MISS, tmp_path, server.url)

    assert done.stdout.splitlines() == [
        "before []",
        "answers ['ok', 'ok']",
        "after True True PRODUCTION",
        "stray None",
        "child 0 parent ok",
    ]
    assert done.stderr == ""
    assert server.count == 5


DIRECT = """
import asyncio, gc, os, sys, threading

def loaded():
    return sorted({"litellm", "openai", "httpx", "pydantic", "aiohttp"} & set(sys.modules))

from progkit.lm import LM, Request

lm = LM("openai/test", api_base=sys.argv[1], api_key="fake", temperature=0.5)
request = Request.of([{"role": "user", "content": "hi"}], **lm.identity)
print("before", loaded())

async def both():
    return await asyncio.gather(lm.acomplete(request), asyncio.to_thread(lm.complete, request))

print("answers", [each.text for each in asyncio.run(both())])
print("after", loaded())

import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons advise against fork beside threads
child = os.fork()
if not child:
    status = lm.complete(request).text != "ok" or asyncio.run(lm.acomplete(request)).text != "ok"
    gc.collect()
    os._exit(status)
print("child", os.waitpid(child, 0)[1], "parent", lm.complete(request).text)
gc.collect()
"""


def test_the_direct_client_needs_no_litellm(tmp_path: Path) -> None:
    """The first miss imports httpx and nothing heavier; parent and forked child ask side by side, and end in silence.

    A connection that was open at the fork serves the parent alone.
    """
    with ChatServer() as server:
        done = run(DIRECT, tmp_path, server.url)

    assert done.stdout.splitlines() == [
        "before []",
        "answers ['ok', 'ok']",
        "after ['httpx']",
        "child 0 parent ok",
    ]
    assert done.stderr == ""
    ports = [each.port for each in server.requests]
    assert len(ports) == 5
    assert set(ports[2:4]).isdisjoint(ports[:2])
    assert ports[4] in ports[:2]


REFUSED = """
from progkit.errors import ConfigurationError
from progkit.lm import LM
try:
    LM("openai/test", api_key="fake", client="litellm")("hi")
except ConfigurationError as error:
    print(error)
"""


@pytest.mark.parametrize("version", ["1.82.7", "1.82.8"])
def test_a_malicious_release_is_never_imported(tmp_path: Path, version: str) -> None:
    """What is installed beside the package tells; not a line of it runs."""
    (tmp_path / "litellm").mkdir()
    (tmp_path / "litellm" / "__init__.py").write_text("print('stealing')\n")
    (tmp_path / f"litellm-{version}.dist-info").mkdir()

    done = run(REFUSED, tmp_path, path=str(tmp_path))

    assert done.stdout == f"litellm {version} is a malicious release: install another, and change your keys\n"
    assert done.stderr == ""
    with pytest.raises(ConfigurationError, match=version):
        refuse_malicious(tmp_path)


# --- the loop in the background -----------------------------------------------------------------------


async def nothing() -> None:
    """Do nothing."""


def test_the_loop_ends_and_begins_anew() -> None:
    """Stopping runs the last work, cancels what is under way, and may come twice or before anything ran."""
    background = Background()
    seen: list[str] = []

    async def wait_for_ever() -> None:
        import asyncio

        seen.append("began")
        await asyncio.Event().wait()

    async def last() -> None:
        seen.append("last")

    background.stop(nothing())
    assert background.wait(background.start(nothing())) is None
    future = background.start(wait_for_ever())
    while not seen:
        background.wait(background.start(nothing()))
    background.stop(last())
    background.stop(nothing())

    assert seen == ["began", "last"]
    assert future.cancelled()
    assert background.wait(background.start(nothing())) is None
    background.stop(nothing())


def test_waiting_on_the_loops_own_thread_is_refused() -> None:
    """A provider's coroutine that called an LM and blocked would wait for itself."""
    background = Background()

    async def block() -> None:
        background.wait(background.start(nothing()))

    with pytest.raises(ConfigurationError, match="acomplete"):
        background.wait(background.start(block()))
    background.stop(nothing())

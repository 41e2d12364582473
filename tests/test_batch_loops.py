"""The event loops of batches: kept with their connections, never shared, gone in time, across forks and to the end."""

import asyncio
import gc
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextvars import copy_context
from typing import Any

import pytest
from batches import QA, rows
from servers import ChatServer, Reply

import progkit
from progkit import LM, Module, Predict
from progkit.batch import loops

SAID = "[[ ## answer ## ]]\nyes\n\n[[ ## completed ## ]]"


@pytest.fixture(autouse=True)
def no_homes() -> Iterator[None]:
    loops.end()
    yield
    loops.end()


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(Reply(SAID)) as server:
        yield server


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class Where(Module):
    """Answers with the loop and the thread it ran on; *work* is awaited before."""

    def __init__(self, work: Callable[[], Any] | None = None) -> None:
        self.work = work

    async def aforward(self, question: str) -> Any:
        if self.work is not None:
            await self.work()
        return asyncio.get_running_loop(), threading.current_thread()


def test_the_next_batch_has_the_loop_of_the_last() -> None:
    """And its thread; two at once have one each."""
    first = Where().batch(rows(3))
    second = Where().batch(rows(3))
    assert len({*first, *second}) == 1

    slow = Where(lambda: asyncio.sleep(0.1))
    iterators = [slow.batch_iter(rows(100), concurrency=1) for _ in range(2)]
    found = [next(each)[1] for each in iterators]
    assert found[0][0] is not found[1][0]
    for each in iterators:
        each.close()


def test_connections_are_kept_from_batch_to_batch(server: ChatServer) -> None:
    """The second asks over those that the first has opened."""
    server.always = Reply(SAID, delay=0.05)
    with progkit.context(lm=LM("openai/test", api_base=server.url, api_key="fake", cache=False)):
        for _ in range(3):
            assert not Predict(QA).batch(rows(8), concurrency=8).failures

    assert server.count == 24
    assert len({each.port for each in server.requests}) == 8


def test_a_loop_goes_when_nobody_has_needed_it(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its connections with it; the next batch has another."""
    monkeypatch.setattr(loops, "KEPT", 0.05)
    with progkit.context(lm=LM("openai/test", api_base=server.url, api_key="fake", cache=False)):
        Predict(QA).batch(rows(2))
        until(lambda: not loops._idle and not server._connections)

        assert not Predict(QA).batch(rows(2)).failures


def test_a_loop_that_was_lent_at_the_last_moment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the work that it was taken for."""
    monkeypatch.setattr(loops, "KEPT", 0.02)
    ended = threading.Event()

    async def work() -> None:
        pass

    home = loops.lend()
    time.sleep(0.1)
    home.do(loops.Work(work(), copy_context(), lambda _: ended.set()))

    assert ended.wait(5)


def test_a_batch_within_a_batch_does_not_wait_for_itself() -> None:
    """Not even where it holds up the loop of the outer one."""

    async def inner() -> None:
        assert len(Where().batch(rows(2))) == 2

    assert not Where(inner).batch(rows(3), concurrency=2).failures


def test_what_a_batch_leaves_behind_is_cancelled() -> None:
    """Before it returns: the next one is alone on the loop. What then fails is told as asyncio tells it."""
    cancelled, told = [], []

    async def linger(name: str) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(name)
            if name == "1":
                raise ValueError("not now") from None
            raise

    async def leave() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
        kept.extend(loop.create_task(linger(str(number))) for number in range(2))
        await asyncio.sleep(0)

    kept: list[Any] = []
    Where(leave).batch(rows(1))

    assert sorted(cancelled) == ["0", "1"]
    assert [type(each) for each in told] == [ValueError]
    assert all(each.done() for each in kept)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_the_end_of_the_process_is_the_callers_to_see(kind: type[BaseException]) -> None:
    """A program that raises it ends the batch and its loop; a later one has another."""

    async def leave() -> None:
        raise kind("enough")

    before = Where().batch(rows(1))[0][0]
    with pytest.raises(kind, match="enough"):
        Where(leave).batch(rows(3))

    assert not loops._idle
    assert before.is_closed()
    assert Where().batch(rows(1))[0][0] is not before


def test_the_end_of_the_process_is_seen_after_what_was_finished() -> None:
    """An iterator gives that first, though the loop is closed by then."""
    begun = iter((None, SystemExit("enough")))

    async def leave() -> None:
        if (error := next(begun)) is not None:
            await asyncio.sleep(0.05)
            raise error

    iterator = Where(leave).batch_iter(rows(2), concurrency=4)
    (loop, thread) = next(iterator)[1]
    until(loop.is_closed)

    with pytest.raises(SystemExit, match="enough"):
        next(iterator)
    thread.join(5)


def test_no_loop_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for one."""

    def refuse(_: Any) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(asyncio.Runner, "get_loop", refuse)

    with pytest.raises(OSError, match="Too many open files"):
        Where().batch(rows(1))


SCRIPT = """
import os, sys
from progkit import LM, Predict, configure

configure(lm=LM("openai/test", api_base=sys.argv[1], api_key="fake", cache=False))
desk = Predict("question -> answer")

def ask():
    return [each.answer for each in desk.batch([{"question": str(number)} for number in range(4)], concurrency=4)]

print(ask())
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # some Pythons still count a thread that has just ended
child = os.fork()
if not child:
    if sys.argv[2] == "asks":
        assert ask() == ["yes"] * 4
    sys.exit(0)
print("child", os.waitpid(child, 0)[1])
print(ask())
"""


@pytest.mark.skipif(not hasattr(sys, "abiflags"), reason="Windows does not fork")
@pytest.mark.parametrize("child", ["asks", "does not"])
def test_a_fork_and_the_end_of_the_process(server: ChatServer, tmp_path: Any, child: str) -> None:
    """A loop that waits for work ends before the fork: both begin anew, warn of nothing, and end in silence."""
    server.always = Reply(SAID, delay=0.05)

    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error::ResourceWarning", "-c", SCRIPT, server.url, child],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )

    assert done.stdout.splitlines() == [str(["yes"] * 4), "child 0", str(["yes"] * 4)]
    assert done.stderr == ""
    assert len({each.port for each in server.requests}) == server.count == (12 if child == "asks" else 8)


@pytest.mark.parametrize("is_over", [True, False])
def test_a_loop_that_ends_with_the_interpreter_ends_in_silence(
    monkeypatch: pytest.MonkeyPatch, is_over: bool, recwarn: pytest.WarningsRecorder
) -> None:
    """Where no thread can be started any more, in which its executor would be waited for; before, that is an error."""

    async def look_up() -> None:
        await asyncio.to_thread(str)

    raised: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda told: raised.append(told.exc_type))
    thread = Where(look_up).batch(rows(1))[0][1]

    async def refuse(*_: Any) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(asyncio.BaseEventLoop, "shutdown_default_executor", refuse)
    if is_over:
        monkeypatch.setattr(loops, "_is_over", threading.Event())
        loops._end_for_good()
    else:
        loops.end()
    thread.join()

    assert raised == ([] if is_over else [RuntimeError])


ABANDONED = """
import asyncio
from progkit import Module

class Slow(Module):
    async def aforward(self, question):
        await asyncio.sleep(0.01)
        return question

def main():
    results = Slow().batch_iter([{"question": str(each)} for each in range(500)], concurrency=8)
    for each in results:
        raise ValueError("given up")

main()
"""


def test_a_batch_given_up_at_the_end_of_the_process_does_not_hold_it() -> None:
    """Its iterator is closed when nothing runs any more that could say that it is done."""
    done = subprocess.run([sys.executable, "-c", ABANDONED], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert "ValueError: given up" in done.stderr


def test_nothing_of_a_batch_is_held_for_the_next_one() -> None:
    """Neither the program nor what it failed with."""

    class Failing(Module):
        async def aforward(self, question: str) -> None:
            raise ValueError(question)

    program = Failing()
    gone = weakref.ref(program)
    program.batch(rows(2), max_errors=5)
    del program
    gc.collect()

    assert gone() is None


def test_no_thread_to_be_had_leaves_nothing_unfinished(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning of a coroutine that nobody awaited would be an error here."""

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError, match="can't start"):
            Where().batch(rows(1))
    gc.collect()
    assert len(Where().batch(rows(1))) == 1

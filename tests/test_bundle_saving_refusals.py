"""What cannot be saved is refused when it is saved, by its path; what was there before stays."""

import concurrent.futures
import contextvars
import functools
import io
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import types
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bundles
import pytest

import progkit
from progkit.artifact.bundle import checking
from progkit.artifact.bundle.capturing import Captured
from progkit.artifact.bundle.checking import Failure, tried
from progkit.artifact.bundle.named import remembering
from progkit.artifact.bundle.pickling import Pickled, Rules, pickled
from progkit.errors import UnsavableError
from progkit.program.bundles.proving import Proof

SHOP = '''
    import functools
    import threading
    import progkit

    lock = threading.Lock()


    class Retriever(progkit.Module):
        def __init__(self, pool):
            self._pool = pool


    class Shop(progkit.Module):
        def __init__(self, pool):
            self.retriever = Retriever(pool)
            self.answer = progkit.Predict("question -> answer")

        def forward(self, question):
            with lock:
                return guarded(question)


    @functools.lru_cache(maxsize=3)
    def guarded(question):
        """A function that captures a lock of its module."""
        with lock:
            return question


    class Client:
        def __init__(self, value):
            self.value = value

        def call(self):
            return self.value


    class Raising:
        def __reduce__(self):
            raise RuntimeError("never")


    class Lying:
        def __reduce__(self):
            return "Somebody"


    class Connected(progkit.Module):
        def __init__(self):
            self.k = 1

        def __setstate__(self, state):
            raise RuntimeError("no connection here")


    def numbers():
        yield 1


    def locked():
        with lock:
            return 1
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[bundles.Project]:
    with bundles.project(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def shop(project: bundles.Project) -> Any:
    project.write(shop=SHOP)
    return project.module("shop")


def rules(**changes: Any) -> Rules:
    return Rules(
        lambda value, where: None,
        lambda module: module in ("shop", __name__, "builtins_of_nobody"),
        lambda module: module in (__name__, "__main__"),
        **changes,
    )


def refused(value: Any, **changes: Any) -> str:
    """What is said when *value* is pickled, up to the advice."""
    with pytest.raises(UnsavableError) as caught:
        pickled(value, rules(**changes))
    return str(caught.value).partition(";")[0]


class TestCloudpicklesFailures:
    def test_a_lock_of_a_module_captured_by_a_function(self, shop, tmp_path):
        """With source it is no trouble: the module makes its lock anew. By value it is refused, by its name."""
        shop.Shop(shop.locked).save(tmp_path / "out", save_program=True)
        assert progkit.load(tmp_path / "out").retriever._pool() == 1

        by_value = types.FunctionType(shop.locked.__code__, {"lock": shop.lock, "__name__": "__main__"}, "locked")
        with pytest.raises(UnsavableError, match=r"^program\.retriever\._pool\.<global lock>: lock cannot be pickled;"):
            shop.Shop(by_value).save(tmp_path / "out", save_program=True)

    def test_functions_with_a_cache(self, shop, tmp_path):
        """By name where their module travels as source; else by value, with nothing remembered."""
        shop.Shop(shop.guarded).save(tmp_path / "out", save_program=True)
        assert progkit.load(tmp_path / "out").retriever._pool is shop.guarded

        by_value = functools.lru_cache(maxsize=3)(lambda x: x)
        by_value(1)
        report = shop.Shop(by_value).save(tmp_path / "out", save_program=True)
        again = progkit.load(tmp_path / "out").retriever._pool
        assert (again(2), again.cache_parameters()["maxsize"], again.cache_info().misses) == (2, 3, 1)
        assert report.portability == "bytecode"
        assert remembering(abs, None, False)(-1) == 1

    def test_lazy_imports_and_siblings(self, project, tmp_path):
        """What a function imports when it is called is there when it is called, elsewhere."""
        project.write(
            desk="""
                import progkit

                class Desk(progkit.Module):
                    def forward(self):
                        import lazy
                        return lazy.answer()
            """,
            lazy="import sibling\ndef answer(): return sibling.ANSWER",
            sibling="ANSWER = 42",
        )
        project.module("desk").Desk().save(tmp_path / "out", save_program=True)

        assert bundles.load_elsewhere(tmp_path / "out", "print(program())", tmp_path / "elsewhere") == "42\n"

    def test_a_thread_pool(self, shop, tmp_path):
        """The path, the class, and both ways out."""
        with concurrent.futures.ThreadPoolExecutor(1) as pool, pytest.raises(UnsavableError) as caught:
            shop.Shop(pool).save(tmp_path / "out", save_program=True)

        told = str(caught.value)
        assert told.startswith("program.retriever._pool: ThreadPoolExecutor cannot be pickled (")
        assert "__getstate__" in told
        assert "modules_to_serialize=" in told
        assert list(tmp_path.glob("*out*")) == []

    def test_handles(self, shop):
        """Files, sockets, connections, generators, processes, threads, contexts: none has a content."""
        with tempfile.TemporaryFile() as binary, tempfile.TemporaryFile("w+") as text, socket.socket() as plug:
            assert refused([binary]) == (
                "program[0]: BufferedRandom cannot be pickled (a file that is open: BufferedRandom)"
            )
            assert "TextIOWrapper cannot be pickled (a file that is open" in refused(text)
            assert refused({"s": plug}) == "program['s']: socket cannot be pickled"
        database = sqlite3.connect(":memory:")
        assert refused(shop.Client(database)) == "program.value: Connection cannot be pickled"
        database.close()
        assert refused(shop.numbers()) == "program: generator cannot be pickled"
        assert refused(contextvars.ContextVar("x")) == "program: ContextVar cannot be pickled"
        assert refused([threading.Thread()]).startswith("program[0]: Thread cannot be pickled (program[0]._")
        with subprocess.Popen([sys.executable, "-c", ""]) as process:
            assert refused([process]).startswith("program[0]: Popen cannot be pickled (program[0]._waitpid_lock: ")

    def test_the_environment(self, shop):
        """It would take every key of this machine with it."""
        assert "it holds every variable" in refused(shop.Client(os.environ))


class TestPaths:
    def test_they_lead_to_what_is_to_blame(self, shop):
        """Through containers, methods, partials, closures, defaults, and attributes with odd names."""
        lock = threading.Lock()

        def closing() -> Any:
            return lock

        def defaulting(value: Any = lock) -> Any:
            return value

        class Numbers(list[Any]):
            pass

        numbers = Numbers([1])
        numbers.lock = lock  # type: ignore[attr-defined]
        odd = shop.Client(None)
        vars(odd)["no name"] = lock
        where = {
            "program.value['a'][1].value": shop.Client({"a": [1, shop.Client(lock)]}),
            "program[1][0]": (1, (lock,)),
            "program.__self__.value": shop.Client(lock).call,
            "program.func.__self__.value": functools.partial(shop.Client(lock).call),
            "program.args[0]": functools.partial(print, lock),
            "program.sep": functools.partial(print, sep=lock),
            "program.<closure lock>": closing,
            "program.__defaults__[0]": defaulting,
            "program['x']": OrderedDict(x=lock),
            "program.lock": numbers,
            "program['no name']": odd,
            "program[0]": [lock],
            "program.value": types.SimpleNamespace(value=lock),
        }
        assert {path: refused(value) for path, value in where.items()} == {
            path: f"{path}: lock cannot be pickled" for path in where
        }

    def test_what_raises_is_quoted_and_is_the_cause(self, shop):
        """A class that will not be pickled says why."""
        with pytest.raises(UnsavableError, match=r"^program\.value: Raising cannot be pickled \(never\)") as caught:
            pickled(shop.Client(shop.Raising()), rules())

        assert isinstance(caught.value.__cause__, RuntimeError)

    def test_names_that_are_not_true(self, shop):
        """What says that it stands in a module has to stand there, and the module has to travel."""
        assert "it is not shop:Somebody, although it says so" in refused(shop.Lying())
        assert "only known by its name in" in refused(A_NAME)
        assert "__main__ is another one wherever" in refused(sys.modules["__main__"])

    def test_depth(self):
        """What is nested without end ends the save, not the process."""
        deep: list[Any] = []
        for _ in range(2000):
            deep = [deep]

        with pytest.raises(UnsavableError, match="is nested too deeply"):
            pickled(deep, rules())

    def test_secrets(self, shop):
        """By looks and by name, however deep."""
        assert refused(shop.Client("sk-proj-abcdefghijklmnop1234567890")).startswith("program.value: looks like a sec")
        assert refused([{"api_key": "hunter2"}]).startswith("program[0]['api_key']: looks like a secret")

    def test_what_code_by_value_imports(self):
        """It is known by where the code was met."""

        def late() -> Any:
            import json

            return json

        assert pickled([late], rules()).imported == {"json": "program[0]"}

    def test_what_holds_itself(self):
        """A frozen set that is met again on the way to its own items."""
        box = Box()
        box.items = frozenset({box, 1})

        assert pickled(box.items, rules()).data
        assert pickled({frozenset({2, 1}), Box}, rules()).data
        assert pickled([io.StringIO("x")], rules()).data


class Box:
    """A class of a module that goes by value here."""

    items: Any = None


class _Name:
    def __reduce__(self) -> str:
        return "A_NAME"


A_NAME = _Name()


class TestTheProof:
    def test_what_fails_when_it_is_loaded_leaves_the_old_bundle(self, shop, tmp_path):
        """Who fails is named by path, and the bundle there is untouched."""
        shop.Shop(1).save(tmp_path / "out", save_program=True)
        before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}

        with pytest.raises(UnsavableError) as caught:
            shop.Shop(shop.Connected()).save(tmp_path / "out", save_program=True)

        assert str(caught.value).startswith(
            "program.retriever._pool: does not load in a new process: the bundle, module"
        )
        assert "no connection here" in str(caught.value)
        assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before
        assert sorted(each.name for each in tmp_path.iterdir()) == ["out", "project"]

    def test_a_module_that_fails_is_named(self, project, tmp_path):
        """What works because of this machine alone: the line is told."""
        project.write(
            desk="""
                import os, progkit

                if not os.environ.get("PROJECT_IS_HERE"):
                    raise RuntimeError("where am I?")

                class Desk(progkit.Module):
                    pass
            """
        )
        os.environ["PROJECT_IS_HERE"] = "1"
        with pytest.raises(UnsavableError, match=r"^program: .* module desk, line 4: RuntimeError: where am I\?"):
            project.module("desk").Desk().save(tmp_path / "out", save_program=True)

    def test_what_a_module_defines_only_here(self, shop, tmp_path):
        """A class put into a module from outside is not in its source."""
        shop.Extra = type("Extra", (shop.Client,), {"__module__": "shop", "__qualname__": "Extra"})

        with pytest.raises(UnsavableError, match=r"^program\.retriever\._pool\.__class__: .*asks for shop\.Extra"):
            shop.Shop(shop.Extra(1)).save(tmp_path / "out", save_program=True)

    def test_a_process_that_ends_without_a_word(self, project, tmp_path):
        """Its status and its last words are told."""
        project.write(
            desk="""
                import os, progkit

                if not os.environ.get("PROJECT_IS_HERE"):
                    os.write(2, b"bye")
                    os._exit(7)

                class Desk(progkit.Module):
                    pass
            """
        )
        os.environ["PROJECT_IS_HERE"] = "1"
        with pytest.raises(UnsavableError, match="ended with status 7: bye"):
            project.module("desk").Desk().save(tmp_path / "out", save_program=True)

    def test_a_process_that_does_not_end(self, shop, tmp_path):
        """It is given up."""
        shop.Shop(1).save(tmp_path / "out", save_program=True)

        with pytest.raises(UnsavableError, match=r"does not load in a new process within 0\.01 seconds"):
            tried(str(tmp_path / "out"), "sha256:0", 0.01)

    def test_no_python_to_try_it_with(self, monkeypatch, tmp_path):
        """A process within another program may not know its own."""
        monkeypatch.setattr(sys, "executable", "")

        with pytest.raises(UnsavableError, match="does not know its Python"):
            tried(str(tmp_path), "sha256:0")

    def test_the_process_knows_nothing_of_the_project(self, shop, tmp_path, monkeypatch):
        """Neither the path nor the environment; and what is installed is there, wherever that is."""
        (tmp_path / "libs/some-1.dist-info").mkdir(parents=True)
        (tmp_path / "site-packages").mkdir()
        for each in ("libs", "site-packages"):
            monkeypatch.syspath_prepend(str(tmp_path / each))
        places = checking._installed_places()
        assert {str(tmp_path / "libs"), str(tmp_path / "site-packages")} < set(places)
        assert str(tmp_path / "project") not in places
        assert any(each.endswith(".zip") for each in places)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
        assert "OPENAI_API_KEY" not in checking._environment("x")

    def test_a_module_that_nobody_asked_for(self):
        """What an installed library misses is no part's fault."""
        failure = Failure((("ModuleNotFoundError", "No module named 'x'"),), "x")

        assert Proof(Pickled(), Captured())._where(failure) == "program"

    def test_a_failure_without_a_sentence(self):
        """Its class is told."""
        assert str(Failure((("KeyError", ""),))) == "KeyError"

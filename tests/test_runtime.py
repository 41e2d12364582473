"""Settings: of the process, of a context, across threads, tasks and executors."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from scripted import ScriptedLM

import progkit
from progkit.errors import ConfigurationError
from progkit.runtime import Settings, current


class TestConfigure:
    def test_sets_the_process_from_any_thread(self):
        """There is no owner: what a worker configures, everybody sees."""
        lm = ScriptedLM()
        thread = threading.Thread(target=progkit.configure, kwargs={"lm": lm})

        thread.start()
        thread.join()

        assert progkit.settings.lm is lm

    def test_leaves_what_is_not_named(self):
        """Settings are set one by one."""
        lm = ScriptedLM()
        progkit.configure(lm=lm)

        progkit.configure(track_usage=True)

        assert current() == Settings(lm=lm, track_usage=True)

    @pytest.mark.parametrize("setting", [progkit.configure, lambda **names: progkit.context(**names).__enter__()])
    def test_refuses_what_is_no_setting(self, setting):
        """A slip of the pen is told, with the name that was meant."""
        with pytest.raises(ConfigurationError, match="no setting 'adaptor' \\(did you mean 'adapter'\\?\\)"):
            setting(adaptor=None)


class TestContext:
    def test_overrides_for_its_block(self):
        """Contexts nest; the inner one keeps what it does not name."""
        outer, inner = ScriptedLM(), ScriptedLM()

        with progkit.context(lm=outer, track_usage=True):
            with progkit.context(lm=inner):
                assert current() == Settings(lm=inner, track_usage=True)
            assert progkit.settings.lm is outer

        assert progkit.settings.lm is None

    def test_ends_with_an_exception_too(self):
        """A block that fails leaves nothing behind."""
        with pytest.raises(ZeroDivisionError), progkit.context(lm=ScriptedLM()):
            raise ZeroDivisionError

        assert progkit.settings.lm is None

    def test_goes_on_overriding_what_is_configured_meanwhile(self):
        """configure() inside a context reaches the process, and what the context does not override."""
        lm = ScriptedLM()

        with progkit.context(lm=lm):
            progkit.configure(lm=ScriptedLM(), track_usage=True)

            assert current() == Settings(lm=lm, track_usage=True)

    def test_survives_a_generator_closed_elsewhere(self):
        """An async generator may be closed in another context than it began in."""

        async def numbers():
            with progkit.context(track_usage=True):
                yield 1
                yield 2

        async def main():
            stream = numbers()
            await anext(stream)
            await asyncio.create_task(stream.aclose())

        asyncio.run(main())


class TestIsolation:
    def test_twenty_threads_see_their_own_lm(self):
        """20 threads with different contexts, each asking many times, never meet."""
        program = progkit.Predict("question -> answer")
        barrier = threading.Barrier(20)

        def worker(name):
            lm = ScriptedLM(*[f"[[ ## answer ## ]]\n{name}"] * 10, model=f"lm/{name}")
            with progkit.context(lm=lm):
                barrier.wait()
                return [program(question=f"q{i}").answer for i in range(10)]

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(worker, map(str, range(20))))

        assert answers == [[str(name)] * 10 for name in range(20)]

    def test_twenty_tasks_see_their_own_lm(self):
        """20 tasks on one loop with different contexts never meet."""
        program = progkit.Predict("question -> answer")

        class Slow(ScriptedLM):
            async def acomplete(self, request):
                await asyncio.sleep(0)
                return self.complete(request)

        async def worker(name):
            with progkit.context(lm=Slow(*[f"[[ ## answer ## ]]\n{name}"] * 10, model=f"lm/{name}")):
                return [(await program.acall(question=f"q{i}")).answer for i in range(10)]

        async def main():
            return await asyncio.gather(*(worker(name) for name in map(str, range(20))))

        assert asyncio.run(main()) == [[str(name)] * 10 for name in range(20)]

    def test_reaches_to_thread(self):
        """asyncio.to_thread inherits the context by itself."""
        lm = ScriptedLM()

        async def main():
            with progkit.context(lm=lm):
                return await asyncio.to_thread(lambda: progkit.settings.lm)

        assert asyncio.run(main()) is lm

    def test_carry_takes_the_context_into_an_executor(self):
        """carry() may be run by many threads at once, and what they set stays theirs."""
        lm = ScriptedLM()
        barrier = threading.Barrier(4)

        def worker(_):
            barrier.wait()
            return progkit.settings.lm

        with ThreadPoolExecutor(4) as pool, progkit.context(lm=lm):
            carried = list(pool.map(progkit.carry(worker), range(4)))
            barrier.reset()
            bare = list(pool.map(worker, range(4)))

        assert carried == [lm] * 4
        assert bare == [None] * 4


class TestSettings:
    def test_reads_what_is_in_force(self):
        """The public object is a view, and names what it has."""
        assert set(dir(progkit.settings)) == {"lm", "adapter", "cache", "track_usage", "offline", "tags"}
        assert repr(progkit.settings) == repr(current())
        with pytest.raises(AttributeError, match="did you mean 'lm'"):
            _ = progkit.settings.lmm

    @pytest.mark.parametrize(
        ("value", "offline"), [("1", True), ("true", True), ("0", False), ("", False), ("No", False)]
    )
    def test_offline_is_what_the_environment_says(self, monkeypatch, value, offline):
        """PROGKIT_OFFLINE counts where no setting does."""
        monkeypatch.setenv("PROGKIT_OFFLINE", value)

        assert current().is_offline is offline
        with progkit.context(offline=not offline):
            assert current().is_offline is not offline


class TestLM:
    @pytest.mark.parametrize("given", ["openai/x", 3, progkit.LM])
    def test_what_is_none_is_refused(self, given):
        """At once, wherever it is given, and not by the first call."""
        told = r"lm is an LM, like progkit.LM\('(openai/x|provider/model)'\), and not "

        with pytest.raises(ConfigurationError, match=told):
            progkit.configure(lm=given)
        with pytest.raises(ConfigurationError, match=told), progkit.context(lm=given):
            pass
        with pytest.raises(ConfigurationError, match=told):
            progkit.Predict("a -> b").set_lm(given)
        assert current().lm is None

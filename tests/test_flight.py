"""One LM call, however many ask at once: threads, tasks, loops, and whoever fails or gives up among them."""

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pydantic
import pytest
from flights import QA, HeldLM, ask, gathered, tasks, until, when_waiting

import progkit
from progkit import AdapterParseError, LMError, Predict
from progkit.caching import current_cache


@pytest.fixture
def lm():
    """An LM that holds its answers, in force."""
    lm = HeldLM()
    with progkit.context(lm=lm):
        yield lm


class TestStampede:
    def test_64_threads(self, lm):
        """One asks and is billed; the others get copies of their own, as hits."""
        predictions = ask(Predict(QA), 64, lm)

        assert [each.answer for each in predictions] == ["answer 1"] * 64
        assert len(lm.calls) == 1
        usage = Counter(str(each.get_lm_usage()) for each in predictions)
        assert usage == {"{'held/lm': {'total_tokens': 7}}": 1, "{}": 63}
        responses = [each.get_lm_responses()[0] for each in predictions]
        assert len(set(map(id, responses))) == 64
        assert {each.saved["total_tokens"] for each in responses if each.cache_hit} == {7}
        assert len({each.keys for each in responses}) == 1
        assert current_cache().stats()["coalesced"] == 63
        assert current_cache().flights.flights == {}

    def test_1000_tasks(self, lm):
        """The loop goes on meanwhile."""
        assert Counter(each.answer for each in tasks(lm, 1000)) == {"answer 1": 1000}
        assert len(lm.calls) == 1
        assert current_cache().stats()["coalesced"] == 999

    def test_threads_and_loops_together(self, lm):
        """One map for all of them."""
        predict = Predict(QA)
        when_waiting(8 + 4 * 50 - 1, lm.let.set)

        with ThreadPoolExecutor(12) as pool:
            blocking = [pool.submit(progkit.carry(predict), question="?") for _ in range(8)]
            many = progkit.carry(lambda: asyncio.run(gathered(*(predict.acall(question="?") for _ in range(50)))))
            loops = [pool.submit(many) for _ in range(4)]
            answers = [each.result().answer for each in blocking]
            answers += [each.answer for loop in loops for each in loop.result()]

        assert Counter(answers) == {"answer 1": 208}
        assert len(lm.calls) == 1

    def test_an_lm_without_acomplete(self):
        """Its tasks wait as others do."""
        lm = HeldLM()
        lm.acomplete = None

        with progkit.context(lm=lm):
            answers = tasks(lm, 50)

        assert {each.answer for each in answers} == {"answer 1"}
        assert len(lm.calls) == 1

    def test_other_questions_do_not_wait(self, lm):
        """Each key has its own flight."""
        lm.let.set()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(progkit.carry(lambda n: Predict(QA)(question=f"{n}").answer), range(8)))

        assert len(set(answers)) == 8

    @pytest.mark.parametrize(
        "config",
        [{"cache": False}, {"cache": {"no_cache": True}}, {"cache": {"no_store": True}}, {"seed": float("nan")}],
    )
    @pytest.mark.filterwarnings("ignore:not cacheable:RuntimeWarning")
    def test_who_is_not_cached_asks_for_himself(self, lm, config):
        """Not to be read, not to be kept, without a key: every call is meant."""
        predict = Predict(QA, **config)
        lm.let.set()

        ask(predict, 4, lm, let_at=0)

        assert len(lm.calls) == 4

    @pytest.mark.parametrize("settings", [{"enable_memory_cache": False, "enable_disk_cache": False}, {"wait": 0}])
    def test_can_be_off(self, lm, settings):
        """Without a tier there is nothing to share; and nobody waits who has said so."""
        progkit.configure_cache(**settings)
        cache = current_cache()

        assert not cache.coalesces
        with ThreadPoolExecutor(4) as pool:
            futures = [pool.submit(progkit.carry(Predict(QA)), question="?") for _ in range(4)]
            until(lambda: len(lm.calls) == 4)
            lm.let.set()
            assert len({future.result().answer for future in futures}) == 4

    def test_a_cache_of_ones_own_shares_too(self, lm):
        """A subclass with a store of its own, and no tiers."""

        class Mine(progkit.Cache):
            kept = {}

            def get(self, key):
                return self.kept.get(key)

            def put(self, key, value):
                self.kept[key] = value

        progkit.cache = Mine(enable_memory_cache=False, enable_disk_cache=False)

        ask(Predict(QA), 8, lm)

        assert len(lm.calls) == 1


class TestFailure:
    def test_a_leader_that_fails_hands_over(self):
        """Its caller has the error, another one asks, and nobody else fails."""
        lm = HeldLM(LMError("no"))

        with progkit.context(lm=lm):
            results = ask(Predict(QA), 8, lm)

        assert Counter(str(getattr(each, "answer", each)) for each in results) == {"no": 1, "answer 2": 7}
        assert len(lm.calls) == 2

    def test_five_leaders_in_a_row(self):
        """Each error goes to one caller, and one more call is made."""
        lm = HeldLM(*[LMError("no")] * 5)

        with progkit.context(lm=lm):
            results = ask(Predict(QA), 20, lm)

        assert Counter(str(getattr(each, "answer", each)) for each in results) == {"no": 5, "answer 6": 15}
        assert len(lm.calls) == 6

    def test_tasks_take_over_too(self):
        """On the loop, one after the other."""
        lm = HeldLM(LMError("no"), LMError("no"))

        with progkit.context(lm=lm):
            results = tasks(lm, 50)

        assert Counter(str(getattr(each, "answer", each)) for each in results) == {"no": 2, "answer 3": 48}

    def test_an_outage_does_not_make_a_queue(self):
        """When leaders go on failing for longer than one waits, those who are left ask all at once."""
        times = iter([0.0, 5.0, 11.0])
        progkit.cache = progkit.Cache(clock=lambda: next(times, 11.0))
        progkit.cache.stamps._clock = lambda: 0.0
        lm = HeldLM(*[LMError("no")] * 8)
        with progkit.context(lm=lm):
            predict = Predict(QA)
            first = threading.Thread(target=progkit.carry(lambda: ask(predict, 8, lm)))
            first.start()
            first.join()

        assert len(lm.calls) == 8
        assert current_cache().flights.flights == {}

    def test_an_unreadable_reply_is_no_answer(self):
        """The next one asks for himself."""
        lm = HeldLM("nonsense", "nonsense")

        with progkit.context(lm=lm):
            results = tasks(lm, 3)

        assert isinstance(results[0], AdapterParseError)
        assert [each.answer for each in results[1:]] == ["answer 3"] * 2

    def test_half_a_reply_is_shared_and_not_kept(self):
        """Who asked at the same time gets it; who comes later asks."""
        half = progkit.Response((progkit.Completion("[[ ## answer ## ]]\na", "length"),))
        lm = HeldLM(half)

        with progkit.context(lm=lm):
            results = tasks(lm, 5)
            assert [each.answer for each in results] == ["a"] * 5
            assert {each.get_lm_responses()[0].keys for each in results} == {()}
            assert Predict(QA)(question="?").answer == "answer 2"

    def test_what_cannot_be_copied_is_not_shared(self):
        """Then each asks."""
        odd = progkit.Response((progkit.Completion("[[ ## answer ## ]]\na", logprobs=object()),))
        lm = HeldLM(*[odd] * 3)

        with progkit.context(lm=lm), pytest.warns(RuntimeWarning, match="cannot be kept"):
            results = tasks(lm, 3)

        assert [each.answer for each in results] == ["a"] * 3
        assert len(lm.calls) == 3

    def test_a_reply_that_only_the_leader_can_read(self):
        """Types that do not stand in the prompt may differ: then the other one asks."""

        def predict(refused):
            class Point(pydantic.BaseModel):
                x: int

                @pydantic.field_validator("x")
                @classmethod
                def check(cls, value):
                    if value == refused:
                        raise ValueError("not this one")
                    return value

            return Predict(progkit.Signature({"q": progkit.InputField(), "p": (Point, progkit.OutputField())}))

        lm = HeldLM('[[ ## p ## ]]\n{"x": 1}', '[[ ## p ## ]]\n{"x": 2}')

        with progkit.context(lm=lm, adapter=progkit.ChatAdapter(use_json_adapter_fallback=False)):
            when_waiting(1, lm.let.set)
            calls = [predict(refused).acall(q="?") for refused in (0, 1)]
            answers = asyncio.run(gathered(*calls))

        assert [each.p.x for each in answers] == [1, 2]
        assert len(lm.calls) == 2

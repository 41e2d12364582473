"""Warm-up: from demos, by calls, within a budget."""

import threading
import time

import pytest
from scripted import ScriptedLM
from test_program import says

import progkit
from progkit import Example, Module, Predict, Response
from progkit.caching import current_cache
from progkit.errors import ConfigurationError, NoLMError


class Desk(Module):
    """Two predictors with demos: three complete, one without its output, one without an input."""

    def __init__(self):
        self.sort = Predict("ticket -> kind, urgent: bool")
        self.answer = Predict("ticket, kind -> reply")
        self.sort.demos = [
            Example(ticket="t1", kind="bug", urgent=True),
            Example(ticket="t2", kind="billing", urgent=False, augmented=True),
            Example(ticket="t3", kind="bug"),
        ]
        self.answer.demos = [
            {"ticket": "t1", "kind": "bug", "reply": "sorry\n\nreally"},
            Example(kind="bug", reply="r"),
        ]


@pytest.fixture
def desk():
    progkit.configure(lm=ScriptedLM())
    return Desk()


class TestFromDemos:
    def test_fills_the_cache_and_says_what_it_did(self, desk):
        """Complete demos are warmed; the others are skipped, with the reason."""
        report = progkit.warm(desk)

        assert (report.warmed, report.present, report.skipped, report.failed) == (3, 0, 2, 0)
        assert report.details == [
            "sort, demo 2: incomplete demo: no urgent",
            "answer, demo 1: incomplete demo: no ticket",
        ]
        assert report.cost == 0
        assert str(report).startswith("3 warmed, 0 already there, 2 skipped, 0 failed in ")
        assert "  1 x incomplete demo: no urgent" in str(report)
        assert report.to_dict()["reasons"] == {"incomplete demo: no urgent": 1, "incomplete demo: no ticket": 1}

    def test_twice_warms_nothing_new(self, desk):
        """The second time everything is there."""
        progkit.warm(desk)
        puts = current_cache().stats()["puts"]

        again = progkit.warm(desk)

        assert (again.warmed, again.present) == (0, 3)
        assert current_cache().stats()["puts"] == puts

    def test_a_warmed_program_answers_every_demo_without_an_lm(self, desk):
        """Offline, by the very request that a user's call sends, with the demo's outputs, marked as a demo's."""
        progkit.warm(desk)

        with progkit.context(offline=True):
            one = desk.sort(ticket="t1")
            two = desk.sort(ticket="t2")
            three = desk.answer(ticket="t1", kind="bug")

        assert (one.kind, one.urgent) == ("bug", True)
        assert (two.kind, two.urgent) == ("billing", False)
        assert three.reply == "sorry\n\nreally"
        assert three.get_lm_usage() == {}
        assert three.get_lm_responses()[0].source == "demo"

    def test_each_adapter_has_its_own_replies(self, desk):
        """What JSONAdapter would ask is warmed in its layout."""
        with progkit.context(adapter=progkit.JSONAdapter()):
            assert progkit.warm(desk).warmed == 3
            with progkit.context(offline=True):
                assert desk.sort(ticket="t1").urgent is True
        assert progkit.warm(desk).warmed == 3

    def test_a_demo_may_be_written_otherwise_than_its_type(self):
        """An int for a float, a dict for a model: the same answer."""
        predict = Predict("q -> score: float, found: dict[str, int]")
        predict.demos = [Example(q="q", score=1, found={"a": 1})]

        with progkit.context(lm=ScriptedLM()):
            assert progkit.warm(predict).warmed == 1
            assert repr(predict(q="q").score) == "1.0"

    def test_a_demo_that_does_not_read_back_is_skipped(self, desk):
        """An output with a field header in it, or of another type, would be another answer."""
        desk.answer.demos = [Example(ticket="t", kind="k", reply="x\n[[ ## reply ## ]]\ny")]
        desk.sort.demos = [Example(ticket="t", kind="k", urgent="maybe")]

        report = progkit.warm(desk)

        assert (report.warmed, report.skipped) == (0, 2)
        assert list(report.reasons) == ["its outputs, written as a reply, do not read back as they are"]

    @pytest.mark.parametrize(
        ("config", "reason"), [({"cache": False}, "says cache=False"), ({"seed": float("nan")}, "no stable key")]
    )
    def test_uncacheable_requests_are_skipped(self, desk, config, reason):
        """With the reason."""
        desk.sort.config = config

        with pytest.warns(RuntimeWarning) if "seed" in config else progkit.context():
            report = progkit.warm(desk)

        assert (report.warmed, report.skipped) == (1, 4)
        assert any(reason in each for each in report.reasons)

    def test_a_cache_that_keeps_nothing_is_a_failure(self, desk):
        """Told, not raised."""
        progkit.cache = progkit.Cache(enable_memory_cache=False, enable_disk_cache=False)

        report = progkit.warm(desk)

        assert (report.warmed, report.failed) == (0, 3)
        assert report.reasons["the cache did not keep it"] == 3

    def test_progress_is_told_after_each_demo(self, desk):
        """Done and all."""
        told = []

        progkit.warm(desk, progress=lambda done, whole: told.append((done, whole)))

        assert told == [(n, 5) for n in range(1, 6)]

    def test_without_an_lm_there_is_no_request(self):
        """Its model is part of the key."""
        with pytest.raises(NoLMError):
            progkit.warm(Desk())

    def test_wrong_arguments_are_told(self, desk):
        """An unknown mode; a ceiling without calls."""
        with pytest.raises(ConfigurationError, match="mode is 'demos' or 'call'"):
            progkit.warm(desk, mode="all")
        with pytest.raises(ConfigurationError, match="max_cost goes with mode='call'"):
            progkit.warm(desk, max_cost=1)


class PricedLM(ScriptedLM):
    """Bills each call; notes how many run at once."""

    def __init__(self, *script, cost=0.0, wait=None):
        super().__init__(*script)
        self.cost = cost
        self.wait = wait
        self.running = 0
        self.most = 0
        self.count_lock = threading.Lock()

    def complete(self, request):
        with self.count_lock:
            self.running += 1
            self.most = max(self.most, self.running)
        if self.wait is not None:
            self.wait()
        try:
            said = super().complete(request)
            return Response(said.completions, said.model, said.usage, cost=self.cost)
        finally:
            with self.count_lock:
                self.running -= 1


def lone(count):
    """A predictor with *count* demos."""
    predict = Predict("q -> a")
    predict.demos = [Example(q=f"q{n}", a="from demo") for n in range(count)]
    return predict


class TestByCalls:
    def test_asks_for_what_is_not_cached(self):
        """The LM's answers are kept, those already there are left."""
        predict = lone(3)
        lm = PricedLM(*[says(a="from LM")] * 2, cost=0.01)
        with progkit.context(lm=lm):
            ask = predict.ask({"q": "q0"})
            reply = ask.adapter.reply(predict.signature, {"a": "there"})
            current_cache().put(current_cache().safe_key(ask.request(ask.adapter)), Response.of(reply))

            report = progkit.warm(predict, mode="call")

            assert (report.warmed, report.present) == (2, 1)
            assert report.cost == pytest.approx(0.02)
            with progkit.context(offline=True):
                assert [predict(q=f"q{n}").a for n in range(3)] == ["there", "from LM", "from LM"]

    def test_a_demo_needs_only_its_inputs(self):
        """What an incomplete demo lacks, the LM gives."""
        predict = lone(1)
        predict.demos = [Example(q="q"), Example(a="a")]

        with progkit.context(lm=PricedLM(says(a="x"))):
            report = progkit.warm(predict, mode="call")

        assert (report.warmed, report.skipped) == (1, 1)

    def test_the_same_demo_twice_is_asked_once(self):
        """Each request is sent once, however many demos make it."""
        predict = lone(1)
        predict.demos = predict.demos * 4
        lm = PricedLM(says(a="x"), wait=lambda: time.sleep(0.2))

        with progkit.context(lm=lm):
            report = progkit.warm(predict, mode="call", concurrency=4)

        assert (report.warmed, report.present, lm.count) == (1, 3, 1)

    def test_runs_no_more_at_once_than_it_may(self):
        """Bounded concurrency, and really concurrent."""
        barrier = threading.Barrier(3)
        lm = PricedLM(*[says(a="x")] * 6, wait=lambda: barrier.wait(10))

        with progkit.context(lm=lm):
            assert progkit.warm(lone(6), mode="call", concurrency=3).warmed == 6

        assert lm.most == 3

    def test_a_failure_does_not_stop_the_others(self):
        """LM errors, unreadable replies, a bug in a custom LM: told by kind."""
        lm = ScriptedLM(progkit.LMError("down"), "x", "y", KeyError("bug"), says(a="z"))

        with progkit.context(lm=lm):
            report = progkit.warm(lone(4), mode="call", concurrency=1)

        assert (report.warmed, report.failed) == (1, 3)
        assert sorted(each.split(":")[0] for each in report.reasons) == ["AdapterParseError", "KeyError", "LMError"]

    @pytest.mark.parametrize("concurrency", [1, 4])
    def test_the_ceiling_is_never_passed(self, concurrency):
        """The first call shows the price; what could pass the ceiling is not begun."""
        lm = PricedLM(*[says(a="x")] * 10, cost=0.03)

        with progkit.context(lm=lm):
            report = progkit.warm(lone(10), mode="call", concurrency=concurrency, max_cost=0.1)

        assert (report.warmed, report.skipped, lm.count) == (3, 7, 3)
        assert report.cost == pytest.approx(0.09)
        assert report.reasons["cost ceiling of $0.1 reached"] == 7

    def test_a_ceiling_needs_a_price(self):
        """One call of unknown price ends the warm-up; without a ceiling the cost is unknown."""
        with progkit.context(lm=PricedLM(*[says(a="x")] * 3, cost=None)):
            report = progkit.warm(lone(3), mode="call", max_cost=1.0)
            assert (report.warmed, report.skipped, report.cost) == (1, 2, None)
            assert progkit.warm(lone(3), mode="call").warmed == 2

    def test_a_ceiling_of_nothing_makes_no_call(self):
        """Not even the first."""
        with progkit.context(lm=PricedLM()):
            assert progkit.warm(lone(2), mode="call", max_cost=0).skipped == 2

    def test_stopping_begins_nothing_more(self):
        """An exception from progress (or Ctrl-C) ends it with the calls that run."""
        lm = PricedLM(*[says(a="x")] * 50)

        def stop(done, whole):
            raise KeyboardInterrupt

        with progkit.context(lm=lm), pytest.raises(KeyboardInterrupt):
            progkit.warm(lone(50), mode="call", concurrency=2, progress=stop)

        assert lm.count < 50

"""What a predictor asks of cache and LM: hits, misses, the fallback, staleness, offline."""

import asyncio
import enum
import json
import warnings
from hashlib import sha256
from typing import Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import ScriptedLM
from test_program import says

import progkit
from progkit import Completion, Example, Predict, Response
from progkit.caching import current_cache
from progkit.errors import AdapterParseError, OfflineMissError
from progkit.program.freshness import Watch

QA = "question -> answer"


class TestHits:
    def test_a_repeated_question_costs_nothing(self):
        """The hit equals the miss but for its marks."""
        predict = Predict(QA)
        lm = ScriptedLM(says(answer="a"))

        with progkit.context(lm=lm):
            miss, hit = predict(question="?"), predict(question="?")

        assert hit == miss
        assert lm.count == 1
        assert miss.get_lm_usage() == {"scripted/lm": {"total_tokens": 1}}
        assert hit.get_lm_usage() == {}
        assert [each.get_lm_responses()[0].cache_hit for each in (miss, hit)] == [False, True]
        assert hit.get_lm_responses()[0].saved == {"total_tokens": 1}

    def test_a_new_process_would_hit_the_disk(self):
        """A cache made anew over the same directory has it."""
        lm = ScriptedLM(says(answer="a"))

        with progkit.context(lm=lm):
            Predict(QA)(question="?")
            current_cache().close()
            progkit.cache = progkit.Cache()
            assert Predict(QA)(question="?").answer == "a"

        assert lm.count == 1

    def test_what_a_caller_does_to_an_answer_stays_with_it(self):
        """Lists and responses of a hit are private."""
        predict = Predict("question -> answer: list[str]")
        lm = ScriptedLM(says(answer='["a"]'))

        with progkit.context(lm=lm):
            for _ in range(3):
                answer = predict(question="?")
                assert answer.answer == ["a"]
                answer.answer.append("b")
                answer.get_lm_responses()[0].saved["total_tokens"] = 99

    @pytest.mark.parametrize("way", ["lm", "predictor", "call"])
    def test_cache_false_neither_reads_nor_writes(self, way):
        """Said by the LM, the predictor or the call; it is never sent."""
        lm = ScriptedLM(says(answer="a"), says(answer="b"))
        lm.cache = way != "lm"
        predict = Predict(QA, **({"cache": False} if way == "predictor" else {}))
        config = {"cache": False} if way == "call" else {}

        with progkit.context(lm=lm):
            assert [predict(question="?", config=config).answer for _ in "ab"] == ["a", "b"]

        assert current_cache().stats()["puts"] == 0
        assert "cache" not in lm.requests[0].params

    def test_rollouts_are_told_apart(self):
        """rollout_id asks for another answer to the same question."""
        lm = ScriptedLM(says(answer="a"), says(answer="b"))

        with progkit.context(lm=lm):
            answers = [Predict(QA)(question="?", config={"rollout_id": n}).answer for n in (1, 2, 1)]

        assert answers == ["a", "b", "a"]

    @pytest.mark.parametrize("finish", ["length", "content_filter"])
    def test_half_replies_are_not_kept(self, finish):
        """They are answered, and asked for again."""
        half = Response((Completion(says(answer="a"), finish),))
        lm = ScriptedLM(half, half)

        with progkit.context(lm=lm):
            assert [Predict(QA)(question="?").answer for _ in "ab"] == ["a", "a"]

        assert lm.count == 2

    def test_errors_are_not_kept(self):
        """The next call asks again."""
        lm = ScriptedLM(progkit.LMError("no"), says(answer="a"))

        with progkit.context(lm=lm):
            with pytest.raises(progkit.LMError):
                Predict(QA)(question="?")
            assert Predict(QA)(question="?").answer == "a"

    def test_a_request_without_a_key_is_asked_each_time(self):
        """NaN has no stable key; the cache says so once."""
        lm = ScriptedLM(says(answer="a"), says(answer="a"))

        with progkit.context(lm=lm), warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            for _ in "ab":
                Predict(QA)(question="?", config={"seed": float("nan")})

        assert lm.count == 2
        assert len(told) == 1
        assert current_cache().stats()["uncacheable"] == 2


class TestFallback:
    def test_an_unreadable_reply_is_asked_for_as_json(self):
        """Once, in the other layout; neither question is paid for again."""
        lm = ScriptedLM("I would say a", '{"answer": "a"}')

        with progkit.context(lm=lm):
            answers = [Predict(QA)(question="?").answer for _ in range(3)]

        assert answers == ["a"] * 3
        assert lm.count == 2
        assert "JSON" in lm.requests[1].messages[-1]["content"]

    def test_the_json_reply_may_be_cached_already(self):
        """A program that used JSONAdapter before has paid for it."""
        lm = ScriptedLM('{"answer": "a"}', "nonsense")

        with progkit.context(lm=lm):
            with progkit.context(adapter=progkit.JSONAdapter()):
                Predict(QA)(question="?")
            assert Predict(QA)(question="?").answer == "a"

        assert lm.count == 2

    def test_two_unreadable_replies_are_an_error_that_shows_the_last(self):
        """Nothing is kept; the reply, what was found and what is missing stand in the error."""
        bad = "[[ ## answer ## ]]\na"
        lm = ScriptedLM(bad, '{"answer": "a"}', bad, '{"answer": "a"}')
        predict = Predict("question -> answer, score: float")

        with progkit.context(lm=lm):
            for _ in "ab":
                with pytest.raises(AdapterParseError) as caught:
                    predict(question="?")

        assert caught.value.adapter == "JSONAdapter"
        assert caught.value.reply == '{"answer": "a"}'
        assert caught.value.found == {"answer": "a"}
        assert caught.value.missing == ["score"]
        assert lm.count == 4

    def test_can_be_switched_off(self):
        """Then the first unreadable reply is the error."""
        lm = ScriptedLM("nonsense")
        adapter = progkit.ChatAdapter(use_json_adapter_fallback=False)

        with progkit.context(lm=lm, adapter=adapter), pytest.raises(AdapterParseError):
            Predict(QA)(question="?")

    def test_a_kept_reply_that_no_longer_reads_is_asked_for_again(self):
        """Types that do not stand in the prompt may have changed since."""

        class Old(pydantic.BaseModel):
            x: Any

        class New(pydantic.BaseModel):
            x: Any

            @pydantic.field_validator("x")
            @classmethod
            def check(cls, value):
                if value == 1:
                    raise ValueError("not one")
                return value

        New.__name__ = "Old"
        New.model_config["title"] = Old.model_config["title"] = "Old"
        New.model_rebuild(force=True)
        lm = ScriptedLM(says(answer='{"x": 1}'), says(answer='{"x": 2}'))
        old, new = (
            Predict(progkit.Signature({"q": progkit.InputField(), "answer": (kind, progkit.OutputField())}))
            for kind in (Old, New)
        )

        with progkit.context(lm=lm):
            assert old(q="?").answer.x == 1
            assert new(q="?").answer.x == 2
            assert new(q="?").answer.x == 2

        assert lm.count == 2


class TestOffline:
    def test_a_miss_names_predictor_and_inputs(self):
        """And the LM is not asked; a hit is answered."""
        predict = Predict(QA)

        with progkit.context(lm=ScriptedLM(says(answer="a"))):
            predict(question="known")
            with progkit.context(offline=True):
                assert predict(question="known").answer == "a"
                with pytest.raises(OfflineMissError) as caught:
                    predict(question="new")

        assert caught.value.inputs == {"question": "new"}
        assert "'question -> answer'" in caught.value.predictor

    def test_the_environment_suffices(self, monkeypatch):
        """PROGKIT_OFFLINE=1, async too."""
        monkeypatch.setenv("PROGKIT_OFFLINE", "1")

        with progkit.context(lm=ScriptedLM()), pytest.raises(OfflineMissError):
            asyncio.run(Predict(QA).acall(question="?"))


class TestOwnCache:
    def test_a_subclass_changes_every_call(self):
        """cache_key, get and put are asked, sync and async, from the assignment on."""
        seen = []

        class ByQuestion(progkit.Cache):
            def cache_key(self, request):
                seen.append(request["model"])
                return sha256(json.dumps(request["messages"][-1]).encode()).hexdigest()

            def get(self, key):
                return self._memory_cache.get(key)

            def put(self, key, value):
                self._memory_cache[key] = value

        progkit.cache = ByQuestion(enable_memory_cache=True, enable_disk_cache=True)
        lm = ScriptedLM(says(answer="a"))
        with progkit.context(lm=lm):
            Predict(QA)(question="?")
        with progkit.context(lm=ScriptedLM(model="another")):
            assert Predict(QA)(question="?").answer == "a"
            assert asyncio.run(Predict(QA).acall(question="?")).answer == "a"

        assert seen == ["scripted/lm", "another", "another"]
        assert isinstance(progkit.cache, ByQuestion)

    def test_a_subclass_that_fails_never_fails_a_call(self):
        """One warning, and the LM answers."""

        class Broken(progkit.Cache):
            def get(self, key):
                raise RuntimeError("no")

        progkit.cache = Broken()
        lm = ScriptedLM(says(answer="a"), says(answer="a"))

        predict = Predict(QA)
        with progkit.context(lm=lm), pytest.warns(RuntimeWarning, match="Broken") as told:
            answers = [predict(question="?").answer for _ in "ab"]

        assert answers == ["a", "a"]
        assert len(told) == 1


class Colour(enum.Enum):
    RED = "red"


class Point(pydantic.BaseModel):
    x: int
    tags: list[str] = []


class TestStaleness:
    """A prepared prompt is used again only while nothing that stands in it has changed."""

    def prompts(self, predict, *changes):
        """The prompt before and after each change."""
        lm = ScriptedLM(*[says(answer="a")] * (len(changes) + 1))
        lm.cache = False
        with progkit.context(lm=lm):
            predict(question="?")
            for change in changes:
                change()
                predict(question="?")
        return [json.dumps(each.messages) for each in lm.requests]

    def predict(self, **values):
        predict = Predict("question, context -> answer")
        predict.signature = progkit.Signature("question, context: Any -> answer")
        predict.signature = predict.signature.delete("context")
        predict.demos = [Example(question="q", answer="a", **values)]
        return predict

    def test_nothing_changed(self):
        """The prefix is the same object for every call."""
        predict = Predict(QA)
        predict.demos = [Example(question="q", answer=["a"])]
        lm = ScriptedLM(says(answer="a"), says(answer="b"))
        with progkit.context(lm=lm):
            predict(question="1")
            predict(question="2")

        assert lm.requests[0].prefix is lm.requests[1].prefix

    @pytest.mark.parametrize("kind", [Example, dict])
    def test_every_change_of_demos_is_seen(self, kind):
        """Appended, edited, swapped, removed, replaced; examples or dicts."""
        predict = Predict(QA)
        predict.demos = [kind(question="q1", answer="a1"), kind(question="q2", answer="a2")]
        prompts = self.prompts(
            predict,
            lambda: predict.demos.append(kind(question="q3", answer="a3")),
            lambda: predict.demos[0].__setitem__("answer", "new"),
            lambda: predict.demos.reverse(),
            lambda: predict.demos.pop(),
            lambda: setattr(predict, "demos", [kind(question="q9", answer="a9")]),
            lambda: setattr(predict, "demos", []),
        )

        assert len(set(prompts)) == len(prompts)

    @pytest.mark.parametrize(
        ("value", "change"),
        [
            (["a"], lambda v: v.append("b")),
            ([1], lambda v: v.__setitem__(0, True)),
            ({"k": ["a"]}, lambda v: v["k"].append("b")),
            ({"k": 1}, lambda v: v.__setitem__("j", v.pop("k"))),
            ((["a"],), lambda v: v[0].append("b")),
            (Point(x=1), lambda v: setattr(v, "x", 2)),
            (Point(x=1, tags=["a"]), lambda v: v.tags.append("b")),
            (Example(a=1), lambda v: v.__setitem__("a", 2)),
        ],
    )
    def test_a_change_inside_a_demo_is_seen(self, value, change):
        """Lists, dicts, models and examples below a demo are watched by identity of what they hold."""
        watch = Watch(demos := [Example(question="q", answer=value)])

        assert watch.holds(demos)
        change(value)
        assert not watch.holds(demos)

    def test_a_list_that_became_a_dict_demo(self):
        """Examples replaced by dicts, in the same list."""
        demos: list[Any] = [Example(question="q")]
        watch = Watch(demos)

        demos[0] = {"question": "q"}

        assert not watch.holds(demos)

    def test_what_cannot_be_watched_is_never_fresh(self):
        """Slow, and right."""

        class Odd:
            pass

        demos = [Example(question=Odd(), colour=Colour.RED)]

        assert not Watch(demos).holds(demos)

    def test_another_list_of_dicts_is_another(self):
        """Equal is not enough: True equals 1 and prints otherwise."""
        watch = Watch([{"question": True}])

        assert not watch.holds([{"question": 1}])

    def test_many_adapters_do_not_pile_up(self):
        """Plans for adapters that come and go are dropped."""
        predict = Predict(QA)
        lm = ScriptedLM(*[says(answer="a")] * 20)
        lm.cache = False

        for _ in range(20):
            with progkit.context(lm=lm, adapter=progkit.ChatAdapter()):
                predict(question="?")

        assert len(predict._plans.kept) <= predict._plans.most

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.fixed_dictionaries({"question": st.text(), "answer": st.text()}), max_size=4),
        st.text(),
        st.dictionaries(st.sampled_from(["temperature", "seed", "rollout_id"]), st.integers(), max_size=3),
    )
    def test_the_prepared_request_has_the_key_of_the_whole(self, demos, question, config):
        """The fast key equals the key of the plain request, whatever the demos, the input and the settings."""
        predict = Predict(QA)
        predict.demos = [Example(each) for each in demos]
        cache = current_cache()
        with progkit.context(lm=ScriptedLM()):
            for _ in "ab":
                ask = predict.ask({"question": question})
                request = ask.request(ask.adapter)
                plain = {"messages": ask.adapter.format(predict.signature, predict.demos, {"question": question})}

                assert cache.safe_key(request) == cache.cache_key(plain | dict(request.params))

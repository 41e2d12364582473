"""Result caching: when a result is found again, when it is made anew, and that a hit equals a miss."""

import asyncio
import copy
import enum
import pickle
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pydantic
import pytest
from caches import told
from scripted import ScriptedLM
from test_program import says

import progkit
from progkit import ChainOfThought, Completion, Example, Module, Predict, Prediction, Response, cached
from progkit.caching import current_cache
from progkit.errors import ConfigurationError, InputError, NoLMError, UncacheableError


class Desk(Module):
    """Two calls, and a number of its own."""

    def __init__(self):
        self.sort = Predict("ticket -> kind")
        self.answer = Predict("ticket, kind -> reply")
        self.limit = 3

    def forward(self, ticket, tone="kind"):
        kind = self.sort(ticket=ticket).kind
        return self.answer(ticket=ticket, kind=kind)


def desk_lm(times=1):
    return ScriptedLM(*[says(kind="bug"), says(reply="Sorry!")] * times)


def until(holds):
    """Wait for it, ten seconds at most."""
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


class Colour(enum.Enum):
    RED = "red"


class Point(pydantic.BaseModel):
    x: int


class TestModules:
    def test_a_result_costs_nothing_the_second_time(self):
        """Not even the calls below it; the hit equals the miss but for its marks."""
        lm = desk_lm()
        desk = cached(Desk())

        with progkit.context(lm=lm):
            with progkit.track_usage() as first:
                miss = desk(ticket="?")
            current_cache().put = None  # nothing is kept again
            with progkit.track_usage() as second:
                hit = desk("?")

        assert hit == miss
        assert type(hit) is Prediction
        assert lm.count == 2
        assert (miss.get_lm_responses()[0].cache_hit, hit.get_lm_responses()[0].cache_hit) == (False, True)
        assert hit.get_lm_usage() == {}
        assert (first.calls, second.calls, second.hits) == (2, 0, 1)
        assert second.saved == {"scripted/lm": {"total_tokens": 2}}

    def test_what_a_caller_does_to_it_stays_with_it(self):
        """A hit is private; so is what was kept of a miss."""
        program = cached(Predict("question -> answer: list[str]"))
        with progkit.context(lm=ScriptedLM(says(answer='["a"]'))):
            for _ in "abc":
                result = program(question="?")
                assert result.answer == ["a"]
                result.answer.append("b")

    @pytest.mark.parametrize(
        "change",
        [
            lambda d: d.module.sort.demos.append(Example(ticket="a", kind="b")),
            lambda d: setattr(d.module.sort, "signature", d.module.sort.signature.with_instructions("Do.")),
            lambda d: d.module.sort.config.update(temperature=1.0),
            lambda d: d.set_lm(ScriptedLM(says(kind="x"), says(reply="Sorry!"), model="another")),
            lambda d: setattr(d.module, "limit", 4),
            lambda d: setattr(d.module.answer, "layout", "3.0"),
        ],
    )
    def test_a_change_of_what_it_is_asks_again(self, change):
        """Demos, instructions, config, LM, attributes, layout: each is part of the key."""
        desk = cached(Desk())
        with progkit.context(lm=desk_lm()):
            before = desk.cache_key("?")
            assert desk.cache_key(ticket="?", tone="kind") == before
            change(desk)
            assert desk.cache_key("?") != before

    def test_the_settings_in_force_count(self):
        """LM, adapter and the namespace of the cache."""
        desk = cached(Desk())
        keys = set()
        with progkit.context(lm=desk_lm()):
            keys.add(desk.cache_key("?"))
            for adapter in (progkit.JSONAdapter(), progkit.ChatAdapter(use_json_adapter_fallback=False)):
                with progkit.context(adapter=adapter):
                    keys.add(desk.cache_key("?"))
            with progkit.context(cache=progkit.Cache(namespace="other", enable_disk_cache=False)):
                keys.add(desk.cache_key("?"))
        with progkit.context(lm=ScriptedLM(temperature=1.0)):
            keys.add(desk.cache_key("?"))

        assert len(keys) == 5

    def test_inputs_are_told_apart(self):
        """By value and type, whatever way they are given."""
        program = cached(Predict("question: Any -> answer"))
        values = ["1", 1, 1.0, True, None, [1], (1,), {"a": 1}, {"a": 2}, {1}, b"1"]
        values += [Example(a=1), Point(x=1), Colour.RED]

        with progkit.context(lm=ScriptedLM()):
            assert len({program.cache_key(question=each) for each in values}) == len(values)

    def test_it_is_found_by_another_instance(self):
        """A new process makes a new program: the same key."""
        lm = desk_lm()
        with progkit.context(lm=lm):
            for _ in "ab":
                desk = cached(Desk())
                desk.module.sort.demos = [Example(ticket="a", kind="b")]
                desk(ticket="?")

        assert lm.count == 2

    def test_async(self):
        """The same key, the same results."""
        lm = desk_lm()
        desk = cached(Desk())

        async def twice():
            return [await desk.acall(ticket="?"), await desk.acall(ticket="?"), desk(ticket="?")]

        with progkit.context(lm=lm):
            results = asyncio.run(twice())

        assert results == [Prediction(reply="Sorry!")] * 3
        assert lm.count == 2

    def test_its_parts_keep_their_paths(self, tmp_path):
        """It saves and loads as the module does, alone or inside another; copies and pickles."""

        class House(Module):
            def __init__(self):
                self.desk = cached(Desk())

        desk = cached(Desk())
        plain = Desk()
        for each in (desk, plain):
            each.predictors()[0].demos = [Example(ticket="a", kind="b")]
        desk.save(tmp_path / "cached.json")
        plain.save(tmp_path / "plain.json")
        fresh = Desk()
        fresh.load(tmp_path / "cached.json")

        assert (tmp_path / "cached.json").read_bytes() == (tmp_path / "plain.json").read_bytes()
        assert fresh.sort.demos == [Example(ticket="a", kind="b")]
        assert [path for path, _ in House().named_predictors()] == ["desk.sort", "desk.answer"]
        assert [path for path, _ in cached(Predict("a -> b")).named_predictors()] == ["self"]
        assert desk.deepcopy().module.sort is not desk.module.sort
        assert pickle.loads(pickle.dumps(desk)).module.sort.demos == desk.module.sort.demos
        assert repr(cached(Predict("a -> b"))) == "cached(Predict('a -> b', 0 demos))"

    def test_replacing_predictors_reaches_inside(self):
        """``map_named_predictors`` sees through it."""
        program = cached(Predict("a -> b"))

        program.map_named_predictors(lambda each: ChainOfThought(each.signature))

        assert isinstance(program.module, ChainOfThought)

    def test_no_lm(self):
        """The call itself says it."""
        desk = cached(Desk())
        with pytest.raises(NoLMError, match="no LM is set"):
            desk(ticket="?")

    def test_wrong_inputs(self):
        """Likewise."""
        with progkit.context(lm=ScriptedLM()):
            with pytest.raises(TypeError, match="ticket"):
                cached(Desk())()
            with pytest.raises(InputError):
                cached(Predict("a -> b"))(x=1)
            with pytest.raises(TypeError, match="ticket"):
                cached(Desk()).cache_key()

    @pytest.mark.parametrize("cache", [False, {"no_cache": True, "no_store": True}])
    def test_a_call_can_leave_it_out(self, cache):
        """``config={"cache": ...}`` of a predictor's call is the result's, too."""
        lm = ScriptedLM(says(b="1"), says(b="2"), says(b="3"))
        program = cached(Predict("a -> b"))
        with progkit.context(lm=lm):
            results = [program(a="?", config=each).b for each in ({}, {"cache": cache}, {})]

        assert results == ["1", "2", "1"]


    def test_a_call_can_say_more(self):
        """How old it may be, how it is kept; what is no control is refused."""
        lm = ScriptedLM(says(b="1"), says(b="2"))
        program = cached(Predict("a -> b"))

        def call(**controls):
            return program(a="?", config={"cache": controls, "temperature": 0.5}).b

        with progkit.context(lm=lm):
            assert [call(tags=["mine"]), call(max_age=60)] == ["1", "1"]
            current_cache().invalidate("mine")
            assert [call(), call()] == ["2", "2"]
            with pytest.raises(ConfigurationError, match="is no control"):
                call(max_agee=1)

    def crowd(self, reply):
        """An LM that answers once seven more wait for its answer."""

        def say(request):
            cache = current_cache()
            until(lambda: any(len(each.waiting) == 7 for each in cache.flights.flights.values()))
            return reply

        return ScriptedLM(say)

    def test_many_threads_at_once(self):
        """The module runs once; each gets its own copy."""
        lm = self.crowd(says(b='["1"]'))
        program = cached(Predict("a -> b: list[str]"))

        with progkit.context(lm=lm), ThreadPoolExecutor(8) as pool:
            futures = [pool.submit(progkit.carry(program), a="?") for _ in range(8)]
            results = [each.result() for each in futures]

        assert lm.count == 1
        assert [each.b for each in results] == [["1"]] * 8
        assert len({id(each.b) for each in results}) == 8
        assert current_cache().stats()["coalesced"] == 7

    def test_many_tasks_at_once(self):
        """Likewise; also what is not kept is shared by those who asked at once."""
        half = Response((Completion(says(b="1"), "length"),))
        made = []

        @cached(ignore=["made", "qa"])
        async def ask(a):
            made.append(a)
            await asyncio.sleep(0.01)
            return (await qa.acall(a=a)).b

        qa = Predict("a -> b")

        async def crowd():
            return await asyncio.gather(*(ask("?") for _ in range(8)))

        with progkit.context(lm=ScriptedLM(half, half)):
            assert asyncio.run(crowd()) == ["1"] * 8
            assert (len(made), current_cache().stats()["puts"]) == (1, 0)
            assert asyncio.run(ask("?")) == "1"
        assert len(made) == 2

    def test_who_waits_for_nothing_makes_it_itself(self):
        """A leader that fails hands over."""
        tried = []

        @cached(ignore=["tried", "until"])
        def ask():
            tried.append(1)
            if len(tried) == 1:
                until(lambda: any(each.waiting for each in current_cache().flights.flights.values()))
                raise ValueError("no")
            return len(tried)

        with ThreadPoolExecutor(2) as pool:
            futures = [pool.submit(ask) for _ in range(2)]
            ends = sorted(str(each.exception() or each.result()) for each in futures)

        assert ends == ["2", "no"]

    def test_what_another_process_has_kept_meanwhile(self):
        """It is looked for once more before the module runs."""
        program = cached(Predict("a -> b"))
        lm = ScriptedLM(says(b="1"))
        with progkit.context(lm=lm):
            program(a="?")
            key = program.cache_key(a="?")
            kept = current_cache().get(key)
            current_cache().delete(key)
            board = current_cache().flights.board
            current_cache().flights.board = lambda *given: current_cache().put(key, kept) or board(*given)
            assert program(a="?").get_lm_responses()[0].cache_hit

        assert lm.count == 1

    def test_offline_and_without_waiting(self):
        """Nobody waits for anybody; what is kept is found."""
        program = cached(Predict("a -> b"))
        with progkit.context(lm=ScriptedLM(says(b="1")), cache=progkit.Cache(enable_disk_cache=False, wait=0)):
            assert program(a="?").b == "1"
            with progkit.context(offline=True):
                assert program(a="?").b == "1"
                with pytest.raises(progkit.OfflineMissError):
                    program(a="!")

    def test_what_the_cache_may_not_hold_is_not_kept(self):
        """A result with something that the redaction hook takes out is told, and made each time."""
        cache = progkit.Cache(enable_disk_cache=False, redact=lambda text: text.replace("secret", "***"))

        with progkit.context(cache=cache):
            sentences = told(lambda: cached(lambda word: word)("secret"))

        assert ["it holds what the cache is to keep no trace of" in each for each in sentences] == [True]
        assert cache.stats()["puts"] == 0

    def test_time_to_live(self):
        """Its own, or the cache's; the cache's soft one is not for results."""
        now = [0.0]
        cache = progkit.Cache(enable_disk_cache=False, now=lambda: now[0], ttl=100, soft_ttl=1)
        made = []
        short = cached(lambda: made.append(1), ttl=10, ignore=["made"])
        usual = cached(lambda: made.append(2), ignore=["made"])

        with progkit.context(cache=cache):
            for at in (0, 5, 50, 150):
                now[0] = at
                short()
                usual()

        assert made == [1, 2, 1, 1, 2]


class TestFunctions:
    def test_falsy_results_are_results(self):
        """None, zero, empty: each is made once."""
        made = []

        @cached(ignore=["made"])
        def make(value):
            made.append(value)
            return value

        values = [None, 0, 0.0, False, "", [], {}, (), set(), b""]
        for _ in "ab":
            assert [make(each) for each in values] == values
        assert [type(make(each)) for each in values] == [type(each) for each in values]
        assert len(made) == len(values)
        assert make.__name__ == "make"

    def test_what_it_refers_to_is_part_of_it(self):
        """A predictor, another function, a value: as they are when it is called."""
        qa = Predict("question -> answer")
        words = ["a"]

        def helper():
            return words[0]

        def outer():
            def ask(question, *rest, **more):
                return [qa(question=question).answer, helper()]

            return ask

        ask = cached(outer())
        with progkit.context(lm=ScriptedLM(says(answer="1"), model="m")):
            first = ask.cache_key("?")
            words[0] = "b"
            second = ask.cache_key("?")
            qa.demos.append(Example(question="a", answer="b"))
            third = ask.cache_key("?")

            assert len({first, second, third, ask.cache_key("?", 1), ask.cache_key("?", b=1, c=2)}) == 5
            assert ask.cache_key("?", b=1, c=2) == ask.cache_key("?", c=2, b=1)
            assert cached(outer()).cache_key("?") == third

    def test_code_is_part_of_it(self):
        """Another constant is another function; another file or comment is not."""
        sources = [
            "def f(x):\n    return {x in {'a', 'b'}: [y for y in (1, 2)]}",
            "\n\ndef f(x):\n    return {x in {'a', 'b'}: [y for y in (1, 2)]}  # as before",
            "def f(x):\n    return {x in {'a', 'c'}: [y for y in (1, 2)]}",
        ]
        keys = []
        for number, source in enumerate(sources):
            names = {"__name__": "made"}
            exec(compile(source, f"file{number}", "exec"), names)
            keys.append(cached(names["f"]).cache_key("?"))

        assert keys[0] == keys[1] != keys[2]

    def test_async_functions(self):
        """Awaited, and kept."""
        made = []

        @cached(ignore=["made"])
        async def make(x):
            made.append(x)
            return {"x": x}

        async def twice():
            return [await make(1), await make(x=1)]

        assert asyncio.run(twice()) == [{"x": 1}] * 2
        assert made == [1]

    def test_methods(self):
        """What they are bound to is part of the key."""

        @dataclass
        class Box:
            content: int

            @cached(ignore=["made"])
            def twice(self):
                return made.append(self) or self.content * 2

            def plain(self, x=1):
                return self.content * x

        made = []
        assert [Box(1).twice(), Box(2).twice(), Box(1).twice()] == [2, 4, 2]
        assert len(made) == 2
        assert cached(Box(3).plain)(x=2) == 6
        assert cached(Box(3).plain).cache_key(1) == cached(Box(3).plain).cache_key()
        assert cached(Box(3).plain).cache_key() != cached(Box(4).plain).cache_key()

    def test_errors_are_not_kept(self):
        """The next call tries again."""
        tried = []

        @cached
        def fail():
            tried.append(1)
            raise ValueError("no")

        for _ in "ab":
            with pytest.raises(ValueError, match="no"):
                fail()
        assert len(tried) == 2

    def test_a_key_of_ones_own(self):
        """It stands for the arguments."""
        made = []

        @cached(key=lambda user, question: question, ignore=["made"])
        def ask(user, question):
            made.append(user)
            return question

        assert [ask("a", "?"), ask("b", "?"), ask("b", "!")] == ["?", "?", "!"]
        assert made == ["a", "b"]

    @pytest.mark.parametrize("thing", [3, Desk, "text", (x for x in "ab")])
    def test_what_cannot_be_cached(self, thing):
        """Classes, objects."""
        with pytest.raises(ConfigurationError, match="a module or a function that returns its result"):
            cached(thing)

    def test_generators_cannot_be_cached(self):
        """Their results are no values."""

        def one():
            yield 1

        async def other():
            yield 1

        for each in (one, other):
            with pytest.raises(ConfigurationError):
                cached(each)

    @pytest.mark.parametrize("ttl", [0, -1])
    def test_a_time_to_live_above_zero(self, ttl):
        """Anything else is refused."""
        with pytest.raises(ConfigurationError, match="ttl is a number of seconds above 0"):
            cached(lambda: 1, ttl=ttl)


class TestResults:
    @pytest.mark.parametrize(
        "result",
        [
            Prediction(a=1, b=[(1, 2)]),
            Prediction(a=1).with_inputs("a"),
            Example(a=1).with_inputs("a"),
            Example(a=2),
            [Prediction(a=1), 2, (Prediction(b=2),), {"c": Example(d=1)}],
            {"big": 2**80, "set": {1, 2}},
        ],
    )
    def test_come_back_equal(self, result):
        """To the type of everything in them."""
        make = cached(lambda: result)
        made, again = make(), make()

        assert made is result
        assert again == made
        assert repr(again) == repr(made)
        if isinstance(result, Example):
            assert again.input_keys == result.input_keys

    def test_several_completions(self):
        """All of them are kept."""
        lm = ScriptedLM(Response((Completion(says(b="1"), "stop"), Completion(says(b="2"), "stop"))))
        program = cached(Predict("a -> b", n=2, temperature=1.0))
        with progkit.context(lm=lm):
            for _ in "ab":
                assert [each.b for each in program(a="?").completions] == ["1", "2"]
        assert lm.count == 1

    def test_enums_and_models_by_the_types_of_fields(self):
        """Restored through the signature, or the function's annotation."""
        signature = progkit.Signature({"q": (str, progkit.InputField()), "c": (Colour, progkit.OutputField())})
        program = cached(Predict(signature))

        @cached
        def point() -> Point:
            return Point(x=1)

        @cached
        def colour(q):
            return program.module(q=q)

        with progkit.context(lm=ScriptedLM(says(c="red"))):
            assert [program(q="?").c for _ in "ab"] == [Colour.RED] * 2
            assert [point() for _ in "ab"] == [Point(x=1)] * 2
            assert [colour("?") for _ in "ab"] == [Prediction(c=Colour.RED)] * 2

    @pytest.mark.parametrize("result", [object(), Point(x=1), Prediction(a=object()), [Prediction(a=Colour.RED)]])
    def test_what_would_not_come_back_equal_is_told_and_not_kept(self, result):
        """Once; the program goes on."""
        make = cached(lambda: result, ignore=["result"])

        sentences = told(lambda: [make(), make()])

        assert len(sentences) == 1
        assert "is not kept: result" in sentences[0]
        assert current_cache().stats()["puts"] == 0

    def test_an_annotation_that_does_not_hold(self):
        """What is no ``Point`` is not kept as one."""

        def make() -> "Point":
            return {"x": "?", Colour.RED: 1}

        def unknown() -> "Nothing":  # noqa: F821
            return (1, 2)

        assert len(told(lambda: cached(make)())) == 1
        assert [cached(unknown)() for _ in "ab"] == [(1, 2)] * 2

    def test_half_replies_leave_no_result(self):
        """A result that rests on a reply that was cut off is not kept."""
        half = Response((Completion(says(b="1"), "length"),))
        program = cached(Predict("a -> b"))
        with progkit.context(lm=ScriptedLM(half, says(b="2"))):
            assert [program(a="?").b for _ in "abc"] == ["1", "2", "2"]

    def test_a_result_that_no_longer_reads_is_made_again(self):
        """Something else under its key is a miss."""
        lm = ScriptedLM(says(b="1"))
        program = cached(Predict("a -> b"))
        with progkit.context(lm=lm):
            for text in ("nonsense", '["prediction"]', '["other", 1]', "[[]]", '["value", {"$x": 1}]', "3"):
                current_cache().put(program.cache_key(a="?"), Response.of(text))
                assert program(a="?").b == "1"

    def test_the_cost_is_kept_with_it(self):
        """Of all calls below; unknown if one is."""
        reply = Response((Completion(says(b="1"), "stop"),), "m", {"total_tokens": 2}, 0.5)
        program = cached(Predict("a -> b"))
        with progkit.context(lm=ScriptedLM(reply)):
            program(a="?")
            response = program(a="?").get_lm_responses()[0]

        assert (response.saved, response.saved_cost, response.source) == ({"total_tokens": 2}, 0.5, "result")


class Client:
    """Something with no content."""


class Retriever:
    """Something that says what it is."""

    def __init__(self, index):
        self.identity = {"index": index}


class TestIdentity:
    def key(self, **attributes):
        program = Desk()
        vars(program).update(attributes)
        with progkit.context(lm=ScriptedLM()):
            return cached(program, ignore=["client"]).cache_key("?")

    def test_what_has_no_content_is_told_and_made_each_time(self):
        """By name, once."""
        desk = Desk()
        desk.client = Client()
        program = cached(desk)
        with progkit.context(lm=desk_lm()):
            sentences = told(lambda: [program(ticket="?"), program(ticket="?")])
            with pytest.raises(UncacheableError, match=r"Desk.client is an object of .*ignore=\['client'\]"):
                program.cache_key("?")

        assert len(sentences) == 1
        assert "the result of Desk is made each time" in sentences[0]

    def test_what_may_be_left_out_can_be(self):
        """``ignore``, and what never changes a result."""
        import logging
        import threading

        assert self.key(client=Client()) == self.key(client=3)
        assert self.key(log=logging.getLogger("a"), lock=threading.Lock()) == self.key(
            log=logging.getLogger("b"), lock=threading.RLock()
        )

    def test_everything_else_counts(self, tmp_path):
        """Objects by ``identity`` or content, functions by code, classes by name, paths, parts, cycles."""
        loop = [1]
        loop.append(loop)
        values = [
            Retriever("a"),
            Retriever("b"),
            Point(x=1),
            Point(x=2),
            Colour.RED,
            Colour,
            tmp_path,
            len,
            enum,
            partial(len, "a"),
            partial(len, "b"),
            Desk.forward,
            Desk().forward,
            progkit.Signature("a -> b"),
            progkit.Signature("a -> b", "Do."),
            ScriptedLM(model="x"),
            ScriptedLM(model="y"),
            {"part": Predict("a -> b")},
            {"part": Predict("a -> c")},
            ChainOfThought("a -> b"),
            loop,
            [loop],
            Point,
            json_of,
        ]

        assert len({self.key(thing=each) for each in values}) == len(values)
        assert self.key(thing=Retriever("a")) == self.key(thing=Retriever("a"))
        assert self.key(a=loop, b=loop) == self.key(a=copy.deepcopy(loop), b=loop)

    def test_an_adapter_without_a_repr(self):
        """It is known by its class, not by its address."""

        class Mine:
            name = "mine"
            fallback = None
            prefix = staticmethod(progkit.ChatAdapter().prefix)
            params = staticmethod(progkit.ChatAdapter().params)

        keys = set()
        for _ in "ab":
            with progkit.context(adapter=Mine()):
                keys.add(self.key())
        assert len(keys) == 1

    def test_a_variable_not_set_yet(self):
        """It is no part of what a function is."""

        def outer():
            def inner(x):
                return x if x else later

            key = cached(inner).cache_key(1)
            later = 2
            return key, cached(inner).cache_key(1), later

        first, second, _ = outer()
        assert first != second


def json_of(value, *, indent=None):
    """A function with keyword defaults."""
    return [value, indent]


def test_no_warning_about_what_is_well():
    """Nothing is told of a program that can be kept."""
    with progkit.context(lm=desk_lm()), warnings.catch_warnings():
        warnings.simplefilter("error")
        cached(Desk())(ticket="?")

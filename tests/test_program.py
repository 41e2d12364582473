"""Programs: how they are built, called, copied and walked."""

import asyncio
import copy
import pickle
import threading

import pytest
from scripted import ScriptedLM

import progkit
from progkit import ChainOfThought, Example, Module, Predict, Prediction
from progkit.errors import ConfigurationError, InputError, NoLMError


def says(**fields):
    """A reply in the chat layout."""
    return "\n\n".join(f"[[ ## {name} ## ]]\n{value}" for name, value in fields.items()) + "\n\n[[ ## completed ## ]]"


def messages(lm, index=-1):
    return lm.requests[index].messages


class Pair(Module):
    """Two predictors, one of them under two names, in every kind of container."""

    def __init__(self):
        self.first = Predict("question -> answer")
        self.listed = [self.first, ChainOfThought("question -> answer")]
        self.by_key = {"en": Predict("a -> b"), 7: Predict("a -> c"), "7": Predict("a -> d")}
        self.nested = ([{"deep": Predict("a -> e")}],)
        self.pair = (self.first, Predict("a -> f"))
        self.note = "not a part"


class Wrapped(Module):
    """A predictor in a wrapping."""

    def __init__(self, inner):
        self.inner = inner


class TestTree:
    def test_names_every_predictor_once(self):
        """Paths tell a[7] from a["7"]; the shared predictor has its first name."""
        assert [path for path, _ in Pair().named_predictors()] == [
            "first",
            "listed[1].predict",
            'by_key["en"]',
            "by_key[7]",
            'by_key["7"]',
            'nested[0][0]["deep"]',
            "pair[1]",
        ]

    def test_names_every_module(self):
        """The root is self, a parent comes before its parts."""
        paths = [path for path, _ in Pair().named_sub_modules()]

        assert paths[:4] == ["self", "first", "listed[1]", "listed[1].predict"]

    def test_says_what_it_is(self):
        """The class and the paths of its predictors."""
        assert repr(ChainOfThought("question -> answer")) == "ChainOfThought(predict)"

    def test_a_lone_predictor_is_its_own_tree(self):
        """Its path is self."""
        predict = Predict("a -> b")

        assert predict.named_predictors() == [("self", predict)]

    def test_a_program_may_hold_itself(self):
        """A cycle ends."""
        program = Pair()
        program.me = program
        program.listed.append(program.listed)

        assert len(program.predictors()) == 7

    def test_odd_attribute_names_are_quoted(self):
        """A name that is no identifier cannot be taken for a path."""
        program = Module()
        setattr(program, "a.b", Predict("a -> b"))

        assert [path for path, _ in program.named_predictors()] == ['"a.b"']

    def test_map_replaces_in_every_container(self):
        """A shared predictor is asked about once and stays shared; tuples are made anew."""
        program = Pair()
        asked = []

        def wrap(predictor):
            asked.append(predictor)
            return Wrapped(predictor)

        result = program.map_named_predictors(wrap)

        assert result is program
        assert len(asked) == 7
        assert program.listed[0] is program.first
        assert isinstance(program.first, Wrapped)
        assert isinstance(program.nested[0][0]["deep"], Wrapped)
        assert program.pair[0] is program.first
        assert isinstance(program.pair[1], Wrapped)

    def test_map_may_leave_as_it_is(self):
        """A tuple in which nothing changed stays the same tuple."""
        program = Pair()
        nested = program.nested

        program.map_named_predictors(lambda predictor: predictor)

        assert program.nested is nested


class TestLM:
    def test_set_and_get(self):
        """One LM for all; None when nobody has said."""
        program = Pair()
        lm = ScriptedLM()

        assert program.get_lm() is None
        program.set_lm(lm)
        assert program.get_lm() is lm

    def test_different_lms_have_no_single_answer(self):
        """The error names them."""
        program = Pair()
        program.first.lm = ScriptedLM()

        with pytest.raises(ConfigurationError, match="different LMs"):
            program.get_lm()

    def test_the_nearest_lm_answers(self):
        """Of the call, of the predictor, of the settings."""
        called, own, configured = (ScriptedLM(says(answer=name)) for name in ("called", "own", "configured"))
        predict = Predict("question -> answer")
        progkit.configure(lm=configured)

        assert predict(question="1").answer == "configured"
        predict.lm = own
        assert predict(question="2").answer == "own"
        assert predict(question="3", lm=called).answer == "called"

    def test_none_at_all_is_an_error_that_helps(self):
        """It says how one is set."""
        with pytest.raises(NoLMError, match=r"progkit\.configure\(lm="):
            Predict("question -> answer")(question="?")


class TestCopies:
    def test_deepcopy_shares_the_lm_and_what_cannot_be_copied(self):
        """State is copied, a lock is shared, a shared predictor stays shared within the copy."""
        program = Pair()
        program.lock = threading.Lock()
        program.first.demos = [Example(question="q", answer=["a"])]
        program.set_lm(ScriptedLM())

        new = program.deepcopy()

        assert new.lock is program.lock
        assert new.get_lm() is program.get_lm()
        assert new.listed[0] is new.first
        assert new.first is not program.first
        new.first.demos[0].answer.append("b")
        assert program.first.demos[0].answer == ["a"]

    def test_deepcopy_of_a_cycle(self):
        """What held itself holds its copy."""
        program = Pair()
        program.me = program

        new = program.deepcopy()

        assert new.me is new

    def test_reset_copy_forgets(self):
        """No demos, no LM; the original keeps them."""
        program = Pair()
        program.first.demos = [Example(question="q", answer="a")]
        program.set_lm(ScriptedLM())

        new = program.reset_copy()

        assert new.first.demos == []
        assert new.get_lm() is None
        assert len(program.first.demos) == 1

    @pytest.mark.parametrize("copied", [copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
    def test_python_s_own_copies_work(self, copied):
        """After a call too, when a prompt has been prepared."""
        predict = Predict("question -> answer", temperature=0.5)
        predict.demos = [Example(question="q", answer="a")]
        with progkit.context(lm=ScriptedLM(says(answer="x"))):
            predict(question="?")

        new = copied(predict)

        assert new.signature == predict.signature
        assert new.demos == predict.demos
        assert new.config == {"temperature": 0.5}
        with progkit.context(lm=ScriptedLM(says(answer="y"), model="other")):
            assert new(question="?").answer == "y"


class TestCalls:
    def test_a_module_without_forward_says_so(self):
        """The error names the class."""
        with pytest.raises(ConfigurationError, match="Module defines no forward"):
            Module()()

    def test_async_runs_forward_in_a_thread_where_there_is_no_aforward(self):
        """The event loop's thread does not run it; settings reach it."""

        class Where(Module):
            def forward(self):
                return threading.current_thread(), progkit.settings.track_usage

        async def main():
            with progkit.context(track_usage=True):
                return await Where().acall()

        thread, tracked = asyncio.run(main())
        assert thread is not threading.current_thread()
        assert tracked is True

    def test_sync_and_async_send_the_same(self):
        """And find each other's answers in the cache."""
        program = ChainOfThought("question -> answer")
        lm = ScriptedLM(says(reasoning="r", answer="a"))

        with progkit.context(lm=lm):
            one = program(question="?")
            two = asyncio.run(program.acall(question="?"))

        assert one == two == Prediction(reasoning="r", answer="a")
        assert lm.count == 1

    def test_async_without_acomplete_uses_a_thread(self):
        """A custom LM needs only complete()."""

        class Few:
            identity = {"model": "few"}

            def complete(self, request):
                return progkit.Response.of(says(answer=threading.current_thread().name))

        with progkit.context(lm=Few()):
            answer = asyncio.run(Predict("question -> answer").acall(question="?")).answer

        assert answer != threading.current_thread().name

    def test_async_with_acomplete_awaits_it(self):
        """And a predictor's acall is the same code as its call."""
        lm = ScriptedLM(says(answer="a"))

        with progkit.context(lm=lm):
            assert asyncio.run(Predict("question -> answer").acall(question="?")).answer == "a"

    def test_chain_of_thought_asks_for_reasoning_first(self):
        """The default instructions are those of the plain signature; another field may stand in."""
        plain = ChainOfThought("question -> answer")
        other = ChainOfThought("question -> answer", progkit.OutputField(desc="think"), list[str], temperature=1)

        assert list(plain.predict.signature.output_fields) == ["reasoning", "answer"]
        assert plain.predict.signature.instructions == "Given the fields `question`, produce the fields `answer`."
        assert other.predict.signature.fields["reasoning"].type == list[str]
        assert other.predict.config == {"temperature": 1}

    def test_chain_of_thought_leaves_the_author_s_reasoning(self):
        """A field of that name goes to the front and stays what it is."""
        cot = ChainOfThought("question -> answer, reasoning: list[str]")

        assert list(cot.predict.signature.output_fields) == ["reasoning", "answer"]
        assert cot.predict.signature.fields["reasoning"].type == list[str]


class TestInputs:
    predict = Predict("question, context: list[str] -> answer")

    def test_all_that_is_wrong_is_told_at_once(self):
        """Missing, unexpected, and what was probably meant."""
        with progkit.context(lm=ScriptedLM()), pytest.raises(InputError) as caught:
            self.predict(qestion="?", foo=1)

        assert caught.value.missing == ["question", "context"]
        assert caught.value.unexpected == ["qestion", "foo"]
        assert "'qestion' (did you mean 'question'?)" in str(caught.value)

    def test_values_without_names_are_refused(self):
        """Inputs are given by name."""
        with pytest.raises(InputError, match="a value without a name"):
            self.predict("?")

    def test_only_what_is_wrong_is_told(self):
        """Nothing is missing here."""
        with progkit.context(lm=ScriptedLM()), pytest.raises(InputError) as caught:
            self.predict(question="?", context=[], foo=1)

        assert "missing" not in str(caught.value)

    def test_defaults_fill_in(self):
        """A default is an input like any other, and each call has its own."""

        class Ask(progkit.Signature):
            question: str = progkit.InputField()
            tags: list[str] = progkit.InputField(default_factory=list)
            answer: str = progkit.OutputField()

        lm = ScriptedLM(says(answer="a"))

        with progkit.context(lm=lm):
            Predict(Ask)(question="?")

        assert "[[ ## tags ## ]]\n[]" in messages(lm)[-1]["content"]

    def test_a_field_may_have_the_name_of_an_option(self):
        """What the signature has as an input is an input."""
        lm = ScriptedLM(says(answer="a"))

        with progkit.context(lm=lm):
            Predict("config -> answer")(config="x")

        assert "[[ ## config ## ]]\nx" in messages(lm)[-1]["content"]


class TestRequest:
    def test_call_config_wins_over_predictor_over_lm(self):
        """Each names what it changes."""
        lm = ScriptedLM(says(answer="a"), temperature=0.1, seed=1, top_p=0.2)
        predict = Predict("question -> answer", temperature=0.5, top_p=0.6)

        with progkit.context(lm=lm):
            predict(question="?", config={"top_p": 0.9, "rollout_id": 3})

        params = dict(lm.requests[0].params)
        assert params == {"model": "scripted/lm", "temperature": 0.5, "seed": 1, "top_p": 0.9, "rollout_id": 3}

    @pytest.mark.parametrize(("given", "sent"), [(None, 0.7), (0.0, 0.7), (0.15, 0.7), (0.16, 0.16), (1.0, 1.0)])
    def test_several_replies_need_temperature(self, given, sent):
        """n > 1 at temperature 0 would be the same reply n times."""
        both = progkit.Response.of(says(answer="a"), says(answer="b"))
        lm = ScriptedLM(both)
        config = {"n": 2} if given is None else {"n": 2, "temperature": given}

        with progkit.context(lm=lm):
            result = Predict("question -> answer", **config)(question="?")

        assert lm.requests[0]["temperature"] == sent
        assert [each.answer for each in result.completions] == ["a", "b"]

    def test_demos_and_signature_of_the_call(self):
        """They stand in for the predictor's, for this call."""
        lm = ScriptedLM(says(answer="a"), says(reply="b"))
        predict = Predict("question -> answer")

        with progkit.context(lm=lm):
            predict(question="?", demos=[{"question": "q1", "answer": "a1"}])
            assert predict(question="?", signature="question -> reply").reply == "b"

        assert len(messages(lm, 0)) == 4
        assert len(messages(lm, 1)) == 2
        assert predict.demos == []

    def test_the_adapter_in_force_asks(self):
        """JSONAdapter asks for JSON, and its parameters yield to the predictor's."""
        lm = ScriptedLM('{"answer": "a"}', '{"answer": "b"}')
        own = {"response_format": {"type": "json_object"}}

        with progkit.context(lm=lm, adapter=progkit.JSONAdapter()):
            assert Predict("question -> answer")(question="?").answer == "a"
            assert Predict("question -> answer", **own)(question="?").answer == "b"

        assert lm.requests[0]["response_format"]["type"] == "json_schema"
        assert lm.requests[1]["response_format"] == {"type": "json_object"}

    def test_inspect_history_prints_the_last_call(self, capsys):
        """From a module as from the package."""
        with progkit.context(lm=ScriptedLM(says(answer="forty-two"))):
            predict = Predict("question -> answer")
            predict(question="what is it?")

        predict.inspect_history()

        assert "what is it?" in (shown := capsys.readouterr().out)
        assert "forty-two" in shown


class TestUsage:
    def test_a_program_sums_its_parts(self):
        """track_usage gives the outer prediction the usage of every call made for it."""

        class Twice(Module):
            def __init__(self):
                self.ask = Predict("question -> answer")

            def forward(self, question):
                self.ask(question=question)
                return self.ask(question=question + "!")

        lm = ScriptedLM(says(answer="a"), says(answer="b"))

        with progkit.context(lm=lm, track_usage=True):
            result = Twice()(question="?")
            again = asyncio.run(Twice().acall(question="?"))

        assert result.get_lm_usage() == {"scripted/lm": {"total_tokens": 2}}
        assert again.get_lm_usage() == {}

    def test_usage_survives_a_call_that_raises_later(self):
        """The exception carries what was billed before it."""

        class Fails(Module):
            def __init__(self):
                self.ask = Predict("question -> answer")

            def forward(self):
                self.ask(question="?")
                raise ZeroDivisionError

        with (
            progkit.track_usage() as tracker,
            progkit.context(lm=ScriptedLM(says(answer="a")), track_usage=True),
            pytest.raises(ZeroDivisionError) as caught,
        ):
            Fails()()

        assert caught.value.lm_usage == tracker.billed == {"scripted/lm": {"total_tokens": 1}}

    def test_an_error_before_any_call_carries_nothing(self):
        """No usage, no attribute; a result that is no prediction is left alone."""

        class Plain(Module):
            def forward(self, fails):
                if fails:
                    raise ZeroDivisionError
                return 1

        with progkit.context(track_usage=True):
            assert Plain()(fails=False) == 1
            with pytest.raises(ZeroDivisionError) as caught:
                Plain()(fails=True)

        assert not hasattr(caught.value, "lm_usage")

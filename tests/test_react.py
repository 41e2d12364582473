"""ReAct: steps, tools that fail, limits, saving and loading; its prompts are held in ``test_tools_dspy.py``."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from scripted import ScriptedLM

import progkit
from progkit import ReAct, Tool
from progkit.errors import (
    AdapterParseError,
    ConfigurationError,
    InputError,
    LMContextWindowError,
    NoLMError,
    OfflineMissError,
    ToolError,
)

DSPY = Path(__file__).parent.parent / "fixtures" / "dspy"


def says(**fields: Any) -> str:
    """A reply in the chat layout."""
    told = "\n\n".join(f"[[ ## {name} ## ]]\n{value}" for name, value in fields.items())
    return f"{told}\n\n[[ ## completed ## ]]"


def step(tool: str, /, **arguments: Any) -> str:
    return says(next_thought="Hm.", next_tool_name=tool, next_tool_args=json.dumps(arguments))


FINISH = step("finish")
ANSWER = says(reasoning="Because.", answer="So.")
TOO_LONG = LMContextWindowError("too long")


def search(query: str, k: int = 2) -> list[str]:
    """Search the web."""
    return [query] * k


def fail(why: str) -> None:
    """Fail."""
    raise KeyError(why)


async def look_up(term: str) -> str:
    """Look it up."""
    await asyncio.sleep(0)
    return f"{term}!"


def answered(agent: ReAct, is_async: bool, **inputs: Any) -> Any:
    return asyncio.run(agent.acall(**inputs)) if is_async else agent(**inputs)


both = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


class TestSteps:
    @both
    def test_acts_until_it_finishes(self, is_async: bool) -> None:
        """Thought, tool, arguments and observation of each step stand in the trajectory."""
        lm = ScriptedLM(step("search", query="a"), step("look_up", term="b"), FINISH, ANSWER)
        with progkit.context(lm=lm):
            found = answered(ReAct("question -> answer", [search, look_up]), is_async, question="Why?")

        assert (found.answer, found.reasoning) == ("So.", "Because.")
        assert found.trajectory["observation_0"] == ["a", "a"]
        assert found.trajectory["observation_1"] == "b!"
        assert found.trajectory["tool_name_2"] == "finish"
        assert "[[ ## observation_1 ## ]]\nb!" in lm.requests[2].messages[-1]["content"]

    @both
    def test_what_a_tool_raises_is_an_observation(self, is_async: bool) -> None:
        """The model is told what went wrong, without a trace: that has paths in it, and is never the same."""
        lm = ScriptedLM(step("fail", why="x"), step("search", qury="a"), FINISH, ANSWER)
        with progkit.context(lm=lm):
            found = answered(ReAct("question -> answer", [fail, search]), is_async, question="Why?")

        assert found.trajectory["observation_0"] == "Execution error in fail: KeyError: 'x'"
        assert found.trajectory["observation_1"].startswith(
            "Execution error in search: ToolError: tool 'search': argument 'query' is missing; no argument 'qury'"
        )

    @pytest.mark.parametrize("error", [NoLMError("inner"), OfflineMissError("inner", {})])
    @both
    def test_what_the_model_cannot_mend_is_raised(self, error: Exception, is_async: bool) -> None:
        """A tool that asks an LM of its own, where none is to be had."""

        def ask(text: str) -> None:
            """Ask."""
            raise error

        with progkit.context(lm=ScriptedLM(step("ask", text="x"))), pytest.raises(type(error)):
            answered(ReAct("question -> answer", [ask]), is_async, question="Why?")

    def test_async_tools_within_a_loop_need_acall(self) -> None:
        """A sync call there is refused, and not told to the model."""

        async def main() -> None:
            with progkit.context(lm=ScriptedLM(step("look_up", term="x"))):
                ReAct("question -> answer", [look_up])(question="Why?")

        with pytest.raises(ConfigurationError, match="use acall"):
            asyncio.run(main())

    @both
    def test_takes_no_more_steps_than_allowed(self, is_async: bool) -> None:
        """The agent's number, or the call's own."""
        lm = ScriptedLM(step("search", query="a"), ANSWER, step("search", query="b"), ANSWER)
        agent = ReAct("question -> answer", [search], max_iters=1)
        with progkit.context(lm=lm):
            first = answered(agent, is_async, question="Why?")
            agent.max_iters = 7
            second = answered(agent, is_async, question="Why not?", max_iters=1)

        assert (list(first.trajectory)[-1], list(second.trajectory)[-1]) == ("observation_0", "observation_0")

    @both
    def test_a_reply_that_cannot_be_read_is_an_error(self, is_async: bool) -> None:
        """After the fallback's try; a tool that there is not is such a reply."""
        lm = ScriptedLM("what?", "what?")
        with progkit.context(lm=lm), pytest.raises(AdapterParseError):
            answered(ReAct("question -> answer", [search]), is_async, question="Why?")

    def test_inputs_are_those_of_the_signature(self) -> None:
        """What is missing is named."""
        with progkit.context(lm=ScriptedLM()), pytest.raises(InputError, match="missing 'question'"):
            ReAct("question -> answer", [search])(qestion="Why?")

    def test_usage_is_that_of_all_steps(self) -> None:
        """Three calls, and nothing when all of them come from the cache."""
        lm = ScriptedLM(step("search", query="a"), FINISH, ANSWER)
        agent = ReAct("question -> answer", [search])
        with progkit.context(lm=lm):
            first = agent(question="Why?")
            second = agent(question="Why?")

        assert first.get_lm_usage() == {"scripted/lm": {"total_tokens": 3}}
        assert [each.cache_hit for each in second.get_lm_responses()] == [True, True, True]
        assert second.get_lm_usage() == {}
        assert second.toDict() == first.toDict()


class TestLongTrajectories:
    @both
    def test_the_oldest_step_is_left_out(
        self, is_async: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the model can no longer read is gone from the trajectory; the log says so."""
        # Whoever configures logging in the process may have switched off the loggers that there were.
        monkeypatch.setattr(logging.getLogger("progkit"), "disabled", False)
        lm = ScriptedLM(step("search", query="a"), step("search", query="b"), TOO_LONG, FINISH, ANSWER)
        with progkit.context(lm=lm), caplog.at_level(logging.WARNING, "progkit"):
            found = answered(ReAct("question -> answer", [search]), is_async, question="Why?")

        assert next(iter(found.trajectory)) == "thought_1"
        assert "leaves out the oldest step" in caplog.text

    @both
    def test_what_cannot_be_shortened_ends_the_trajectory(self, is_async: bool) -> None:
        """With a step that fits, the answer is read from what there is."""
        lm = ScriptedLM(step("search", query="a"), TOO_LONG, ANSWER)
        with progkit.context(lm=lm):
            found = answered(ReAct("question -> answer", [search]), is_async, question="Why?")

        assert (found.answer, len(found.trajectory)) == ("So.", 4)

    def test_gives_up_after_three_tries(self) -> None:
        """Each with a step less."""
        steps = [step("search", query=each) for each in "abcdef"]
        lm = ScriptedLM(*steps, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG)
        with progkit.context(lm=lm), pytest.raises(LMContextWindowError, match="even without the 3 oldest"):
            ReAct("question -> answer", [search])(question="Why?")

        assert lm.count == len(steps) + 6

    def test_a_subclass_may_have_its_own_way(self) -> None:
        """For instance: only the first step matters."""

        class First(ReAct):
            def truncate_trajectory(self, trajectory: dict[str, Any]) -> dict[str, Any]:
                return dict(list(trajectory.items())[:4])

        lm = ScriptedLM(step("search", query="a"), step("search", query="b"), TOO_LONG, FINISH, ANSWER)
        with progkit.context(lm=lm):
            found = First("question -> answer", [search])(question="Why?")

        assert next(iter(found.trajectory)) == "thought_0"


class TestTools:
    @pytest.mark.parametrize(
        ("tools", "reason"),
        [
            ([search, search], "the name 'search' stands for two tools"),
            ([Tool(search, name="finish")], "the name 'finish' means the end of the trajectory"),
            (["search"], "neither a tool nor a function: 'search'"),
        ],
    )
    def test_refuses_what_cannot_be_told_apart(self, tools: Any, reason: str) -> None:
        """And what is no tool."""
        with pytest.raises(ConfigurationError, match=reason):
            ReAct("question -> answer", tools)

    def test_instructions_may_be_missing(self) -> None:
        """An agent without inputs and outputs of its own still has its tools."""
        agent = ReAct(progkit.Signature({}), [])

        assert agent.react.signature.instructions.startswith("You are an Agent.")

    def test_copies_share_the_tools(self) -> None:
        """A tool is never changed; predictors are the copy's own."""
        agent = ReAct("question -> answer", [search])
        copied = agent.deepcopy()

        assert copied.tools["search"] is agent.tools["search"]
        assert copied.react is not agent.react


class TestState:
    def test_predictors_have_dspys_names(self) -> None:
        """Files of optimised agents name these two."""
        agent = ReAct("question -> answer", [search])

        assert [path for path, _ in agent.named_predictors()] == ["react", "extract.predict"]

    def test_what_was_learned_is_saved_and_loaded(self, tmp_path: Any) -> None:
        """The instructions, with the tools that they were saved with, and the demos."""
        agent = ReAct("question -> answer", [search])
        agent.react.signature = agent.react.signature.with_instructions("Search well.")
        agent.react.demos = [progkit.Example(question="a", trajectory="", next_thought="t")]
        fresh = ReAct("question -> answer", [search])

        agent.save(tmp_path / "agent.json")
        report = fresh.load(tmp_path / "agent.json")

        assert report.ok
        assert fresh.react.signature.instructions == "Search well."
        assert len(fresh.react.demos) == 1

    @pytest.mark.parametrize("version", ["2.6.27", "3.0.4", "3.4.1"])
    def test_an_agent_optimised_in_dspy_loads(self, version: str) -> None:
        """Its instructions list the tools as they were; its layout is that of its DSPy."""
        path = DSPY / version / "states" / "react.json"
        agent = ReAct("question -> answer: int", [search])
        report = agent.load(path)
        saved = json.loads(path.read_text("utf-8"))["react"]["signature"]["instructions"]

        assert (report.ok, report.applied) == (True, ["react", "extract.predict"])
        assert agent.react.signature.instructions == saved
        assert "<desc>Search the corpus.</desc>" in saved

    def test_an_agent_with_other_tools_is_another_program(self, tmp_path: Any) -> None:
        """The tools' names are part of a type."""
        ReAct("question -> answer", [search]).save(tmp_path / "agent.json")

        with pytest.raises(progkit.StateMismatchError, match="next_tool_name"):
            ReAct("question -> answer", [search, look_up]).load(tmp_path / "agent.json")


def test_a_tool_error_says_what_the_tool_takes() -> None:
    """It reads well as an observation."""
    error = ToolError("now", ["no argument 'x'"], [])

    assert str(error) == "tool 'now': no argument 'x'. Its arguments are none"

"""ReAct: an agent that thinks, calls a tool, looks at what comes back, and so on until it can answer."""

import logging
from collections.abc import Callable, Generator, Sequence
from typing import Any, ClassVar, Literal, TypeAlias

from progkit.adapters import fields_text
from progkit.content.tool import Tool, tool_of
from progkit.errors import ConfigurationError, LMContextWindowError, NotCachedError
from progkit.example import Prediction
from progkit.lm import usage
from progkit.program.chain_of_thought import ChainOfThought
from progkit.program.module import Module
from progkit.program.predict import Predict
from progkit.signature import InputField, OutputField, Signature, signature_of

FINISH = "finish"
_TRIES = 3
"""Attempts at a prompt that is too long, each without the oldest step of the one before; DSPy's number."""

Episode: TypeAlias = Generator[tuple[Any, dict[str, Any]], Any, Prediction]
"""Yields what to call and with what, is sent the result or thrown the error, and returns the answer."""

logger = logging.getLogger("progkit")


class ReAct(Module):
    """Answers by *signature* with the help of *tools*: functions or ``Tool`` objects, sync or async.

    Each step asks the predictor ``react`` for a thought, a tool and its arguments, and calls the tool; its result,
    or ``Execution error in ...`` if it fails, is the observation. After ``finish``, or *max_iters* steps,
    ``extract.predict`` reads the answer from the ``trajectory``, a dict that the prediction has beside it.
    A call may say its own ``max_iters``. A trajectory too long for the model loses its oldest steps.

    Layout: DSPy 3.4. The instructions list the tools; a state that was saved brings the list it was saved with.

    Raises:
        ConfigurationError: for two tools of one name, one called ``finish``, or what is no tool.
    """

    own_state: ClassVar[frozenset[str]] = Module.own_state | {"signature", "tools", "max_iters"}

    def __init__(
        self, signature: str | type[Signature], tools: Sequence[Tool | Callable[..., Any]], max_iters: int = 20
    ) -> None:
        self.signature: type[Signature] = signature_of(signature)
        self.max_iters = max_iters
        self.tools: dict[str, Tool] = _by_name(tools, self.signature)
        asked = self.signature.fields
        inputs = {name: field for name, field in asked.items() if field.role == "input"}
        step = {
            **inputs,
            "trajectory": InputField(),
            "next_thought": OutputField(),
            "next_tool_name": (Literal[tuple(self.tools)], OutputField()),
            "next_tool_args": (dict[str, Any], OutputField()),
        }
        told = _instructions(self.signature, self.tools.values())
        self.react = Predict(Signature(step).with_instructions(told, exact=True))
        whole = Signature({**asked, "trajectory": InputField()})
        self.extract = ChainOfThought(whole.with_instructions(self.signature.instructions, exact=True))

    def forward(self, **inputs: Any) -> Prediction:
        """Act and answer.

        Raises:
            LMContextWindowError: if the prompt is too long even without all but one step.
            ConfigurationError: for an async tool where an event loop is running: use ``acall``.
        """
        episode = self._episode(inputs)
        try:
            called, arguments = next(episode)
            while True:
                try:
                    result = called(**arguments)
                # Whatever a tool raises is for the episode to judge.
                except Exception as error:
                    called, arguments = episode.throw(error)
                else:
                    called, arguments = episode.send(result)
        except StopIteration as done:
            answer: Prediction = done.value
            return answer

    async def aforward(self, **inputs: Any) -> Prediction:
        """Act and answer, without holding up the event loop."""
        episode = self._episode(inputs)
        try:
            called, arguments = next(episode)
            while True:
                try:
                    result = await called.acall(**arguments)
                # As above.
                except Exception as error:
                    called, arguments = episode.throw(error)
                else:
                    called, arguments = episode.send(result)
        except StopIteration as done:
            answer: Prediction = done.value
            return answer

    def truncate_trajectory(self, trajectory: dict[str, Any]) -> dict[str, Any]:
        """*trajectory* without its oldest step; a subclass may have its own way.

        Raises:
            LMContextWindowError: if there is but one step.
        """
        oldest = list(trajectory)[:4]  # thought, tool, arguments, observation
        if len(trajectory) <= len(oldest):
            raise LMContextWindowError("the prompt is too long, and its trajectory has no second step to leave out")
        return {name: value for name, value in trajectory.items() if name not in oldest}

    def _episode(self, inputs: dict[str, Any]) -> Episode:
        steps = inputs.pop("max_iters", self.max_iters)
        trajectory: dict[str, Any] = {}
        responses: list[Any] = []
        for number in range(steps):
            try:
                chosen, trajectory = yield from self._asked(self.react, trajectory, inputs)
            except LMContextWindowError as error:
                logger.warning("ReAct ends its trajectory after %d steps: %s", number, error)
                break
            responses += chosen.get_lm_responses()
            name, arguments = chosen.next_tool_name, chosen.next_tool_args
            trajectory[f"thought_{number}"] = chosen.next_thought
            trajectory[f"tool_name_{number}"] = name
            trajectory[f"tool_args_{number}"] = arguments
            trajectory[f"observation_{number}"] = yield from self._observation(name, arguments)
            if name == FINISH:
                break
        answer, trajectory = yield from self._asked(self.extract, trajectory, inputs)
        return _answered(answer, trajectory, [*responses, *answer.get_lm_responses()])

    def _observation(self, name: str, arguments: dict[str, Any]) -> Generator[tuple[Any, dict[str, Any]], Any, Any]:
        try:
            return (yield self.tools[name], arguments)
        except (ConfigurationError, NotCachedError):
            raise  # nothing that the model could mend
        except Exception as error:  # whatever a tool raises, the model is told; without a trace, which changes
            return f"Execution error in {name}: {type(error).__name__}: {error}"

    def _asked(
        self, module: Module, trajectory: dict[str, Any], inputs: dict[str, Any]
    ) -> Generator[tuple[Any, dict[str, Any]], Any, tuple[Prediction, dict[str, Any]]]:
        """What *module* answers, and the trajectory that it could take.

        Raises:
            LMContextWindowError: if it takes none.
        """
        for _ in range(_TRIES):
            try:
                answer = yield module, {**inputs, "trajectory": fields_text(trajectory)}
            except LMContextWindowError:
                logger.warning("ReAct leaves out the oldest step: the prompt is too long for the model")
                trajectory = self.truncate_trajectory(trajectory)
            else:
                return answer, trajectory
        raise LMContextWindowError(f"the prompt is too long even without the {_TRIES} oldest steps of its trajectory")


def _answered(answer: Prediction, trajectory: dict[str, Any], responses: list[Any]) -> Prediction:
    """*answer* with the *trajectory* that led to it, and what all the *responses* on that way used."""
    whole = Prediction.answered([{**dict(answer.items()), "trajectory": trajectory}], responses)
    used = usage.UsageTracker()
    for each in responses:
        used.add(each)
    whole.set_lm_usage(used.billed)
    return whole


def _by_name(tools: Sequence[Any], signature: type[Signature]) -> dict[str, Tool]:
    named: dict[str, Tool] = {}
    for each in tools:
        try:
            tool = tool_of(each)
        except ValueError as error:
            raise ConfigurationError(f"ReAct's tools: {error}") from error
        if tool.name in named or tool.name == FINISH:
            taken = "means the end of the trajectory" if tool.name == FINISH else "stands for two tools"
            raise ConfigurationError(f"ReAct's tools: the name {tool.name!r} {taken}; give one by Tool(..., name=...)")
        named[tool.name] = tool
    outputs = _listed(signature.output_fields)
    # Text of DSPy's, like the instructions: programs are optimised with it.
    ends = (
        "Marks the task as complete. That is, signals that all information for producing the outputs, "
        f"i.e. {outputs}, are now available to be extracted."
    )
    named[FINISH] = Tool(_completed, name=FINISH, desc=ends, args={})
    return named


def _completed() -> str:
    return "Completed."


def _instructions(signature: type[Signature], tools: Any) -> str:
    """What ``react`` is told; the text is DSPy's, from 2.6.27 on."""
    inputs, outputs = _listed(signature.input_fields), _listed(signature.output_fields)
    listed = "\n".join(f"({number}) {tool}" for number, tool in enumerate(tools, 1))
    own = f"{signature.instructions}\n\n" if signature.instructions else ""
    return (
        f"{own}You are an Agent. In each episode, you will be given the fields {inputs} as input. "
        "And you can see your past trajectory so far.\n"
        "Your goal is to use one or more of the supplied tools to collect any necessary information for producing "
        f"{outputs}.\n\n"
        "To do this, you will interleave next_thought, next_tool_name, and next_tool_args in each turn, and also when "
        "finishing the task.\n"
        "After each tool call, you receive a resulting observation, which gets appended to your trajectory.\n\n"
        "When writing next_thought, you may reason about the current situation and plan for future steps.\n"
        "When selecting the next_tool_name and its next_tool_args, the tool must be one of:\n\n"
        f"{listed}\n"
        "When providing `next_tool_args`, the value inside the field must be in JSON format"
    )


def _listed(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)

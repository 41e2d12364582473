"""The LM of a predictor as DSPy saved it: which of it is ours to use, which is kept as data, which is refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from progkit.artifact.scrubbing import scrub
from progkit.errors import DocumentError
from progkit.lm.state import split

CLASS = "_dspy_lm_class"
_OURS = (None, "dspy.clients.lm.LM")
"""The classes that a progkit.LM stands for."""
_SILENT = frozenset(
    {CLASS, "model_type", "cache_in_memory", "finetuning_model", "launch_kwargs", "train_kwargs", "engine"}
    | {"async_engine", "prompt_cache", "use_developer_role"}
)
"""Settings of DSPy's own machinery, which say nothing that a provider would be sent."""
_REASONING = re.compile(r"(^|/)(o\d|gpt-[5-9])")
"""OpenAI's reasoning models, as DSPy tells them."""
DEFAULTS = {"model_type": "chat", "temperature": None, "max_tokens": None, "finetuning_model": None}
"""What every DSPy wrote beside the model, as 3.4 does when nothing is said; without it older ones take others."""


@dataclass(slots=True)
class Adopted:
    """An LM's *settings* for a progkit.LM (None: there is none), or else the state *kept* as data."""

    settings: dict[str, Any] | None
    kept: dict[str, Any] | None = None
    dropped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def adopt(state: Mapping[str, Any] | None, where: str, source: str) -> Adopted:
    """The LM *state* of the predictor at *where*.

    An LM of another class, or with an engine of its own, would be asked by code that is not here: asking its model
    in another way could send prompts to somebody else, so it is kept as data alone.

    Raises:
        DocumentError: if it names no model.
    """
    if not state:
        return Adopted(None)
    clean, dropped = scrub(state, where)
    if not isinstance(clean.get("model"), str):
        raise DocumentError(source, f"{where}.model", "must be text")
    foreign = clean.get(CLASS) if clean.get(CLASS) not in _OURS else clean.get("engine")
    if isinstance(foreign, Mapping):
        foreign = foreign.get("class")
    elif clean.get(CLASS) in _OURS:
        foreign = None
    if foreign is not None:
        note = f"{where}: an LM of {foreign!r}, which progkit does not run; it is kept as data, set_lm() gives another"
        return Adopted(None, clean, dropped, [note])
    notes = [f"{where}.{name}: kept, not sent" for name, value in split(clean)[1].items() if _says_more(name, value)]
    if clean.get("model_type", "chat") != "chat":
        notes.append(f"{where}.model_type: {clean['model_type']!r}; progkit asks all models as chat")
    return Adopted(clean, None, dropped, notes)


def _says_more(name: str, value: Any) -> bool:
    return name not in _SILENT and value not in (None, {}, [])


def restore(settings: Mapping[str, Any], where: str) -> tuple[dict[str, Any], list[str]]:
    """The state that DSPy reads for *settings* of a progkit.LM, and what it cannot hold."""
    clean, dropped = scrub(settings, where)
    state = {"model": clean.pop("model"), **DEFAULTS, "launch_kwargs": {}, "train_kwargs": {}, **clean}
    for name, value in clean.items():
        if isinstance(value, Mapping) and set(value) == {"env"}:
            del state[name]
            dropped.append(f"{where}.{name}: DSPy reads no secrets from the environment by a file")
    if _REASONING.search(state["model"]) and state.get("max_completion_tokens") and not state["max_tokens"]:
        state["max_tokens"] = state.pop("max_completion_tokens")  # DSPy's LM takes it under this name alone
    if state.pop("deadline", None) is not None:
        dropped.append(f"{where}.deadline: DSPy has none")
    if state.get("timeout") in (None, 60.0):
        state.pop("timeout", None)
    return state, dropped

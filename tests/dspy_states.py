"""The frozen state files of DSPy, and the programs that they were saved from, rebuilt in progkit.

``fixtures/dspy/capture_states.py`` says how the files got there.
"""

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import progkit
from progkit import InputField, Module, OutputField, Predict, Signature
from progkit.signature import parse_type

DSPY = Path(__file__).parent.parent / "fixtures" / "dspy"
sys.path.insert(0, str(DSPY))

import dspy_programs  # noqa: E402 - they lie beside the frozen files
from dspy_differences import said_here  # noqa: E402

CONTENT = ("History", "Image", "Reasoning", "Tool", "ToolCalls")
TYPES = {**dspy_programs.CUSTOM, **{name: getattr(progkit, name) for name in CONTENT}, "REPLHistory": str}
"""What the names of types in ``states.json`` mean here."""

VERSIONS = sorted((each.parent.name for each in DSPY.glob("*/states.json")), key=lambda v: [*map(int, v.split("."))])
TOLD: dict[str, dict[str, Any]] = {
    v: json.loads(said_here((DSPY / v / "states.json").read_text("utf-8"))) for v in VERSIONS
}
"""By version and case: ``{"error": ...}``, or the predictors by DSPy's path."""

FILES = [(version, case) for version in VERSIONS for case, told in TOLD[version].items() if "error" not in told]
"""Every frozen file."""


PEP_604 = {"str | None": str | None, "int | None": int | None}
"""Types whose text reads as their older spelling, which older versions print otherwise."""


def path_of(version: str, case: str) -> Path:
    """The frozen file."""
    return DSPY / version / "states" / f"{case}.json"


def raw_of(version: str, case: str) -> Any:
    """The frozen file as Python's own reader has it."""
    return json.loads(path_of(version, case).read_text("utf-8"))


def predictor_of(fields: list[Any]) -> Predict:
    """A predictor as it was before anything was learned."""
    made = {}
    for name, role, kind, desc, prefix in fields:
        field = InputField if role == "input" else OutputField
        made[name] = (PEP_604.get(kind) or parse_type(kind, TYPES), field(desc=desc, prefix=prefix))
    return Predict(Signature(made))


def program_of(version: str, case: str) -> Module:
    """The program that the file was saved from, before anything was learned."""
    return tree_of({path: predictor_of(each["fields"]) for path, each in TOLD[version][case].items()})


def tree_of(predictors: dict[str, Predict]) -> Module:
    """A program with *predictors* at paths of DSPy's."""
    if list(predictors) == ["self"]:
        return predictors["self"]
    root = SimpleNamespace(part=Module())
    for path, predictor in predictors.items():
        holder: Any = vars(root)
        key: Any = "part"
        for attribute, text, index in re.findall(r"(?:^|\.)([^.\[\]]+)|\['(.*?)'\](?=$|\.)|\[(\d+)\]", path):
            if attribute:
                holder[key] = part = holder.get(key) or Module()
                holder, key = vars(part), attribute
            else:
                holder[key] = table = holder.get(key) or {}
                holder, key = table, int(index) if index else 7 if text == "7" else text
        holder[key] = predictor
    return _listed(root.part)


def _listed(value: Any) -> Any:
    """Tables of numbered items as lists."""
    for name, each in vars(value).items():
        if isinstance(each, Module) and not isinstance(each, Predict):
            _listed(each)
        elif isinstance(each, dict):
            for item in each.values():
                _listed(item)
            if list(each) == list(range(len(each))):
                vars(value)[name] = list(each.values())
    return value

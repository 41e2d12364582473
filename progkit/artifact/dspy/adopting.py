"""DSPy's state file into a document of the current version: one step, and a list of what it took.

A key that no DSPy writes is dropped (DSPy would make an attribute of it), so are secrets. What is no predictor's
state (source code of a Flex among it) is kept as data, and never run.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from progkit import schema
from progkit.artifact.dspy import lm_states, paths
from progkit.artifact.dspy.names import recover
from progkit.artifact.encoding import demo_ids
from progkit.artifact.scrubbing import scrub
from progkit.artifact.values import encode_value, encode_values
from progkit.errors import DocumentError, UnsavableError
from progkit.schema import dspy

OLDEST, NEWEST = (2, 6), (3, 4)
"""The versions of DSPy whose files and prompts are known."""


class Adopted(NamedTuple):
    """A *document*; ``where: what`` of the file was *dropped*; and *notes* on the rest."""

    document: dict[str, Any]
    dropped: list[str]
    notes: list[str]


def adopt(raw: dict[str, Any], source: str) -> Adopted:
    """The DSPy state file *raw* as a document.

    Raises:
        DocumentError: for a part of it that is not what DSPy 2.6 to 3.4 write.
    """
    taken = _Taken(source)
    raw = taken.finite(raw)
    for path, node in dspy.parts(raw):
        taken.part(path, node)
    origin = dspy.versions(raw)
    version = dspy.version_of(raw)
    taken.notes += _about(version)
    if version == (0, 0):
        origin.pop("dspy", None)
    document = {
        **schema.header(),
        "saved_with": schema.saved_with(),
        "program": "",
        "origin": origin,
        "state": {"predictors": taken.predictors, **({"others": taken.others} if taken.others else {})},
    }
    schema.validate(document, source)
    return Adopted(document, taken.dropped, taken.notes)


def _about(version: tuple[int, int]) -> list[str]:
    """What there is to say of a file of this *version* of DSPy."""
    if version == (0, 0):
        return ["the file does not say which DSPy saved it: its prompts are laid out as the newest one's"]
    if not OLDEST <= version <= NEWEST:
        said, *known = (".".join(map(str, each)) for each in (version, OLDEST, NEWEST))
        return [f"saved by DSPy {said}; progkit knows {known[0]} to {known[1]}"]
    return []


class _Taken:
    """What has been taken of a file so far."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.predictors: dict[str, Any] = {}
        self.others: dict[str, Any] = {}
        self.dropped: list[str] = []
        self.notes: list[str] = []

    def finite(self, raw: dict[str, Any]) -> dict[str, Any]:
        """*raw* with null for NaN and infinity, as DSPy writes them since 3.0.3."""
        places = list(dspy.not_finite(raw))
        self.dropped += [
            f"{schema.show(each)}: NaN or infinity, which JSON cannot say; null stands there" for each in places
        ]
        return _finite(raw) if places else raw

    def part(self, path: str, node: Any) -> None:
        """Take the part of the program at *path*, which is DSPy's."""
        own = paths.ours(path)
        try:
            if dspy.is_predictor(node):
                self.predictors[own] = self.predictor(own, node)
            else:
                self.others[own] = self.other(own, node)
        except UnsavableError as error:
            raise DocumentError(self.source, error.where, error.reason) from error

    def other(self, path: str, node: Any) -> Any:
        """A part that is no predictor, as data."""
        clean, dropped = scrub({path: node}, self.source)
        self.dropped += [each.removeprefix(f"{self.source}.") for each in dropped]
        what = "source code, which is never run" if isinstance(node, dict) and "module_src" in node else "no predictor"
        self.notes.append(f"{path}: {what}; kept as data")
        return encode_value(clean.get(path), path)

    def predictor(self, path: str, node: dict[str, Any]) -> dict[str, Any]:
        """The node of a predictor."""
        state, unknown = dspy.predictor(node, path, self.source)
        for place in unknown:
            self.dropped.append(f"{schema.show(place, path)}: no part of a DSPy state; in DSPy it becomes an attribute")
        lm = lm_states.adopt(state.get("lm"), f"{path}.lm", self.source)
        self.dropped += lm.dropped
        self.notes += lm.notes
        kept = {name: state[name] for name in ("traces", "train", "fields") if state.get(name)}
        if "fields" in kept:
            self.notes.append(f"{path}.fields: settings of decisions, which progkit does not make; kept as data")
        if lm.kept is not None:
            kept["lm"] = lm.kept
        made = {
            "config": {},
            "demos": _demos(state["demos"], path),
            "lm": None if lm.settings is None else encode_values(lm.settings, f"{path}.lm"),
            "signature": _signature(state["signature"], state["demos"]),
        }
        return {**made, "kept": encode_values(kept, path)} if kept else made


def _demos(demos: Sequence[dict[str, Any]], path: str) -> list[dict[str, Any]]:
    values = [encode_values(demo, f"{path}.demos[{index}]") for index, demo in enumerate(demos)]
    return [{"id": name, "values": each} for name, each in zip(demo_ids(values), values, strict=True)]


def _signature(state: Mapping[str, Any], demos: Sequence[dict[str, Any]]) -> dict[str, Any]:
    fields = state["fields"]
    found = recover(state["instructions"], fields, demos)
    return {
        "name": "",
        "instructions": state["instructions"].split("\n"),
        "order": found.names,
        "fields": {
            name: {"role": role, "type": "", "desc": each["description"], "prefix": each["prefix"], "constraints": {}}
            for name, role, each in zip(found.names, found.roles, fields, strict=True)
        },
        "guessed": found.guessed,
    }


def _finite(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _finite(each) for name, each in node.items()}
    if isinstance(node, list):
        return [_finite(each) for each in node]
    return None if isinstance(node, float) and not math.isfinite(node) else node

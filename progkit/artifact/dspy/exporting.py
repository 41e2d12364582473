"""A document as the state file that DSPy reads, 2.6 to 3.4.

DSPy's loader asks for every predictor, for ``metadata`` with no other names than its own, and for an ``lm``;
it takes fields by position. What its files have no place for is told.
"""

import json
import platform
from collections.abc import Callable, Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any

from progkit.artifact.dspy import lm_states, paths
from progkit.content import marked
from progkit.errors import UnsavableError
from progkit.schema import decode_value, dspy

NEWEST = "3.4.1"
"""The DSPy that a file without an origin says it is from: a mismatch makes DSPy warn, no more."""
_CLOUDPICKLE = "3.1"
_MAX_INT = 2**64


def export(document: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What DSPy reads of the current-version *document*, and ``where: why`` of what it has no place for.

    Raises:
        UnsavableError: for a program that DSPy's files cannot hold.
    """
    state = document["state"]
    dropped: list[str] = []
    parts = {path: _predictor(path, node, dropped) for path, node in state["predictors"].items()}
    parts |= {path: _value(node, path) for path, node in state.get("others", {}).items()}
    metadata = {"dependency_versions": _versions(document)}
    if list(parts) == [dspy.ROOT]:
        return {**parts[dspy.ROOT], dspy.METADATA: metadata}, dropped
    raw: dict[str, Any] = {}
    for path, part in parts.items():
        name = paths.theirs(path)
        if name in raw or name == dspy.METADATA:
            raise UnsavableError(path, f"DSPy's file already has a {name!r}")
        if "][" in path:
            dropped.append(f"{path}: DSPy does not look into containers within containers; it will not find this one")
        raw[name] = part
    return {**raw, dspy.METADATA: metadata}, dropped


def encode(raw: Mapping[str, Any]) -> bytes:
    """*raw* as DSPy lays its files out: UTF-8, indent 2, a final newline."""
    return f"{json.dumps(raw, indent=2, ensure_ascii=False, allow_nan=False)}\n".encode()


def _versions(document: Mapping[str, Any]) -> dict[str, str]:
    python = ".".join(platform.python_version_tuple()[:2])
    own = {"python": python, "dspy": NEWEST, "cloudpickle": _CLOUDPICKLE}
    origin = document.get("origin", {})
    return {name: origin.get(name, each) for name, each in own.items()}  # DSPy fails on any other name


def _predictor(path: str, node: Mapping[str, Any], dropped: list[str]) -> dict[str, Any]:
    signature = node["signature"]
    kept = {name: _value(each, f"{path}.{name}") for name, each in node.get("kept", {}).items()}
    state = {
        "traces": kept.get("traces", []),
        "train": kept.get("train", []),
        "demos": [
            _demo(each["values"], signature["order"], f"{path}.demos[{n}]") for n, each in enumerate(node["demos"])
        ],
        "signature": {
            "instructions": "\n".join(signature["instructions"]),
            "fields": [
                {"prefix": signature["fields"][name]["prefix"], "description": signature["fields"][name]["desc"]}
                for name in signature["order"]
            ],
        },
    }
    if "fields" in kept:
        state["fields"] = kept["fields"]
    dropped += [f"{path}.config.{name}: DSPy's files hold no settings of a predictor" for name in node["config"]]
    lm = kept.get("lm")
    if node["lm"] is not None:
        lm, told = lm_states.restore(_value(node["lm"], f"{path}.lm"), f"{path}.lm")
        dropped += told
    return {**state, "lm": lm}


def _demo(values: Mapping[str, Any], order: list[str], where: str) -> dict[str, Any]:
    """The values of a demo, ``augmented`` first as optimisers leave it, then in the order of the fields."""
    names = [name for name in ("augmented", *order) if name in values]
    names += [name for name in values if name not in names]
    return {name: _value(values[name], f"{where}.{name}") for name in names}


def _value(node: Any, where: str) -> Any:
    """What a node says, in JSON alone."""
    return _plain(decode_value(_spelled(node), None, where), where)


def _spelled(node: Any) -> Any:
    """*node* with content types as DSPy's files hold them: text, marked if it is more than text."""
    if isinstance(node, list):
        return [_spelled(each) for each in node]
    if not isinstance(node, dict):
        return node
    name, value = str(node.get("$model")).partition("_")[0], node.get("value")
    if isinstance(value, dict) and name in _CONTENT and value.keys() == {_CONTENT[name][0]}:
        field, write = _CONTENT[name]
        return write(value[field])
    return {key: _spelled(each) for key, each in node.items()}


_CONTENT: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "Image": ("url", lambda url: marked([{"type": "image_url", "image_url": {"url": url}}])),
    "Blocks": ("blocks", marked),
    "Code": ("code", str),
    "Reasoning": ("content", str),
}
"""What progkit's own content types say: their one field, and how it is written."""


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                raise UnsavableError(where, f"DSPy's files hold no key {name!r}: text alone can be one")
        return {name: _plain(each, f"{where}.{name}") for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(each, where) for each in value]
    if isinstance(value, int) and abs(value) >= _MAX_INT:
        raise UnsavableError(where, "DSPy reads no integer beyond 64 bits")
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise UnsavableError(where, f"DSPy's files hold no {type(value).__name__}")

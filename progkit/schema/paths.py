"""Places in a document: a tuple of keys and indices, and how a person reads it."""

import json
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""``("state", "predictors", "a.b", "demos", 3)``"""


def show(path: Path, start: str = "") -> str:
    """*path* as text below *start*: ``state.predictors["a.b"].demos[3]``."""
    text = start
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.isidentifier():
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text

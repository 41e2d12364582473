"""Whether what was read of a text is all that is in it: it is written again, and must come out the same.

msgspec keeps the last of duplicate keys, and leaves out keys that a shape does not name; either would show.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from progkit.artifact.encoding import indented, is_too_deep

_CHUNK = 256
"""Demos that are written at once: few enough for their text to stay in the processor's cache."""
_GAP = "\0demos"
"""Stands for the demos of a predictor while the rest is written."""
_GAP_TEXT = msgspec.json.encode(_GAP)
_BEFORE, _AFTER = indented(b"[[[[[0]]]]]").split(b"     0")
"""What stands around demos that are written as deep as a document has them: in state, predictors, a path, demos."""


def is_whole(document: dict[str, Any], text: bytes) -> bool:
    """Whether a *document* with lean demos is all that is in *text*; False also for a text in another layout.

    Written piece by piece: for many demos, a second text as large as the first would cost more than its making.
    """
    position = 0
    for piece in _pieces(document):
        if not text.startswith(piece, position):
            return False
        position += len(piece)
    return position == len(text)


def _pieces(document: dict[str, Any]) -> Iterator[bytes | memoryview]:
    """The text of *document*; nothing, where it holds what it must not."""
    predictors: dict[str, Any] = document["state"]["predictors"]
    hollow = {path: {**node, "demos": _GAP} if node["demos"] else node for path, node in predictors.items()}
    frame = indented(msgspec.json.encode({**document, "state": {**document["state"], "predictors": hollow}}))
    demos = [node["demos"] for node in predictors.values() if node["demos"]]
    first, *others = frame.split(_GAP_TEXT)
    if len(others) != len(demos) or is_too_deep(frame):
        return
    yield first
    for each, after in zip(demos, others, strict=True):
        yield b"["
        for start in range(0, len(each), _CHUNK):
            chunk = indented(b"[[[[%b]]]]" % msgspec.json.encode(each[start : start + _CHUNK]))
            yield b",\n" if start else b"\n"
            yield memoryview(chunk)[len(_BEFORE) : -len(_AFTER)]
        yield b"\n    ]"
        yield after
    yield b"\n"

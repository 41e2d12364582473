"""Whether what was read of a text is all that is in it.

msgspec keeps the last of duplicate keys, and leaves out keys that a shape does not name. What was read is written
again, and must come out the same: either would show. Demos with no colon, or no quote, in their words are not even
written: in JSON there is one colon behind each key and a quote at both ends of each string, so a text that has no more
of them than all that was read needs holds nothing else.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from progkit.artifact.counting import counts
from progkit.artifact.encoding import indented, is_too_deep
from progkit.schema import marks

_SAMPLE = 16
"""Demos that are looked at for whether the words of others are likely to hold colons or quotes."""
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
    predictors: dict[str, Any] = document["state"]["predictors"]
    hollow = {path: {**node, "demos": _GAP} if node["demos"] else node for path, node in predictors.items()}
    frame = indented(msgspec.json.encode({**document, "state": {**document["state"], "predictors": hollow}}))
    demos = [node["demos"] for node in predictors.values() if node["demos"]]
    first, *others = (frame + b"\n").split(_GAP_TEXT)
    if len(others) != len(demos) or is_too_deep(frame) or not text.startswith(first):
        return False
    position = len(first)
    kind, likely = _kind(demos)
    for each, other, is_likely in zip(demos, others, likely, strict=True):
        after = b"\n    ]" + other
        position = _end(each, text, position, after, kind if is_likely else None)
        if not text.startswith(after, position):
            return False
        position += len(after)
    return position == len(text)


def _kind(demos: Sequence[Sequence[Any]]) -> tuple[int, list[bool]]:
    """Which of their ``marks`` to count, and for which of the *demos* of predictors that is likely to do.

    One kind for the whole document: with colons here and quotes there, what hides in the one text could stand for what
    is missing in the other.
    """
    found: list[list[bool]] = []
    for each in demos:
        sample = each[:_SAMPLE]
        words = msgspec.json.encode(sample)
        found.append([words.count(mark) == least for mark, least in marks(sample)])
    kinds = list(zip(*found, strict=True)) or [()]
    kind = next((kind for kind, likely in enumerate(kinds) if all(likely)), 0)
    return kind, list(kinds[kind])


def _end(demos: Sequence[Any], text: bytes, position: int, after: bytes, kind: int | None) -> int:
    """Where the *demos* that begin at *position* end, and *after* should begin; the end of *text* if they differ."""
    if kind is not None:
        mark, least = list(marks(demos))[kind]
        end = _expected_end(text, position, after)
        if _has_no_more(text, mark, least, position, end):
            return end
    return _written_end(demos, text, position)


def _expected_end(text: bytes, position: int, after: bytes) -> int:
    """Where *after* stands in *text*, behind *position*."""
    return len(text) - len(after) if text.endswith(after) else text.find(after, position)


def _has_no_more(text: bytes, mark: bytes, least: int, start: int, end: int) -> bool:
    """Whether *text* from *start* to *end* has no more of *mark* than the demos that were read of it need: *least*.

    What surrounds the demos was written, and each piece of it begins with a line break, which stands in no string: so
    it has just the keys and strings that it seems to have. The whole text then has no more of them than were read, and
    so no others, wherever those that were read come from.
    """
    for found in counts(text, (mark,), start, end):
        least -= found
        if least < 0:
            return False
    return least == 0


def _written_end(demos: Sequence[Any], text: bytes, position: int) -> int:
    """Where *demos* end that stand in *text* from *position* on just as they are written; the end of *text* if not."""
    for index in range(0, len(demos), _CHUNK):
        written = indented(b"[[[[%b]]]]" % msgspec.json.encode(demos[index : index + _CHUNK]))
        piece = memoryview(written)[len(_BEFORE) : -len(_AFTER)]
        if not text.startswith(b",\n" if index else b"[\n", position) or not text.startswith(piece, position + 2):
            return len(text)
        position += 2 + len(piece)
    return position

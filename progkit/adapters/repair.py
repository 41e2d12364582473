"""JSON out of what a model wrote: as it stands, mended where it is broken. json_repair's one door."""

import json
import re
from typing import Any

_BRACE = re.compile("[{}]")


def loads(text: str) -> Any:
    """What *text* says as JSON, mended if need be; ``""`` if nothing can be made of it.

    Raises:
        ValueError: if it is nested too deeply.
    """
    try:
        return json.loads(text)
    except ValueError:
        pass
    except RecursionError:
        raise ValueError("nested too deeply") from None
    from json_repair import loads as mend  # heavy, and most replies need no mending

    return mend(text)


def first_object(text: str) -> str | None:
    """The first ``{...}`` of *text* whose braces match, wherever they stand; None if there is none."""
    opened: list[int] = []
    start, end = len(text), 0
    for brace in _BRACE.finditer(text):
        if brace[0] == "{":
            opened.append(brace.start())
        elif opened and (begun := opened.pop()) < start:
            start, end = begun, brace.end()
    return text[start:end] if end else None

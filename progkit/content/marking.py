"""How DSPy writes the parts of a message into text: JSON between two marks.

So they stand in DSPy's files and in the assistant's turns of its prompts. progkit reads them from such
files alone: in what a user writes they are text.
"""

import ast
import json
from typing import Any

BLOCKS_START = "<<CUSTOM-TYPE-START-IDENTIFIER>>"
BLOCKS_END = "<<CUSTOM-TYPE-END-IDENTIFIER>>"


def marked(parts: list[dict[str, Any]]) -> str:
    """*parts* as DSPy's text.

    Raises:
        TypeError, ValueError: if JSON cannot say them.
    """
    return f"{BLOCKS_START}{json.dumps(parts, ensure_ascii=False)}{BLOCKS_END}"


def unmarked(text: str) -> list[dict[str, Any]] | None:
    """The parts that *text* says; None unless it is marked from end to end.

    DSPy up to 3.0.3 wrote them as Python does, later versions as JSON; both are read.
    """
    if not (text.startswith(BLOCKS_START) and text.endswith(BLOCKS_END)):
        return None
    inner = text[len(BLOCKS_START) : -len(BLOCKS_END)]
    try:
        parts = json.loads(inner)
    except (ValueError, RecursionError):
        try:
            parts = ast.literal_eval(inner)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return None
    if not isinstance(parts, list) or not all(isinstance(each, dict) for each in parts):
        return None
    return parts

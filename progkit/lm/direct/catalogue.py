"""What litellm's list says of a model: prices, abilities, kind of endpoint. Read as data; litellm is not imported.

The list lies in litellm's package, three megabytes of JSON. An entry is looked up in the text and it alone is decoded:
a millisecond, once for each model.
"""

import json
import mmap
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_FILE = "model_prices_and_context_window_backup.json"
_OPENING = b'{\n    "'
_END = b"\n    }"


def entry(name: str) -> Mapping[str, Any] | None:
    """The entry of that *name*; None if there is none.

    Of a litellm that is loaded, its own list, with what the program has registered there.
    """
    live = getattr(sys.modules.get("litellm"), "model_cost", None)
    if isinstance(live, dict) and live:
        found = live.get(name)
        return found if isinstance(found, dict) else None
    return _from_file(name)


@lru_cache(maxsize=4096)
def _from_file(name: str) -> Mapping[str, Any] | None:
    spec = find_spec("litellm")
    path = Path(spec.origin).parent / _FILE if spec and spec.origin else None
    return None if path is None or not path.is_file() else entry_in(_text(path), name)


@lru_cache(maxsize=1)
def _text(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def entry_in(text: mmap.mmap | bytes, name: str) -> Mapping[str, Any] | None:
    """The entry of that *name* in the *text* of a list; in one laid out by litellm, without decoding the rest."""
    if text[: len(_OPENING)] != _OPENING:
        found = json.loads(bytes(text)).get(name)
        return found if isinstance(found, dict) else None
    head = b"\n    " + json.dumps(name).encode() + b": {"
    start = text.find(head)
    if start < 0:
        return None
    opening = start + len(head) - 1
    value = json.loads(text[opening : text.find(_END, opening) + len(_END)])
    return value if isinstance(value, dict) else None

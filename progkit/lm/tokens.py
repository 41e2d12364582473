"""How many tokens a text has, counted offline: tiktoken, with the vocabularies that litellm brings as files."""

import os
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

VOCABULARY = "o200k_base"
"""The vocabulary that is counted in: that of OpenAI's models since gpt-4o. Those of others differ by some percent."""
_FILE = "fb374d419588a4632f3f557e76b4b70aebbca790"
"""Its name in tiktoken's directory: the SHA-1 of where tiktoken would fetch it."""
_PLACE = "TIKTOKEN_CACHE_DIR"


def count_tokens(texts: Sequence[str]) -> list[int] | None:
    """The number of tokens of each of *texts*; None where the vocabulary is not at hand. Nothing is fetched."""
    vocabulary = _vocabulary()
    if vocabulary is None:
        return None
    return [len(vocabulary.encode(text, disallowed_special=())) for text in texts]


@cache
def _vocabulary() -> Any:
    """The encoding, or None. litellm is looked for, not imported."""
    directory = os.environ.get(_PLACE)
    if directory is None:
        found = find_spec("litellm")
        if found is None or found.origin is None:
            return None
        directory = str(Path(found.origin).parent / "litellm_core_utils" / "tokenizers")
    if not Path(directory, _FILE).is_file():
        return None
    # A fifth of a second with its vocabulary, for who wants counts alone.
    import tiktoken

    is_set = _PLACE in os.environ
    os.environ[_PLACE] = directory
    try:
        return tiktoken.get_encoding(VOCABULARY)
    finally:
        if not is_set:
            del os.environ[_PLACE]

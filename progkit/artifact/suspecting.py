"""Texts of a document that hold what looks like a credential: told, and left alone, for they are what a prompt says.

Settings are another matter: ``scrubbing`` takes secrets out of them. In prose, words such as "basic" or "token" prove
nothing, so only the forms that a provider gives its keys count, which no word has.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from progkit.schema.paths import Path, show

# Every repetition before something else has an end, so that no text takes the time squared.
_FORMS = {
    "a private key": r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----",
    "an API key": r"\b(?:sk|pk|rk)[-_](?:[A-Za-z]{1,20}[-_]){0,3}"
    r"(?=[A-Za-z]{0,60}[0-9])(?=[0-9]{0,60}[A-Za-z])[A-Za-z0-9_-]{20}"
    r"|\bAIza[A-Za-z0-9_-]{35}|\b(?:gsk_|hf_|xai-|pplx-|r8_)[A-Za-z0-9]{30}",
    "an AWS key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "a token": r"\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_\w{40}|\bglpat-[\w-]{20}|\bxox[abprs]-[\w-]{20}"
    r"|\beyJ[\w-]{10,200}\.eyJ[\w-]{10,500}\.[\w-]{10}",
    "a password in a URL": r"(?<=://)[^\s/:@]{1,100}:[^\s/@]{1,100}@\w",
}
_ANY = re.compile("|".join(f"({each})" for each in _FORMS.values()))


def suspects(document: Mapping[str, Any]) -> list[str]:
    """Where a valid current-version *document* has what looks like a credential: ``["where: what", ...]``; never which.

    Looked at are instructions, descriptions, prefixes, defaults, the values of demos, and parts of other libraries.
    """
    found = []
    state = document["state"]
    for path, predictor in state["predictors"].items():
        texts = {each: predictor[each] for each in ("signature", "demos", "kept") if each in predictor}
        found += _found(texts, (path,))
    return found + _found(state.get("others", {}), ())


def _found(node: Any, path: Path) -> list[str]:
    return [
        f"{_ANY.sub('***', show(place))}: holds what looks like {list(_FORMS)[found.lastindex - 1]}"
        for place, text in _texts(node, path)
        if (found := _ANY.search(text)) and found.lastindex
    ]


def _texts(node: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Every text below *node*, with its place; a key is a text, too."""
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, dict):
        for key, each in node.items():
            yield (*path, key), key
            yield from _texts(each, (*path, key))
    elif isinstance(node, list):
        for index, each in enumerate(node):
            yield from _texts(each, (*path, index))

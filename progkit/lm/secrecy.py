"""Secrets among an LM's parameters: which they are, and how they stay out of what people read."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from progkit.lm.request import CREDENTIALS

_NAMES = re.compile(
    r"api_?key|secret|passw|credential|authorization|private_?key|access_key|(^|_)token(_provider)?$|(^|_)headers$",
    re.IGNORECASE,
)
_SHAPES = re.compile(
    r"(?i:\b(?:bearer|basic)\s+[\w.~+/=*-]{6,})"
    r"|\b(?:sk|pk|rk|xai|gsk|hf|ghp|r8|pplx|AKIA|AIza|eyJ)[-_]?[\w*.-]{12,}"
    r"|(?i:(?<=[?&])(?:api[-_]?key|key|token|signature)=[^&\s]+)"
    r"|(?<=://)[^/\s@]+@"
)
_BLOT = "***"


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    """Whether a parameter, or an environment variable, of this name authenticates."""
    return name in CREDENTIALS or bool(_NAMES.search(name))


def is_reference(value: object) -> bool:
    """Whether *value* is ``{"env": "NAME"}``: not the value itself but where it is."""
    return isinstance(value, Mapping) and set(value) == {"env"} and isinstance(value["env"], str)


def secrets_of(params: Mapping[str, Any]) -> list[str]:
    """Every string in the parameters that authenticate, however deep."""
    return [text for name, value in params.items() if is_secret(name) for text in _strings(value)]


def blot(text: str, secrets: Iterable[str] = ()) -> str:
    """*text* without the *secrets*, the keys in this process's environment, and what looks like a key.

    Of a long secret the first ten characters are enough to give a word away, for servers that
    show the beginning of a key they refuse.
    """
    given = {part for each in secrets for part in (each, *each.split()) if len(part) >= 4}
    for secret in sorted(given, key=len, reverse=True):
        text = text.replace(secret, _BLOT)
        if len(secret) >= 16:
            text = re.sub(re.escape(secret[:10]) + r"[\w*.…-]*", _BLOT, text)
    for name, value in os.environ.items():
        if len(value.strip()) >= 8 and is_secret(name):
            text = text.replace(value.strip(), _BLOT)
    return _SHAPES.sub(_BLOT, text)


def public_url(url: str) -> str:
    """*url* without user and password, and with keys in its query blotted out."""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets around what is no address of version 6
        return _SHAPES.sub(_BLOT, url)
    return _SHAPES.sub(_BLOT, urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _strings(each)

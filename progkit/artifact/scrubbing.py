"""Settings without secrets: what authenticates is taken out before it reaches a file, and told."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from progkit.lm.secrecy import blot, is_reference, is_secret


def scrub(settings: Mapping[str, Any], where: str) -> tuple[dict[str, Any], list[str]]:
    """*settings* without secrets, and what was dropped: ``["where: what", ...]``.

    A secret is known by its name (``api_key``, ``extra_headers``) or its looks (``Bearer ...``, ``sk-...``). In its
    place ``{"env": "NAME"}`` may stand, which is kept. A URL loses its user and password.
    """
    clean: dict[str, Any] = {}
    dropped: list[str] = []
    for name, value in settings.items():
        place = f"{where}.{name}"
        if is_secret(str(name)):
            if _is_by_reference(value):
                clean[name] = value
            elif value is not None:
                dropped.append(f'{place}: a secret; {{"env": "NAME"}} can be saved in its place')
        elif isinstance(value, Mapping) and not is_reference(value):
            clean[name], below = scrub(value, place)
            dropped += below
        elif any(_looks_secret(text) for text in _texts(value)):
            public = _without_user(value)
            if public is None:
                dropped.append(f"{place}: looks like a secret")
            else:
                clean[name] = public
                dropped.append(f"{place}: the user in its URL")
        else:
            clean[name] = value
    return clean, dropped


def _is_by_reference(value: Any) -> bool:
    """Whether *value* only says where secrets are."""
    if isinstance(value, Mapping) and not is_reference(value):
        return bool(value) and all(map(is_reference, value.values()))
    return is_reference(value)


def _looks_secret(text: str) -> bool:
    return blot(text) != text


def _without_user(value: Any) -> str | None:
    """The URL *value* without its user, or None if it is no URL or still looks like a secret."""
    if not isinstance(value, str):
        return None
    parts = urlsplit(value)
    public = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return None if public == value or _looks_secret(public) else public


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for each in value:
            yield from _texts(each)

"""Settings without secrets and without ways out: what authenticates never reaches a file, and what a file says
about where prompts go is not believed. What is taken out is told.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from progkit.lm.endpoint import hosts_of
from progkit.lm.secrecy import blot, is_reference, is_secret

_WAYS_OUT = re.compile(
    r"(^|_)(api_?base|base_?ur[il]|end_?point|ur[il]|host(name)?|prox(y|ies)|model_list|fallbacks?(_dict)?|fallback_models"
    r"|a?client|(custom_)?llm_provider|mock_\w+|callbacks?|logger_fn|router|transport)(_ur[il])?$",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*://")
_TEXTS = frozenset({"stop", "response_format", "tools", "user", "prompt_cache_key"})
"""Settings in which an address is a text like any other."""


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
        elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
            numbered, below = scrub({f"[{index}]": each for index, each in enumerate(value)}, place)
            clean[name] = list(numbered.values())
            dropped += [each.replace(f"{place}.[", f"{place}[") for each in below]
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


def confine(
    settings: Mapping[str, Any], where: str, allowed: Collection[str] = (), beside: Collection[str] = ()
) -> tuple[dict[str, Any], list[str]]:
    """*settings* from a file without what would send prompts elsewhere, and what was dropped: ``["where: what", ...]``.

    An endpoint is known by its name (``api_base``, ``proxies``, ``fallbacks``), however deep, or by its looks. One on
    a host *allowed* (``host`` or ``host:port``) stays. beside: names that are somebody else's to judge.
    """
    clean: dict[str, Any] = {}
    dropped: list[str] = []
    for name, value in settings.items():
        place = f"{where}.{name}"
        if name not in beside and _leads_away(name, value) and not _is_allowed(value, allowed):
            dropped.append(f"{place}: would send prompts elsewhere; allow_hosts=[host] accepts an address")
            continue
        clean[name], below = _confined(value, place, allowed)
        dropped += below
    return clean, dropped


def _confined(value: Any, place: str, allowed: Collection[str]) -> tuple[Any, list[str]]:
    """*value*, a setting that may stay, without the ways out below it."""
    if isinstance(value, Mapping):
        inner: dict[str, Any] = {}
        dropped: list[str] = []
        for name, each in value.items():
            # A schema has properties of any name, which hold schemas: only what holds an address leads anywhere.
            if _WAYS_OUT.search(str(name)) and not isinstance(each, Mapping) and not _is_allowed(each, allowed):
                dropped.append(f"{place}.{name}: would send prompts elsewhere")
                continue
            inner[name], below = _confined(each, f"{place}.{name}", allowed)
            dropped += below
        return inner, dropped
    if isinstance(value, list):
        each_of = [_confined(each, f"{place}[{index}]", allowed) for index, each in enumerate(value)]
        return [each for each, _ in each_of], [told for _, below in each_of for told in below]
    return value, []


def _leads_away(name: str, value: Any) -> bool:
    if value is None:
        return False
    return bool(_WAYS_OUT.search(name)) or (name not in _TEXTS and any(map(_ADDRESS.search, _texts(value))))


def _is_allowed(value: Any, allowed: Collection[str]) -> bool:
    hosts = {each.lower() for each in allowed}
    return isinstance(value, str) and bool(hosts_of(value) & hosts)


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
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
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

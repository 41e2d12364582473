"""Which models are asked directly, and what kind each is: what may be sent to it depends on that."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from progkit.lm.direct.catalogue import entry

PROVIDERS = ("openai", "azure", "hosted_vllm")
"""litellm's names of those that speak chat completions and whose ways are known here."""

_O_SERIES = re.compile(r"o\d")
_VERSION = re.compile(r"gpt-(\d+)(?:\.(\d+))?(?=[.-]|$)")
_NOT_CHAT = ("audio", "realtime", "search", "transcribe", "tts", "codex", "deep-research")
_OF_AZURE = ("o1", "o3", "o4", "o_series/", "gpt-5", "gpt-6", "gpt5_series", "responses/", "claude", "command", "stral")
"""Deployments that litellm treats in ways of their own, by what their names hold."""


class Model(NamedTuple):
    """A model as it is asked.

    provider, name: as litellm parts them. listed: the name is in OpenAI's catalogue. kind: ``plain``, ``o`` (o1, o3,
    ...) or ``gpt-5`` (and later). version: of a GPT, major and minor. abilities: its entry in litellm's list.
    """

    provider: str
    name: str
    listed: bool = False
    kind: str = "plain"
    version: tuple[int, int] = (0, 0)
    abilities: Mapping[str, Any] = {}


def known(model: str) -> Model | None:
    """*model* as it is asked directly; None for one that is not."""
    provider, slash, name = model.partition("/")
    if not slash:
        return _of_openai(model) if _listed(model) else None
    if not name or provider not in PROVIDERS:
        return None
    if provider == "openai":
        return _of_openai(name)
    if provider == "azure" and any(each in name for each in _OF_AZURE):
        return None
    return Model(provider, name)


def _of_openai(name: str) -> Model | None:
    last = name.rpartition("/")[2]
    if name.startswith(("responses/", "ft:")) or any(each in last for each in _NOT_CHAT):
        return None
    listed = _listed(name)
    if (listed or {}).get("mode", "chat") != "chat" or (entry(name) or {}).get("litellm_provider") in _TEXT:
        return None
    if listed and _O_SERIES.match(last):
        return Model("openai", name, True, "o", (0, 0), listed)
    if ("gpt-5" in name or "gpt-6" in name) and "gpt-5-chat" not in last:
        found = _VERSION.match(last)
        version = (int(found[1]), int(found[2] or 0)) if found else (99, 0)
        return Model("openai", name, bool(listed), "gpt-5", version, listed or {})
    return Model("openai", name, bool(listed), "plain", (0, 0), listed or {})


_TEXT = ("text-completion-openai",)


def _listed(name: str) -> Mapping[str, Any] | None:
    found = entry(name)
    return found if found and found.get("litellm_provider") == "openai" else None

"""The head of a document: what kind it is, of which version, and whether this progkit may read it."""

import sys
from collections.abc import Collection
from typing import Any, TypeAlias

from progkit.errors import DocumentError, VersionError
from progkit.schema import dspy, v1_0
from progkit.version import __version__

Version: TypeAlias = tuple[int, int]
"""``(major, minor)`` of a format, not of progkit."""

STATE = "progkit.state"
VERSIONS: tuple[Version, ...] = (v1_0.VERSION,)
"""Every version ever released, oldest first."""
CURRENT = VERSIONS[-1]
"""What this progkit writes."""
FEATURES: frozenset[str] = frozenset()
"""Names that a document may ``require`` and this progkit knows."""


def urn(version: Version) -> str:
    """The stable id of a version's schema."""
    return f"urn:progkit:schema:state:{version[0]}.{version[1]}"


def header() -> dict[str, Any]:
    """The head of a document of the current version; ``saved_with``, ``program`` and ``state`` are to be added."""
    return {
        "$schema": urn(CURRENT),
        "format": STATE,
        "version": list(CURRENT),
        "min_reader": list(CURRENT),
        "requires": [],
    }


def saved_with() -> dict[str, str]:
    """Who writes a document now."""
    return {"progkit": __version__, "python": ".".join(map(str, sys.version_info[:2]))}


def detect(document: Any, source: str = "document") -> tuple[str, Version]:
    """The kind of *document* and its version: ``("progkit.state", (1, 0))``; its body is not looked at.

    ``("dspy.state", (3, 4))`` is a file of DSPy's, ``(0, 0)`` if it does not say of which.

    Raises:
        DocumentError: if it is no kind that this progkit reads.
        VersionError: if it is, but needs another progkit; the version needed is named.
    """
    if not isinstance(document, dict):
        raise DocumentError(source, "", "is not a progkit document: it must be a JSON object")
    if dspy.is_state(document):
        return dspy.KIND, dspy.version_of(document)
    if "format" not in document:
        hint = f'A state file says "format": "{STATE}"'
        raise DocumentError(source, "", "is not a progkit document: it has no 'format'", hint)
    if document["format"] != STATE:
        raise DocumentError(source, "format", f"{document['format']!r} is not {STATE!r}")
    version = version_in(document, "version", source)
    if version[0] > CURRENT[0]:
        raise needs(document, STATE, version, CURRENT, source)
    if version < CURRENT and version not in VERSIONS:
        raise DocumentError(source, "version", f"no progkit ever wrote version {version[0]}.{version[1]}")
    lowest = version_in(document, "min_reader", source)
    if lowest > CURRENT:
        raise needs(document, STATE, lowest, CURRENT, source)
    check_features(document, FEATURES, source)
    if document.get("$schema") != urn(version):
        raise DocumentError(source, "$schema", f"must be {urn(version)!r}, as the version says")
    return STATE, version


def check_features(document: dict[str, Any], known: Collection[str], source: str) -> None:
    """Nothing, if every feature that *document* requires is *known*.

    Raises:
        DocumentError: if that is not said as it should be.
        VersionError: if another progkit is needed.
    """
    requires = document.get("requires")
    if not isinstance(requires, list) or not all(isinstance(each, str) for each in requires):
        raise DocumentError(source, "requires", "must be a list of feature names")
    unknown = [each for each in requires if each not in known]
    if unknown:
        told = ", ".join(map(repr, unknown[:20]))
        reason = f"needs {told}, which this progkit {__version__} does not know"
        raise VersionError(source, "requires", reason, _advice(document))


def version_in(document: dict[str, Any], key: str, source: str) -> Version:
    """The version that stands under *key*: two whole numbers, and ``True`` is none.

    Raises:
        DocumentError: if none does.
    """
    value = document.get(key)
    if isinstance(value, list) and len(value) == 2 and all(type(each) is int and each >= 0 for each in value):
        return value[0], value[1]
    raise DocumentError(source, key, "must be [major, minor], two whole numbers")


def needs(document: dict[str, Any], kind: str, version: Version, current: Version, source: str) -> VersionError:
    """The error for a *document* that only a reader of *version* can read, where the *current* one is older."""
    reads = f"this progkit {__version__} reads up to {current[0]}.{current[1]}"
    reason = f"needs a progkit that reads {kind} {version[0]}.{version[1]}; {reads}"
    return VersionError(source, "version", reason, _advice(document))


def _advice(document: dict[str, Any]) -> str:
    """Which progkit to use, as far as *document* says who wrote it."""
    saved_with = document.get("saved_with")
    writer = saved_with.get("progkit") if isinstance(saved_with, dict) else None
    return f"It was saved with progkit {writer}: use that or a newer one" if isinstance(writer, str) else ""

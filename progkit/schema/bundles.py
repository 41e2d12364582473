"""The manifest of a bundle: its versions, told apart, checked and printed. The files beside it are not looked at.

A version is one module, ``bundle_X_Y``, as in the package's own words. To add one: the module, its line in
``_MODULES``, and from the second on the step to it; a frozen bundle under ``fixtures/bundle/X.Y/``, and
``python -m progkit.schema bundle > schemas/bundle-X.Y.json``.
"""

from typing import Any

from progkit.errors import DocumentError
from progkit.schema import bundle_1_0
from progkit.schema.bundle_1_0 import MANIFEST, MAX_FILES, SIGNATURE
from progkit.schema.head import Version, check_features, needs, version_in
from progkit.schema.inside import fault_in
from progkit.schema.shape import require, strip_unknown
from progkit.schema.steps import Release

__all__ = ["BUNDLE", "CURRENT", "MANIFEST", "MAX_FILES", "SIGNATURE", "VERSIONS", "detect", "fault_in", "header"]
__all__ += ["json_schema", "urn", "validate"]

BUNDLE = "progkit.bundle"
_MODULES: dict[Version, Release] = {bundle_1_0.VERSION: bundle_1_0}
VERSIONS: tuple[Version, ...] = tuple(_MODULES)
"""Every version ever released, oldest first."""
CURRENT = VERSIONS[-1]
"""What this progkit writes."""
FEATURES: frozenset[str] = frozenset()
"""Names that a manifest may ``require`` and this progkit knows."""


def urn(version: Version) -> str:
    """The stable id of a version's schema."""
    return f"urn:progkit:schema:bundle:{version[0]}.{version[1]}"


def header() -> dict[str, Any]:
    """The head of a manifest of the current version; everything from ``saved_with`` on is to be added."""
    return {
        "$schema": urn(CURRENT),
        "format": BUNDLE,
        "version": list(CURRENT),
        "min_reader": list(CURRENT),
        "requires": [],
    }


def detect(document: Any, source: str = "manifest") -> Version:
    """The version of the manifest *document*; its body is not looked at.

    Raises:
        DocumentError: if it is no manifest.
        VersionError: if another progkit is needed; the version needed is named.
    """
    if not isinstance(document, dict) or document.get("format") != BUNDLE:
        raise DocumentError(source, "format", f'is no manifest of a bundle: it does not say "format": "{BUNDLE}"')
    version = version_in(document, "version", source)
    if version[0] > CURRENT[0]:
        raise needs(document, BUNDLE, version, CURRENT, source)
    if version < CURRENT and version not in VERSIONS:
        raise DocumentError(source, "version", f"no progkit ever wrote version {version[0]}.{version[1]}")
    lowest = version_in(document, "min_reader", source)
    if lowest > CURRENT:
        raise needs(document, BUNDLE, lowest, CURRENT, source)
    check_features(document, FEATURES, source)
    if document.get("$schema") != urn(version):
        raise DocumentError(source, "$schema", f"must be {urn(version)!r}, as the version says")
    return version


def validate(document: Any, source: str = "manifest") -> None:
    """Nothing, if *document* is valid as the version it claims.

    A newer minor that this progkit may read is held against the current version, the keys that it alone knows left
    aside; the document keeps them. (A new *role* of a file is no such key: that raises ``min_reader``.)

    Raises:
        DocumentError: with the exact place and the reason.
        VersionError: if another progkit is needed.
    """
    version = detect(document, source)
    module = _MODULES[min(version, CURRENT)]
    if version > CURRENT:
        known, _ = strip_unknown(document, module.Document)
        document = {**known, **header()}
    require(document, module.Document, source)
    module.check(document, source)


def json_schema(version: Version = CURRENT) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a released *version*.

    Raises:
        KeyError: for a version that is none of VERSIONS.
    """
    return _MODULES[version].json_schema()

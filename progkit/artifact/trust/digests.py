"""Digests of bundles: how one is spelled, whole and in one way only."""

import re

LENGTH = len("sha256:") + 64
PATTERN = "^sha256:[0-9a-f]{64}$"
"""With LENGTH as the limit, as ``$`` lets a line break pass."""

_DIGEST = re.compile("sha256:[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """Whether *text* is a digest: not shortened, not in capitals, nothing around it."""
    return _DIGEST.fullmatch(text) is not None

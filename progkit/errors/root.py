"""What every room's errors stand on."""

from collections.abc import Sequence
from difflib import get_close_matches


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """`` (did you mean 'x'?)`` for the nearest of *known*, or nothing."""
    near = get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


class ProgkitError(Exception):
    """The root of the tree: catch it to catch everything of ours."""


class ConfigurationError(ProgkitError):
    """A setting that cannot work: which, why, and what would."""

"""Secrets in what a bundle holds: known by the name they have, by their looks, or because the environment has them.

Stricter about looks than ``lm.secrecy``: what is looked at here is anybody's text and source, and what looks like a
secret ends the save.
"""

import os
import re

from progkit.lm.secrecy import is_secret

_NAMES = re.compile(
    r"(^|_)(api_?key|secret|secret_?key|access_?key|private_?key|passw(or)?d|passphrase|authorization"
    r"|(access|auth|bearer|api|refresh|session)_?token)$",
    re.IGNORECASE,
)
_HARMLESS = re.compile(r"|[A-Z][A-Z0-9_]*|<.*>|\[.*\]|\{.*\}|\*+|\.\.\.|(?i:changeme|none|null)")
"""Values that are the name of a variable, or stand where a secret would."""
_LOOKS = re.compile(
    rb"\bsk-(?:[A-Za-z0-9]{2,8}-){0,3}[A-Za-z0-9_]{20,}"
    rb"|\b(?:hf|gsk|r8|ghp|gho|ghs|github_pat|xai|pplx|glpat)[-_](?=[A-Za-z0-9_]*[0-9])[A-Za-z0-9_]{20,}"
    rb"|\bAKIA[0-9A-Z]{16}\b|\bAIza[\w-]{35}|\bxox[abprs]-[\w-]{10,}"
    rb"|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}"
    rb"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    rb"|(?<=://)[^/\s:@'\"{}]+:[^/\s:@'\"{}]+@"
)
_LENGTH = 12
"""Characters from which on a value of the environment is looked for: shorter ones are words, too."""


class Secrets:
    """What counts as a secret while one bundle is saved."""

    def __init__(self) -> None:
        self._values = [
            value.encode("utf-8", "surrogateescape")
            for name, value in os.environ.items()
            if is_secret(name) and len(value) >= _LENGTH and not value.isalpha()
        ]

    def in_name(self, name: str, value: str) -> bool:
        """Whether *value* is a secret because of the *name* it has."""
        return bool(_NAMES.search(name)) and not _HARMLESS.fullmatch(value)

    def in_text(self, text: str) -> bool:
        """Whether there is one in *text*, by its looks or because a variable of the environment holds it."""
        return self.place_in(text.encode("utf-8", "surrogatepass")) is not None

    def place_in(self, data: bytes) -> int | None:
        """Where the first one in *data* begins; None if there is none."""
        found = _LOOKS.search(data)
        if found:
            return found.start()
        return next((at for at in map(data.find, self._values) if at >= 0), None)

"""What must not be kept, found: e-mail addresses, phone numbers, card numbers, keys. See ``redacting`` for its use."""

import re

from progkit.errors import ConfigurationError, did_you_mean

_KEY = (
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.*?-----END [A-Z ]*PRIVATE KEY-----|.*)"
    r"|\b(?:sk|pk|rk|xai|gsk|hf|ghp|gho|ghs|glpat|pplx|xox[abprs])[-_][\w-]{12,}|\bgithub_pat_\w{20,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{30,}|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*"
    r"|(?i:\b(?:bearer|basic)\s+[\w.~+/=-]{16,})"
)
_EMAIL = r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}\b"
_CARD = r"(?<![\w.+])\d(?:[ -]?\d){12,18}(?![\w])"
_PHONE = (
    r"(?<![\w.+])\+\d{1,3}(?:[ ./-]?\(?\d{1,5}\)?){2,6}(?!\w)"
    r"|(?<![\w.+-])(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-])"
    r"|(?<![\w.+-])\(?0\d{1,4}\)?(?:[ /-]\d{2,8}){1,4}(?![\w-])"
)
_PATTERNS = {"key": re.compile(_KEY, re.DOTALL), "email": re.compile(_EMAIL)}
_PATTERNS |= {"card": re.compile(_CARD), "phone": re.compile(_PHONE)}

_OPENINGS = (
    *(
        f"{name}{sign}"
        for name in ("sk", "pk", "rk", "xai", "gsk", "hf", "ghp", "gho", "ghs", "glpat")
        for sign in "-_"
    ),
    *("pplx", "xox", "github_pat_", "akia", "asia", "aiza", "eyj", "private key", "bearer", "basic"),
)
_NUMBER = re.compile(r"\d(?:[ ./()-]{0,3}\d){7}")


def _has_number(text: str) -> bool:
    return _NUMBER.search(text) is not None


def _has_opening(text: str) -> bool:
    lowered = text.lower()
    return any(each in lowered for each in _OPENINGS)


_MAY_HAVE = {"key": _has_opening, "email": lambda text: "@" in text, "card": _has_number, "phone": _has_number}
"""Whether to look closer: most texts have none of it, and this runs at every call, hit or not."""

_PASSES = 10
"""How often a text is gone through at most: what stands beside a replacement may only then look like an address."""


class Redactor:
    r"""A hook that puts ``[email]``, ``[phone]``, ``[card]`` and ``[key]`` in the place of what looks like one.

    kinds: which of them; none named means all. own: patterns by name, each replaced by the name in brackets, before
    the others: ``Redactor("email", ticket=r"TCK-\d+")``. Patterns see looks, not meaning: they miss what is written
    in words, and take some numbers for phone numbers.

    Raises:
        ConfigurationError: for a kind that there is not, or a pattern that is none or finds a replacement.
    """

    def __init__(self, *kinds: str, **own: str) -> None:
        for kind in kinds:
            if kind not in _PATTERNS:
                raise ConfigurationError(
                    f"no kind {kind!r}{did_you_mean(kind, list(_PATTERNS))}: {', '.join(_PATTERNS)}"
                )
        chosen = {name: each for name, each in _PATTERNS.items() if not kinds or name in kinds}
        self._patterns = {name: _compiled(name, pattern) for name, pattern in own.items()} | chosen

    def __repr__(self) -> str:
        return f"Redactor({', '.join(self._patterns)})"

    def __call__(self, text: str) -> str:
        """*text* without them."""
        for _ in range(_PASSES):
            before, text = text, self._once(text)
            if text == before:
                break
        return text

    def _once(self, text: str) -> str:
        for name, pattern in self._patterns.items():
            if name in _MAY_HAVE and not _MAY_HAVE[name](text):
                continue
            if name == "card":
                text = pattern.sub(lambda found: "[card]" if _is_card(found[0]) else found[0], text)
            elif name == "phone":
                text = pattern.sub(lambda found: "[phone]" if _is_phone(found[0]) else found[0], text)
            else:
                text = pattern.sub(f"[{name}]", text)
        return text


def _compiled(name: str, pattern: str) -> re.Pattern[str]:
    if name in _PATTERNS:
        raise ConfigurationError(f"{name} is a kind already: give your own pattern another name")
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise ConfigurationError(f"{name}={pattern!r} is no pattern: {error}") from None
    for replacement in (f"[{each}]" for each in (name, *_PATTERNS)):
        if found.search(replacement):
            raise ConfigurationError(f"{name}={pattern!r} finds a replacement, {replacement}")
    return found


def _digits(text: str) -> list[int]:
    return [int(each) for each in text if each.isdecimal()]


def _is_card(text: str) -> bool:
    """Whether the digits pass the check of ISO/IEC 7812 (Luhn), and are not all the same."""
    digits = _digits(text)
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_phone(text: str) -> bool:
    """Whether there are as many digits as ITU-T E.164 allows, and more than a date has."""
    return 8 + (text[0] != "+") <= len(_digits(text)) <= 15

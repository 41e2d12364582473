"""Secrets in what a bundle holds: known by the name they have, by their looks, or because the environment has them.

Stricter about looks than ``lm.secrecy``: what is looked at here is anybody's text and source, and what looks like a
secret ends the save.
"""

import ast
import inspect
import os
import re
from collections.abc import Iterator, Mapping
from types import CellType, FunctionType
from typing import Any

from progkit.lm.secrecy import is_secret

_NAMES = re.compile(
    r"(^|_)(api_?key|secret|secret_?key|access_?key|private_?key|passw(or)?d|passphrase|authorization"
    r"|(access|auth|bearer|api|refresh|session)_?token)s?$",
    re.IGNORECASE,
)
_WEAK_NAMES = re.compile(r"(^|_)(token|pwd|pass|auth|cookie|credential)s?$", re.IGNORECASE)
"""Names that also mean something else: what has one is a secret if it looks random."""
_RANDOM = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[!-~]{8,}")
_PATH = re.compile(r"[a-z0-9_.:~-]*[/.][a-z0-9_./:~-]*")
"""Where a secret is, perhaps, and none itself: capitals are rare there."""
_LONG = 16
"""Characters from which on what looks random under a weak name is a secret."""
_HARMLESS = re.compile(r"|[A-Z][A-Z0-9_]*|<.*>|\[.*\]|\{.*\}|\*+|\.\.\.|(?i:changeme|none|null)")
"""Values that are the name of a variable, or stand where a secret would."""
_LOOKS = re.compile(
    rb"\bsk-(?:[A-Za-z0-9]{2,8}-){0,3}[A-Za-z0-9_]{20,}"
    rb"|\b(?:hf|gsk|r8|ghp|gho|ghs|github_pat|xai|pplx|glpat)[-_](?=[A-Za-z0-9_]*[0-9])[A-Za-z0-9_]{20,}"
    rb"|\bAKIA[0-9A-Z]{16}\b|\bAIza[\w-]{35}|\bxox[abprs]-[\w-]{10,}"
    rb"|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}"
    rb"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    rb"|(?<=://)[^/\s:@'\"{}]+:[^/\s:@'\"{}]+@"
    rb"|\b(?:[Bb]earer|BEARER)[ \t]+(?=[\w.~+/=-]*[0-9])[\w.~+/=-]{20,}"
    rb"|\b(?:[Bb]asic|BASIC)[ \t]+(?=[\w+/]*[0-9])(?=[\w+/]*[a-z])(?=[\w+/]*[A-Z])[\w+/]{12,}={0,2}"
    rb"|[?&](?:api[-_]?key|access_token|token|sig|signature)=(?=[^&\s'\"{}]{0,200}[0-9])[^&\s'\"{}]{12,}"
    rb"|[?&]key=(?=[\w-]*[0-9])(?=[\w-]*[A-Z])[\w-]{12,}"
)
_EMPTY = CellType()
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

    def in_name(self, name: str, value: Any) -> bool:
        """Whether *value*, a text or what holds some, is a secret because of the *name* it has."""
        plain = name.replace("-", "_")
        is_strong = bool(_NAMES.search(plain))
        if is_strong and isinstance(value, (str, bytes, bytearray)):
            return not all(map(_HARMLESS.fullmatch, _texts(value)))
        least = 0 if is_strong else _LONG
        is_any = is_strong or bool(_WEAK_NAMES.search(plain))
        return is_any and any(len(each) >= least and _RANDOM.fullmatch(each) for each in _texts(value))

    def in_text(self, text: str) -> bool:
        """Whether there is one in *text*, by its looks or because a variable of the environment holds it."""
        return self.place_in(text.encode("utf-8", "surrogatepass")) is not None

    def place_in(self, data: bytes) -> int | None:
        """Where the first one in *data* begins; None if there is none."""
        found = _LOOKS.search(data)
        return found.start() if found else self.place_of_value(data)

    def place_of_value(self, data: bytes) -> int | None:
        """Where the value of a variable of the environment begins in *data*, if that is a secret; else None."""
        return next((at for at in map(data.find, self._values) if at >= 0), None)


def parts_with_names(thing: Any) -> Iterator[tuple[str, Any]]:
    """What in *thing* has a name that its pickle does not say: in a function, a parameter, a named tuple."""
    if isinstance(thing, FunctionType):
        code, defaults = thing.__code__, thing.__defaults__ or ()
        names = code.co_varnames[: code.co_argcount]
        yield from zip(names[len(names) - len(defaults) :], defaults, strict=True)
        filled = [None if each == _EMPTY else each.cell_contents for each in thing.__closure__ or ()]
        yield from zip(code.co_freevars, filled, strict=True)
    elif isinstance(thing, inspect.Parameter):
        yield thing.name, thing.default
    elif isinstance(thing, tuple):
        yield from zip(getattr(thing, "_fields", ()), thing, strict=False)


def line_in(tree: ast.Module) -> int | None:
    """The line of the first text in a source that looks random and has a secret's name; None if there is none."""
    found = [text.lineno for name, text in _named_texts(tree) if _NAMES.search(name.replace("-", "_"))]
    return min(found, default=None)


def _named_texts(tree: ast.Module) -> Iterator[tuple[str, ast.Constant]]:
    """The texts in a source that look random, each with the name it is given: by assignment, key, keyword, default."""
    for name, value in _named_values(tree):
        text = value.value if isinstance(value, ast.Constant) else None
        if not isinstance(text, str) or not _RANDOM.fullmatch(text):
            continue
        if not (_HARMLESS.fullmatch(text) or _PATH.fullmatch(text)):
            yield name, value


def _named_values(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets, value):
                yield from ((_name(each), value) for each in targets)
            case ast.AnnAssign(target, _, value):
                yield _name(target), value
            case ast.keyword(str(name), value):
                yield name, value
            case ast.Dict(keys, values):
                yield from ((_name(each), value) for each, value in zip(keys, values, strict=True))
            case ast.arguments():
                arguments = [*node.posonlyargs, *node.args]
                given = zip(arguments[len(arguments) - len(node.defaults) :], node.defaults, strict=True)
                yield from ((each.arg, value) for each, value in given)
                yield from ((each.arg, value) for each, value in zip(node.kwonlyargs, node.kw_defaults, strict=True))


def _name(node: ast.expr | None) -> str:
    match node:
        case ast.Name(name) | ast.Attribute(_, name) | ast.Constant(str(name)):
            return name
        case ast.Subscript(_, inner):
            return _name(inner)
    return ""


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (bytes, bytearray)):
        yield value.decode("latin-1")
    elif type(value) in (list, tuple, set, frozenset):
        yield from (text for each in value if isinstance(each, (str, bytes)) for text in _texts(each))
    elif isinstance(value, Mapping):
        yield from (text for each in value.values() if isinstance(each, (str, bytes)) for text in _texts(each))

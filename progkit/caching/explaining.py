"""Why a request missed: the fields in which two requests differ, as their keys see them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from progkit.caching import canonical
from progkit.caching.key import ENDPOINTS, LEFT_OUT, cache_key, without_user
from progkit.errors import ConfigurationError, UncacheableError
from progkit.lm.secrecy import blot, is_secret

EXCERPT = 30
"""Characters shown on each side of the place where two texts part."""

Kind = Literal["changed", "only in A", "only in B"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One place, *where* (``messages[2].content``, ``temperature``), in which requests A and B differ.

    a, b: what stands there, in the form that is hashed; None where nothing does. at: of two texts, the number of the
    first character that differs.
    """

    where: str
    kind: Kind
    a: Any = None
    b: Any = None
    at: int | None = None

    def __str__(self) -> str:
        if self.kind != "changed":
            return f"{self.where}: {self.kind}: {_shown(self.a if self.kind == 'only in A' else self.b)}"
        if self.at is None:
            return f"{self.where}: A {_shown(self.a)}, B {_shown(self.b)}"
        a, b = _excerpt(self.a, self.at), _excerpt(self.b, self.at)
        return f"{self.where}: from character {self.at} on\n  A {a}\n  B {b}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with what looks like a key blotted out."""
        a, b = _blotted(self.a), _blotted(self.b)
        return {"where": self.where, "kind": self.kind, "a": a, "b": b, "at": self.at}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What sets two requests apart.

    keys: of A and of B, None for one that has none. differences: all that makes the keys differ. left_out: names of
    parameters that differ and are no part of a key (credentials, transport). uncacheable: for each request that has no
    key, why.
    """

    keys: tuple[str | None, str | None]
    differences: list[Difference]
    left_out: list[str]
    uncacheable: list[str]

    @property
    def same(self) -> bool:
        """Whether one finds what the other has kept."""
        return self.keys[0] is not None and self.keys[0] == self.keys[1]

    def __str__(self) -> str:
        lines = ["the same key: one finds what the other has kept" if self.same else "different keys"]
        lines += self.uncacheable
        lines += [line for each in self.differences for line in str(each).splitlines()]
        if self.left_out:
            lines.append(f"no part of a key, though different: {', '.join(self.left_out)}")
        return "\n  ".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        return {
            "same": self.same,
            "keys": list(self.keys),
            "differences": [each.to_dict() for each in self.differences],
            "left_out": self.left_out,
            "uncacheable": self.uncacheable,
        }


def explain_miss(a: Mapping[str, Any], b: Mapping[str, Any]) -> Explanation:
    """The fields that give requests *a* and *b* different keys.

    a, b: a ``Request``, or a mapping of ``messages`` and the parameters, as ``dict(request)`` gives it. Credentials are
    compared by name and never shown.

    Raises:
        ConfigurationError: for what is no request.
    """
    named = {"A": _request(a, "A"), "B": _request(b, "B")}
    keys: list[str | None] = []
    uncacheable = []
    for name, request in named.items():
        try:
            keys.append(cache_key(request))
        except UncacheableError as error:
            keys.append(None)
            uncacheable.append(f"{name} is {error}")
    first, second = named.values()
    found, left_out = [], []
    for name in dict.fromkeys((*first, *second)):
        here, there = _plain(first, name), _plain(second, name)
        differences = list(_compare(name, here, there))
        if differences and name in LEFT_OUT:
            left_out.append(name)
        elif is_secret(name):
            found += [Difference(name, each.kind, "***", "***") for each in differences[:1]]
        else:
            found += differences
    return Explanation((keys[0], keys[1]), found, left_out, uncacheable)


class _Nothing:
    """Stands where a request has no such field."""


_NOTHING = _Nothing()


def _request(given: Any, name: str) -> dict[str, Any]:
    if not isinstance(given, Mapping) or not isinstance(given.get("messages"), (list, tuple)):
        raise ConfigurationError(
            f'{name} is no request: that is an object with "messages" and the parameters, as dict(request) gives it'
        )
    return dict(given)


def _plain(request: Mapping[str, Any], name: str) -> Any:
    """The value of *name* as it is hashed; what cannot be is shown as it prints."""
    value = request.get(name, _NOTHING)
    if value is _NOTHING:
        return value
    if name in ENDPOINTS and isinstance(value, str):
        return without_user(value)
    try:
        return canonical.plain(value)
    except UncacheableError:
        return repr(value)


def _compare(where: str, a: Any, b: Any) -> Iterator[Difference]:
    if a is _NOTHING:
        yield Difference(where, "only in B", b=b)
    elif b is _NOTHING:
        yield Difference(where, "only in A", a=a)
    elif type(a) is dict and type(b) is dict:
        for name in sorted(a.keys() | b.keys()):
            yield from _compare(f"{where}.{name}", a.get(name, _NOTHING), b.get(name, _NOTHING))
    elif type(a) is list and type(b) is list:
        yield from _compare_lists(where, a, b)
    elif type(a) is str and type(b) is str:
        if a != b:
            alike = zip(a, b, strict=False)
            at = next((at for at, (one, other) in enumerate(alike) if one != other), min(len(a), len(b)))
            yield Difference(where, "changed", a, b, at)
    elif a != b or (type(a) is bool) is not (type(b) is bool):  # True equals 1, and is hashed otherwise
        yield Difference(where, "changed", a, b)


def _compare_lists(where: str, a: list[Any], b: list[Any]) -> Iterator[Difference]:
    """Item by item, once what is alike at the end has been set aside: a demo more is a demo more."""
    start, least = 0, min(len(a), len(b))
    while start < least and _alike(a[start], b[start]):
        start += 1
    tail = 0
    while tail < least - start and _alike(a[-1 - tail], b[-1 - tail]):
        tail += 1
    for number in range(start, max(len(a), len(b)) - tail):
        one = a[number] if number < len(a) - tail else _NOTHING
        other = b[number] if number < len(b) - tail else _NOTHING
        yield from _compare(f"{where}[{number}]", one, other)


def _alike(a: Any, b: Any) -> bool:
    return next(_compare("", a, b), None) is None


def _blotted(value: Any) -> Any:
    if isinstance(value, str):
        return blot(value)
    if isinstance(value, dict):
        return {name: "***" if is_secret(name) else _blotted(each) for name, each in value.items()}
    return [_blotted(each) for each in value] if isinstance(value, list) else value


def _shown(value: Any) -> str:
    text = repr(_blotted(value))
    return text if len(text) <= 4 * EXCERPT else f"{text[: 4 * EXCERPT]} ... ({len(text)} characters)"


def _excerpt(text: str, at: int) -> str:
    if blot(text) != text:
        return "holds what looks like a key, and is not shown"  # which a part of it would not look like
    start, end = max(at - EXCERPT, 0), at + EXCERPT
    return f"{'... ' if start else ''}{text[start:end]!r}{' ...' if end < len(text) else ''}"

"""A merge with conflicts as text: the canonical form, each conflict between git's markers.

Whoever keeps one side of every conflict has a canonical text again: a comma that only one of the sides needs stands
between the markers, too.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from progkit.artifact.encoding import canonical, indented
from progkit.artifact.merging.threeway import MISSING, Clash, Split

Chunk: TypeAlias = tuple[list[str], list[str]]
"""Lines as ours has them, and as theirs."""


def marked(document: dict[str, Any], labels: tuple[str, str] = ("ours", "theirs"), size: int = 7) -> bytes:
    """The text of a merged *document* with conflicts; *size* is the length of a marker.

    labels: the names of our side and theirs.
    """
    told: list[str] = []
    for ours, theirs in _joined(_value(document, "", 0)):
        if ours == theirs:
            told += ours
        else:
            told += [f"{'<' * size} {labels[0]}", *ours, "=" * size, *theirs, f"{'>' * size} {labels[1]}"]
    return "".join(f"{line}\n" for line in told).encode()


def resolved(node: Any, ours: bool) -> Any:
    """*node* as one side has it."""
    if isinstance(node, Clash):
        return node.ours if ours else node.theirs
    if isinstance(node, dict):
        parts = {key: resolved(value, ours) for key, value in node.items()}
        return {key: value for key, value in parts.items() if value is not MISSING}
    if isinstance(node, list):
        return [each for entry in node for each in _side(entry, ours)]
    return node


def _side(entry: Any, ours: bool) -> list[Any]:
    if isinstance(entry, Split):
        return entry.ours if ours else entry.theirs
    return [resolved(entry, ours)]


def _joined(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """*chunks* with those that differ and follow each other as one."""
    mine: list[str] = []
    others: list[str] = []
    for ours, theirs in chunks:
        if ours == theirs:
            if mine or others:
                yield mine, others
                mine, others = [], []
            yield ours, theirs
        else:
            mine, others = mine + ours, others + theirs


def _value(node: Any, start: str, depth: int) -> Iterator[Chunk]:
    """The lines of *node*, the first of which begins with *start*."""
    if not _is_open(node):
        lines = _plain(node, start, depth)
        yield lines, lines
        return
    sides = resolved(node, True), resolved(node, False)
    if not all(sides):
        # An empty container is one line, a full one several: the two have no line in common.
        yield _plain(sides[0], start, depth), _plain(sides[1], start, depth)
        return
    yield ([f"{start}{'{' if isinstance(node, dict) else '['}"],) * 2
    entries = list(_entries(node))
    ends = [max(index for index, each in enumerate(entries) if each[side] is not MISSING) for side in (1, 2)]
    for index, (name, ours, theirs, inner) in enumerate(entries):
        commas = [index < end for end in ends]
        head = f"{' ' * (depth + 1)}{name}"
        if inner is not MISSING:
            yield from _with_commas(list(_value(inner, head, depth + 1)), commas)
            continue
        chunk = tuple(_plain(side, head, depth + 1) if side is not MISSING else [] for side in (ours, theirs))
        yield from _with_commas([(chunk[0], chunk[1])], commas)
    yield ([f"{' ' * depth}{'}' if isinstance(node, dict) else ']'}"],) * 2


Entry: TypeAlias = tuple[str, Any, Any, Any]
"""How an entry of a container begins, what each side has there, and the node if both have it."""


def _entries(node: Any) -> Iterator[Entry]:
    if isinstance(node, dict):
        for key in sorted(node):
            name, value = f"{canonical(key).decode()}: ", node[key]
            if isinstance(value, Clash):
                yield name, value.ours, value.theirs, MISSING
            else:
                yield name, None, None, value
        return
    for entry in node:
        if isinstance(entry, Split):
            yield from (("", each, MISSING, MISSING) for each in entry.ours)
            yield from (("", MISSING, each, MISSING) for each in entry.theirs)
        else:
            yield "", None, None, entry


def _with_commas(chunks: list[Chunk], commas: list[bool]) -> Iterator[Chunk]:
    """*chunks* of an entry; on each side, a comma after its last line where another entry follows."""
    *first, (ours, theirs) = chunks
    yield from first
    ends = [[f"{line}{',' * comma}" for line in side[-1:]] for side, comma in zip((ours, theirs), commas, strict=True)]
    if ours == theirs:
        yield ours[:-1], theirs[:-1]
        yield ends[0], ends[1]
    else:
        yield ours[:-1] + ends[0], theirs[:-1] + ends[1]


def _plain(node: Any, start: str, depth: int) -> list[str]:
    first, *rest = indented(canonical(node)).decode().split("\n")
    return [f"{start}{first}", *(f"{' ' * depth}{line}" for line in rest)]


def _is_open(node: Any) -> bool:
    """Whether there is a conflict inside *node*."""
    if isinstance(node, Mapping):
        return any(isinstance(each, Clash) or _is_open(each) for each in node.values())
    return isinstance(node, list) and any(isinstance(each, Split) or _is_open(each) for each in node)

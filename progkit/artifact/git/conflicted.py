"""A state file with git's conflict markers as text: what both sides have in common once, markers around the rest."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import TypeAlias

from progkit import schema
from progkit.artifact.decoding import decode
from progkit.artifact.printing import printed
from progkit.errors import DocumentError

_BEGIN = re.compile(r"(<{7,})(?: (.*))?")

Sides: TypeAlias = tuple[list[str], list[str]]


def shown(text: str, source: str) -> str:
    """What ``printing.printed`` says of both sides of *text*, the content of the file *source*, merged by lines.

    Raises:
        DocumentError: if it has no markers as git writes them, or a side is no valid document.
    """
    size, labels, sides = _parted(text.splitlines(), source)
    ours, theirs = (_printed(each, source) for each in sides)
    return "".join(f"{line}\n" for line in _merged(ours, theirs, labels, size))


def _parted(lines: Sequence[str], source: str) -> tuple[int, tuple[str, str], Sides]:
    """The length of the markers in *lines*, what they call the sides, and the lines of each side."""
    found = next(filter(None, map(_BEGIN.fullmatch, lines)), None)
    if found is None:
        raise DocumentError(source, "", "holds no conflict")
    size, mine, other = len(found[1]), found[2] or "ours", "theirs"
    follows = {"<": "ours", "|": "base", "=": "theirs", ">": "both"}
    allowed = {"both": "<", "ours": "|=", "base": "=", "theirs": ">"}
    at = "both"
    sides: dict[str, list[str]] = {"ours": [], "theirs": [], "base": []}
    for number, line in enumerate(lines, 1):
        mark = line[:1] if re.fullmatch(rf"([<|=>])\1{{{size - 1}}}(?: .*)?", line) else ""
        if not mark:
            for side in ("ours", "theirs") if at == "both" else (at,):
                sides[side].append(line)
            continue
        if mark not in allowed[at]:
            raise DocumentError(source, f"line {number}", "is a conflict marker where none can be")
        at = follows[mark]
        other = line[size + 1 :] or other if mark == ">" else other
    if at != "both":
        raise DocumentError(source, "", "ends within a conflict")
    return size, (mine, other), (sides["ours"], sides["theirs"])


def _printed(lines: Sequence[str], source: str) -> list[str]:
    document = schema.migrate(decode("".join(f"{line}\n" for line in lines).encode(), source), source)
    return printed(document).splitlines()


def _merged(ours: list[str], theirs: list[str], labels: tuple[str, str], size: int) -> Iterator[str]:
    for kind, start, end, from_, to in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if kind == "equal":
            yield from ours[start:end]
            continue
        yield f"{'<' * size} {labels[0]}"
        yield from ours[start:end]
        yield "=" * size
        yield from theirs[from_:to]
        yield f"{'>' * size} {labels[1]}"

"""The lines of ``.gitattributes`` that are ours: a block between two comments, all else left byte for byte."""

import re
from collections.abc import Iterable, Sequence

from progkit.errors import ConfigurationError

STATE = "-text diff=progkit merge=progkit"
"""What a state file has: no line ending is translated, it is compared and merged by meaning."""
BUNDLED = "-text"
"""What every file of a bundle has: its manifest says their bytes."""

_BEGIN = "# progkit: saved programs, compared and merged by meaning (written by: progkit git install)"
_END = "# progkit: end"
_BLOCK = re.compile(rf"^{re.escape(_BEGIN)}\r?\n(.*?)^{re.escape(_END)}(?:\r?\n|\Z)", re.MULTILINE | re.DOTALL)


def lines_in(text: str) -> list[str]:
    """The lines of our block in *text*."""
    found = _BLOCK.search(text)
    return found[1].splitlines() if found else []


def with_lines(text: str, lines: Sequence[str]) -> str:
    """*text* with a block of *lines*: in the place of the one that is there, else at the end; none for no lines."""
    block = "".join(f"{line}\n" for line in [_BEGIN, *lines, _END]) if lines else ""
    if _BLOCK.search(text):
        return _BLOCK.sub(lambda _: block, text, count=1)
    return f"{text}{'' if text.endswith(chr(10)) or not text else chr(10)}{block}"


def line(pattern: str, attributes: str = STATE) -> str:
    """The line that gives *attributes* to the files of a *pattern*.

    Raises:
        ConfigurationError: for a pattern that gitattributes cannot say.
    """
    if not pattern.strip() or "\n" in pattern or pattern.startswith("!"):
        raise ConfigurationError(f"{pattern!r} is no pattern of .gitattributes (no line breaks, no ! at the start)")
    needs_quotes = re.search(r'[\s"#]', pattern) or pattern.startswith("[attr]")
    quoted = pattern.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return f'"{quoted}" {attributes}' if needs_quotes else f"{pattern} {attributes}"


def patterns_of(paths: Iterable[str]) -> list[str]:
    """The patterns that match just these *paths*, from the top of the repository; ``?`` for a line break in one."""
    escaped = (re.sub(r"([][*?])", _escaped, path.replace(chr(92), chr(92) * 2)) for path in paths)
    return [f"/{each}".replace("\n", "?") for each in escaped]


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[1]}"

"""What a bundle says of itself, fit to be printed: its texts are its author's, who may be nobody's friend."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from progkit.artifact.bundle.opening import Opened

_LONGEST = 200


def printable(text: str) -> str:
    """*text* on one line: what a terminal would obey, or what looks like other text, is spelled out."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def plain(text: str) -> str:
    """*text* as ``printable``, and not too long."""
    shown = printable(text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."


def contents(opened: "Opened") -> dict[str, Any]:
    """What is in the bundle: ``program``, ``portability``, ``sources`` (paths), ``dependencies``, ``by_value``...

    Raw, for ``plain``.
    """
    manifest = opened.manifest
    return {
        "program": manifest["program"],
        "portability": manifest["portability"],
        "sources": sorted(path for path, file in manifest["files"].items() if file["role"] == "source"),
        "by_value": list(manifest["by_value"]),
        "left_out": dict(manifest["left_out"]),
        "dependencies": [f"{each['name']}=={each['version']}" for each in manifest["dependencies"] if each["direct"]],
        "files": len(opened.files),
        "bytes": sum(map(len, opened.files.values())),
    }


def brief(opened: "Opened") -> str:
    """Class, number of source files and portability, in a line."""
    held = contents(opened)
    count = len(held["sources"])
    sources = f"{count} source file{'' if count == 1 else 's'}"
    return f"{plain(held['program'])}, {sources}, portability {held['portability']}"

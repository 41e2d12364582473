"""A document as text for people and for git: a line for everything that may change, and nothing said twice.

Two documents have the same text if they are the same. A value stands as it is where it cannot be mistaken; text
that looks like something else, or holds what a terminal would obey, is written as JSON.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from progkit.schema import split_unknown
from progkit.schema.paths import show

_WORD = re.compile(r"[\w.\[\]\"'/-]+")
_BLOCK = "|"
_MEANT = re.compile(r"[{\[\"].*|\||true|false|null|-?\d+(\.\d+)?(e[+-]?\d+)?", re.IGNORECASE)
"""A text that could be taken for another value, or for the mark of a text in several lines."""


def printed(document: dict[str, Any]) -> str:
    """The text of a valid *document* of the current version, or of a newer minor."""
    return "".join(f"{line}\n" for line in _lines(document))


def _lines(document: dict[str, Any]) -> Iterator[str]:
    known, extras = split_unknown(document)
    saved, version = document["saved_with"], ".".join(map(str, document["version"]))
    yield f"{document['format']} {version}"
    yield f"saved with progkit {_line(saved['progkit'])}, Python {_line(saved['python'])}"
    yield f"program {_line(known['program'])}"
    yield from _named("origin", known.get("origin", {}), "")
    for path, node in sorted(known["state"]["predictors"].items()):
        yield ""
        yield f"predictor {_word(path)}"
        yield from _predictor(node)
    for path, node in sorted(known["state"].get("others", {}).items()):
        yield ""
        yield f"part {_word(path)}"
        yield from _value("  data", node, "  ")
    yield from ([""] if extras else [])
    for place, value in sorted((show(path), value) for path, value in extras):
        yield from _value(f"unknown {place}", value, "")


def _predictor(node: Mapping[str, Any]) -> Iterator[str]:
    signature = node["signature"]
    yield f"  signature {_line(signature['name'])}"
    yield "  instructions"
    yield from (f"    {_line(line)}".rstrip() for line in signature["instructions"])
    for name in signature["order"]:
        yield from _field(name, signature["fields"][name])
    if "guessed" in signature:
        yield f"  guessed {_json(signature['guessed'])}"
    for part in ("config", "lm", "kept"):
        yield from _named(part, node.get(part) or {}, "  ")
    if "kept" in node and not node["kept"]:
        yield "  kept nothing"
    if "layout" in node:
        yield f"  layout {_line(node['layout'])}"
    for demo in node["demos"]:
        inputs = f" (inputs {', '.join(map(_word, demo['inputs']))})" if "inputs" in demo else ""
        yield f"  demo {demo['id']}{inputs}"
        for name, value in sorted(demo["values"].items()):
            yield from _value(f"    {_word(name)}:", value, "    ")


def _field(name: str, field: Mapping[str, Any]) -> Iterator[str]:
    yield f"  {field['role'] or 'field'} {_word(name)}: {_line(field['type'])}"
    for part in ("prefix", "desc", "constraints", "default"):
        if part in field and (part, field[part]) != ("constraints", {}):
            yield from _value(f"    {part}", field[part], "    ")


def _named(part: str, values: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, value in sorted(values.items()):
        yield from _value(f"{indent}{part} {_word(name)}:", value, indent)


def _value(start: str, value: Any, indent: str) -> Iterator[str]:
    """The lines of *value* after *start*; of a text in several lines, each on one of its own."""
    if isinstance(value, str) and "\n" in value:
        yield f"{start} {_BLOCK}"
        yield from (f"{indent}  {_line(line)}".rstrip() for line in value.split("\n"))
    else:
        yield f"{start} {_said(value)}"


def _said(value: Any) -> str:
    """*value* in one line."""
    if not isinstance(value, str):
        return _json(value)
    return _quoted(value) if not value or value[0] == " " or _MEANT.fullmatch(value) else _line(value)


def _line(line: str) -> str:
    """A line of a text as it is; as JSON if it begins like that, or holds or ends in what does not show."""
    is_plain = line.replace("\t", "").isprintable() and line == line.rstrip() and not line.startswith('"')
    return line if is_plain else _quoted(line)


def _word(name: str) -> str:
    return name if _WORD.fullmatch(name) and name.isprintable() else _quoted(name)


def _quoted(text: str) -> str:
    # A character that changes how others are shown (a direction, an escape) is spelled out.
    return json.dumps(text, ensure_ascii=not all(each.isprintable() for each in text))


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if text.isprintable() else json.dumps(value, sort_keys=True)

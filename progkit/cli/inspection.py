"""``progkit inspect``: what a file holds, read as data."""

import argparse
import json
from typing import Any

from progkit import artifact
from progkit.cli.layouts import laid
from progkit.cli.migration import tell


def run(options: argparse.Namespace) -> int:
    """Print the file's header and, for each predictor, what it has learned."""
    received = artifact.receive(options.file)
    document = laid(received.document)
    tell({"dropped": received.dropped, "notes": received.notes})
    if options.json:
        print(json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True))
        return 0
    version = f" {'.'.join(map(str, document['version']))}" if received.kind == document["format"] else ""
    saved = document["saved_with"]
    print(f"{options.file}: {received.kind}{version}")
    print(f"  program    {document['program'] or '(unknown)'}")
    origin = document.get("origin")
    if origin is None:
        print(f"  saved with progkit {saved['progkit']}, Python {saved['python']}")
    else:
        print(f"  from       DSPy {origin.get('dspy', '(unknown)')}, Python {origin.get('python', '(unknown)')}")
    for path, predictor in sorted(document["state"]["predictors"].items()):
        _predictor(path, predictor)
    for path in sorted(document["state"].get("others", {})):
        print(f"\n{path}\n  no predictor: kept as data")
    return 0


def _predictor(path: str, node: dict[str, Any]) -> None:
    signature = node["signature"]
    fields = signature["fields"]
    guessed = signature.get("guessed", ())
    inputs, outputs, unknown = (
        ", ".join(_field(n, fields[n], n in guessed) for n in signature["order"] if fields[n]["role"] == role)
        for role in ("input", "output", "")
    )
    first, *rest = signature["instructions"]
    complete = sum(all(demo["values"].get(n) is not None for n in signature["order"]) for demo in node["demos"])
    print(f"\n{path}")
    print(f"  fields       {unknown or f'{inputs} -> {outputs}'}")
    print(f"  instructions {first}{f' (+{len(rest)} lines)' if rest else ''}")
    print(f"  demos        {len(node['demos'])}, {complete} complete")
    print(f"  config       {json.dumps(node['config'], ensure_ascii=False, sort_keys=True)}")
    lm = json.dumps(node["lm"], ensure_ascii=False, sort_keys=True) if node["lm"] else "none: the one in force"
    print(f"  lm           {lm}")
    if "layout" in node:
        print(f"  layout       DSPy {node['layout']}")


def _field(name: str, field: dict[str, Any], is_guessed: bool) -> str:
    told = f"{name}: {field['type']}" if field["type"] else name
    return f"{told} (a guess)" if is_guessed else told

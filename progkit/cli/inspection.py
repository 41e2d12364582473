"""``progkit inspect``: what a file holds, read as data."""

import argparse
import json
from typing import Any

from progkit import artifact


def run(options: argparse.Namespace) -> int:
    """Print the file's header and, for each predictor, what it has learned."""
    document = artifact.read(options.file)
    if options.json:
        print(json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True))
        return 0
    version = ".".join(map(str, document["version"]))
    saved = document["saved_with"]
    print(f"{options.file}: {document['format']} {version}")
    print(f"  program    {document['program'] or '(unknown)'}")
    print(f"  saved with progkit {saved['progkit']}, Python {saved['python']}")
    for path, predictor in sorted(document["state"]["predictors"].items()):
        _predictor(path, predictor)
    return 0


def _predictor(path: str, node: dict[str, Any]) -> None:
    signature = node["signature"]
    fields = signature["fields"]
    inputs, outputs = (
        ", ".join(f"{n}: {fields[n]['type']}" for n in signature["order"] if fields[n]["role"] == role)
        for role in ("input", "output")
    )
    first, *rest = signature["instructions"]
    complete = sum(all(demo["values"].get(n) is not None for n in signature["order"]) for demo in node["demos"])
    print(f"\n{path}")
    print(f"  fields       {inputs} -> {outputs}")
    print(f"  instructions {first}{f' (+{len(rest)} lines)' if rest else ''}")
    print(f"  demos        {len(node['demos'])}, {complete} complete")
    print(f"  config       {json.dumps(node['config'], ensure_ascii=False, sort_keys=True)}")
    lm = json.dumps(node["lm"], ensure_ascii=False, sort_keys=True) if node["lm"] else "none: the one in force"
    print(f"  lm           {lm}")

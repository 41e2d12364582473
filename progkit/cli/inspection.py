"""``progkit inspect``: what a file or a bundle holds, read as data."""

import argparse
import hashlib
import json
from typing import Any

from progkit import artifact
from progkit.artifact.trust import Standing, contents, printable, standing
from progkit.cli.layouts import laid
from progkit.cli.migration import tell
from progkit.lm.tokens import VOCABULARY, count_tokens

SHOWN = 10
"""Demos of a predictor that are listed unless all are asked for."""
WIDTH = 60
"""Characters of a demo that are shown."""


def run(options: argparse.Namespace) -> int:
    """Print what is said about the whole and, for each predictor, what it has learned."""
    opened = artifact.opened_at(options.file)
    received = artifact.receive(options.file) if opened is None else artifact.of_bundle(opened)
    document = laid(received.document)
    tell({"dropped": received.dropped, "notes": received.notes})
    tokens = {path: _tokens(node) for path, node in document["state"]["predictors"].items()}
    about = {
        "file": options.file,
        "kind": received.kind,
        "bytes": len(received.data),
        "digest": f"sha256:{hashlib.sha256(received.data).hexdigest()}",
        "tokens": {"vocabulary": VOCABULARY, "predictors": tokens},
    }
    if opened is not None:
        about |= {"kind": opened.manifest["format"], "digest": opened.digest}
        about |= {"bytes": contents(opened)["bytes"], "manifest": opened.manifest, "trust": standing(opened).to_dict()}
    if options.json:
        print(json.dumps({**document, "about": about}, ensure_ascii=False, indent=1, sort_keys=True))
        return 0
    _head(document, about)
    if opened is None:
        print("  trust      needs none: it is data, and loading it runs nothing")
    else:
        _bundle(contents(opened), standing(opened))
    for path, predictor in sorted(document["state"]["predictors"].items()):
        _predictor(path, predictor, tokens[path], len(predictor["demos"]) if options.demos else SHOWN)
    for path in sorted(document["state"].get("others", {})):
        print(f"\n{printable(path)}\n  no predictor: kept as data")
    return 0


def _head(document: dict[str, Any], about: dict[str, Any]) -> None:
    kind, origin, saved = about["kind"], document.get("origin"), document["saved_with"]
    holder = about.get("manifest", document)
    version = f" {'.'.join(map(str, holder['version']))}" if kind == holder["format"] else ""
    print(f"{printable(about['file'])}: {kind}{version}")
    print(f"  size       {about['bytes']:,} bytes")
    print(f"  digest     {about['digest']}")
    print(f"  program    {printable(document['program']) or '(unknown)'}")
    if origin is None:
        print(f"  saved with progkit {printable(saved['progkit'])}, Python {printable(saved['python'])}")
    else:
        writer, python = (printable(origin.get(each, "(unknown)")) for each in ("dspy", "python"))
        print(f"  from       DSPy {writer}, Python {python}")


def _bundle(held: dict[str, Any], standing: Standing) -> None:
    """What a bundle has beside its state, and what speaks for its code."""
    runs = "load() runs its code" if standing.loads else "load() refuses its code unless told to trust it"
    print(f"  trust      {standing}: {runs}")
    for signer in standing.signed:
        print(f"  signed by  {signer} (not verified here: progkit verify --key)")
    for fault in filter(None, (standing.list_fault, standing.signature_fault)):
        print(f"  beware     {printable(fault)}")
    print(f"  code       {held['portability']}: {', '.join(map(printable, held['sources'])) or 'no source'}")
    for title, each in (("by value", held["by_value"]), ("left out", held["left_out"])):
        for line in each:
            print(f"  {title:<10} {printable(line)}")
    print(f"  needs      {', '.join(map(printable, held['dependencies'])) or 'progkit alone'}")


def _predictor(path: str, node: dict[str, Any], tokens: dict[str, Any] | None, shown: int) -> None:
    signature = node["signature"]
    fields = signature["fields"]
    guessed = signature.get("guessed", ())
    inputs, outputs, unknown = (
        ", ".join(_field(n, fields[n], n in guessed) for n in signature["order"] if fields[n]["role"] == role)
        for role in ("input", "output", "")
    )
    first, *rest = signature["instructions"]
    print(f"\n{printable(path)}")
    print(f"  fields       {printable(unknown or f'{inputs} -> {outputs}')}")
    more = f" (+{len(rest)} lines)" if rest else ""
    print(f"  instructions {printable(first)}{more}{_counted(tokens, 'instructions')}")
    _demos(node, tokens, shown)
    print(f"  config       {_json(node['config'])}")
    print(f"  lm           {_json(node['lm']) if node['lm'] else 'none: the one in force'}")
    if "layout" in node:
        print(f"  layout       DSPy {printable(node['layout'])}")


def _demos(node: dict[str, Any], tokens: dict[str, Any] | None, shown: int) -> None:
    """How many demos there are, and the first of them."""
    demos, order = node["demos"], node["signature"]["order"]
    complete = sum(all(demo["values"].get(name) is not None for name in order) for demo in demos)
    all_tokens = "" if tokens is None or not demos else f", {sum(tokens['demos']):,} tokens"
    print(f"  demos        {len(demos)}, {complete} complete{all_tokens}")
    for number, demo in enumerate(demos[:shown]):
        text = " | ".join(_text(demo["values"][name]) for name in order if demo["values"].get(name) is not None)
        line = " ".join(text.split())
        short = printable(line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}...")
        count = "" if tokens is None else f"{tokens['demos'][number]:,}"
        print(f"    {demo['id']:<14} {count:>6}  {short}")
    if len(demos) > shown:
        print(f"    and {len(demos) - shown:,} more: --demos lists them")


def _field(name: str, field: dict[str, Any], is_guessed: bool) -> str:
    told = f"{name}: {field['type']}" if field["type"] else name
    return f"{told} (a guess)" if is_guessed else told


def _counted(tokens: dict[str, Any] | None, part: str) -> str:
    return "" if tokens is None else f", {tokens[part]:,} tokens"


def _tokens(node: dict[str, Any]) -> dict[str, Any] | None:
    """The tokens of the instructions and of the values of each demo; what an adapter puts around them is not in it."""
    demos = ["\n".join(map(_text, demo["values"].values())) for demo in node["demos"]]
    counts = count_tokens(["\n".join(node["signature"]["instructions"]), *demos])
    return None if counts is None else {"instructions": counts[0], "demos": counts[1:]}


def _json(node: Any) -> str:
    return printable(json.dumps(node, ensure_ascii=False, sort_keys=True))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

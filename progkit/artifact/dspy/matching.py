"""A document from DSPy held against the live program: positions become the program's names where the file agrees.

A field's place alone is no proof. It is taken for the live field at its place if its recovered name is the
same; a guessed name gives way if the count is right and title or description are the live field's. All else
stays under the name that the file gave reason for, and so shows up as a difference.
"""

from collections.abc import Mapping
from typing import Any

from progkit.artifact.dspy import paths
from progkit.artifact.dspy.names import is_described


def settle(document: dict[str, Any], live: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """*document* with the program's own names, and what is to be told of those that it does not bear out.

    live: the program's predictors by path, each signature described as in a document. A document that names its
    fields comes back as it is.
    """
    saved: dict[str, Any] = document["state"]["predictors"]
    if not any("guessed" in each["signature"] for each in saved.values()):
        return document, []
    notes: list[str] = []
    settled = {}
    for path, node in saved.items():
        own = _live_path(path, saved, live)
        if own in live and "guessed" in node["signature"]:
            node = {**node, "signature": _settled(node["signature"], live[own], own, notes)}
        settled[own] = node
    return {**document, "state": {**document["state"], "predictors": settled}}, notes


def _live_path(path: str, saved: Mapping[str, Any], live: Mapping[str, Any]) -> str:
    """The live path that *path* stands for: DSPy writes the key 7 of a dict as it writes the key "7"."""
    if path in live:
        return path
    return next((each for each in live if each not in saved and paths.loose(each) == path), path)


def _settled(node: Mapping[str, Any], live: Mapping[str, Any], path: str, notes: list[str]) -> dict[str, Any]:
    names = _matched(node, live)
    fields = {}
    for place, name in enumerate(node["order"]):
        field = dict(node["fields"][name])
        own = live["fields"].get(names[name])
        if own is not None:
            field |= {key: field[key] or own[key] for key in ("role", "type")}
        elif name in node["guessed"]:
            notes.append(
                f"{path}: field {place + 1} of the file (titled {field['prefix']!r}) is not named there, "
                "and nothing says that it is the program's"
            )
        fields[names[name]] = field
    return {**node, "order": [names[name] for name in node["order"]], "fields": fields}


def _matched(node: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, str]:
    """The name in the program of each field in the file, where it is another."""
    names = {name: name for name in node["order"]}
    if len(node["order"]) != len(live["order"]):
        return names
    for saved, own in zip(node["order"], live["order"], strict=True):
        mine, theirs = node["fields"][saved], live["fields"][own]
        described = is_described(own, mine["desc"]) and mine["desc"] == theirs["desc"]
        if saved in node["guessed"] and own not in names and (described or mine["prefix"] == theirs["prefix"]):
            names[saved] = own
    return names

"""The layouts of a file's predictors, said out loud: each is its own, or that of the DSPy that the file is from."""

from typing import Any

from progkit.adapters import layout_named, layout_of


def laid(document: dict[str, Any], layout: str | None = None) -> dict[str, Any]:
    """*document* with the layout of every predictor in it, as far as it is known; *layout* for all if given.

    Raises:
        ConfigurationError: for a layout that there is not.
    """
    version = document.get("origin", {}).get("dspy")
    inherited = layout_of(version) if version else None
    predictors = {}
    for path, node in document["state"]["predictors"].items():
        own = layout or node.get("layout") or inherited
        predictors[path] = {**node, "layout": layout_named(own).version} if own else node
    return {**document, "state": {**document["state"], "predictors": predictors}}

"""Programs rebuilt from a file alone: a predictor whose signature stands in the file."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from progkit import artifact
from progkit.errors import ProgramNeededError, SignatureError
from progkit.program import state
from progkit.program.module import Module
from progkit.program.predict import Predict
from progkit.program.tree import ROOT
from progkit.signature import InputField, OutputField, Signature, parse_type


def load(path: str | os.PathLike[str], *, allow_hosts: Sequence[str] = ()) -> Module:
    """The program that the state file at *path* holds, where the file alone suffices.

    It does for a single predictor with field types that need no code of the program's own. For any
    other program make an instance of its class and call ``load`` on that. No code is run.

    Raises:
        DocumentError: for a file that is no valid state file.
        ProgramNeededError: for a file that needs its program's class.
    """
    source = os.fspath(path)
    received = artifact.receive(path)
    document = received.document
    predictors = document["state"]["predictors"]
    if list(predictors) != [ROOT]:
        names = ", ".join(predictors) or "none"
        raise ProgramNeededError(source, document["program"], f"it holds parts of a program (predictors: {names})")
    return load_predictor(received, ROOT, source, allow_hosts)


def load_predictor(received: artifact.Received, path: str, source: str, allow_hosts: Sequence[str] = ()) -> Predict:
    """The predictor at *path* of what was *received* from the file *source*, rebuilt from its signature there.

    Raises:
        DocumentError: for a value that its field's type refuses.
        ProgramNeededError: if the signature needs the program's class.
    """
    document = received.document
    node = document["state"]["predictors"][path]
    signature = node["signature"]
    try:
        program = Predict(rebuilt(signature))
    except SignatureError as error:
        reason = f"a field type is not known here: {error}"
        raise ProgramNeededError(source, document["program"] or _suggested(signature), reason) from error
    alone = {**document, "state": {**document["state"], "predictors": {ROOT: node}}}
    state.put(program, replace(received, document=alone), source=source, allow_hosts=allow_hosts)
    return program


def _suggested(node: Mapping[str, Any]) -> str:
    """The text of the signature that *node* may have been, as far as it is known; "" where it is not."""
    sides: dict[str, list[str]] = {"input": [], "output": [], "": []}
    for name in node["order"]:
        sides[node["fields"][name]["role"]].append(name)
    return "" if sides[""] or node["guessed"] else f"'{', '.join(sides['input'])} -> {', '.join(sides['output'])}'"


def rebuilt(node: Mapping[str, Any]) -> type[Signature]:
    """The signature that *node* describes.

    Raises:
        SignatureError: for a type that only the program's own code knows, or that the file does not say.
    """
    if "guessed" in node:
        raise SignatureError("DSPy's files name none")
    fields = {}
    for name in node["order"]:
        saved = node["fields"][name]
        kind = InputField if saved["role"] == "input" else OutputField
        options = {"desc": saved["desc"], "prefix": saved["prefix"], **artifact.decode_value(saved["constraints"])}
        if "default" in saved:
            options["default"] = artifact.decode_value(saved["default"])
        fields[name] = (parse_type(saved["type"]), kind(**options))
    plain = Signature(fields, name=node["name"])
    return plain.with_instructions("\n".join(node["instructions"]), exact=True)

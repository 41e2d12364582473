"""Programs rebuilt from a file alone: a predictor whose signature stands in the file."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from progkit import artifact
from progkit.errors import ProgramNeededError, SignatureError
from progkit.program import state
from progkit.program.module import Module
from progkit.program.predict import Predict
from progkit.program.tree import ROOT
from progkit.signature import InputField, OutputField, Signature, parse_type


def load(path: str | os.PathLike[str], *, allow_endpoints: Sequence[str] = ()) -> Module:
    """The program that the state file at *path* holds, where the file alone suffices.

    It does for a single predictor with field types that need no code of the program's own. For any
    other program make an instance of its class and call ``load`` on that. No code is run.

    Raises:
        DocumentError: for a file that is no valid state file.
        ProgramNeededError: for a file that needs its program's class.
    """
    source = os.fspath(path)
    document = artifact.read(path)
    predictors = document["state"]["predictors"]
    if list(predictors) != [ROOT]:
        names = ", ".join(predictors) or "none"
        raise ProgramNeededError(source, document["program"], f"it holds parts of a program (predictors: {names})")
    try:
        program = Predict(rebuilt(predictors[ROOT]["signature"]))
    except SignatureError as error:
        raise ProgramNeededError(source, document["program"], f"a field type is not known here: {error}") from error
    state.put(program, document, source=source, allow_endpoints=allow_endpoints)
    return program


def rebuilt(node: Mapping[str, Any]) -> type[Signature]:
    """The signature that *node* describes.

    Raises:
        SignatureError: for a type that only the program's own code knows.
    """
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

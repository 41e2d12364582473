"""Programs out of what was saved: a bundle, or a state file in which its signature stands."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from progkit import artifact
from progkit.artifact.trust import state_loaded
from progkit.errors import ConfigurationError, ProgramNeededError, SignatureError
from progkit.program import bundles, state
from progkit.program.chosen import Choice
from progkit.program.module import Module
from progkit.program.predict import Predict
from progkit.program.tree import ROOT
from progkit.signature import InputField, OutputField, Signature, parse_type
from progkit.signature.field import CONSTRAINTS


def load(
    path: str | os.PathLike[str],
    *,
    strict: bool = True,
    allow_hosts: Sequence[str] = (),
    lm: Choice = None,
    at: str | None = None,
    trust: str | None = None,
    keys: Any = (),
    parts: Mapping[str, Any] | None = None,
) -> Module:
    """The program that the bundle or the state file at *path* holds; its ``load_report`` says what that took.

    A bundle, what ``save(path, save_program=True)`` wrote, brings code, which runs if it is trusted: its digest is on
    the user's list (``save`` puts it there, and ``progkit trust``), or is *trust*; or one of the public *keys* has
    signed it; or *trust* is ``"code"``, for this call. parts: what stands in for parts that it left out, by path.

    A state file suffices alone for one predictor (its path, in *lm*, is ``self``) with field types that need no code
    of the program's own. For any other program make an instance of its class and call ``load`` on that. No code runs.

    at: the git revision to read it at, like ``load("program.json@v1.2")``. strict, allow_hosts, lm: as in
    ``Module.load``; without *strict* a bundle is also tried where a distribution that it needs is missing.

    Raises:
        ConfigurationError: for an argument that cannot be meant.
        ArtifactError: for what cannot be loaded: DocumentError, RevisionError, ProgramNeededError, UntrustedError,
            EnvironmentMismatchError (the bundle cannot run here) or UnloadableError (its code fails).
    """
    source = os.fspath(path if at is None else artifact.pin(path, at))
    received = artifact.taken(source)
    if not isinstance(received, artifact.Received):
        return bundles.program_of(received, bundles.Terms(trust, keys, parts or {}, strict, allow_hosts, lm))
    if trust is not None or keys or parts is not None:
        raise ConfigurationError(f"trust=, keys= and parts= are for bundles; {source} is none, and runs no code")
    return _rebuilt_alone(received, source, allow_hosts, lm)


def _rebuilt_alone(received: artifact.Received, source: str, allow_hosts: Sequence[str], lm: Choice) -> Predict:
    """The one predictor that was *received*; see ``load``."""
    document = received.document
    predictors = document["state"]["predictors"]
    if list(predictors) != [ROOT]:
        names = ", ".join(predictors) or "none"
        raise ProgramNeededError(source, document["program"], f"it holds parts of a program (predictors: {names})")
    program = load_predictor(received, ROOT, source, allow_hosts, lm)
    state_loaded(source, type(program))
    return program


def load_predictor(
    received: artifact.Received, path: str, source: str, allow_hosts: Sequence[str] = (), lm: Choice = None
) -> Predict:
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
    report = state.put(program, replace(received, document=alone), source=source, allow_hosts=allow_hosts, lm=lm)
    vars(program)["_load_report"] = report
    return program


def _suggested(node: Mapping[str, Any]) -> str:
    """The text of the signature that *node* may have been, as far as it is known; "" where it is not."""
    sides: dict[str, list[str]] = {"input": [], "output": [], "": []}
    for name in node["order"]:
        sides[node["fields"][name]["role"]].append(name)
    return "" if sides[""] or node.get("guessed") else f"'{', '.join(sides['input'])} -> {', '.join(sides['output'])}'"


def rebuilt(node: Mapping[str, Any]) -> type[Signature]:
    """The signature that *node* describes.

    Raises:
        SignatureError: for a type that only the program's own code knows, or that the file does not say; for a
            name that no class can have, and what is no constraint.
    """
    if "guessed" in node:
        raise SignatureError("DSPy's files name none")
    if "\0" in node["name"]:
        raise SignatureError(f"{node['name']!r} is no name of a class")
    fields = {}
    for name in node["order"]:
        saved = node["fields"][name]
        kind = InputField if saved["role"] == "input" else OutputField
        options = dict(artifact.decode_value(saved["constraints"]))
        if unknown := [each for each in options if each not in CONSTRAINTS]:
            raise SignatureError(f"field {name!r}: no constraint {unknown[0]!r}")
        options |= {"desc": saved["desc"], "prefix": saved["prefix"]}
        if "default" in saved:
            options["default"] = artifact.decode_value(saved["default"])
        fields[name] = (parse_type(saved["type"]), kind(**options))
    plain = Signature(fields, name=node["name"])
    return plain.with_instructions("\n".join(node["instructions"]), exact=True)

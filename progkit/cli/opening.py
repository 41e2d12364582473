"""A program for the commands that need one: its class, its state, its LM, the parts that it left out."""

import argparse
import sys
from typing import Any

from progkit import artifact
from progkit.cli import leftovers
from progkit.cli.importing import called
from progkit.errors import ConfigurationError
from progkit.lm import LM
from progkit.program import ChainOfThought, Module, Predict, load
from progkit.runtime import configure


def open_program(options: argparse.Namespace, calls: bool = True) -> Module:
    """The program that FILE and ``--program`` name, with ``--lm`` in force. calls: whether it is going to be called.

    Raises:
        ProgramNeededError: if the file does not suffice and no class is named.
        ConfigurationError: for a class that cannot be had, or a part that is lacking.
    """
    lm = use_lm(options)
    parts = leftovers.parts_of(options)
    terms = {"strict": not options.no_strict, "allow_hosts": options.allow_host}
    terms["lm"] = lm if options.replace_lm else None
    if not options.program:
        # parts= is for bundles alone, and an empty one would say that it is one.
        program = load(options.file, trust=options.trust, keys=options.key, parts=parts or None, **terms)
    elif parts:
        raise ConfigurationError("--part is for a bundle that left the part out; --program makes the whole program")
    else:
        program = made(options.program, options.file)
        report = program.load(options.file, **terms)
        if not report.ok or report.dropped or report.notes:
            print(report, file=sys.stderr)
    if lm is not None and not options.replace_lm:
        _tell_kept(program)
    leftovers.require(program, calls)
    return program


def use_lm(options: argparse.Namespace) -> LM | None:
    """Put ``--lm`` in force, if it is given.

    Raises:
        ConfigurationError: for ``--replace-lm`` without it.
    """
    if not options.lm:
        if options.replace_lm:
            raise ConfigurationError("--replace-lm goes with --lm MODEL: it says that every predictor uses that")
        return None
    endpoint = {"api_base": options.api_base} if options.api_base else {}
    lm = LM(options.lm, **endpoint)
    configure(lm=lm)
    return lm


def _tell_kept(program: Module) -> None:
    """Say which predictors keep the LM that their file names."""
    kept: dict[str, list[str]] = {}
    for path, each in program.named_predictors():
        if each.lm is not None:
            kept.setdefault(str(each.lm.identity.get("model") or "an endpoint of its own"), []).append(path)
    if kept:
        told = "; ".join(f"not used for {', '.join(paths)}: the file names {model}" for model, paths in kept.items())
        print(f"progkit: --lm is {told}; --replace-lm uses --lm everywhere", file=sys.stderr)


def made(name: str, path: str) -> Module:
    """A new program: of the class ``MODULE:CLASS``, or the predictor of a signature, ``"question -> answer"``.

    path: the file that it is for; a predictor that stands in it as a ChainOfThought's becomes one.

    Raises:
        ConfigurationError: for a class that cannot be had.
        SignatureError: for a signature that makes no sense.
    """
    if "->" in name:
        is_chain = list(artifact.read(path)["state"]["predictors"]) == ["predict"]
        return ChainOfThought(name) if is_chain else Predict(name)
    program: Any = called("--program", name)
    if not isinstance(program, Module):
        raise ConfigurationError(f"--program {name} makes a {type(program).__name__}, not a progkit.Module")
    return program

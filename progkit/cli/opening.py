"""A program for the commands that need one: its class, its state, its LM."""

import argparse
import sys
from importlib import import_module

from progkit import artifact
from progkit.errors import ConfigurationError
from progkit.lm import LM
from progkit.program import ChainOfThought, Module, Predict, load
from progkit.runtime import configure


def open_program(options: argparse.Namespace) -> Module:
    """The program that FILE and ``--program`` name, with ``--lm`` in force.

    Raises:
        ProgramNeededError: if the file does not suffice and no class is named.
        ConfigurationError: for a class that cannot be had.
    """
    use_lm(options)
    if not options.program:
        return load(
            options.file,
            strict=not options.no_strict,
            allow_hosts=options.allow_host,
            trust=options.trust,
            keys=options.key,
        )
    program = made(options.program, options.file)
    report = program.load(options.file, strict=not options.no_strict, allow_hosts=options.allow_host)
    if not report.ok or report.dropped or report.notes:
        print(report, file=sys.stderr)
    return program


def use_lm(options: argparse.Namespace) -> None:
    """Put ``--lm`` in force, if it is given."""
    if options.lm:
        endpoint = {"api_base": options.api_base} if options.api_base else {}
        configure(lm=LM(options.lm, **endpoint))


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
    module_name, _, class_name = name.partition(":")
    if not class_name:
        raise ConfigurationError(
            f"--program is MODULE:CLASS, like my_package.desk:SupportDesk; {name!r} lacks the class"
        )
    if "" not in sys.path:
        # As `python -m` does: a program in the current directory is found.
        sys.path.insert(0, "")
    try:
        made = getattr(import_module(module_name), class_name)()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"--program {name}: {error}") from error
    except TypeError as error:
        raise ConfigurationError(f"--program {name} must be callable without arguments: {error}") from error
    if not isinstance(made, Module):
        raise ConfigurationError(f"--program {name} makes a {type(made).__name__}, not a progkit.Module")
    return made

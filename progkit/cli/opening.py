"""A program for the commands that need one: its class, its state, its LM."""

import argparse
import sys
from importlib import import_module

from progkit.errors import ConfigurationError
from progkit.lm import LM
from progkit.program import Module, load
from progkit.runtime import configure


def open_program(options: argparse.Namespace) -> Module:
    """The program that FILE and ``--program`` name, with ``--lm`` in force.

    Raises:
        ProgramNeededError: if the file does not suffice and no class is named.
        ConfigurationError: for a class that cannot be had.
    """
    if options.lm:
        endpoint = {"api_base": options.api_base} if options.api_base else {}
        configure(lm=LM(options.lm, **endpoint))
    if not options.program:
        return load(options.file, allow_endpoints=options.allow_endpoint)
    program = _made(options.program)
    report = program.load(options.file, strict=not options.no_strict, allow_endpoints=options.allow_endpoint)
    if not report.ok or report.dropped:
        print(report, file=sys.stderr)
    return program


def _made(name: str) -> Module:
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

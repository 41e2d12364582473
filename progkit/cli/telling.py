"""What a command says of the error that ended it: a sentence, and what to do about it on the command line."""

import argparse
import shlex
import sys
import traceback

from progkit.cli import blaming
from progkit.errors import (
    EndpointWithheldError,
    LeftOutError,
    NoLMError,
    ProgkitError,
    StateMismatchError,
    UntrustedError,
)
from progkit.lm.endpoint import hosts_of


def tell(error: Exception, options: argparse.Namespace) -> None:
    """Print on stderr what *error* says; whole, with ``--traceback``, or where nobody can know what it is."""
    is_known = isinstance(error, ProgkitError | OSError) or blaming.place(error)
    if not is_known:
        traceback.print_exception(error)
    else:
        trace(error, options)
    if is_known:
        print(f"progkit: {_sentence(error)}", file=sys.stderr)
    if hint := advice(error, options):
        print(hint, file=sys.stderr)


def trace(error: Exception, options: argparse.Namespace) -> None:
    """With ``--traceback``, print on stderr the way to *error*."""
    if getattr(options, "traceback", False):
        traceback.print_exception(error)


def _sentence(error: Exception) -> str:
    if isinstance(error, ProgkitError):
        return str(error)
    if isinstance(error, OSError) and not blaming.place(error):
        return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
    return blaming.sentence(error)


def advice(error: BaseException | None, options: argparse.Namespace) -> str:
    """The line that says which option helps against *error*, or against what it came of; or ""."""
    while error is not None:
        if way := _way(error, options):
            return f"on the command line: {way}"
        error = error.__cause__
    return ""


def _way(error: BaseException, options: argparse.Namespace) -> str:
    known = vars(options)
    if isinstance(error, NoLMError) and "lm" in known:
        return "--lm MODEL, like --lm openai/gpt-4o-mini"
    if isinstance(error, EndpointWithheldError) and "allow_host" in known:
        host = max(hosts_of(error.endpoint), key=len, default="HOST:PORT")
        return f"--allow-host {host} to accept it, or --lm MODEL --replace-lm to ask another"
    if isinstance(error, StateMismatchError) and "no_strict" in known:
        return "--no-strict loads what fits"
    if isinstance(error, LeftOutError) and "part" in known:
        return f"--part {shlex.quote(error.path)}=MODULE:CALLABLE supplies it"
    if isinstance(error, UntrustedError) and known.get("trust", "") is None and error.hint:
        listing = f"progkit trust {shlex.quote(error.source)}, or " if "progkit trust" in error.hint else ""
        return f"{listing}--trust {error.digest}"
    return ""

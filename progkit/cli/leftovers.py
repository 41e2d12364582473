"""Parts that a bundle left out: supplied by ``--part``, or missed before the first call."""

import argparse
import dis
import sys
from inspect import isgeneratorfunction
from types import FunctionType
from typing import Any

from progkit.cli.importing import called
from progkit.errors import ConfigurationError
from progkit.program import Module, tree
from progkit.program.bundles.left_out import LeftOut


def parts_of(options: argparse.Namespace) -> dict[str, Any]:
    """What ``--part PATH=MODULE:CALLABLE`` supplies, by path.

    Raises:
        ConfigurationError: for what is no such option, or cannot be had.
    """
    parts: dict[str, Any] = {}
    for each in getattr(options, "part", ()):
        path, equals, name = each.rpartition("=")
        if not equals or not path:
            raise ConfigurationError(f"--part is PATH=MODULE:CALLABLE, like retriever=rag:make_retriever, not {each!r}")
        parts[path] = called(f"--part {path}", name)
    return parts


def require(program: Module, calls: bool) -> None:
    """Say what *program* lacks. calls: whether it is going to be called.

    Raises:
        ConfigurationError: if it cannot be called without that.
    """
    lacking = {part.left_out_path: part for _, part in tree.walk(program) if isinstance(part, LeftOut)}
    if not lacking:
        return
    told = ", ".join(f"{path} ({part.left_out_kind})" for path, part in lacking.items())
    way = "--part PATH=MODULE:CALLABLE supplies a part"
    inner = tree.inmost(program)
    needed = [name for name in (_needed(inner) if calls else ()) if isinstance(vars(inner).get(name), LeftOut)]
    if needed:
        raise ConfigurationError(f"the bundle left out {told}, and the program needs {', '.join(needed)}: {way}")
    print(f"progkit: left out and not supplied: {told}; {way}", file=sys.stderr)


def _needed(program: Module) -> list[str]:
    """Attributes that every call of *program* reads: those that it comes to before it can branch, or catch an error.

    Nothing where that cannot be known: of a program with two ways to be called, or one that is not plain Python.
    """
    function = type(program).forward
    if hasattr(program, "aforward") or not isinstance(function, FunctionType) or isgeneratorfunction(function):
        return []
    code = function.__code__
    if code.co_exceptiontable or not code.co_varnames:
        return []
    found: list[str] = []
    before = None
    for each in dis.get_instructions(code):
        if each.opcode in dis.hasjrel or each.opcode in dis.hasjabs:
            break
        is_own = before is not None and before.opname.startswith("LOAD_FAST") and before.argval == code.co_varnames[0]
        if is_own and each.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            found.append(each.argval)
        before = each
    return found

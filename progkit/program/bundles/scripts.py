"""The script that is being run, as a module that can be imported elsewhere; if it can be one.

What a script defines is known as ``__main__``, which is another module wherever the bundle is loaded. Its source can
travel under a name of its own if importing it does what running it did, but for what stands under
``if __name__ == "__main__":``. What any other script defines travels as bytecode.
"""

import ast
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from progkit.artifact.bundle.finding import Finder, Source
from progkit.artifact.bundle.mentions import never_runs

PREFIX = "main_of_"
GUARDED = '`if __name__ == "__main__":` around what the script does lets it travel as source'
"""What is said of a script that does not."""
_QUIET = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Pass)


@dataclass(frozen=True, slots=True)
class Script:
    """The script's source and the name of the module that it is in a bundle."""

    name: str
    source: Source


def script_of(finder: Finder) -> Script | None:
    """The script that this process runs; None if there is none, or its source cannot stand for it."""
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    if not file or not os.path.isfile(file) or not file.endswith(".py"):
        return None
    with open(file, "rb") as opened:
        source = Source(opened.read(), is_package=False)
    tree = source.tree()
    if tree is None or not is_importable(tree):
        return None
    package = getattr(main, "__package__", None) or ""
    name = PREFIX + re.sub(r"\W", "_", os.path.splitext(os.path.basename(file))[0])
    if package or finder.spec(name) is not None:
        return None  # a relative import would mean something else under another name
    return Script(name, source)


def is_importable(tree: ast.Module) -> bool:
    """Whether importing the module *tree* only defines things, and all that its functions use is then there.

    At its top there are imports, definitions, constants and what runs in the script alone; no function uses a name
    that this sets, or sets one itself.
    """
    if any(isinstance(each, ast.Global) for each in ast.walk(tree)):
        return False
    guarded: list[ast.stmt] = []
    shared: list[ast.stmt] = []
    for each in tree.body:
        if isinstance(each, ast.If) and never_runs(each.test) and not each.orelse:
            guarded.append(each)
        elif _is_quiet(each):
            shared.append(each)
        else:
            return False
    return not set(_bound(guarded)) & set(_read(shared))


def _is_quiet(statement: ast.stmt) -> bool:
    if isinstance(statement, _QUIET):
        return True
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)  # a docstring
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        return statement.value is None or not any(_acts(each) for each in ast.walk(statement.value))
    return False


def _acts(node: ast.AST) -> bool:
    return isinstance(node, (ast.Call, ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr))


def _bound(statements: list[ast.stmt]) -> Iterator[str]:
    """Names that *statements* set in the module."""
    for statement in statements:
        for each in ast.walk(statement):
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
                yield each.id
            elif isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                yield each.name
            elif isinstance(each, ast.alias):
                yield (each.asname or each.name).partition(".")[0]


def _read(statements: list[ast.stmt]) -> Iterator[str]:
    """Names that *statements* use."""
    for statement in statements:
        for each in ast.walk(statement):
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load):
                yield each.id

"""What a module imports, as its source says: at its top and in its functions, and by ``import_module("name")``.

Left aside is what does not run where the module is imported: ``if TYPE_CHECKING:``, ``if __name__ == "__main__":``.
"""

import ast
import dis
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

_FORGIVING = ("ImportError", "ModuleNotFoundError", "Exception", "BaseException")


@dataclass(frozen=True, slots=True)
class Mention:
    """A module that may be imported: its dotted *name*, the *line*, and whether it *may* be missing.

    It may be where the source is ready for that, and where ``from a import b`` may as well mean a value in a.
    """

    name: str
    line: int
    may_be_missing: bool = False


@dataclass(frozen=True, slots=True)
class Mentions:
    """Every import of a source.

    unknown: lines of those whose module is only known when they run. files: lines that ask for files beside it.
    """

    imports: list[Mention]
    unknown: list[int]
    files: list[int]


def in_source(tree: ast.Module, name: str, is_package: bool) -> Mentions:
    """What the module *name* with this *tree* imports."""
    reader = _Reader(name if is_package else name.rpartition(".")[0])
    for each in tree.body:
        reader.visit(each)
    return reader.found


def in_code(code: CodeType, package: str) -> Iterator[str]:
    """The modules that *code*, of a function in *package*, imports when it is called; names below one among them."""
    # Long code writes large numbers in two steps.
    steps = [each for each in dis.get_instructions(code) if each.opname != "EXTENDED_ARG"]
    for at, step in enumerate(steps):
        if step.opname == "IMPORT_NAME":
            level, taken = steps[at - 2].argval, steps[at - 1].argval
            above = _absolute(package, level, step.argval)
            if above:
                yield from (above, *(f"{above}.{name}" for name in taken or () if name != "*"))
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from in_code(each, package)


class _Reader(ast.NodeVisitor):
    def __init__(self, package: str) -> None:
        self.package = package
        self.found = Mentions([], [], [])
        self.forgiving = 0

    def visit_If(self, node: ast.If) -> None:
        if not never_runs(node.test):
            self._all(node.body)
        self._all(node.orelse)

    def visit_Try(self, node: ast.Try) -> None:
        forgives = any(_forgives(each) for each in node.handlers)
        self.forgiving += forgives
        self._all(node.body)
        self.forgiving -= forgives
        self._all([*node.handlers, *node.orelse, *node.finalbody])

    def visit_Import(self, node: ast.Import) -> None:
        for each in node.names:
            self._note(each.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        above = _absolute(self.package, node.level, node.module or "")
        if above:
            self._note(above, node.lineno)
            for each in node.names:
                self._note(f"{above}.{each.name}", node.lineno, may_be_missing=True)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__") and (node.args or node.keywords):
            self._called(node)
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id == "__file__":
            self.found.files.append(node.lineno)

    def _called(self, node: ast.Call) -> None:
        given: Any = node.args[0] if node.args else next((e.value for e in node.keywords if e.arg == "name"), None)
        if not (isinstance(given, ast.Constant) and isinstance(given.value, str)):
            self.found.unknown.append(node.lineno)
            return
        bare = given.value.lstrip(".")
        self._note(_absolute(self.package, len(given.value) - len(bare), bare), node.lineno)

    def _note(self, name: str, line: int, *, may_be_missing: bool = False) -> None:
        self.found.imports.append(Mention(name, line, may_be_missing or bool(self.forgiving)))

    def _all(self, nodes: list[Any]) -> None:
        for each in nodes:
            self.visit(each)


def _absolute(package: str, level: int, name: str) -> str:
    """The dotted name that ``from ..name`` with *level* dots means in *package*."""
    if not level:
        return name
    above = package.split(".")
    return ".".join([*above[: len(above) - level + 1], *([name] if name else [])])


def never_runs(test: ast.expr) -> bool:
    """Whether *test* is ``TYPE_CHECKING`` or ``__name__ == "__main__"``."""
    if isinstance(test, ast.Compare):
        sides = [test.left, *test.comparators]
        is_name = any(isinstance(each, ast.Name) and each.id == "__name__" for each in sides)
        return is_name and any(isinstance(each, ast.Constant) and each.value == "__main__" for each in sides)
    return (test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")) == "TYPE_CHECKING"


def _forgives(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(each is None or getattr(each, "id", "") in _FORGIVING for each in kinds)

"""A trusted bundle becomes an object: its needs are looked at, its modules imported, its pickle read. Or nothing is.

Here, and nowhere else in progkit, code of an artifact runs. Who calls it has asked ``trust`` before.
"""

import io
import pickle
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from progkit.artifact.bundle.environment import Mismatch, mismatches, ordered
from progkit.artifact.bundle.importing import LOCK, Scope, in_force
from progkit.artifact.bundle.opening import Opened
from progkit.artifact.bundle.planning import Plan
from progkit.errors import ArtifactError, EnvironmentMismatchError, UnloadableError
from progkit.lm.secrecy import blot

PROGRAM = "program.pkl"


@contextmanager
def revived(opened: Opened, *, strict: bool = True) -> Iterator[tuple[Any, list[Mismatch]]]:
    """What the bundle's ``program.pkl`` holds, and how this process differs from what the bundle needs.

    If the block fails, the modules that the bundle brought are gone again. strict: a distribution that is missing is
    an error, and not only told.

    Raises:
        EnvironmentMismatchError: if the bundle cannot run here; nothing was run.
        UnloadableError: if its code fails.
    """
    with LOCK:
        plan = Plan(opened)
        rows = ordered([*mismatches(opened.manifest), *plan.rows])
        if any(row.severity == "block" and (strict or row.kind != "dependency") for row in rows):
            raise EnvironmentMismatchError(opened.root, rows)
        scope = plan.scope()
        with in_force(scope):
            yield _unpickled(opened, scope), rows


def _unpickled(opened: Opened, scope: Scope) -> Any:
    try:
        return _Unpickler(io.BytesIO(opened.files[PROGRAM]), scope).load()
    except ArtifactError:
        raise
    # Whatever the code of a program may raise: it is told with its place, and is the cause. An exit is no way out.
    except (Exception, SystemExit) as error:
        raise _explained(opened, scope, error) from error


class _Unpickler(pickle.Unpickler):
    """Looks names up in the bundle's own modules first."""

    def __init__(self, file: io.BytesIO, scope: Scope) -> None:
        super().__init__(file)
        self.scope = scope

    def find_class(self, module: str, name: str, /) -> Any:
        try:
            if not self.scope.brings(module):
                return super().find_class(module, name)
            sys.audit("pickle.find_class", module, name)  # as for any other
            found: Any = self.scope.get(module)
            for step in name.split("."):
                found = getattr(found, step)
            return found
        except (ImportError, AttributeError) as error:
            error.add_note(f"program.pkl asks for {module}.{name}")
            raise


def _explained(opened: Opened, scope: Scope, error: BaseException) -> UnloadableError:
    """The error that says where in the bundle's code *error* came up, or what its pickle asked for."""
    reason = blot(f"{type(error).__name__}: {error}").removesuffix(": ")
    names = {source.path: name for name, source in scope.sources.items()}
    if isinstance(error, SyntaxError) and error.filename in names:
        return UnloadableError(opened.root, f"module {names[error.filename]}, line {error.lineno}", reason)
    places = [each for each in traceback.extract_tb(error.__traceback__) if each.filename in names]
    if places:
        return UnloadableError(opened.root, f"module {names[places[-1].filename]}, line {places[-1].lineno}", reason)
    asked = next((each for each in getattr(error, "__notes__", ()) if each.startswith(PROGRAM)), PROGRAM)
    return UnloadableError(opened.root, asked, reason)

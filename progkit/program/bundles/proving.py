"""The proof that a bundle loads elsewhere, and where in the program to look if it does not."""

import ast
import re
from dataclasses import dataclass

from progkit.artifact.bundle.capturing import Captured
from progkit.artifact.bundle.checking import Failure, tried
from progkit.artifact.bundle.pickling import ROOT, Pickled
from progkit.errors import UnsavableError

_ASKED = re.compile(r"program\.pkl asks for ([\w.]*\w)")
_PLACE = re.compile(r"module ([\w.]+), line (\d+)")


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of a bundle's parts: where each thing that it names was met."""

    pickled: Pickled
    captured: Captured

    def require(self, bundle: str, digest: str) -> None:
        """Nothing, if the *bundle* loads in a new process.

        Raises:
            UnsavableError: if it does not, with the path of the part to blame, as far as that is known.
        """
        failure = tried(bundle, digest)
        if failure is not None:
            reason = str(failure).replace(bundle, "the bundle")
            raise UnsavableError(self._where(failure), f"does not load in a new process: {reason}")

    def _where(self, failure: Failure) -> str:
        if failure.missing is not None:
            asking = {**{module: path for (module, _), path in self.pickled.named.items()}, **self.captured.absent}
            for name, where in asking.items():
                if name == failure.missing or name.startswith(f"{failure.missing}."):
                    return where
        for _, text in failure.errors:
            if found := _ASKED.search(text):
                paths = {f"{module}.{name}": path for (module, name), path in self.pickled.named.items()}
                return paths.get(found[1], ROOT)
            if found := _PLACE.search(text):
                return self._object_at(found[1], int(found[2]))
        return ROOT

    def _object_at(self, module: str, line: int) -> str:
        """The path of an object whose class has *line* of *module* in its body."""
        source = self.captured.sources.get(module)
        tree = source.tree() if source else None
        for each in ast.walk(tree) if tree else ():
            if isinstance(each, ast.ClassDef) and each.lineno <= line <= (each.end_lineno or 0):
                return self.pickled.named.get((module, each.name), ROOT).removesuffix(".__class__")
        return ROOT

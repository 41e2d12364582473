"""What a program takes: the names of its inputs, their types, and which may be left out; as far as that is known."""

import inspect
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from progkit.errors import InputError
from progkit.program import ChainOfThought, Module, Predict, tree


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of a program.

    types: by name, of the fields of its predictors. names: all that it takes, None where that is not known. optional:
    those with a default. program: what it is called, where it does not itself say which inputs do not fit.
    """

    types: Mapping[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] | None = None
    optional: frozenset[str] = frozenset()
    program: str = ""

    def fault(self, given: Collection[str]) -> InputError | None:
        """What is wrong with the names *given*, where the program would not say it so well."""
        if self.names is None or not self.program:
            return None
        missing, unexpected = self.differences(given)
        return InputError(self.program, missing, unexpected, self.names) if missing or unexpected else None

    def differences(self, given: Collection[str]) -> tuple[list[str], list[str]]:
        """What is missing in *given*, and what is unexpected; nothing if that is not known."""
        known = self.names if self.names is not None else tuple(given)
        missing = [name for name in known if name not in given and name not in self.optional]
        return missing, [name for name in given if name not in known]


def inputs_of(program: Module) -> Inputs:
    """The inputs of *program*: of a predictor by its signature, of any other by the parameters of ``forward``."""
    types = {name: f.type for each in program.predictors() for name, f in each.signature.input_fields.items()}
    inner = tree.inmost(program)
    if type(inner).forward in (Predict.forward, ChainOfThought.forward):
        fields = (inner if isinstance(inner, Predict) else inner.predict).signature.input_fields
        optional = frozenset(name for name, each in fields.items() if each.has_default)
        return Inputs(types, tuple(fields), optional)
    every = inspect.signature(inner.forward).parameters.values()
    named = [each for each in every if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    if len(named) < len(every):
        return Inputs(types)
    optional = frozenset(each.name for each in named if each.default is not each.empty)
    return Inputs(types, tuple(each.name for each in named), optional, type(inner).__name__)

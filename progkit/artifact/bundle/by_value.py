"""Code taken apart, for what has no source that could travel: functions, classes and modules as values.

cloudpickle says how. Taken out of what it says: the names of this machine's files, and what changes from one process
to the next.
"""

import io
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from progkit.artifact.bundle.mentions import in_code
from progkit.signature import Signature, SignatureMeta
from progkit.signature.contract import unpickled

FILE = "<saved by value>"
"""What stands in tracebacks for the file of code that has none any more."""
_PLACES = ("__file__", "__path__", "__cached__", "__loader__", "__spec__", "__builtins__")


class Taker:
    """Says of each piece of code what ``__reduce__`` would return; one for each pickle."""

    def __init__(self) -> None:
        # The door of cloudpickle: for saving a bundle alone, and most processes save none.
        from cloudpickle import cloudpickle

        self._cloud: Any = cloudpickle
        self._pickler: Any = cloudpickle.Pickler(io.BytesIO(), protocol=5)
        self.dispatch_table: Any = self._pickler.dispatch_table

    def function(self, function: FunctionType) -> Any:
        """A function: its code, defaults, closure, and the variables of its module that it uses."""
        make, args, (own, slots), *rest = self._pickler._dynamic_function_reduce(function)
        for each in _PLACES:
            args[1].pop(each, None)
        variables = slots["__globals__"]
        slots["__globals__"] = {name: FILE if name == "__file__" else each for name, each in variables.items()}
        slots["_cloudpickle_submodules"].sort(key=lambda module: module.__name__)
        return make, args, (own, slots), *rest

    def cls(self, cls: type) -> Any:
        """A class: its bases and what is in its body."""
        make, args, (body, slots), *rest = self._cloud._dynamic_class_reduce(cls)
        # From Python 3.13 on, and there in no order.
        body |= {name: tuple(sorted(body[name])) for name in ("__static_attributes__",) if name in body}
        if make is self._cloud._make_skeleton_class:
            args[3]["__qualname__"] = cls.__qualname__
        # The id by which this process would know the class again: a new one in every process.
        return make, (*args[:-2], None, args[-1]), (body, slots), *rest

    def code(self, code: CodeType) -> Any:
        """Bytecode."""
        return self._cloud._code_reduce(code.replace(co_filename=FILE))

    def module(self, module: ModuleType) -> Any:
        """A module that was made by hand: all that is in it."""
        body = {name: value for name, value in vars(module).items() if name not in _PLACES}
        return self._cloud.dynamic_subimport, (module.__name__, body)

    def plain(self, thing: Any) -> Any:
        """A module by its name, or a class of Python's own that has none, such as that of None."""
        if isinstance(thing, ModuleType):
            return self._cloud.subimport, (thing.__name__,)
        return self._cloud._class_reduce(thing)

    def imports(self, function: FunctionType) -> Iterator[str]:
        """The modules that *function* imports when it is called."""
        return in_code(function.__code__, str(function.__globals__.get("__package__") or ""))


def content_of(signature: SignatureMeta) -> Any:
    """A signature class that no module has under its name, by its content: that is data, and no code."""
    return unpickled, (
        Signature,
        signature.__name__,
        signature.__module__,
        tuple(signature.fields.values()),
        signature.instructions,
    )

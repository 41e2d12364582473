"""What a function or a module *is*: plain data that changes with anything that could change its results.

A predictor is what it would send under the settings in force (prefix, LM, config, adapter) and the
types it reads; a module is its class's code, its attributes and its parts; a function is its code
and what that code refers to: predictors, other functions of the same package, plain values. What has
no content that would be the same tomorrow is refused, by name.
"""

import dataclasses
import logging
import threading
from collections.abc import Mapping, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any
from uuid import UUID

from progkit.adapters import native_of
from progkit.caching import cache_key
from progkit.errors import UncacheableError
from progkit.example import Example
from progkit.lm import Request
from progkit.program import source
from progkit.program.module import Module
from progkit.program.predict import Predict
from progkit.signature import Signature, type_text

_SCALARS = (int, float, complex, bool, bytes, date, datetime, time, timedelta, Decimal, UUID)
_SILENT = (logging.Logger, type(threading.Lock()), type(threading.RLock()))
_MEMO = "program.identity"


def identity(target: Any, where: str, ignore: frozenset[str] = frozenset()) -> Any:
    """*target* as lists and text, all of it JSON.

    where: its name, for errors. ignore: names of attributes and variables that change no result.

    Raises:
        UncacheableError: naming what has no stable content.
        NoLMError: if a predictor in it has no LM.
    """
    home = target if isinstance(target, (FunctionType, MethodType)) else type(target)
    return _Walk(ignore, home.__module__.partition(".")[0]).of(target, where)


class _Walk:
    """One look at everything that a target holds, each thing once; what holds itself is named by its depth."""

    def __init__(self, ignore: frozenset[str], package: str) -> None:
        self.ignore = ignore
        self.package = package
        self.done: dict[int, tuple[Any, Any]] = {}
        self.around: list[int] = []

    def of(self, value: Any, where: str) -> Any:
        kind = type(value)
        if kind is str or value is None:
            return value
        if kind in _SCALARS:
            return [kind.__name__, repr(value)]
        if id(value) in self.around:
            return ["around", self.around.index(id(value))]
        if id(value) not in self.done:
            self.around.append(id(value))
            self.done[id(value)] = (value, self._composed(value, where))  # with the value, so that its id stays its own
            self.around.pop()
        return self.done[id(value)][1]

    def _composed(self, value: Any, where: str) -> Any:
        if isinstance(value, (list, tuple)):
            return [type(value).__name__, *(self.of(each, f"{where}[{n}]") for n, each in enumerate(value))]
        if isinstance(value, Example):
            return ["values", self._items(dict(value.items()), where), sorted(value.input_keys or ())]
        if isinstance(value, Predict):
            return ["predictor", _predictor(value), self._module(value, where)]
        if isinstance(value, Module):
            return ["module", self._module(value, where)]
        if isinstance(value, (dict, Mapping)):
            return ["mapping", self._items(value, where)]
        if isinstance(value, Set):
            return ["set", *sorted((self.of(each, where) for each in value), key=repr)]
        return self._named(value, where)

    def _named(self, value: Any, where: str) -> Any:
        if isinstance(value, Enum):
            return ["enum", _path(type(value)), value.name]
        if isinstance(value, PurePath):
            return ["path", str(value)]
        if isinstance(value, FunctionType):
            return ["function", self._function(value, where)]
        if isinstance(value, MethodType):
            return ["method", self._function(value.__func__, where), self.of(value.__self__, where)]
        if isinstance(value, partial):
            return ["partial", self.of(value.func, where), self.of(value.args, where), self.of(value.keywords, where)]
        if isinstance(value, (BuiltinFunctionType, ModuleType)):
            return ["name", value.__name__]
        if isinstance(value, type):
            return ["class", self._class(value, where)]
        if isinstance(value, _SILENT):
            return None
        return self._object(value, where)

    def _object(self, value: Any, where: str) -> Any:
        kind = type(value)
        said = getattr(value, "identity", None)  # an LM has one, too
        if said is not None and not callable(said):
            return ["object", _path(kind), self.of(said, f"{where}.identity")]
        if dataclasses.is_dataclass(value):
            fields = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
            return ["object", _path(kind), self._items(fields, where)]
        if hasattr(value, "model_dump"):
            return ["object", _path(kind), self._items(value.model_dump(), where)]
        raise UncacheableError(
            where,
            f"is an object of {_path(kind)}, which has no content that can be compared: give it an attribute "
            f"`identity` of plain data, or say cached(..., ignore=[{where.rpartition('.')[2]!r}])",
        )

    def _items(self, values: Mapping[Any, Any], where: str) -> list[Any]:
        """Names and values in their order, which a prompt would show."""
        return [
            [self.of(name, where), self.of(each, f"{where}.{name}")]
            for name, each in values.items()
            if name not in self.ignore
        ]

    # --- code ---------------------------------------------------------------------------------

    def _module(self, module: Module, where: str) -> list[Any]:
        hidden = type(module).own_state
        attributes = {name: value for name, value in vars(module).items() if name not in hidden}
        return [self._class(type(module), where), self._items(attributes, where)]

    def _class(self, kind: type, where: str) -> list[Any]:
        """Its name and, of the user's own, what its methods do; but not how it is made: that shows in the object."""
        if issubclass(kind, Signature):
            return [_path(kind), kind.instructions, _fields(kind)]
        methods = {
            f"{each.__qualname__}.{name}": function
            for each in kind.__mro__
            if self._is_own(each.__module__) or (issubclass(each, Module) and not _is_ours(each.__module__))
            for name, function in source.functions(each)
            if name != "__init__"
        }
        return [_path(kind), self._items(methods, where)]

    def _function(self, function: Any, where: str) -> list[Any]:
        path = _path(function)
        if not self._is_own(function.__module__):
            return [path]
        used = self._items(source.used(function), path)
        given = [self.of(function.__defaults__, where), self.of(function.__kwdefaults__, where)]
        return [path, source.digest(function.__code__), used, given]

    def _is_own(self, module: str) -> bool:
        """Whether *module* belongs to the package of the target; of others, the name must do."""
        return module.partition(".")[0] == self.package and not _is_ours(module)


def _predictor(predict: Predict) -> list[Any]:
    ask = predict.ask(dict.fromkeys(predict.signature.input_fields))
    adapter = ask.adapter
    native = native_of(adapter, ask.signature, ask.params)
    signature = ask.signature if native is None else native.signature
    prefix = predict._plans.get(adapter, signature, ask.demos).prefix
    about = prefix.memo.get(_MEMO)
    if about is None:
        fallback = adapter.fallback.name if adapter.fallback else ""
        kind = type(adapter)
        shown = "" if kind.__repr__ is object.__repr__ else repr(adapter)
        about = prefix.memo[_MEMO] = [adapter.name, _path(kind), shown, fallback, _fields(ask.signature)]
    params = {**adapter.params(signature, ask.model), **ask.params}
    return [about, predict.layout, cache_key(Request(prefix, (), params))]


def _fields(signature: type[Signature]) -> list[Any]:
    fields = signature.fields.items()
    return [[name, each.role, type_text(each.type), each.desc, repr(dict(each.constraints))] for name, each in fields]


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "progkit"


def _path(thing: Any) -> str:
    return f"{thing.__module__}:{thing.__qualname__}"

"""What a function takes, as an LM is told it, and values fitted to that.

The schemas are those that DSPy 3.4 shows for a tool's function; pydantic makes all but the plainest.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import NoneType
from typing import Any, get_type_hints

from progkit.errors import ConfigurationError

_SCALARS: Mapping[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}

_JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (dict,),
    "null": (NoneType,),
}


@dataclass(frozen=True, slots=True)
class Parameters:
    """A function's parameters: JSON schema and type by name, in order, and which a call must give.

    signature: Python's own, to call it by.
    """

    signature: inspect.Signature
    schemas: dict[str, dict[str, Any]]
    types: dict[str, Any]
    required: tuple[str, ...]

    @property
    def keywords(self) -> str | None:
        """The name of ``**kwargs``, if the function takes any."""
        return self._variadic(inspect.Parameter.VAR_KEYWORD)

    @property
    def positionals(self) -> str | None:
        """The name of ``*args``, if the function takes any."""
        return self._variadic(inspect.Parameter.VAR_POSITIONAL)

    def _variadic(self, kind: Any) -> str | None:
        return next((name for name, each in self.signature.parameters.items() if each.kind is kind), None)

    def bound(self, values: Mapping[str, Any]) -> inspect.BoundArguments:
        """*values*, by name, as the function takes them; a dict for ``**kwargs`` is spread, a list for ``*args``."""
        given = dict(values)
        keywords, positionals = self.keywords, self.positionals
        if positionals in given:
            items = given[positionals]
            given[positionals] = tuple(items) if isinstance(items, (list, tuple)) else (items,)
        if keywords is not None:
            named = given.pop(keywords, {})
            rest = {name: given.pop(name) for name in list(given) if name not in self.signature.parameters}
            given[keywords] = (named if isinstance(named, dict) else {keywords: named}) | rest
        ordered = {name: given.pop(name) for name in self.signature.parameters if name in given}
        # What is left is no parameter: the author's own schema promises it, and Python will refuse it by name.
        bound = inspect.BoundArguments(self.signature, ordered)
        if given:
            return self.signature.bind(*bound.args, **bound.kwargs, **given)
        return bound


def parameters_of(function: Callable[..., Any], name: str) -> Parameters:
    """What *function*, the tool called *name*, takes.

    Raises:
        ConfigurationError: if that cannot be known, or a type has no JSON schema.
    """
    try:
        signature = inspect.signature(function)
        hints = get_type_hints(annotated(function))
    except (ValueError, TypeError, NameError) as error:
        raise ConfigurationError(f"what tool {name!r} takes cannot be known: {error}") from error
    # A partial's own keywords are no longer asked for, its signature says with which defaults.
    types = {each: hints.get(each, Any) for each in signature.parameters}
    schemas, required = {}, []
    for each, parameter in signature.parameters.items():
        schemas[each] = _schema(types[each], f"tool {name!r}, parameter {each!r}")
        if parameter.default is not inspect.Parameter.empty:
            _tell_default(schemas[each], parameter.default)
        elif parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            required.append(each)
    return Parameters(signature, schemas, types, tuple(required))


def whole(function: Any) -> Any:
    """What *function* calls: itself, unless it is a partial."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def annotated(function: Any) -> Any:
    """What bears the annotations of *function*: the function itself, or what a partial or an object calls."""
    function = whole(function)
    if inspect.isclass(function):
        return function.__init__
    return function if inspect.isroutine(function) else type(function).__call__


def is_async(function: Any) -> bool:
    """Whether calling *function* gives something to be awaited."""
    return bool(inspect.iscoroutinefunction(annotated(function)))


def schema_refuses(value: Any, schema: Mapping[str, Any]) -> str | None:
    """Why *value* does not fit *schema* by its ``type`` and ``enum``; None if it does.

    For schemas that an author wrote: those of functions are pydantic's to check.
    """
    named = schema.get("type")
    kinds = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    if kinds and not any(_is_of(value, each) for each in kinds):
        return f"{value!r} is not of type {' or '.join(map(repr, kinds))}"
    allowed = schema.get("enum")
    if isinstance(allowed, list) and value not in allowed:
        return f"{value!r} is not one of {', '.join(map(repr, allowed))}"
    return None


def _is_of(value: object, kind: Any) -> bool:
    if kind not in _JSON_TYPES:
        return True
    if isinstance(value, bool):
        return bool(kind == "boolean")
    if isinstance(value, float) and kind == "integer":
        return value.is_integer()
    return isinstance(value, _JSON_TYPES[kind])


def _schema(annotation: Any, where: str) -> dict[str, Any]:
    if annotation is Any:
        return {}
    if annotation in _SCALARS:
        return {"type": _SCALARS[annotation]}
    try:
        made = adapter_of(annotation).json_schema()
    except Exception as error:  # pydantic's own, and those of anybody's __get_pydantic_json_schema__
        raise ConfigurationError(f"{where}: no JSON schema can be made of its type: {error}") from error
    definitions = made.pop("$defs", {})
    inlined: dict[str, Any] = _inlined(made, definitions, ())
    return inlined


def adapter_of(annotation: Any) -> Any:
    """Pydantic's view of *annotation*."""
    # The door of pydantic, which takes longer to import than all of progkit.
    from pydantic import TypeAdapter

    return TypeAdapter(annotation)


def _inlined(node: Any, definitions: Mapping[str, Any], within: tuple[str, ...]) -> Any:
    """*node* with every reference replaced by what it means; within itself a type is anything."""
    if isinstance(node, list):
        return [_inlined(each, definitions, within) for each in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        name = node["$ref"].rpartition("/")[2]
        return {} if name in within else _inlined(definitions[name], definitions, (*within, name))
    return {name: _inlined(each, definitions, within) for name, each in node.items()}


def _tell_default(schema: dict[str, Any], default: Any) -> None:
    """Add *default* to *schema*, unless JSON cannot say it: an object's address would change the prompt."""
    if isinstance(default, Decimal):
        schema["default"] = float(default)  # DSPy's choice: a number and not its text
        return
    if default is None or type(default) in _SCALARS:
        schema["default"] = default
        return
    try:
        schema["default"] = adapter_of(Any).dump_python(default, mode="json")
    except Exception:  # whatever a class makes of being serialised; the parameter is still optional
        return

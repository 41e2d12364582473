"""Tool: a function that an LM may ask to have called."""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, ClassVar

from progkit.content.parameters import Parameters, adapter_of, annotated, is_async, parameters_of, schema_refuses, whole
from progkit.content.parts import Content
from progkit.errors import ConfigurationError, ToolError, did_you_mean


class Tool(Content):
    """A function with what an LM must know to use it: its name, what it does, what it takes.

    All of that is read from *func*, sync or async (a function, method, partial or object that can be
    called), unless given. desc: its docstring. args: JSON schema by argument. arg_types: type by
    argument, to which values are converted. arg_desc: description by argument.

    ``tool(city="Rome")`` calls it, ``await tool.acall(city="Rome")`` without holding up the event loop;
    either way arguments are checked and converted first. A tool is a value, never changed once made.

    Raises:
        ConfigurationError: if *func* cannot be called, or what it takes cannot be known.
    """

    is_saved_as_text: ClassVar[bool] = True
    """In a file a tool of a demo is what the prompt says of it: a function is no data."""

    def __init__(
        self,
        func: Callable[..., Any],
        name: str | None = None,
        desc: str | None = None,
        args: Mapping[str, Any] | None = None,
        arg_types: Mapping[str, Any] | None = None,
        arg_desc: Mapping[str, str] | None = None,
    ) -> None:
        if not callable(func):
            raise ConfigurationError(f"a tool is made of something that can be called, not of {func!r}")
        called = whole(func)
        self.func = func
        self.name: str = name or getattr(called, "__name__", None) or type(called).__name__
        self.desc: str | None = desc or called.__doc__ or annotated(func).__doc__ or None
        self.is_async = is_async(func)
        self._parameters: Parameters = parameters_of(func, self.name)
        schemas = self._parameters.schemas
        for each, told in (arg_desc or {}).items():
            if each in schemas:
                schemas[each]["description"] = told
        self.args: dict[str, Any] = dict(args) if args is not None else schemas
        self.arg_types: dict[str, Any] = dict(arg_types) if arg_types is not None else self._parameters.types
        self._adapters: dict[str, Any] = {}

    @property
    def has_kwargs(self) -> bool:
        """Whether the function takes any keyword."""
        return self._parameters.keywords is not None

    # --- as an LM sees it -------------------------------------------------------------------

    def format(self) -> str:
        """What a prompt says of it."""
        return str(self)

    def __str__(self) -> str:
        told = f", whose description is <desc>{self.desc}</desc>.".replace("\n", "  ") if self.desc else "."
        return f"{self.name}{told} It takes arguments {self.args}."

    def format_as_litellm_function_call(self) -> dict[str, Any]:
        """What stands for it in a request's ``tools``: a function with a JSON schema of its parameters."""
        free = set(self._parameters.signature.parameters) - set(self._parameters.required)
        required = [name for name, each in self.args.items() if "default" not in each and name not in free]
        parameters = {"type": "object", "properties": dict(self.args), "required": required}
        return {"type": "function", "function": {"name": self.name, "description": self.desc, "parameters": parameters}}

    def _variadic(self) -> set[str]:
        return {name for name in (self._parameters.keywords, self._parameters.positionals) if name is not None}

    def __repr__(self) -> str:
        return f"Tool(name={self.name!r}, desc={self.desc!r}, args={self.args!r})"

    # --- calls ------------------------------------------------------------------------------

    def __call__(self, **arguments: Any) -> Any:
        """What the function gives for *arguments*; of an async one, what it gives when awaited.

        Raises:
            ToolError: for arguments that do not fit.
            ConfigurationError: for an async tool within a running event loop: that needs ``acall``.
        """
        bound = self._bound(arguments)
        result = self.func(*bound.args, **bound.kwargs)
        if not inspect.isawaitable(result):
            return result
        if _loop_is_running():
            if inspect.iscoroutine(result):
                result.close()
            raise ConfigurationError(f"tool {self.name!r} is async, and an event loop is running here: use acall")
        return asyncio.run(_awaited(result))

    async def acall(self, **arguments: Any) -> Any:
        """Like a call, without holding up the event loop: a function that is not async runs in a worker thread.

        Raises:
            ToolError: for arguments that do not fit.
        """
        bound = self._bound(arguments)
        if self.is_async:
            return await self.func(*bound.args, **bound.kwargs)
        result = await asyncio.to_thread(self.func, *bound.args, **bound.kwargs)
        return await result if inspect.isawaitable(result) else result

    def _bound(self, arguments: Mapping[str, Any]) -> inspect.BoundArguments:
        """*arguments*, checked and converted, as the function takes them.

        Raises:
            ToolError: naming all that is missing, all that is unexpected, and every value that does not fit.
        """
        values: dict[str, Any] = {}
        wrong = []
        for name, value in arguments.items():
            if name not in self.args and not self.has_kwargs:
                wrong.append(f"no argument {name!r}{did_you_mean(name, list(self.args))}")
                continue
            try:
                values[name] = self._fitted(name, value)
            except ValueError as error:
                wrong.append(f"argument {name!r}: {_reason(error)}")
        missing = [name for name in self._parameters.required if name in self.args and name not in arguments]
        wrong = [f"argument {name!r} is missing" for name in missing] + wrong
        if wrong:
            raise ToolError(self.name, wrong, list(self.args))
        try:
            return self._parameters.bound(values)
        except TypeError as error:
            raise ToolError(self.name, [str(error)], list(self.args)) from error

    def _fitted(self, name: str, value: Any) -> Any:
        """*value* as the type of argument *name*; ValueError (pydantic's are such) if it is none."""
        kind = self.arg_types.get(name, Any)
        if kind is Any:
            refused = schema_refuses(value, self.args.get(name) or {})
            if refused:
                raise ValueError(refused)
            return value
        if type(value) is kind or name in self._variadic():
            return value
        if name not in self._adapters:
            self._adapters[name] = adapter_of(kind)
        return self._adapters[name].validate_python(value)

    # --- as a value -------------------------------------------------------------------------

    def __copy__(self) -> "Tool":
        return self

    def __deepcopy__(self, memo: object) -> "Tool":
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_adapters": {}}  # made anew where they are needed

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        # The door of pydantic; only who makes a schema of a type that holds tools gets here.
        from pydantic import PlainSerializer, PlainValidator

        return handler.generate_schema(Annotated[Any, PlainValidator(tool_of), PlainSerializer(str)])

    @property
    def __pydantic_serializer__(self) -> Any:
        """Where pydantic looks for how to write an object whose type it was not told."""
        return _serializer()


def tool_of(value: Any) -> Tool:
    """The tool that *value* is, or that is made of the function that it is.

    Raises:
        ValueError: if it is neither.
    """
    if isinstance(value, Tool):
        return value
    if callable(value):
        return Tool(value)
    raise ValueError(f"neither a tool nor a function: {value!r:.80}")


@lru_cache(maxsize=1)
def _serializer() -> Any:
    return adapter_of(Tool).serializer


async def _awaited(value: Any) -> Any:
    return await value


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _reason(error: ValueError) -> str:
    told = getattr(error, "errors", None)
    if told is None:
        return str(error)
    # Pydantic's ValidationError, without its second half of links.
    places = [(each["msg"], ".".join(map(str, each["loc"]))) for each in told(include_url=False, include_context=False)]
    return ", ".join(f"{message} (at {place})" if place else message for message, place in places)

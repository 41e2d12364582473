"""Code: a program text as a field, read out of the fence that models put around it."""

import re
from functools import cache
from types import new_class
from typing import Any, ClassVar

import pydantic

from progkit.content.base import Type, undescribed

_FENCE = re.compile(r"```[^\n]*\n(.*?)```|```(.*?)```", re.DOTALL)


class Code(Type):
    """A program's text; ``Code["java"]`` says in which language, else Python.

    A fence around it, with or without a language, is taken off; equal languages give the same class.
    """

    code: str

    model_config = pydantic.ConfigDict(json_schema_extra=undescribed)
    language: ClassVar[str] = "python"
    says_own_shape: ClassVar[bool] = True

    def __class_getitem__(cls, language: Any) -> Any:
        return _code_in(cls, str(language))

    def format(self) -> str:
        """The text as it stands."""
        return self.code

    def __str__(self) -> str:
        return self.code

    @classmethod
    def description(cls) -> str:
        """How the text is to be written; layout: DSPy 3.1 and later."""
        return cls._described(f"```{cls.language.lower()}\n{{code}}\n```")

    @classmethod
    def description_in(cls, layout: str) -> str:
        """``description()`` as *layout* words it."""
        if layout == "3.0":
            return cls._described("```python\n{code}\n``` or \n```cpp\n{code}\n```")
        return cls.description()

    @classmethod
    def _described(cls, example: str) -> str:
        return (
            "Code represented in a string, specified in the `code` field. If this is an output field, the code "
            f"field should follow the markdown code block format, e.g. \n{example}"
            f"\nProgramming language: {cls.language}"
        )

    @pydantic.model_validator(mode="before")
    @classmethod
    def _unfence(cls, value: Any) -> Any:
        """The fields that a text, or a dict with one, stands for."""
        given = value.get("code") if isinstance(value, dict) else value
        return {"code": _unfenced(given)} if isinstance(given, str) else value


def _unfenced(text: str) -> str:
    """What stands in the first fence of *text*; all of it if there is none."""
    found = _FENCE.search(text)
    return text if found is None else (found[1] if found[1] is not None else found[2]).strip()


@cache
def _code_in(base: type[Code], language: str) -> type[Code]:
    name = f"{base.__name__}_{language}"

    def fill(body: dict[str, Any]) -> None:
        # Where `__getattr__` below finds it again, so that it can be pickled.
        body.update(__module__=__name__, __qualname__=name, language=language)
        body["__annotations__"] = {"language": ClassVar[str]}

    made: type[Code] = new_class(name, (base,), exec_body=fill)
    return made


def __getattr__(name: str) -> Any:
    start, _, language = name.partition("_")
    if start == Code.__name__ and language:
        return _code_in(Code, language)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

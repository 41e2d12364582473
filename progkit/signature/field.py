"""A field: one named, typed value that a call takes or gives."""

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from keyword import iskeyword
from typing import Any, Literal, TypedDict, Unpack
from unicodedata import normalize

from progkit.errors import SignatureError, did_you_mean
from progkit.signature.types import is_type, same_type, type_name


class Missing(Enum):
    """The type of ``MISSING``, which stands where no value was given; None is a value."""

    MISSING = "MISSING"

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing.MISSING


class Constraints(TypedDict, total=False):
    """What may be asked of a field's value, in pydantic's words; None means: not asked."""

    gt: Any
    ge: Any
    lt: Any
    le: Any
    min_length: int | None
    max_length: int | None
    multiple_of: Any
    allow_inf_nan: bool | None


CONSTRAINTS = tuple(Constraints.__annotations__)
ARGUMENTS = ("desc", "prefix", "default", "default_factory", *CONSTRAINTS)
ROLES = ("input", "output")

_ADVICE = {
    "description": "write desc=",
    "title": "write prefix=",
    "format": "leave it out: a value is formatted by its type",
    "parser": "leave it out: a reply is parsed by the field's type",
    "type_": "the type is the annotation",
}


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One named, typed value; itself a value, never changed.

    type: the annotation. desc: ``${name}`` stands for no description. prefix: ``Question Text:``,
    made from the name if none is given. constraints: by name, in the order they were written.
    default, default_factory: at most one of them. Equal fields make equal prompts.
    """

    name: str
    role: Literal["input", "output"]
    type: Any = str
    desc: str = ""
    prefix: str = ""
    constraints: Mapping[str, Any] = field(default_factory=dict)
    default: Any = MISSING
    default_factory: Callable[[], Any] | None = None

    def __post_init__(self) -> None:
        where = f"field {self.name!r}" if self.name else f"{self.role} field"
        if self.role not in ROLES:
            raise SignatureError(f"{where}: the role is 'input' or 'output', not {self.role!r}")
        for name in ("desc", "prefix"):
            if not isinstance(getattr(self, name), str):
                raise SignatureError(f"{where}: {name} is text, not {getattr(self, name)!r}")
        if self.default_factory is not None:
            if not callable(self.default_factory):
                raise SignatureError(f"{where}: default_factory cannot be called: {self.default_factory!r}")
            if self.default is not MISSING:
                raise SignatureError(f"{where}: default and default_factory exclude each other")
        object.__setattr__(self, "constraints", _checked(self.constraints, where))

    @property
    def has_default(self) -> bool:
        """Whether a value is known when none is given."""
        return self.default is not MISSING or self.default_factory is not None

    def make_default(self) -> Any:
        """The default, as the caller's own copy.

        Raises:
            SignatureError: if there is none.
        """
        if self.default_factory is not None:
            return self.default_factory()
        if self.default is MISSING:
            raise SignatureError(f"field {self.name!r} has no default")
        return copy.deepcopy(self.default)

    def attach(self, name: str, type_: Any = None) -> "Field":
        """This field under *name*, of *type_* if that is not None; placeholder and prefix follow the name.

        Raises:
            SignatureError: if *name* cannot be a keyword argument, or the type is no type.
        """
        check_name(name)
        type_ = self.type if type_ is None else type_
        if not is_type(type_):
            raise SignatureError(f"field {name!r}: {_no_type(name, type_)}")
        follows = not self.desc or self.desc == placeholder(self.name)
        desc = placeholder(name) if follows else self.desc
        prefix = self.prefix if self.prefix and self.prefix != infer_prefix(self.name) else infer_prefix(name)
        return replace(self, name=name, type=type_, desc=desc, prefix=prefix)

    def update(self, values: Mapping[str, Any]) -> "Field":
        """This field with the arguments of ``InputField`` in *values* replaced.

        A desc, prefix or constraint of None is taken away; so is a default of ``MISSING``.

        Raises:
            SignatureError: for an argument that fields do not have.
        """
        told = {name: value for name, value in values.items() if name not in CONSTRAINTS}
        _check_arguments(values, f"field {self.name!r}")
        for name in ("desc", "prefix"):
            if name in told:
                told[name] = told[name] or ""
        if told.get("default", MISSING) is not MISSING:
            told.setdefault("default_factory", None)
        if told.get("default_factory") is not None:
            told.setdefault("default", MISSING)
        constraints = {**self.constraints, **{name: values[name] for name in values if name in CONSTRAINTS}}
        return replace(self, constraints=constraints, **told).attach(self.name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Field) or not same_type(self.type, other.type):
            return False
        mine = (self.name, self.role, self.desc, self.prefix, self.default_factory)
        theirs = (other.name, other.role, other.desc, other.prefix, other.default_factory)
        if mine != theirs or tuple(self.constraints) != tuple(other.constraints):
            return False
        pairs = [(self.default, other.default), *((each, other.constraints[n]) for n, each in self.constraints.items())]
        return all(_same_value(*pair) for pair in pairs)

    def __hash__(self) -> int:
        return hash((self.name, self.role, self.desc, self.prefix))

    def __copy__(self) -> "Field":
        return self

    def __deepcopy__(self, memo: object) -> "Field":
        return self

    def __repr__(self) -> str:
        shown = [f"{self.name}: {type_name(self.type)}"] if self.name else []
        if self.desc and self.desc != placeholder(self.name):
            shown.append(f"desc={self.desc!r}")
        if self.prefix and self.prefix != infer_prefix(self.name):
            shown.append(f"prefix={self.prefix!r}")
        if self.default is not MISSING:
            shown.append(f"default={self.default!r}")
        if self.default_factory is not None:
            shown.append(f"default_factory={getattr(self.default_factory, '__qualname__', self.default_factory)}")
        shown += [f"{name}={value!r}" for name, value in self.constraints.items()]
        return f"{self.role.capitalize()}Field({', '.join(shown)})"


def InputField(  # noqa: N802 - DSPy's name
    *,
    desc: str | None = None,
    prefix: str | None = None,
    default: Any = MISSING,
    default_factory: Callable[[], Any] | None = None,
    **constraints: Unpack[Constraints],
) -> Any:
    """A value that the call takes: ``question: str = InputField(desc="...")``.

    desc: what it is, for the LM. prefix: its title, made from the name if not given.
    default, default_factory: what it is when the caller gives none.
    constraints: gt, ge, lt, le, min_length, max_length, multiple_of, allow_inf_nan.

    Raises:
        SignatureError: for an argument that fields do not have, or values that make no sense.
    """
    _check_arguments(constraints, "InputField")
    return Field("", "input", str, desc or "", prefix or "", constraints, default, default_factory)


def OutputField(  # noqa: N802 - DSPy's name
    *,
    desc: str | None = None,
    prefix: str | None = None,
    default: Any = MISSING,
    default_factory: Callable[[], Any] | None = None,
    **constraints: Unpack[Constraints],
) -> Any:
    """A value that the LM gives: ``answer: int = OutputField(ge=0)``.

    desc, prefix, default, default_factory, constraints: as for ``InputField``; the default is for a
    reply that leaves the field out.

    Raises:
        SignatureError: for an argument that fields do not have, or values that make no sense.
    """
    _check_arguments(constraints, "OutputField")
    return Field("", "output", str, desc or "", prefix or "", constraints, default, default_factory)


def placeholder(name: str) -> str:
    """``${name}``: the description that a field has when its author gave none."""
    return f"${{{name}}}"


def infer_prefix(name: str) -> str:
    """The title of a field called *name*: ``question_text`` and ``questionText`` are ``Question Text:``."""
    words = re.findall(r"[A-Z]+(?![^\W\d_A-Z])|[A-Z]?[^\W\d_A-Z]+|\d+", name)
    return " ".join(word if word.isupper() else word.capitalize() for word in words) + ":"


def check_name(name: Any) -> None:
    """Refuse a field name that could not be written as ``program(name=...)``.

    Raises:
        SignatureError: saying why.
    """
    if not isinstance(name, str):
        raise SignatureError(f"a field's name is text, not {name!r}")
    if not name.isidentifier():
        raise SignatureError(f"{name!r} is no name for a field: letters, digits and _ only, and no digit first")
    if iskeyword(name):
        raise SignatureError(f"{name!r} is a word of Python and no name for a field")
    if normalize("NFKC", name) != name:
        raise SignatureError(f"{name!r} is read as {normalize('NFKC', name)!r} by Python: write that")


def _no_type(name: str, type_: Any) -> str:
    if isinstance(type_, Field):
        return (
            f"a field stands where its type should be; in the class body the field's name hides the type {name!r}: "
            "rename the field, or write the type with its module (datetime.date)"
        )
    return f"{type_!r} is not a type"


def _check_arguments(given: Mapping[str, Any], where: str) -> None:
    for name in given:
        if name not in ARGUMENTS:
            advice = f": {_ADVICE[name]}" if name in _ADVICE else did_you_mean(name, ARGUMENTS)
            raise SignatureError(f"{where} has no argument {name!r}{advice}; it has {', '.join(ARGUMENTS)}")


def _checked(constraints: Mapping[str, Any], where: str) -> dict[str, Any]:
    kept = {name: value for name, value in constraints.items() if value is not None}
    for name, value in kept.items():
        if name not in CONSTRAINTS:
            raise SignatureError(f"{where}: no constraint {name!r}{did_you_mean(name, CONSTRAINTS)}")
        whole = isinstance(value, int) and not isinstance(value, bool)
        if name in ("min_length", "max_length") and not (whole and value >= 0):
            raise SignatureError(f"{where}: {name} is a number of items or characters, not {value!r}")
        if name == "allow_inf_nan" and not isinstance(value, bool):
            raise SignatureError(f"{where}: allow_inf_nan is True or False, not {value!r}")
    return kept


def _same_value(one: Any, other: Any) -> bool:
    # 1, 1.0 and True are equal to Python and differ in a prompt; so do they inside a list, hence the repr.
    return one is other or (type(one) is type(other) and repr(one) == repr(other) and bool(one == other))

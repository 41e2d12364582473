"""What ``modules_to_serialize`` names: modules of Python, whose code travels, and parts of the program."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from progkit.artifact.bundle.finding import Finder, Owner
from progkit.errors import ConfigurationError, did_you_mean
from progkit.program import tree
from progkit.program.bundles.left_out import LeftOut
from progkit.program.module import Module


@dataclass(frozen=True, slots=True)
class Chosen:
    """What travels. modules: exactly these, by dotted name; None for all that the program needs of the user's own.

    left_out: the parts that stay, by id, each as what stands for it.
    """

    modules: frozenset[str] | None
    left_out: dict[int, LeftOut]


def choose(program: Module, names: Sequence[ModuleType | str] | None, finder: Finder) -> Chosen:
    """What of *program* travels if *names* were given for ``modules_to_serialize``; nothing given is everything.

    A text is first the path of a part, as ``named_sub_modules`` prints them, and then the name of a module.

    Raises:
        ConfigurationError: for a name that is neither, or cannot travel.
    """
    if isinstance(names, (str, ModuleType)):
        raise ConfigurationError(f"modules_to_serialize is a list, [{names!r}], not one name")
    parts = dict(tree.walk(program))
    wanted, modules = [], set()
    for each in names or ():
        if isinstance(each, str) and each in parts:
            wanted.append(each)
        else:
            modules.update(_travelling(each, parts, finder))
    staying = _staying(parts, wanted) if wanted else {}
    staying |= {id(part): path for path, part in parts.items() if isinstance(part, LeftOut)}
    instead = {}
    for path, part in parts.items():
        if id(part) in staying:
            instead[id(part)] = LeftOut(_path(program, id(part), staying, path), class_path(part))
    return Chosen(frozenset(modules) or None, instead)


def _travelling(given: Any, parts: Iterable[str], finder: Finder) -> list[str]:
    """The modules that the module *given*, or its name, stands for: itself and, of a package, all that is in it."""
    name = given.__name__ if isinstance(given, ModuleType) else given
    if not isinstance(name, str):
        raise ConfigurationError(f"modules_to_serialize takes modules, their names and paths of parts, not {given!r}")
    owner = finder.owner(name) if name and all(each.isidentifier() for each in name.split(".")) else Owner.UNKNOWN
    if owner in (Owner.STANDARD, Owner.PROGKIT):
        whose = "Python's own library" if owner is Owner.STANDARD else "progkit"
        raise ConfigurationError(f"modules_to_serialize: {name!r} is of {whose}, which is there wherever a bundle is")
    below = finder.below(name)
    if owner is Owner.UNKNOWN or (owner is Owner.NAMESPACE and not below):
        known = list(parts)
        raise ConfigurationError(
            f"modules_to_serialize: {name!r} is neither a part of the program nor a module that can be "
            f"imported{did_you_mean(name, known)}; its parts are {', '.join(known)}"
        )
    return [name, *below]


def _staying(parts: Mapping[str, Any], wanted: Sequence[str]) -> dict[int, str]:
    """Path by id of the parts that are neither wanted, nor below what is, nor on the way to it."""
    kept = {id(part) for path in wanted for _, part in tree.walk(parts[path])}
    on_the_way = {path for path in parts for each in wanted if path == tree.ROOT or _is_above(path, each)}
    return {id(part): path for path, part in parts.items() if id(part) not in kept and path not in on_the_way}


def _is_above(path: str, other: str) -> bool:
    return other.startswith((f"{path}.", f"{path}["))


def _path(program: Module, part: int, staying: Collection[int], usual: str) -> str:
    """The path of the part with this id where no other of the *staying* ones is gone through; else the *usual* one."""
    others = [each for each in staying if each != part]
    return next((path for path, each in tree.walk(program, without=others) if id(each) == part), usual)


def class_path(part: Any) -> str:
    """The class of *part*, seen through what wraps it: ``module:Class``."""
    if isinstance(part, LeftOut):
        return part.left_out_kind
    kind = type(tree.inmost(part))
    return f"{kind.__module__}:{kind.__qualname__}"

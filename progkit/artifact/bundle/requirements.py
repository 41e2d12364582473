"""What has to be installed where a bundle is loaded: the distributions of the modules that it imports, and theirs."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from importlib.metadata import Distribution
from typing import Any

from progkit.artifact.bundle.finding import US, Finder
from progkit.artifact.decoding import decode
from progkit.errors import DocumentError
from progkit.version import __version__


@dataclass(slots=True)
class Needs:
    """Name and version of each distribution, ``direct`` if the program imports it itself; *notes* for the user."""

    dependencies: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The content of requirements.txt."""
        lines = ["# What the program itself imports.", *_pins(self.dependencies, True)]
        return "\n".join([*lines, "", "# What these need.", *_pins(self.dependencies, False), ""])


def needs(modules: Mapping[str, str], finder: Finder) -> Needs:
    """The distributions of *modules* (by dotted name, with who asks for each), progkit's, and all that those need."""
    direct: dict[str, Distribution | None] = {US: _installed(US)}
    direct |= {_normal(each.metadata["Name"]): each for each in map(finder.distribution, modules) if each is not None}
    found = Needs()
    everything = {**direct, **_needed_by(direct)}
    for name in sorted(everything):
        distribution = everything[name]
        version = __version__ if name == US else str(distribution and distribution.version)
        found.dependencies.append({"name": name, "version": version, "direct": name in direct})
        found.notes += _doubts(name, version, distribution)
    return found


def _needed_by(direct: Mapping[str, Distribution | None]) -> dict[str, Distribution]:
    """The distributions that those in *direct* need, at any depth, as far as they are installed."""
    found: dict[str, Distribution] = {}
    done: set[tuple[str, str]] = set()
    todo = deque((each, "") for each in direct.values() if each is not None)
    while todo:
        distribution, extra = todo.popleft()
        for name, extras in _asked(distribution, extra):
            needed = _installed(name)
            if needed is None:
                continue
            if name not in direct:
                found[name] = needed
            for each in {"", *extras}:
                if (name, each) not in done:
                    done.add((name, each))
                    todo.append((needed, each))
    return found


def _asked(distribution: Distribution, extra: str) -> Iterator[tuple[str, set[str]]]:
    """What *distribution* with *extra* asks for in this environment: name and extras of each."""
    # A third-party library, needed when a bundle is saved or its needs are compared.
    from packaging.requirements import InvalidRequirement, Requirement

    for line in distribution.requires or ():
        try:
            asked = Requirement(line)
        except InvalidRequirement:
            continue
        if asked.marker is None or asked.marker.evaluate({"extra": extra}):
            yield _normal(asked.name), asked.extras


def _doubts(name: str, version: str, distribution: Distribution | None) -> Iterator[str]:
    """What may keep an index from having this distribution in this version."""
    if name == US:
        return
    if "+" in version:
        yield f"{name} {version} is a local version: an index may not have it"
    origin = _origin(distribution)
    if "vcs_info" in origin:
        yield f"{name} {version} was installed from a repository: an index may have other code under this version"
    elif "dir_info" in origin:
        yield f"{name} {version} was installed from a directory: an index may not have it"
    elif "archive_info" in origin:
        yield f"{name} {version} was installed from a file: an index may not have it"


def _origin(distribution: Distribution | None) -> dict[str, Any]:
    """Where *distribution* was installed from, if not from an index (PEP 610). Its URL is for nobody's eyes."""
    text = distribution.read_text("direct_url.json") if distribution is not None else None
    try:
        said = decode(text.encode(), "direct_url.json") if text else {}
    except DocumentError:
        return {}
    return said if isinstance(said, dict) else {}


def _pins(dependencies: Iterable[Mapping[str, Any]], direct: bool) -> list[str]:
    return [f"{each['name']}=={each['version']}" for each in dependencies if each["direct"] is direct]


def _installed(name: str) -> Distribution | None:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


def _normal(name: str) -> str:
    # As in requirements: a third-party library, needed for bundles alone.
    from packaging.utils import canonicalize_name

    return str(canonicalize_name(name))

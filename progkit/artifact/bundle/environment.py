"""What a bundle needs and what is here: every difference, with how much it matters."""

import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal

from progkit.version import __version__

Severity = Literal["block", "warn", "info"]
_ORDER = ("block", "warn", "info")
_OWN = "progkit"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A row of the table: *name* was *saved* so when the bundle was, and is *here*; *reason* says what that means.

    kind: ``interpreter``, ``dependency`` or ``module``. severity: ``block``, the bundle is not loaded; ``warn``, it
    may behave otherwise; ``info``, it should not. here: None, where there is none.
    """

    kind: Literal["interpreter", "dependency", "module"]
    name: str
    saved: str
    here: str | None
    severity: Severity
    reason: str

    def __str__(self) -> str:
        return f"{self.severity:<5}  {self.name}: {self.saved} when saved, {self.here or 'none'} here; {self.reason}"


def mismatches(manifest: Mapping[str, Any]) -> list[Mismatch]:
    """Every difference between what *manifest* names and this process, the gravest first; nothing is imported."""
    return ordered([*_interpreter(manifest), *_dependencies(manifest["dependencies"])])


def ordered(rows: Iterable[Mismatch]) -> list[Mismatch]:
    """*rows* with the gravest first, and else as they come."""
    return sorted(rows, key=lambda row: _ORDER.index(row.severity))


def here() -> dict[str, Any]:
    """The ``interpreter`` of a manifest written by this process."""
    return {
        "implementation": sys.implementation.name,
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "magic": importlib.util.MAGIC_NUMBER.hex(),
        "pydantic": _installed("pydantic"),
        "cloudpickle": _installed("cloudpickle") or "",
    }


# --- the interpreter --------------------------------------------------------------------------------


def _interpreter(manifest: Mapping[str, Any]) -> Iterator[Mismatch]:
    saved, ours = manifest["interpreter"], here()
    if manifest["portability"] == "bytecode":
        yield from _bytecode(saved, ours, ", ".join(manifest["by_value"][:3]))
        return
    if saved["implementation"] != ours["implementation"]:
        reason = "its source was tried on the other implementation alone"
        yield Mismatch("interpreter", "python", saved["implementation"], ours["implementation"], "warn", reason)
    then, now = (tuple(map(int, each["python"].split("."))) for each in (saved, ours))
    if now < then:
        reason = "its source may use what this older Python does not know"
        yield Mismatch("interpreter", "python", saved["python"], ours["python"], "warn", reason)
    elif now > then:
        reason = "it travels as source, which a newer Python reads"
        yield Mismatch("interpreter", "python", saved["python"], ours["python"], "info", reason)


def _bytecode(saved: Mapping[str, Any], ours: Mapping[str, Any], parts: str) -> Iterator[Mismatch]:
    """What keeps code that travels by value from running: it can end the process, so nothing of it is tried."""
    way_out = f"bytecode ({parts}) runs there alone: load it there, or move that code to a module and save again"
    if " of __main__" in parts:
        way_out += ' (a script travels as source if what it does stands under `if __name__ == "__main__":`)'
    for key, name in (("implementation", "python"), ("magic", f"bytecode of Python {saved['python']}")):
        if saved[key] != ours[key]:
            shown = ours[key] if key == "implementation" else f"{ours[key]} (Python {ours['python']})"
            yield Mismatch("interpreter", name, saved[key], shown, "block", way_out)
    # Classes by value carry pydantic's internals, which each minor version has of its own; cloudpickle's hold longer.
    for name, parts_that_matter in (("pydantic", 2), ("cloudpickle", 1)):
        if saved[name] is not None and _start(saved[name], parts_that_matter) != _start(ours[name], parts_that_matter):
            yield Mismatch("interpreter", name, saved[name], ours[name] or None, "block", way_out)


def _start(version: str | None, parts: int) -> list[str]:
    return (version or "").split(".")[:parts]


# --- distributions ----------------------------------------------------------------------------------


def _dependencies(listed: Iterable[Mapping[str, Any]]) -> Iterator[Mismatch]:
    for each in listed:
        name, saved, is_direct = each["name"], each["version"], each["direct"]
        found = _installed(name)
        if found == saved:
            continue
        if found is None:
            severity, reason = _missing(name, saved, is_direct)
        elif is_direct:
            severity, reason = _weighed(saved, found, is_own=name == _OWN)
        else:
            severity, reason = "info", "another distribution needs it, and says itself what it can work with"
        yield Mismatch("dependency", name, saved, found, severity, reason)


def _missing(name: str, saved: str, is_direct: bool) -> tuple[Severity, str]:
    if is_direct:
        return "block", f"the program imports it: pip install '{name}=={saved}', or -r requirements.txt of the bundle"
    return "info", "only another distribution needed it, there"


def _weighed(saved: str, found: str, is_own: bool) -> tuple[Severity, str]:
    """How much it matters that a distribution which the program itself uses is another version."""
    from packaging.version import InvalidVersion, Version  # a third-party library, needed for bundles alone

    try:
        then, now = Version(saved), Version(found)
    except InvalidVersion:
        return "warn", "the versions cannot be compared"
    if now < then:
        return "warn", "it is older here: what the program uses may be missing"
    if is_own:
        return "info", "a newer progkit reads what an older one saved"
    if _series(then.release, then.epoch) != _series(now.release, now.epoch):
        return "warn", "it is newer here, and may have changed what the program uses"
    return "info", "it is newer here, within the same series"


def _series(release: tuple[int, ...], epoch: int) -> tuple[int, ...]:
    """What a distribution keeps the same while it breaks nothing: the major version, before 1.0 also the minor."""
    return (epoch, *release[: 2 if release[0] == 0 else 1])


def _installed(name: str) -> str | None:
    """The version of the distribution *name* that is installed; None if none is."""
    if name == _OWN:
        return __version__  # it runs, be it installed or not
    try:
        return metadata.version(name) or None
    except metadata.PackageNotFoundError:
        return None

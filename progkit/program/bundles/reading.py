"""Programs out of bundles: trusted, revived, given what they had learned, and the parts that were left out."""

import io
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from progkit import artifact
from progkit.artifact import Opened, trust
from progkit.caching import current_cache, import_entries
from progkit.errors import ConfigurationError, UnloadableError, did_you_mean
from progkit.lm import endpoint
from progkit.program import state, tree
from progkit.program.bundles.left_out import LeftOut
from progkit.program.bundles.replies import NAME as CACHE
from progkit.program.bundles.restoring import ALLOWED
from progkit.program.chosen import Choice
from progkit.program.module import Module

log = logging.getLogger("progkit.bundle")


@dataclass(frozen=True, slots=True)
class Terms:
    """How a caller wants a bundle loaded; see ``progkit.load``."""

    trust: str | None = None
    keys: Any = ()
    parts: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = True
    allow_hosts: Sequence[str] = ()
    lm: Choice = None


def program_of(opened: Opened, terms: Terms) -> Module:
    """The program that the bundle *opened* holds; its ``load_report`` says what that took.

    Raises:
        ConfigurationError: for *terms* that cannot be meant.
        DocumentError: for a state that is none.
        UntrustedError: if nothing allows its code to run.
        EnvironmentMismatchError: if it cannot run here.
        UnloadableError: if its code fails.
        StateMismatchError: if its state is of another program (with *strict*).
    """
    _require_left_out(terms.parts, opened.manifest["left_out"])
    hosts = endpoint.checked_hosts(terms.allow_hosts)
    received = artifact.of_bundle(opened)
    trust.judge(opened, trust=terms.trust, keys=terms.keys)
    with _allowing(hosts), artifact.revived(opened, strict=terms.strict) as (program, rows):
        if not isinstance(program, Module):
            raise UnloadableError(
                opened.root, "program.pkl", f"holds a {type(program).__name__}, and no progkit.Module"
            )
        report = state.put(program, received, source=opened.root, strict=terms.strict, allow_hosts=hosts, lm=terms.lm)
        _supply(program, terms.parts)
    report.environment.extend(rows)
    for row in rows:
        if row.severity != "info":
            log.warning("%s: %s", opened.root, row)
    report.notes += [
        f"left out and not supplied: {path} (parts={{{path!r}: ...}})"
        for path in opened.manifest["left_out"]
        if path not in terms.parts
    ]
    if CACHE in opened.files:
        report.notes.append(_warmed(opened))
    vars(program)["_load_report"] = report
    return program


def _require_left_out(parts: Mapping[str, Any], left_out: Mapping[str, str]) -> None:
    """Nothing, if each of *parts* has a place in the program."""
    unknown = [path for path in parts if path not in left_out]
    if unknown:
        told = ", ".join(f"{path!r}{did_you_mean(str(path), list(left_out))}" for path in unknown)
        known = ", ".join(f"{path} ({kind})" for path, kind in left_out.items()) or "none, the program is whole"
        raise ConfigurationError(f"parts= names {told}; what this bundle left out: {known}")
    classes = [path for path, part in parts.items() if isinstance(part, type)]
    if classes:
        raise ConfigurationError(f"parts[{classes[0]!r}] is a class; make an instance of it")


def _supply(program: Module, parts: Mapping[str, Any]) -> None:
    """Put *parts* where their places are."""

    def replaced(_: str, part: Any) -> Any:
        return parts.get(part.left_out_path, part) if isinstance(part, LeftOut) else part

    if parts:
        tree.rebuild(program, replaced)


def _warmed(opened: Opened) -> str:
    """Merge the bundle's recorded replies into the cache in force; what came of it."""
    source = f"{opened.root}/{CACHE}"
    try:
        moved = import_entries(current_cache(), io.BytesIO(opened.files[CACHE]), source)
    # Whatever a cache may raise (a full disk, another version of its keys): the program runs without it.
    except Exception as error:
        log.warning("%s is not used: %s", source, error)
        return f"{CACHE} is not used: {error}"
    return f"{CACHE}: {moved}"


@contextmanager
def _allowing(hosts: Iterable[str]) -> Iterator[None]:
    token = ALLOWED.set(tuple(hosts))
    try:
        yield
    finally:
        ALLOWED.reset(token)

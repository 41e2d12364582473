"""What a program has learned, taken out of it as a document and put back into one.

``capture`` makes a document of the current version, ``apply`` builds everything that a document
says, compares it with the live program, and only then touches it: all of it or nothing.
"""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from progkit import artifact, schema
from progkit.artifact import LoadReport
from progkit.errors import ConfigurationError, StateMismatchError
from progkit.program import learned
from progkit.version import __version__

if TYPE_CHECKING:
    from progkit.program.module import Module
    from progkit.program.predict import Predict

HERE = "the state given"


@dataclass(frozen=True, slots=True)
class SaveReport:
    """What ``save`` did: *path*, whether the file *changed*, and what was *dropped* (``where: what``)."""

    path: str
    changed: bool
    dropped: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.path} {'written' if self.changed else 'is as it was'}"]
        return "\n".join(lines + [f"  not saved: {each}" for each in self.dropped])


@dataclass(frozen=True, slots=True)
class Captured:
    """A program as a *document*, and what of it was *dropped* (secrets, LMs that cannot be saved)."""

    document: dict[str, Any]
    dropped: list[str]


def capture(program: "Module") -> Captured:
    """The state of *program* as a document of the current version.

    Raises:
        UnsavableError: for a value that a state file cannot hold.
    """
    dropped: list[str] = []
    predictors = {}
    for path, predictor in program.named_predictors():
        predictors[path] = learned.of(predictor, path, dropped)
    document = as_document({"predictors": predictors}, _class_path(program))
    unknown = getattr(program, "_unknown", None)
    return Captured(schema.graft(document, unknown) if unknown else document, dropped)


def as_document(state: dict[str, Any], program: str = "") -> dict[str, Any]:
    """*state* under the header of the current version."""
    header = schema.header()
    header["saved_with"] = {"progkit": __version__, "python": ".".join(platform.python_version_tuple()[:2])}
    return {**header, "program": program, "state": state}


def save(program: "Module", path: str | os.PathLike[str], save_program: bool) -> SaveReport:
    """Write the state of *program*; see ``Module.save``."""
    if save_program:
        raise ConfigurationError(
            "save_program=True: bundles are not in this version; save_program=False writes the state"
        )
    if not os.fspath(path).endswith(".json"):
        raise ConfigurationError(f"a state file's name ends in .json, {os.fspath(path)!r} does not")
    captured = capture(program)
    changed = artifact.write(path, captured.document)
    return SaveReport(os.fspath(path), changed, captured.dropped)


def load(
    program: "Module", path: str | os.PathLike[str], *, strict: bool, allow_endpoints: Sequence[str]
) -> LoadReport:
    """Apply the file at *path*; see ``Module.load``."""
    document = artifact.read(path)
    return put(program, document, source=os.fspath(path), strict=strict, allow_endpoints=allow_endpoints)


def apply(program: "Module", document: dict[str, Any], *, strict: bool, allow_endpoints: Sequence[str]) -> LoadReport:
    """``put`` for a *document* that nobody has validated yet."""
    return put(program, schema.migrate(document, HERE), source=HERE, strict=strict, allow_endpoints=allow_endpoints)


def put(
    program: "Module",
    document: dict[str, Any],
    *,
    source: str,
    strict: bool = True,
    allow_endpoints: Sequence[str] = (),
) -> LoadReport:
    """Put the state of a valid current *document* into *program*: all that fits, or nothing. *document* is used up.

    Raises:
        DocumentError: for a value that its field's type refuses.
        StateMismatchError: with *strict*, for any difference between document and program.
    """
    known, unknown = schema.split_unknown(document)
    live = dict(program.named_predictors())
    report = artifact.compare(known, {path: learned.describe(each.signature) for path, each in live.items()})
    if strict and not report.ok:
        raise StateMismatchError(source, report)
    saved: Mapping[str, Any] = known["state"]["predictors"]
    built = {
        path: learned.build(saved[path], predictor.signature, learned.Origin(source, path, allow_endpoints), report)
        for path, predictor in live.items()
        if path in saved
    }
    for path, new in built.items():
        _put(live[path], new)
        report.applied.append(path)
    vars(program)["_unknown"] = unknown
    return report


def _put(predictor: "Predict", new: learned.Learned) -> None:
    predictor.signature = new.signature
    predictor.demos = [*new.demos]
    predictor.config = new.config
    predictor.lm = new.lm


def _class_path(program: Any) -> str:
    return f"{type(program).__module__}:{type(program).__qualname__}"

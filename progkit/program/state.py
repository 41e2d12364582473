"""What a program has learned, taken out of it as a document and put back into one.

``capture`` makes a document of the current version, ``apply`` builds everything that a document
says, compares it with the live program, and only then touches it: all of it or nothing.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from progkit import artifact, schema
from progkit.artifact import LoadReport, Received
from progkit.errors import ConfigurationError, StateMismatchError, UnsavableError
from progkit.program import learned, tree

if TYPE_CHECKING:
    from progkit.program.module import Module
    from progkit.program.predict import Predict

HERE = "the state given"
FORMATS = ("progkit", "dspy")
"""Whose files a program can be saved as."""


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


def capture(program: "Module", *, for_dspy: bool = False) -> Captured:
    """The state of *program* as a document of the current version.

    for_dspy: values of content types as DSPy's files hold them.

    Raises:
        UnsavableError: for a value that a state file cannot hold.
    """
    dropped: list[str] = []
    predictors = {}
    for path, predictor in program.named_predictors():
        predictors[path] = learned.of(predictor, path, dropped, for_dspy=for_dspy)
    document = as_document({"predictors": predictors}, _class_path(tree.inmost(program)))
    unknown = getattr(program, "_unknown", None)
    return Captured(schema.graft(document, unknown) if unknown else document, dropped)


def as_document(state: dict[str, Any], program: str = "") -> dict[str, Any]:
    """*state* under the header of the current version."""
    return {**schema.header(), "saved_with": schema.saved_with(), "program": program, "state": state}


def save(program: "Module", path: str | os.PathLike[str], save_program: bool, file_format: str) -> SaveReport:
    """Write the state of *program*; see ``Module.save``."""
    if file_format not in FORMATS:
        raise ConfigurationError(f"format is one of {', '.join(map(repr, FORMATS))}, not {file_format!r}")
    if save_program:
        raise ConfigurationError(
            "save_program=True: bundles are not in this version; save_program=False writes the state"
        )
    if not os.fspath(path).endswith(".json"):
        raise ConfigurationError(f"a state file's name ends in .json, {os.fspath(path)!r} does not")
    captured = capture(program, for_dspy=file_format == "dspy")
    if file_format == "progkit":
        return SaveReport(os.fspath(path), artifact.write(path, captured.document), captured.dropped)
    raw, dropped = artifact.export(_with_text_keys(program, captured.document))
    return SaveReport(os.fspath(path), artifact.write_export(path, raw), captured.dropped + dropped)


def _with_text_keys(program: "Module", document: dict[str, Any]) -> dict[str, Any]:
    """*document* with every key of a dict as text in the paths of *program*.

    Raises:
        UnsavableError: if that makes one of two paths.
    """
    spelled = {own: path for (own, _), (path, _) in zip(tree.walk(program), tree.walk(program, str), strict=True)}
    predictors: dict[str, Any] = {}
    for own, node in document["state"]["predictors"].items():
        path = spelled[own]
        if path in predictors:
            raise UnsavableError(own, "DSPy writes the key of a dict as text, and that of another part is the same")
        predictors[path] = node
    return {**document, "state": {**document["state"], "predictors": predictors}}


def load(program: "Module", path: str | os.PathLike[str], *, strict: bool, allow_hosts: Sequence[str]) -> LoadReport:
    """Apply the file at *path*; see ``Module.load``."""
    received = artifact.receive(path)
    return put(program, received, source=os.fspath(path), strict=strict, allow_hosts=allow_hosts)


def apply(program: "Module", state: dict[str, Any], *, strict: bool, allow_hosts: Sequence[str]) -> LoadReport:
    """``put`` for what ``dump_state`` gave, ours or DSPy's, which nobody has validated yet."""
    received = artifact.accept(state, HERE) or Received(schema.migrate(as_document(state), HERE))
    return put(program, received, source=HERE, strict=strict, allow_hosts=allow_hosts)


def put(
    program: "Module",
    received: Received,
    *,
    source: str,
    strict: bool = True,
    allow_hosts: Sequence[str] = (),
) -> LoadReport:
    """Put the state that was *received* into *program*: all that fits, or nothing. Its document is used up.

    Raises:
        DocumentError: for a value that its field's type refuses.
        StateMismatchError: with *strict*, for any difference between document and program.
    """
    known, unknown = schema.split_unknown(received.document)
    live = dict(program.named_predictors())
    described = {path: learned.describe(each.signature) for path, each in live.items()}
    known, notes = artifact.settle(known, described)
    report = artifact.compare(known, described, {path for path, _ in program.named_sub_modules()})
    report.dropped.extend(received.dropped)
    report.notes.extend(received.notes + notes)
    if strict and not report.ok:
        raise StateMismatchError(source, report)
    saved: Mapping[str, Any] = known["state"]["predictors"]
    origin = known.get("origin")
    dspy = None if origin is None else origin.get("dspy", "")
    built = {
        path: learned.build(saved[path], predictor.signature, learned.Origin(source, path, allow_hosts, dspy), report)
        for path, predictor in live.items()
        if path in saved
    }
    for path, new in built.items():
        _put(live[path], new)
        report.applied.append(path)
    vars(program)["_unknown"] = unknown + _kept(known["state"])
    return report


def _kept(state: Mapping[str, Any]) -> list[tuple[schema.Path, Any]]:
    """What of another library's a *state* holds, for the next save: places and values as in ``schema.graft``."""
    kept: list[tuple[schema.Path, Any]] = [
        (("state", "predictors", path, "kept"), node["kept"])
        for path, node in state["predictors"].items()
        if "kept" in node
    ]
    return kept + ([(("state", "others"), state["others"])] if "others" in state else [])


def _put(predictor: "Predict", new: learned.Learned) -> None:
    predictor.signature = new.signature
    predictor.demos = [*new.demos]
    predictor.config = new.config
    predictor.lm = new.lm
    predictor.layout = new.layout


def _class_path(program: Any) -> str:
    return f"{type(program).__module__}:{type(program).__qualname__}"

"""What a program has learned, taken out of it as a document and put back into one.

``capture`` makes a document of the current version, ``apply`` builds everything that a document
says, compares it with the live program, and only then touches it: all of it or nothing.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from progkit import artifact, schema
from progkit.artifact import LoadReport, Received
from progkit.artifact.trust import state_loaded
from progkit.errors import ConfigurationError, StateMismatchError, UnsavableError
from progkit.lazy import lazily
from progkit.lm import endpoint
from progkit.program import learned, tree
from progkit.program.chosen import Choice, chosen
from progkit.program.held import Held

if TYPE_CHECKING:
    from types import ModuleType

    from progkit.program.module import Module
    from progkit.program.predict import Predict

_room = lazily("progkit.program", {"bundles.saving": ("save_bundle",)})
"""Bundles know modules, and modules know this file: the way to them is opened when somebody takes it."""
HERE = "the state given"
FORMATS = ("progkit", "dspy")
"""Whose files a program can be saved as."""


@dataclass(frozen=True, slots=True)
class SaveReport:
    """What ``save`` did: *path*, whether the file *changed*, and what was *dropped* (``where: what``).

    Of a bundle also: its *digest*, its *portability* (``"source"``: it loads on other Pythons, too; ``"bytecode"``: on
    this one alone), and *notes*: what else to know before it goes elsewhere.
    """

    path: str
    changed: bool
    dropped: list[str] = field(default_factory=list)
    digest: str = ""
    portability: str = ""
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.path} {'written' if self.changed else 'is as it was'}"]
        if self.digest:
            lines += [f"  digest {self.digest}", f"  portability {self.portability}"]
        lines += [f"  not saved: {each}" for each in self.dropped]
        return "\n".join(lines + [f"  note: {each}" for each in self.notes])


@dataclass(frozen=True, slots=True)
class Captured:
    """A program as a *document*, and what of it was *dropped* (secrets, LMs that cannot be saved)."""

    document: dict[str, Any]
    dropped: list[str]


def capture(program: "Module", *, for_dspy: bool = False, without: Collection[int] = ()) -> Captured:
    """The state of *program* as a document of the current version.

    for_dspy: values of content types as DSPy's files hold them. without: ids of parts whose state is left out.

    Raises:
        UnsavableError: for a value that a state file cannot hold.
    """
    dropped: list[str] = []
    predictors = {}
    live = program.named_predictors()
    if without:
        live = [(path, part) for path, part in tree.walk(program, without=without) if tree.is_predictor(part)]
    for path, predictor in live:
        predictors[path] = learned.of(predictor, path, dropped, for_dspy=for_dspy)
    document = as_document({"predictors": predictors}, _class_path(tree.inmost(program)))
    unknown = _unknown(program, predictors)
    return Captured(schema.graft(document, unknown) if unknown else document, dropped)


def _unknown(program: "Module", predictors: Collection[str]) -> list[tuple[schema.Path, Any]]:
    """What a newer file, or DSPy's, said beside what is known: places and values, for all but absent *predictors*."""
    kept: list[tuple[schema.Path, Any]] = getattr(program, "_unknown", None) or []
    return [
        (path, value)
        for path, value in kept
        if path[:2] != ("state", "predictors") or len(path) < 3 or path[2] in predictors
    ]


def as_document(state: dict[str, Any], program: str = "") -> dict[str, Any]:
    """*state* under the header of the current version."""
    return {**schema.header(), "saved_with": schema.saved_with(), "program": program, "state": state}


def save_whole(
    program: "Module",
    path: str | os.PathLike[str],
    modules_to_serialize: "Sequence[ModuleType | str] | None",
    cache: str | os.PathLike[str] | Literal[False] | None,
) -> SaveReport:
    """Write *program* as a bundle; see ``Module.save``."""
    report: SaveReport = _room("save_bundle")(program, path, modules_to_serialize, cache)
    return report


def save(program: "Module", path: str | os.PathLike[str], file_format: str) -> SaveReport:
    """Write the state of *program*; see ``Module.save``."""
    if file_format not in FORMATS:
        raise ConfigurationError(f"format is one of {', '.join(map(repr, FORMATS))}, not {file_format!r}")
    if not os.fspath(path).endswith(".json"):
        hint = "a whole program goes into a directory: save(path, save_program=True)"
        raise ConfigurationError(f"a state file's name ends in .json, {os.fspath(path)!r} does not; {hint}")
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


def load(
    program: "Module",
    path: str | os.PathLike[str],
    *,
    strict: bool,
    allow_hosts: Sequence[str],
    lm: Choice = None,
) -> LoadReport:
    """Apply the file at *path*; see ``Module.load``."""
    received = artifact.receive(path, lean=lambda: learned.columns(program.named_predictors()))
    report = put(program, received, source=os.fspath(path), strict=strict, allow_hosts=allow_hosts, lm=lm)
    state_loaded(path, type(program))
    return report


def apply(
    program: "Module",
    state: dict[str, Any],
    *,
    strict: bool,
    allow_hosts: Sequence[str],
    lm: Choice = None,
) -> LoadReport:
    """``put`` for what ``dump_state`` gave, ours or DSPy's, which nobody has validated yet."""
    received = artifact.accept(state, HERE) or Received(schema.migrate(as_document(state), HERE))
    return put(program, received, source=HERE, strict=strict, allow_hosts=allow_hosts, lm=lm)


def put(
    program: "Module",
    received: Received,
    *,
    source: str,
    strict: bool = True,
    allow_hosts: Sequence[str] = (),
    lm: Choice = None,
) -> LoadReport:
    """Put the state that was *received* into *program*: all that fits, or nothing. Its document is used up.

    Raises:
        ConfigurationError: for an *lm* or *allow_hosts* that cannot be meant.
        DocumentError: for a value that its field's type refuses.
        StateMismatchError: with *strict*, for any difference between document and program.
    """
    live = dict(program.named_predictors())
    hosts = endpoint.checked_hosts(allow_hosts)
    lms = chosen(lm, list(live))
    known, unknown, report = _compared(program, live, received)
    if strict and not report.ok:
        raise StateMismatchError(source, report)
    saved: Mapping[str, Any] = known["state"]["predictors"]
    origin = known.get("origin")
    dspy = None if origin is None else origin.get("dspy", "")
    built = {
        path: learned.build(
            saved[path], predictor.signature, learned.Origin(source, path, hosts, dspy, lms.get(path)), report
        )
        for path, predictor in live.items()
        if path in saved
    }
    changes = [(live[path], _attributes(live[path], new)) for path, new in built.items()]
    _put(changes + [(live[path], {"lm": given}) for path, given in lms.items() if path not in built])
    vars(program)["_unknown"] = unknown + _kept(known["state"])
    report.applied.extend(built)
    return report


def _compared(
    program: "Module", live: "Mapping[str, Predict]", received: Received
) -> tuple[dict[str, Any], list[tuple[schema.Path, Any]], LoadReport]:
    """What was *received* as of the current version and settled with the program, the rest of it, and a report."""
    known, unknown = schema.split_unknown(received.document)
    described = {path: learned.describe(each.signature) for path, each in live.items()}
    known, notes = artifact.settle(known, described)
    parts = {path for path, _ in program.named_sub_modules()} if "others" in known["state"] else ()
    report = artifact.compare(known, described, parts)
    report.dropped.extend(received.dropped)
    report.notes.extend(received.notes + notes)
    report.commit = received.commit
    return known, unknown, report


def _kept(state: Mapping[str, Any]) -> list[tuple[schema.Path, Any]]:
    """What of another library's a *state* holds, for the next save: places and values as in ``schema.graft``."""
    kept: list[tuple[schema.Path, Any]] = [
        (("state", "predictors", path, "kept"), node["kept"])
        for path, node in state["predictors"].items()
        if "kept" in node
    ]
    return kept + ([(("state", "others"), state["others"])] if "others" in state else [])


def _attributes(part: "Predict", new: learned.Learned) -> dict[str, Any]:
    """What a predictor, *part*, is given of what it has learned, by attribute."""
    demos = new.demos
    return {
        "signature": new.signature,
        "demos": demos.examples() if isinstance(demos, Held) and not part.keeps_demos else demos,
        "config": new.config,
        "lm": new.lm,
        "layout": new.layout,
    }


def _put(changes: "Sequence[tuple[Predict, Mapping[str, Any]]]") -> None:
    """Set attributes of predictors: all of them, or none if anything gets in the way."""
    before = [(part, {name: _kept_as(part, name) for name in new}) for part, new in changes]
    try:
        for part, new in changes:
            for name, value in new.items():
                setattr(part, name, value)
    except BaseException:  # also an interrupt, or a part that refuses: the program stays what it was
        for part, old in before:
            for name, value in old.items():
                if _kept_as(part, name) is not value:
                    setattr(part, name, value)
        raise


def _kept_as(part: "Predict", name: str) -> Any:
    """The attribute *name* of *part*; demos that nobody has looked at stay so."""
    return part.shown if name == "demos" else getattr(part, name)


def _class_path(program: Any) -> str:
    return f"{type(program).__module__}:{type(program).__qualname__}"

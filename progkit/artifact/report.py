"""What loading a document did, or why it did nothing: every difference, as data and as text."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class FieldChanges:
    """How the fields of one predictor differ between document and program.

    added: the program has them, the document has not. removed: the reverse. renamed: removed to added, where
    the names are alike. retyped: ``(field, saved type, live type)``. moved: input in one and output in the other.
    reordered: the same fields in another order, which changes prompts but fits.
    """

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    retyped: list[tuple[str, str, str]] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    reordered: bool = False

    @property
    def fit(self) -> bool:
        """Whether the saved state means the same in the program."""
        return not (self.added or self.removed or self.retyped or self.moved)

    def lines(self) -> Iterator[str]:
        """Each difference as a sentence."""
        renamed = dict(self.renamed)
        new = set(renamed.values())
        yield from (f"field {name!r} is now {renamed[name]!r}?" for name in self.removed if name in renamed)
        yield from (f"field {name!r} is in the file alone" for name in self.removed if name not in renamed)
        yield from (f"field {name!r} is in the program alone" for name in self.added if name not in new)
        yield from (f"field {name!r} was {saved}, is {live}" for name, saved, live in self.retyped)
        yield from (f"field {name!r} was an input and is an output, or the reverse" for name in self.moved)
        if self.reordered:
            yield "the fields are in another order, which changes the prompt"


@dataclass(slots=True)
class LoadReport:
    """The differences between a document and a program, and what was applied.

    missing: predictors that the program has and the document has not. extra: the reverse. renamed: extra to
    missing, where the names are alike. fields: by predictor, of those in both. dropped: ``where: what``, the
    secrets and endpoints that were not taken over. notes: what else there is to know. applied: predictors that were
    changed. commit: the id of the git commit that the document was read from, if it was.
    environment: what a bundle needs and is otherwise here, a ``Mismatch`` each.
    """

    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    fields: dict[str, FieldChanges] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    applied: list[str] = field(default_factory=list)
    commit: str = ""
    environment: list[Any] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything in the document has its place in the program, and the reverse."""
        return not (self.missing or self.extra) and all(each.fit for each in self.fields.values())

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, ``ok`` included."""
        return {"ok": self.ok, **asdict(self)}

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """Each difference as a sentence; one sentence if there is none."""
        renamed = dict(self.renamed)
        new = set(renamed.values())
        if not (self.missing or self.extra or self.fields or self.dropped):
            yield "everything fits"
        yield from (f"{name} is now {renamed[name]}?" for name in self.extra if name in renamed)
        yield from (f"{name} is in the file alone" for name in self.extra if name not in renamed)
        yield from (f"{name} is in the program alone" for name in self.missing if name not in new)
        for name, changes in self.fields.items():
            yield from (f"{name}: {line}" for line in changes.lines())
        yield from (f"not taken over: {each}" for each in self.dropped)
        yield from map(str, self.environment)
        yield from self.notes
        if self.commit:
            yield f"read at commit {self.commit}"
        if self.applied:
            yield f"applied: {', '.join(self.applied)}"

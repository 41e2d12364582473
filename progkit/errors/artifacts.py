"""Errors of saved programs."""

from collections.abc import Sequence
from typing import Any

from progkit.errors.root import ProgkitError


class ArtifactError(ProgkitError):
    """Something about a saved program."""


class DocumentError(ArtifactError):
    """A document that cannot be accepted: *source* (file), *where* (line or path in it), *reason*, *hint*."""

    def __init__(self, source: str, where: str, reason: str, hint: str = "") -> None:
        super().__init__(source, where, reason, hint)
        self.source = source
        self.where = where
        self.reason = reason
        self.hint = hint

    def __str__(self) -> str:
        place = f", {self.where}" if self.where else ""
        return f"{self.source}{place}: {self.reason}{f'. {self.hint}' if self.hint else ''}"


class VersionError(DocumentError):
    """A document of a version, or with a feature, that this progkit does not know."""


class RevisionError(DocumentError):
    """A path at a git revision (``program.json@v1.2``) that cannot be read from its repository."""


class StateMismatchError(ArtifactError):
    """Saved state and program do not fit; *report* is a ``LoadReport`` with every difference."""

    def __init__(self, source: str, report: Any) -> None:
        super().__init__(source, report)
        self.source = source
        self.report = report

    def __str__(self) -> str:
        return (
            f"{self.source} is for another program; nothing was changed (strict=False applies what fits)\n{self.report}"
        )


class UnsavableError(ArtifactError):
    """A program holds what a state file cannot: *where* (predictor and path) and *reason*."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where = where
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


class ProgramNeededError(ArtifactError):
    """A file from which its program cannot be rebuilt alone: *source*, *program* (its class), *reason*."""

    def __init__(self, source: str, program: str, reason: str) -> None:
        super().__init__(source, program, reason)
        self.source = source
        self.program = program
        self.reason = reason

    def __str__(self) -> str:
        if "->" in self.program:
            return f"{self.source}: {self.reason}. Say the signature, with its types: --program {self.program}"
        return (
            f"{self.source}: {self.reason}. Name the class: --program {self.program or 'module:Class'} "
            "(the module must be importable)"
        )


class UntrustedError(ArtifactError):
    """A bundle whose code may not run: *source*, its *digest*, the *reason*, what it *holds*, and a *hint*."""

    def __init__(self, source: str, digest: str, reason: str, holds: str, hint: str = "") -> None:
        super().__init__(source, digest, reason, holds, hint)
        self.source = source
        self.digest = digest
        self.reason = reason
        self.holds = holds
        self.hint = hint

    def __str__(self) -> str:
        lines = [f"{self.source}: {self.reason}; nothing of it was run"]
        lines += [f"  digest {self.digest}", f"  holds  {self.holds}", *filter(None, [self.hint])]
        return "\n".join(lines)


class EnvironmentMismatchError(ArtifactError):
    """A bundle that cannot run here: *source*, and every *mismatch* between what it needs and what is here."""

    def __init__(self, source: str, mismatches: Sequence[Any]) -> None:
        super().__init__(source, mismatches)
        self.source = source
        self.mismatches = mismatches

    def __str__(self) -> str:
        table = "".join(f"\n  {each}" for each in self.mismatches)
        return f"{self.source} cannot run here as it is; nothing of it was run{table}"


class UnloadableError(ArtifactError):
    """A bundle's code that failed: *source*, *where* (module and line, or what was looked for), *reason*."""

    def __init__(self, source: str, where: str, reason: str) -> None:
        super().__init__(source, where, reason)
        self.source = source
        self.where = where
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.source}, {self.where}: {self.reason}"


class LeftOutError(ArtifactError, AttributeError):
    """A part of a program was used that its bundle left out: *path* of the part and *program* (the part's class)."""

    def __init__(self, path: str, program: str) -> None:
        super().__init__(path, program)
        self.path = path
        self.program = program

    def __str__(self) -> str:
        return (
            f"{self.path}: this part ({self.program}) was left out when the program was saved; "
            f"supply it: load(path, parts={{{self.path!r}: ...}})"
        )

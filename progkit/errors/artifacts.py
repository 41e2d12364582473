"""Errors of saved programs."""

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

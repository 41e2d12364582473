"""Errors of signatures and calls."""

from collections.abc import Mapping, Sequence
from typing import Any

from progkit.errors.root import ConfigurationError, ProgkitError, did_you_mean


class NoLMError(ConfigurationError):
    """A predictor was called while no LM is in force."""

    def __init__(self, predictor: str) -> None:
        super().__init__(predictor)
        self.predictor = predictor

    def __str__(self) -> str:
        return (
            f"no LM is set for {self.predictor}: call progkit.configure(lm=progkit.LM('openai/gpt-4o-mini')), "
            "or use `with progkit.context(lm=...)`, or program.set_lm(...)"
        )


class SignatureError(ProgkitError):
    """A signature, or a change to one, that makes no sense."""


class SignatureSyntaxError(SignatureError):
    """The text of a signature is wrong at *position* (characters from its start)."""

    def __init__(self, reason: str, text: str, position: int) -> None:
        super().__init__(reason, text, position)
        self.reason = reason
        self.text = text
        self.position = position

    def __str__(self) -> str:
        start = self.text.rfind("\n", 0, self.position) + 1
        end = self.text.find("\n", self.position)
        line = self.text[start : end if end >= 0 else len(self.text)]
        return f"{self.reason}\n  {line}\n  {' ' * (self.position - start)}^"


class InputError(ProgkitError):
    """A call's inputs do not fit the signature: all of what is missing and all that is unexpected."""

    def __init__(self, predictor: str, missing: Sequence[str], unexpected: Sequence[str], known: Sequence[str]) -> None:
        super().__init__(predictor, missing, unexpected, known)
        self.predictor = predictor
        self.missing = list(missing)
        self.unexpected = list(unexpected)
        self.known = list(known)

    def __str__(self) -> str:
        parts = []
        if self.missing:
            parts.append("missing " + ", ".join(map(repr, self.missing)))
        if self.unexpected:
            told = (f"{name!r}{did_you_mean(name, self.known)}" for name in self.unexpected)
            parts.append("unexpected " + ", ".join(told))
        return f"{self.predictor}: {'; '.join(parts)}. Its inputs are {', '.join(map(repr, self.known)) or 'none'}"


class AdapterParseError(ProgkitError):
    """The output fields cannot be read from a reply.

    Attributes: *adapter* (its name), *reply* (the LM's text, whole), *found* (fields read, with
    their values), *missing* (fields not there), *reason* (what else was wrong; may be empty).
    """

    def __init__(
        self, adapter: str, reply: str, found: Mapping[str, Any], missing: Sequence[str], reason: str = ""
    ) -> None:
        super().__init__(adapter, reply, found, missing, reason)
        self.adapter = adapter
        self.reply = reply
        self.found = dict(found)
        self.missing = list(missing)
        self.reason = reason

    def __str__(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        return (
            f"{self.adapter} cannot read the reply{why}\n"
            f"  missing: {', '.join(self.missing) or 'nothing'}\n"
            f"  found:   {', '.join(self.found) or 'nothing'}\n"
            f"  reply:   {self.reply!r}"
        )


class ToolError(ProgkitError):
    """Arguments that a tool does not take: *tool* (its name), *reasons* (one for each), *known* (its arguments)."""

    def __init__(self, tool: str, reasons: Sequence[str], known: Sequence[str]) -> None:
        super().__init__(tool, reasons, known)
        self.tool = tool
        self.reasons = list(reasons)
        self.known = list(known)

    def __str__(self) -> str:
        takes = ", ".join(map(repr, self.known)) or "none"
        return f"tool {self.tool!r}: {'; '.join(self.reasons)}. Its arguments are {takes}"


class NotCachedError(ProgkitError):
    """A call that the cache cannot answer, and that may not ask the LM: *predictor* and *inputs*."""

    def __init__(self, predictor: str, inputs: Mapping[str, Any]) -> None:
        super().__init__(predictor, inputs)
        self.predictor = predictor
        self.inputs = dict(inputs)

    def __str__(self) -> str:
        return f"{self.predictor} has no cached answer for {self.inputs!r}, and was called with only_if_cached"


class OfflineMissError(NotCachedError):
    """A call that the cache cannot answer, while offline."""

    def __str__(self) -> str:
        return (
            f"offline, and {self.predictor} has no cached answer for {self.inputs!r}: "
            "warm the cache with it, or unset PROGKIT_OFFLINE / leave context(offline=True)"
        )

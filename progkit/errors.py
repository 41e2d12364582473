"""Every error that progkit raises, one tree.

::

    ProgkitError
    ├── ConfigurationError        a setting or an argument of configure() that cannot work
    │   └── NoLMError             a predictor was called and no LM is in force
    ├── SignatureError            a signature that makes no sense
    │   └── SignatureSyntaxError  ... and the place in its text
    ├── InputError                a call's inputs do not fit its signature
    ├── AdapterParseError         a reply from which the output fields cannot be read
    ├── ToolError             arguments that a tool does not take
    ├── NotCachedError            a call that may be answered from the cache alone, and is not there
    │   └── OfflineMissError      ... because progkit is offline
    ├── LMError                   the LM did not answer; ``retryable`` says whether asking again can help
    │   ├── LMAuthenticationError
    │   ├── LMRateLimitError
    │   ├── LMContextWindowError
    │   ├── LMTimeoutError
    │   ├── LMBadRequestError
    │   ├── LMServerError
    │   ├── LMConnectionError
    │   └── EndpointWithheldError the LM came from a file whose endpoint nobody allowed
    ├── CacheError
    │   ├── UncacheableError      a request without a stable key
    │   └── EntryError            bytes in a tier that are no entry of ours
    └── ArtifactError
        ├── DocumentError         a file that cannot be read as what it should be
        │   └── VersionError      ... because another progkit is needed
        ├── StateMismatchError    a file for another program
        ├── UnsavableError        a program holds what a state file cannot
        └── ProgramNeededError    a file that does not suffice to rebuild its program

An error carries its data as attributes, and ``args`` mirror ``__init__``, so every
one of them pickles. The sentence is made when it is asked for.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """`` (did you mean 'x'?)`` for the nearest of *known*, or nothing."""
    near = get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


class ProgkitError(Exception):
    """The root of the tree: catch it to catch everything of ours."""


class ConfigurationError(ProgkitError):
    """A setting that cannot work: which, why, and what would."""


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


class LMError(ProgkitError):
    """The LM did not answer.

    Attributes: *message* (keys and tokens blotted out), *model*, *status* (HTTP status or None),
    *retry_after* (seconds that the server asked for, or None); ``retryable`` says whether the
    same request can succeed later.
    """

    retryable = False

    def __init__(
        self, message: str, model: str = "", status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, model, status, retry_after)
        self.message = message
        self.model = model
        self.status = status
        self.retry_after = retry_after

    def __str__(self) -> str:
        at = f" [{self.model}{f', HTTP {self.status}' if self.status else ''}]" if self.model else ""
        return f"{self.message}{at}"


class LMAuthenticationError(LMError):
    """The provider does not accept the key, or the key may not do this."""


class LMRateLimitError(LMError):
    """Too many requests or tokens; ``retry_after`` may say how long to wait."""

    retryable = True


class LMContextWindowError(LMError):
    """The prompt is longer than the model reads."""


class LMTimeoutError(LMError):
    """No answer in time."""

    retryable = True


class LMBadRequestError(LMError):
    """The provider refuses the request as it stands."""


class LMServerError(LMError):
    """The provider failed on its side."""

    retryable = True


class LMConnectionError(LMError):
    """The provider cannot be reached."""

    retryable = True


class EndpointWithheldError(LMError):
    """A loaded LM names an endpoint that the caller of load() did not allow; nothing was sent."""

    def __init__(self, endpoint: str, model: str = "") -> None:
        super().__init__(endpoint, model)
        self.args = (endpoint, model)
        self.endpoint = endpoint

    def __str__(self) -> str:
        return (
            f"the file that {self.model or 'this LM'} was loaded from sends prompts to {self.endpoint}, which was not "
            "allowed: load(..., allow_endpoints=[host]) to accept it, or set_lm(...) to use another LM"
        )


class CacheError(ProgkitError):
    """Something about the cache; never raised into a call of a program."""


class UncacheableError(CacheError):
    """A request without a stable key: *where* in it (``params.seed``), and *reason*."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where = where
        self.reason = reason

    def __str__(self) -> str:
        return f"not cacheable: {self.where} {self.reason}"


class EntryError(CacheError):
    """Bytes that are no entry of ours, or an entry of another key."""


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

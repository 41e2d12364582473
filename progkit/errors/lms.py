"""Errors of LMs."""

from progkit.errors.root import ProgkitError


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
            "allowed: load(..., allow_hosts=[host]) to accept it, or set_lm(...) to use another LM"
        )

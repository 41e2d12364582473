"""What litellm raises, as the errors of ours.

Nothing of the original is kept: providers' errors carry the request, and with it the key, in
their text, their attributes and their causes. The error made here is raised elsewhere, outside of
any ``except``, so that it has neither cause nor context.
"""

import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from progkit.errors import (
    LMAuthenticationError,
    LMBadRequestError,
    LMConnectionError,
    LMContextWindowError,
    LMError,
    LMRateLimitError,
    LMServerError,
    LMTimeoutError,
)
from progkit.lm.secrecy import blot

LONGEST = 2000
"""Characters of a message; what is beyond is cut off."""
_TRIMMINGS = re.compile(
    r"^(?:litellm\.\w+: |Timeout Error: |\w+(?:Error|Exception)(?: \w+Error)?(?: -|:) )+"
    r"|\. Handle with `litellm\.\w+`\."
)
_NO_KEY = re.compile(r"missing credentials|api_key client option|missing \w+ api key", re.IGNORECASE)
_DATE = re.compile(r"\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TIMEOUTS = {"TimeoutError", "TimeoutException", "APITimeoutError"}
_CONNECTIONS = {"TransportError", "ClientConnectionError", "ConnectionError", "gaierror"}
_BY_STATUS = {
    401: LMAuthenticationError,
    402: LMAuthenticationError,
    403: LMAuthenticationError,
    408: LMTimeoutError,
    409: LMServerError,  # a conflict of two requests: the next one may find the lock free
    425: LMServerError,
    429: LMRateLimitError,
    504: LMTimeoutError,
}


def understood(error: BaseException, model: str, secrets: Iterable[str] = ()) -> LMError:
    """The error of ours that says what *error*, raised by litellm for *model*, means.

    secrets: strings to blot out of the message beside what looks like a key.
    """
    chain = list(_chain(error))
    status, headers = _http(chain)
    kind = _kind(chain, status)
    message = _TRIMMINGS.sub("", str(error)) or type(error).__name__
    if kind is LMConnectionError or message == "Connection error.":
        message = f"{message} ({type(chain[-1]).__name__}: {chain[-1]})"
    failure = kind(blot(message, secrets)[:LONGEST], model, status, retry_after(headers))
    if kind is LMRateLimitError and any(getattr(each, "code", None) == "insufficient_quota" for each in chain):
        failure.retryable = False  # OpenAI's code for an account without money
    return failure


def retry_after(headers: Mapping[str, Any]) -> float | None:
    """Seconds to wait that the headers of a reply ask for, or None.

    ``Retry-After`` is seconds or a date (RFC 9110, 10.2.3); ``retry-after-ms`` is OpenAI's and Azure's.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = str(headers.get(name) or "").strip()
        seconds = _number(value)
        if seconds is not None:
            return seconds * unit
        at = _timestamp(value)
        if at is not None:
            return max(0.0, at - time.time())
    return None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _timestamp(text: str) -> float | None:
    date = _DATE.fullmatch(text)
    if date is None:
        return None
    day, month, year, hour, minute, second = date.groups()
    try:
        at = datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:  # there is no such month or day
        return None
    return at.timestamp()


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """*error*, what it came from, and so on; litellm wraps up to four deep."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _http(chain: list[BaseException]) -> tuple[int | None, Mapping[str, Any]]:
    """Status and headers of the reply that the provider really sent, if it did.

    litellm gives a status and a reply of its own making to every error; only httpx's is evidence.
    """
    for each in chain:
        response = getattr(each, "response", None)
        if type(each).__name__ == "HTTPStatusError" and response is not None:
            return response.status_code, response.headers
    return None, {}


def _kind(chain: list[BaseException], status: int | None) -> type[LMError]:
    names = {kind.__name__ for each in chain for kind in type(each).__mro__}
    litellm = {kind.__name__ for kind in type(chain[0]).__mro__}
    if "ContextWindowExceededError" in names:
        return LMContextWindowError
    if litellm & {"AuthenticationError", "PermissionDeniedError"} or _NO_KEY.search(str(chain[0])):
        return LMAuthenticationError
    if status is not None:
        return of_status(status)
    if names & _TIMEOUTS:
        return LMTimeoutError
    if names & _CONNECTIONS:
        return LMConnectionError
    if names & {"TypeError", "ImportError"}:  # something in the request that cannot be sent, a package not installed
        return LMBadRequestError
    made_up = getattr(chain[0], "status_code", None)
    return of_status(made_up) if isinstance(made_up, int) else LMError


def of_status(status: int) -> type[LMError]:
    """The error that an HTTP status of 400 or more means."""
    return _BY_STATUS.get(status) or (LMServerError if status >= 500 else LMBadRequestError)

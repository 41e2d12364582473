"""Replies that are no answer, and connections that fail, as the errors of ours."""

import json
from collections.abc import Mapping
from typing import Any

from progkit.errors import LMBadRequestError, LMContextWindowError, LMError, LMRateLimitError, LMServerError
from progkit.lm.failures import LONGEST, of_status, retry_after, understood
from progkit.lm.secrecy import blot, public_url

_TOO_LONG = (
    ("exceed context limit", "this model's maximum context length is", "model's maximum context limit")
    + ("string too long. expected a string with maximum length", "is longer than the model's context length")
    + ("input tokens exceed the configured limit", "exceeds the available context size")
    + ("exceeds the maximum number of tokens allowed", "`inputs` tokens + `max_new_tokens` must be")
)
"""What servers say of a prompt that is too long; litellm's list."""


def of_reply(status: int, headers: Mapping[str, Any], body: bytes, model: str, secrets: list[str]) -> LMError:
    """The error that a reply of this *status*, 300 or more, means."""
    if status < 400:
        where = blot(public_url(str(headers.get("location", "")))[:200], secrets)
        return LMBadRequestError(
            f"the endpoint redirects to {where or 'nowhere'}, which is not followed: set api_base to what is meant",
            model,
            status,
        )
    text = body.decode("utf-8", "replace").strip()
    told = _told(text)
    code = told.get("code") if isinstance(told, dict) else None
    message = _message(told, text) or f"Error code: {status}"
    kind = of_status(status)
    if status in (400, 413, 422) and (code == "context_length_exceeded" or _is_too_long(text)):
        kind = LMContextWindowError
    failure = kind(blot(message, secrets)[:LONGEST], model, status, retry_after(headers))
    if kind is LMRateLimitError and code == "insufficient_quota":
        failure.retryable = False  # OpenAI's code for an account without money
    return failure


def of_failure(error: BaseException, model: str, secrets: list[str]) -> LMError:
    """The error that *error*, raised on the way there or back, means."""
    if type(error).__name__ in ("LocalProtocolError", "InvalidURL", "UnicodeEncodeError", "UnsupportedProtocol"):
        return LMBadRequestError(blot(f"the request cannot be sent: {error}", secrets)[:LONGEST], model)
    if type(error).__name__ == "DecodingError":
        return LMServerError(blot(f"the reply cannot be read: {error}", secrets)[:LONGEST], model)
    return understood(error, model, secrets)


def _told(text: str) -> Any:
    """What the body's JSON says of the error, as far as it is one."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    error = said.get("error") if isinstance(said, dict) else None
    return error if isinstance(error, dict) and error else said


def _message(told: Any, text: str) -> str:
    message = told.get("message") if isinstance(told, dict) else None
    return message if isinstance(message, str) and message else text


def _is_too_long(text: str) -> bool:
    said = text.lower()
    if "string_above_max_length" in said:
        return False  # a parameter, not the prompt
    if any(each in said for each in _TOO_LONG) or ("current length is" in said and "while limit is" in said):
        return True
    return "maximum input length is" in said and "tokens" in said

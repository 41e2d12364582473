"""What goes wrong, at a real server: which error it becomes, and that no error shows a key."""

import asyncio
import pickle
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import ChatServer, Reply

from progkit import errors
from progkit.errors import LMError
from progkit.lm import LM, Request
from progkit.lm.failures import retry_after, understood
from progkit.lm.secrecy import blot, secrets_of

KEY = "sk-fake-key-of-the-tests-0123456789"
PLAIN_KEY = "an-unusual-fake-key-0123456789"
HI = Request.of([{"role": "user", "content": "hi"}])


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture(params=["direct", "litellm"])
def lm(server: ChatServer, request: pytest.FixtureRequest) -> LM:
    """One that asks directly what can be, and one that asks all through litellm: both fail alike."""
    client = "auto" if request.param == "direct" else "litellm"
    return LM("openai/test", api_base=server.url, api_key=KEY, num_retries=0, timeout=10, client=client)


def failure_of(lm: LM, request: Request = HI) -> LMError:
    with pytest.raises(LMError) as caught:
        lm.complete(request)
    return caught.value


# --- which error ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, errors.LMBadRequestError, False),
        (401, errors.LMAuthenticationError, False),
        (402, errors.LMAuthenticationError, False),
        (403, errors.LMAuthenticationError, False),
        (404, errors.LMBadRequestError, False),
        (408, errors.LMTimeoutError, True),
        (409, errors.LMServerError, True),
        (413, errors.LMBadRequestError, False),
        (422, errors.LMBadRequestError, False),
        (425, errors.LMServerError, True),
        (429, errors.LMRateLimitError, True),
        (500, errors.LMServerError, True),
        (502, errors.LMServerError, True),
        (503, errors.LMServerError, True),
        (504, errors.LMTimeoutError, True),
        (529, errors.LMServerError, True),
    ],
)
def test_a_status_is_an_error_of_ours(
    server: ChatServer, lm: LM, status: int, kind: type[LMError], retryable: bool
) -> None:
    """Each HTTP status, sync and async: its class, whether to ask again, the server's words; asked once each."""
    server.always = Reply(status=status, message="not today", headers={"Retry-After": "7"})

    error = failure_of(lm)
    with pytest.raises(LMError) as caught:
        asyncio.run(lm.acomplete(HI))

    assert type(error) is type(caught.value) is kind
    assert (error.retryable, error.status, error.retry_after) == (retryable, status, 7.0)
    assert str(error) == str(caught.value) == f"not today [openai/test, HTTP {status}]"
    assert server.count == 2


@pytest.mark.parametrize("model", ["anthropic/claude-test", "mistral/test", "azure/test"])
def test_other_providers_fail_alike(server: ChatServer, lm: LM, model: str) -> None:
    """litellm asks these through other clients than OpenAI's; one request each time, and the same errors."""
    server.always = Reply(status=429, message=f"slow down, {KEY}", headers={"Retry-After": "7"})
    other = lm.copy(model=model, api_version="2024-06-01")

    error = failure_of(other)

    assert type(error) is errors.LMRateLimitError
    assert (error.status, error.retry_after, server.count) == (429, 7.0, 1)
    assert "slow down" in error.message
    assert KEY not in everything_shown(error)


def test_a_prompt_too_long(server: ChatServer, lm: LM) -> None:
    """Told apart from other bad requests, by what the provider says."""
    text = "This model's maximum context length is 10 tokens"
    server.then(Reply(status=400, message=text, error_code="context_length_exceeded"))

    assert type(failure_of(lm)) is errors.LMContextWindowError


def test_an_account_without_money(server: ChatServer, lm: LM) -> None:
    """OpenAI answers 429 for it too, but asking again cannot help, and is not done."""
    server.always = Reply(status=429, message="You exceeded your current quota", error_code="insufficient_quota")

    error = failure_of(lm.copy(num_retries=3))

    assert type(error) is errors.LMRateLimitError
    assert not error.retryable
    assert not pickle.loads(pickle.dumps(error)).retryable
    assert server.count == 1


def test_nobody_listens(server: ChatServer, lm: LM) -> None:
    """A refused connection says so, and is worth another try."""
    server.close()

    error = failure_of(lm)

    assert type(error) is errors.LMConnectionError
    assert error.retryable
    assert "onnect" in str(error)
    assert error.status is None


def test_a_connection_that_breaks(server: ChatServer, lm: LM) -> None:
    """The server hangs up without an answer."""
    server.then(Reply(drop=True))

    assert type(failure_of(lm)) is errors.LMConnectionError


def test_a_server_that_hangs(server: ChatServer, lm: LM) -> None:
    """No answer within the timeout, of the LM or of the call; sync and async."""
    server.always = Reply(hang=True)

    assert type(failure_of(lm.copy(timeout=0.1))) is errors.LMTimeoutError
    assert type(failure_of(lm, Request.of(HI.messages, timeout=0.1))) is errors.LMTimeoutError
    with pytest.raises(errors.LMTimeoutError, match=r"no answer within 0\.1 s"):
        asyncio.run(lm.copy(timeout=0.1).acomplete(HI))


def test_a_server_that_drips(server: ChatServer, lm: LM) -> None:
    """A reply that comes byte by byte is no way around the timeout."""
    server.then(Reply(drip=0.05))

    assert type(failure_of(lm.copy(timeout=0.3))) is errors.LMTimeoutError


@pytest.mark.parametrize("body", [b"not json", b"", b"{}", b'{"choices": []}'])
def test_a_reply_that_is_none(server: ChatServer, lm: LM, body: bytes) -> None:
    """Success with a body that makes no sense is the server's failure."""
    server.then(Reply(raw=body))

    assert type(failure_of(lm)) is errors.LMServerError


def test_no_key_at_all(lm: LM) -> None:
    """Nothing is sent without a key, and the error is about the key."""
    error = failure_of(lm.copy(api_key=None))

    assert type(error) is errors.LMAuthenticationError


def test_what_cannot_be_sent(server: ChatServer, lm: LM) -> None:
    """A parameter that is no JSON is a bad request, and not tried again."""
    error = failure_of(lm.copy(num_retries=3, logit_bias={"1": object()}))

    assert type(error) is errors.LMBadRequestError
    assert server.count == 0


def test_a_provider_that_is_not_there(lm: LM) -> None:
    """litellm knows no such provider; its advice is passed on."""
    assert type(failure_of(LM("nonesuch/model"))) is errors.LMBadRequestError


def test_errors_from_other_clients() -> None:
    """Providers that litellm asks through other clients raise bare errors of those."""
    with ChatServer(Reply(hang=True)) as server, pytest.raises(httpx.TimeoutException) as caught:
        httpx.post(server.url, json={}, timeout=0.05, trust_env=False)

    assert type(understood(caught.value, "p/m")) is errors.LMTimeoutError
    assert type(understood(ImportError("No module named 'boto3'"), "p/m")) is errors.LMBadRequestError
    assert type(understood(ValueError("what?"), "p/m")) is LMError
    assert str(understood(ValueError(), "p/m")) == "ValueError [p/m]"


def test_causes_may_go_in_circles() -> None:
    """An error that is its own cause's cause is read once."""
    first, second = ValueError("a"), KeyError("b")
    first.__cause__, second.__cause__ = second, first

    assert type(understood(first, "p/m")) is LMError


# --- no key is shown --------------------------------------------------------------------------------


def everything_shown(error: BaseException) -> str:
    """All that a log, a report with local variables or a pickle would hold of *error*."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [frame for frame in told.stack if "/progkit/" in frame.filename]
    assert ours
    return "\n".join(
        [str(error), repr(error), repr(error.args), repr(vars(error)), *traceback.format_exception(error)]
        + [f"{frame.locals}" for frame in ours]
        + [pickle.dumps(error).decode("latin-1")]
    )


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
@pytest.mark.parametrize(
    "told",
    [
        f"Incorrect API key provided: {PLAIN_KEY}.",
        f"Authorization: Bearer {PLAIN_KEY}",
        f"the key {PLAIN_KEY[:12]}...{PLAIN_KEY[-4:]} is revoked",
    ],
)
def test_no_error_shows_the_key(
    server: ChatServer, lm: LM, status: int, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A server that repeats the key gets nobody to see it: not in text, causes, locals, pickles or on the terminal."""
    server.always = Reply(status=status, message=told)
    keyed = lm.copy(api_key=PLAIN_KEY)

    error = failure_of(keyed)
    with pytest.raises(LMError) as caught:
        asyncio.run(keyed.acomplete(Request.of(HI.messages, api_key=PLAIN_KEY)))

    for each in (error, caught.value):
        assert each.__cause__ is None
        assert each.__context__ is None
        assert PLAIN_KEY[:12] not in everything_shown(each)
    assert PLAIN_KEY[:12] not in "".join(capfd.readouterr())


def test_no_failure_to_connect_shows_the_key(server: ChatServer, lm: LM, capfd: pytest.CaptureFixture[str]) -> None:
    """Nor do timeouts and refused connections, or a password in the endpoint."""
    server.then(Reply(hang=True))
    slow = failure_of(lm.copy(timeout=0.1))
    server.close()
    refused = failure_of(lm.copy(api_base=server.url.replace("//", "//user:fake-password@")))

    shown = everything_shown(slow) + everything_shown(refused) + "".join(capfd.readouterr())
    assert KEY not in shown
    assert "fake-password" not in shown


def test_headers_are_secrets_too(server: ChatServer, lm: LM) -> None:
    """Whatever stands in ``extra_headers`` is blotted out."""
    server.then(Reply(status=400, message="bad token t0ken-of-the-tests in X-Auth"))

    error = failure_of(lm.copy(extra_headers={"X-Auth": "t0ken-of-the-tests"}))

    assert error.message == "bad token *** in X-Auth"


def test_secrets_are_found_however_deep() -> None:
    """In lists and dicts, under every name that authenticates; numbers and other names are none."""
    params = {"api_key": "a", "vertex_credentials": [{"private": "b"}, ("c",), 4], "max_tokens": 5, "stop": "d"}

    assert secrets_of(params) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "text",
    [
        "sk-proj-abcdef0123456789",
        "Bearer abc.def-ghi",
        "https://user:password@host/v1",
        "https://host/v1?api-key=abcdef",
        "AKIAABCDEFGHIJKLMNOP",
        "basic dXNlcjpwYXNzd29yZA==",
    ],
)
def test_what_looks_like_a_key_is_blotted(text: str) -> None:
    """Known shapes of keys, also when nobody said that they are keys."""
    assert "***" in blot(f"so {text} it is")
    assert not set(blot(text).replace("***", " ").split()) & {text, "abcdef", "password"}


def test_keys_of_the_environment_are_blotted(monkeypatch: pytest.MonkeyPatch) -> None:
    """litellm takes keys from there by itself."""
    monkeypatch.setenv("SHOP_API_KEY", "whatever-it-is")

    assert blot("key whatever-it-is is wrong") == "key *** is wrong"


def test_plain_words_stay() -> None:
    """A message without secrets is told as it is."""
    text = "max_tokens is too large: 99999. This model supports at most 16384 tokens (risk-free, asked twice)"
    assert blot(text, ["abc"]) == text


@given(st.text(min_size=4).filter(lambda text: text.strip("* ") == text and text), st.text(), st.text())
def test_a_secret_never_survives(secret: str, before: str, after: str) -> None:
    """Wherever it stands, a secret is gone, unless the blot itself reads like it."""
    shown = blot(f"{before}{secret}{after}", [secret])

    assert secret not in shown.replace("***", "\0") or secret in f"{before}\0{after}"


# --- Retry-After ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Mon, 99 Jan 2020 00:00:00 GMT"}, None),
        ({"retry-after": "Mon, 06 Jan 2020 00:00:00 GMT"}, 0.0),
    ],
)
def test_retry_after_is_read(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds, or a date; a date gone by is now, nonsense is nothing."""
    assert retry_after(headers) == seconds


def test_retry_after_as_a_date() -> None:
    """RFC 9110's date form."""
    at = datetime.now(UTC) + timedelta(seconds=100)

    seconds = retry_after({"retry-after": format_datetime(at, usegmt=True)})

    assert seconds is not None
    assert 90 < seconds <= 100

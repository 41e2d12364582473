"""What goes over the wire for a request: litellm's arguments, by which client, how often and how long to try."""

from collections.abc import Mapping
from typing import Any

from progkit.errors import ConfigurationError, ProgkitError
from progkit.lm import endpoint, keys
from progkit.lm.direct import Prepared, prepare
from progkit.lm.request import Prefix, Request
from progkit.lm.retry import Limits
from progkit.lm.settings import OF_DSPY

CLIENTS = ("auto", "direct", "http2", "litellm")
"""How an LM asks: directly what can be, through litellm what cannot; or all of it one way. ``http2`` is direct, too."""

_NOT_SENT = frozenset(("rollout_id", "cache", "num_retries", "max_retries", "timeout", "deadline", "user_agent"))


class Wire:
    """A request made ready. A class with no fields to show: they hold the key.

    direct: the request as it goes past litellm, None if it goes through it; or why it cannot go, to be raised where
    no key is among the local variables.
    """

    __slots__ = ("arguments", "direct", "limits")

    def __init__(self, arguments: dict[str, Any], limits: Limits, direct: Prepared | ProgkitError | None) -> None:
        self.arguments = arguments
        self.limits = limits
        self.direct = direct


def check_client(client: object) -> None:
    """Refuse a *client* that there is not.

    Raises:
        ConfigurationError: naming those that there are.
    """
    if client not in CLIENTS:
        raise ConfigurationError(f"client is one of {', '.join(map(repr, CLIENTS))}, not {client!r}")


def check(model: object, settings: Mapping[str, Any]) -> None:
    """Refuse what can never work.

    Raises:
        ConfigurationError: naming the setting, and why.
    """
    if not isinstance(model, str) or not model:
        raise ConfigurationError(f"an LM's model is a name such as 'openai/gpt-4o-mini', not {model!r}")
    for name in settings.keys() & OF_DSPY.keys():
        raise ConfigurationError(f"{name} is not a setting of LM: {OF_DSPY[name]}")
    if settings.get("stream"):
        raise ConfigurationError("stream=True cannot be: an LM answers with a whole reply")


def arguments(request: Request, settings: Mapping[str, Any], identity: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments to litellm for *request* to an LM of these *settings* and this *identity*.

    Raises:
        ConfigurationError: for a parameter that cannot work, or an environment variable that is not there.
    """
    # The identity opens a request's parameters, and its endpoint lacks a password that the LM's own may have.
    same = {name for name in endpoint.NAMES if name in identity and request.params.get(name) == identity[name]}
    given = {name: value for name, value in request.params.items() if name not in same}
    merged = dict(settings)
    if any(given.get(name) for name in endpoint.NAMES):
        merged = {name: value for name, value in merged.items() if name not in endpoint.NAMES}
    merged.update(given)
    check(merged.setdefault("model", identity["model"]), merged)
    if merged.get("user_agent"):
        merged["extra_headers"] = {**(merged.get("extra_headers") or {}), "User-Agent": merged["user_agent"]}
    sent = {
        name: endpoint.resolved(name, value)
        for name, value in merged.items()
        if value is not None and name not in _NOT_SENT
    }
    sent = keys.stripped(sent)
    if not sent.get("api_key") and (key := keys.from_environment(sent["model"])):
        sent["api_key"] = key
    sent["messages"] = request.messages
    return sent


def prepared(arguments: Mapping[str, Any], client: str, prefix: Prefix) -> Prepared | ProgkitError | None:
    """The request of these *arguments* as it goes past litellm; None if it is to go through it; or why it cannot go.

    prefix: what its messages begin with.
    """
    if said := keys.fault(arguments) or (
        "" if arguments.get("api_key") else keys.fault_in_environment(arguments["model"])
    ):
        return ConfigurationError(said)
    if client == "litellm":
        return None
    found = prepare(arguments, prefix)
    if client != "auto" and isinstance(found, str):
        return ConfigurationError(f"client={client!r} cannot ask this: {found}; client='auto' leaves it to litellm")
    if isinstance(found, str):
        return None
    if isinstance(found, Prepared):
        found.http2 = client == "http2"
    return found


def limits(own: Mapping[str, Any], settings: Mapping[str, Any], given: Mapping[str, Any]) -> Limits:
    """Retries and times for a request: those *given* with it, else the LM's *own*; ``max_retries`` means num_retries.

    Raises:
        ConfigurationError: for a number that makes no sense.
    """
    every = {**own, **{name: value for name, value in given.items() if name in own}}
    for params in (settings, given):
        if "max_retries" in params and "num_retries" not in params:
            every["num_retries"] = params["max_retries"]
    retries = every["num_retries"]
    if type(retries) is not int or retries < 0:
        raise ConfigurationError(f"num_retries is a number of times, 0 or more, not {retries!r}")
    for name in ("timeout", "deadline"):
        seconds = every[name]
        if seconds is not None and (type(seconds) not in (int, float) or not seconds > 0):
            raise ConfigurationError(f"{name} is a number of seconds above 0, or None, not {seconds!r}")
    return Limits(retries, every["timeout"], every["deadline"])

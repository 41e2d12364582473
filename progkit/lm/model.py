"""``LM``: a model at a provider, asked directly or through litellm."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self, TextIO

from progkit.errors import ConfigurationError, EndpointWithheldError, ProgkitError
from progkit.lm import direct, endpoint, history, keys, litellm_door, retry, settings, state, usage, wire
from progkit.lm.background import shared
from progkit.lm.request import TRANSPORT, Message, Request
from progkit.lm.response import Response
from progkit.lm.secrecy import is_reference, is_secret, public_url


class LM:
    """A model by litellm's name for it, ``provider/name``, with the settings that go with every request.

    cache: whether its replies are kept. num_retries: how often to ask again after a failure that may pass. timeout:
    seconds for each attempt (None: litellm's 600). deadline: seconds for all attempts and the waits between
    them. client: ``auto`` asks OpenAI-compatible endpoints directly where that is known to be the same, and the
    rest through litellm; ``litellm`` asks everything so; ``direct`` refuses what it cannot ask; ``http2`` does as well,
    and its requests share connections where the server offers HTTP/2, which costs more CPU. It is no part of the
    identity, and no file holds it. Everything else (temperature, max_tokens, api_key, api_base, ...) is sent as it
    stands; a value of ``{"env": "NAME"}`` is read from the environment when it is needed.

    The model and what is sent never change: ``copy`` makes another. Credentials are in no repr, no
    pickle and no error. An LM is equal only to itself.

    Raises:
        ConfigurationError: for arguments that cannot work.
    """

    def __init__(
        self,
        model: str,
        *,
        cache: bool = True,
        num_retries: int = 3,
        timeout: float | None = 60.0,
        deadline: float | None = None,
        client: str = "auto",
        **kwargs: Any,
    ) -> None:
        self.cache = cache
        self.num_retries = num_retries
        self.timeout = timeout
        self.deadline = deadline
        self.client = client
        self._model = model
        self._kwargs = _taken(kwargs)
        self._unread: dict[str, Any] = {}
        self._allowed: tuple[str, ...] | None = None
        self._begin()
        settings.check(kwargs, "LM(...)")

    def _begin(self) -> None:
        """Check the settings; begin with nothing remembered."""
        if self._kwargs.get("model_type") == "chat":
            del self._kwargs["model_type"]  # DSPy's default, and all there is here
        wire.check(self._model, self._kwargs)
        wire.check_client(self.client)
        self._limits({})
        self.pace = retry.Pace()
        self.history: deque[history.Entry] = deque(maxlen=history.LIMIT_PER_LM)
        self._settled: dict[str, Any] | None = None
        self._environment = ""

    @property
    def model(self) -> str:
        """The model, ``provider/name``."""
        return self._model

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """The settings that are sent, credentials among them; read-only."""
        return MappingProxyType(self._kwargs)

    @property
    def identity(self) -> dict[str, Any]:
        """Model, settings and endpoint: all that decides an answer, and no credentials. For reading only.

        An endpoint that the environment sets (``OPENAI_BASE_URL``) is read when this is first asked for.
        """
        return self._settle() if self._settled is None else self._settled

    def _settle(self) -> dict[str, Any]:
        self._environment = endpoint.in_environment(self._model)
        identity: dict[str, Any] = {"model": self._model}
        if self._environment:
            identity["api_base"] = " ".join(map(public_url, self._environment.split()))
        for name, value in self._kwargs.items():
            if name in endpoint.NAMES:
                identity[name] = public_url(str(endpoint.resolved(name, value)))
            elif name not in TRANSPORT and not is_secret(name):
                identity[name] = value
        self._settled = identity
        return identity

    @property
    def withheld(self) -> str | None:
        """The endpoint that this LM was loaded with and may not use, or None."""
        if self._allowed is None:
            return None
        try:
            named = {name: endpoint.resolved(name, self._kwargs.get(name)) for name in endpoint.NAMES}
        except ConfigurationError:  # a variable that is not set leads nowhere
            return None
        return endpoint.withheld({"model": self._model, **named}, self._allowed) or None

    # --- asking -----------------------------------------------------------------------------

    def complete(self, request: Request) -> Response:
        """Answer *request*: its parameters over the LM's own settings, a None among them unsetting one.

        ``timeout``, ``deadline``, ``num_retries`` and credentials may be among them. ``rollout_id`` is never sent.

        Raises:
            LMError: if there is no answer.
            ConfigurationError: for settings that cannot work.
        """
        ready = self._ready(request)
        to = ready.direct
        if isinstance(to, ProgkitError):
            raise to
        if to is not None:
            ask = direct.ask
            return retry.run(lambda seconds: shared.wait(shared.start(ask(to, seconds))), ready.limits, self.pace)
        shared.wait(litellm_door.load())
        return retry.run(
            lambda seconds: shared.wait(litellm_door.ask(ready.arguments, seconds)), ready.limits, self.pace
        )

    async def acomplete(self, request: Request) -> Response:
        """As ``complete``, without holding up the event loop, whichever it is."""
        ready = self._ready(request)
        to = ready.direct
        if isinstance(to, ProgkitError):
            raise to
        if to is not None:
            return await retry.arun(lambda seconds: direct.ask(to, seconds), ready.limits, self.pace)
        await asyncio.wrap_future(litellm_door.load())
        return await retry.arun(
            lambda seconds: asyncio.wrap_future(litellm_door.ask(ready.arguments, seconds)), ready.limits, self.pace
        )

    def __call__(
        self, prompt: str | None = None, messages: Sequence[Message] | None = None, **params: Any
    ) -> list[str]:
        """Ask without a program, and past the cache: *prompt* as a user's message, after *messages* if both are given.

        Returns:
            The text of each reply.
        """
        request = _plain_request(prompt, messages, params)
        return self._noted(request, self.complete(request))

    async def acall(
        self, prompt: str | None = None, messages: Sequence[Message] | None = None, **params: Any
    ) -> list[str]:
        """As calling it, without holding up the event loop."""
        request = _plain_request(prompt, messages, params)
        return self._noted(request, await self.acomplete(request))

    def inspect_history(self, n: int = 1, file: TextIO | None = None) -> None:
        """Print this LM's last *n* calls to *file*, standard output by default."""
        history.inspect_history(n, file, self.history)

    def _noted(self, request: Request, response: Response) -> list[str]:
        usage.record(response)
        history.record(self, request, response)
        return [each.text or "" for each in response.completions]

    def _ready(self, request: Request) -> wire.Wire:
        arguments = wire.arguments(request, self._kwargs, self.identity)
        if self._allowed is not None and (found := endpoint.withheld(arguments, self._allowed)):
            raise EndpointWithheldError(found, self._model)
        settings.check_values(arguments)
        named = any(name in arguments for name in endpoint.NAMES)
        if not named and endpoint.in_environment(self._model) != self._environment:
            # Its answer would be kept as the old endpoint's.
            self._settled = None
            raise ConfigurationError(
                f"the environment's endpoint for {self._model} has changed since it was last asked; this request was "
                "not sent, the next will go to the new one"
            )
        return wire.Wire(arguments, self._limits(request.params), wire.prepared(arguments, self.client, request.prefix))

    def _limits(self, given: Mapping[str, Any]) -> retry.Limits:
        own = {"num_retries": self.num_retries, "timeout": self.timeout, "deadline": self.deadline}
        return wire.limits(own, self._kwargs, given)

    # --- as a value -------------------------------------------------------------------------

    def copy(self, **changes: Any) -> Self:
        """Another LM with *changes* to its arguments, None removing one; its history is its own.

        An endpoint among the changes is the caller's word and so allowed.
        """
        new = type(self).__new__(type(self))
        vars(new).update(vars(self))
        own = {name: changes.pop(name) for name in (*state.OWN, "client") if name in changes}
        vars(new).update(own)
        new._model = changes.pop("model", self._model)
        new._kwargs = _taken({**self._kwargs, **changes})
        if self._allowed is not None:
            named = (str(changes[name]) for name in endpoint.NAMES if changes.get(name))
            new._allowed = (*self._allowed, *(host for each in named for host in endpoint.hosts_of(each)))
        new._begin()
        settings.check(changes, "LM.copy(...)")
        new.pace = self.pace
        return new

    def __copy__(self) -> Self:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.copy()

    def __getstate__(self) -> dict[str, Any]:
        """Everything but credentials, history and clock, for pickle."""
        left_out = ("history", "pace", "_settled", "_environment")
        kept = {name: value for name, value in vars(self).items() if name not in left_out}
        kept["_kwargs"] = {
            name: public_url(value) if name in endpoint.NAMES and isinstance(value, str) else value
            for name, value in self._kwargs.items()
            if is_reference(value) or not is_secret(name)
        }
        return kept

    def __setstate__(self, kept: dict[str, Any]) -> None:
        vars(self).update({"client": "auto", **kept})
        self._begin()

    def __repr__(self) -> str:
        shown = "".join(f", {name}={value!r}" for name, value in self.dump_state()[0].items() if name in self._kwargs)
        return f"{type(self).__name__}({self._model!r}{shown})"

    def dump_state(self) -> tuple[dict[str, Any], list[str]]:
        """This LM as plain data (``lm/state.py`` says which), and what was left out of it, ``name: why``."""
        own = {name: getattr(self, name) for name in state.OWN}
        known, dropped = state.dump({"model": self._model, **own, **self._kwargs})
        return {**self._unread, **known}, dropped

    @classmethod
    def from_state(cls, saved: Mapping[str, Any], allow_hosts: Sequence[str] = ()) -> Self:
        """The LM that ``dump_state`` gave *saved* of.

        allow_hosts: hosts (``host`` or ``host:port``) that it may send prompts to. An endpoint elsewhere stays
        in its settings, and asking it is an error, so that nothing meant for a private endpoint goes to
        a public one. Settings that this version does not know are kept for the next save and never sent.

        Raises:
            ConfigurationError: if *saved* names no model, or for a setting that cannot work.
        """
        known, unread = state.split(saved)
        # An address that cannot be one is told when it is asked; until then it is on no host that is allowed.
        addresses = {name: known.pop(name) for name in endpoint.NAMES if known.get(name)}
        lm = cls(known.pop("model", ""), **known)
        lm._kwargs.update(addresses)
        lm._allowed = tuple(allow_hosts)
        lm._unread = unread
        return lm


def _taken(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings *given* that say something, keys without whitespace around them.

    Raises:
        ConfigurationError: for a key that can be none.
    """
    keys.check(given)
    return {name: value for name, value in keys.stripped(given).items() if value is not None}


def _plain_request(prompt: str | None, messages: Sequence[Message] | None, params: dict[str, Any]) -> Request:
    settings.check(params, "a call of an LM")
    every = list(messages or ())
    if prompt is not None:
        every.append({"role": "user", "content": prompt})
    return Request.of(every, **params)

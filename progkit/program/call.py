"""One call of a predictor: cache, LM, adapter, and the one fallback, in this order.

The order stands in ``answer``, a generator that yields what must be asked of an LM and is sent the
response: ``run`` and ``arun`` do the asking, so that sync and async calls are the same code.
"""

import asyncio
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from progkit.adapters import Adapter, ChatAdapter
from progkit.caching import Cache, current_cache
from progkit.errors import AdapterParseError, InputError, NoLMError, OfflineMissError
from progkit.example import Prediction
from progkit.lm import LanguageModel, Request, Response, history, usage
from progkit.program.plan import Plan
from progkit.runtime import current
from progkit.signature import Signature, signature_of

if TYPE_CHECKING:
    from progkit.program.predict import Predict

Answering: TypeAlias = Generator[Request, Response, Prediction]

DEFAULT_ADAPTER: Adapter = ChatAdapter()


class Ask:
    """A call of *predict* as it will be asked under the settings in force: bound, not yet sent."""

    __slots__ = ("adapter", "cache", "demos", "inputs", "lm", "params", "predict", "settings", "signature")

    def __init__(
        self,
        predict: "Predict",
        inputs: dict[str, Any],
        config: Mapping[str, Any] | None = None,
        lm: LanguageModel | None = None,
        demos: Sequence[Any] | None = None,
        signature: str | type[Signature] | None = None,
    ) -> None:
        settings = current()
        self.predict = predict
        self.signature = predict.signature if signature is None else signature_of(signature)
        self.demos = predict.demos if demos is None else demos
        self.inputs = _bound(predict, self.signature, inputs)
        asked = lm or predict.lm or settings.lm
        if asked is None:
            raise NoLMError(repr(predict))
        self.lm: LanguageModel = asked
        self.adapter = settings.adapter or DEFAULT_ADAPTER
        self.settings = settings
        self.params = _params(asked, predict.config, config)
        keeps = self.params.pop("cache", getattr(asked, "cache", True))
        self.cache: Cache | None = current_cache() if keeps else None

    @property
    def model(self) -> str:
        """The model that will be asked."""
        return str(self.params.get("model", ""))

    def request(self, adapter: Adapter) -> Request:
        """The request that *adapter* makes of this call."""
        predict = self.predict
        if self.demos is predict.demos and self.signature is predict.signature:
            plan = predict._plans.get(adapter, self.signature, self.demos)
        else:
            plan = Plan(adapter, self.signature, self.demos)
        extra = adapter.params(self.signature, self.model)
        params = {**extra, **self.params} if extra else self.params
        return Request(plan.prefix, adapter.suffix(self.signature, self.inputs), params)

    def key(self, request: Request) -> str | None:
        """The cache key of *request*; None if it has none, or nothing is to be cached."""
        return None if self.cache is None else self.cache.safe_key(request)


def answer(ask: Ask) -> Answering:
    """Answer *ask* from the cache or by the LM it yields requests for.

    A reply that the adapter cannot read is asked for again in the layout of the adapter's fallback,
    and what then comes is kept for both requests, so that the next call needs neither.
    """
    adapter = ask.adapter
    request = ask.request(adapter)
    key = ask.key(request)
    kept = _kept(ask, request, key, adapter)
    if kept is not None:
        return kept
    response = yield from _asked(ask, request)
    try:
        prediction = _read(adapter, ask.signature, response)
    except AdapterParseError:
        if adapter.fallback is None:
            raise
        prediction = yield from _fall_back(ask, adapter.fallback, key)
    else:
        _keep(ask, key, response)
    return prediction


def _fall_back(ask: Ask, adapter: Adapter, first_key: str | None) -> Answering:
    request = ask.request(adapter)
    key = ask.key(request)
    prediction = _kept(ask, request, key, adapter)
    if prediction is None:
        response = yield from _asked(ask, request)
        prediction = _read(adapter, ask.signature, response)
        _keep(ask, key, response)
        _keep(ask, first_key, response)
    return prediction


def _asked(ask: Ask, request: Request) -> Generator[Request, Response, Response]:
    if ask.settings.is_offline:
        raise OfflineMissError(repr(ask.predict), ask.inputs)
    response = yield request
    usage.record(response)
    history.record(ask.lm, request, response)
    return response


def _kept(ask: Ask, request: Request, key: str | None, adapter: Adapter) -> Prediction | None:
    """The cached answer; None also for a reply that cannot be read (the signature's types may have changed)."""
    kept = ask.cache.safe_get(key) if ask.cache is not None and key is not None else None
    if kept is None:
        return None
    response = kept.as_hit()
    prediction = None
    while prediction is None:
        try:
            prediction = _read(adapter, ask.signature, response)
        except AdapterParseError:
            # What the fallback got is kept for the first request too.
            if adapter.fallback is None:
                return None
            adapter = adapter.fallback
    usage.record(response)
    history.record(ask.lm, request, response)
    return prediction


def _keep(ask: Ask, key: str | None, response: Response) -> None:
    if ask.cache is not None and key is not None and response.is_whole:
        ask.cache.safe_put(key, response)


def _read(adapter: Adapter, signature: type[Signature], response: Response) -> Prediction:
    return Prediction.answered(
        [adapter.parse(signature, each.text or "") for each in response.completions], (response,)
    )


def run(ask: Ask) -> Prediction:
    """Answer *ask*, here and now."""
    answering = answer(ask)
    try:
        request = next(answering)
        while True:
            request = answering.send(ask.lm.complete(request))
    except StopIteration as done:
        prediction: Prediction = done.value
        return prediction


async def arun(ask: Ask) -> Prediction:
    """Answer *ask* without holding up the event loop; an LM without ``acomplete`` runs in a worker thread."""
    answering = answer(ask)
    acomplete = getattr(ask.lm, "acomplete", None)
    try:
        request = next(answering)
        while True:
            response = await (acomplete(request) if acomplete else asyncio.to_thread(ask.lm.complete, request))
            request = answering.send(response)
    except StopIteration as done:
        prediction: Prediction = done.value
        return prediction


def _bound(predict: "Predict", signature: type[Signature], given: dict[str, Any]) -> dict[str, Any]:
    """*given* with defaults filled in.

    Raises:
        InputError: for all that is missing and all that is unexpected.
    """
    fields = signature.input_fields
    if given.keys() == fields.keys():
        return given
    bound = {name: field.make_default() for name, field in fields.items() if name not in given and field.has_default}
    bound.update(given)
    missing = [name for name in fields if name not in bound]
    unexpected = [name for name in bound if name not in fields]
    if missing or unexpected:
        raise InputError(repr(predict), missing, unexpected, list(fields))
    return bound


def _params(lm: LanguageModel, *configs: Mapping[str, Any] | None) -> dict[str, Any]:
    """What goes with the messages: the LM's own settings, then the predictor's, then the call's."""
    params = dict(lm.identity)
    for config in configs:
        if config:
            params.update(config)
    if (params.get("n") or 1) > 1 and (params.get("temperature") or 0) <= 0.15:
        # Several replies at temperature 0 are one reply several times; DSPy does the same.
        params["temperature"] = 0.7
    return params

"""A call of a predictor: what it will ask, under the settings in force, and asking it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from progkit.adapters import Adapter, ChatAdapter, is_plain, native_of
from progkit.caching import Cache, current_cache
from progkit.caching.expiry import Controls, controls_of
from progkit.errors import InputError, NoLMError
from progkit.example import Prediction
from progkit.lm import LanguageModel, Request
from progkit.program import labels
from progkit.program.answering import Question, answer, served
from progkit.program.driving import adrive, drive
from progkit.program.plan import Plan
from progkit.runtime import current
from progkit.signature import Signature, signature_of

if TYPE_CHECKING:
    from progkit.program.predict import Predict

DEFAULT_ADAPTER: Adapter = ChatAdapter()
NO_CONTROLS = Controls()


class Ask:
    """A call of *predict* as it will be asked under the settings in force: bound, not yet sent."""

    __slots__ = ("adapter", "cache", "controls", "demos", "inputs", "is_plain", "is_usual", "lm", "params") + (
        "predict",
        "program",
        "settings",
        "signature",
    )

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
        self.is_plain = is_plain(self.signature)
        self.demos: Any = predict.shown if demos is None else demos
        self.is_usual = demos is None and signature is None
        self.inputs = _bound(predict, self.signature, inputs)
        asked = lm or predict.lm or settings.lm
        if asked is None:
            raise NoLMError(repr(predict))
        self.lm: LanguageModel = asked
        self.adapter = _laid(settings.adapter or DEFAULT_ADAPTER, predict.layout)
        self.settings = settings
        self.params = _params(asked, predict.config, config)
        said = self.params.pop("cache", getattr(asked, "cache", True))
        cache = current_cache() if said or isinstance(said, Mapping) else None
        self.cache: Cache | None = cache
        self.controls: Controls = NO_CONTROLS if cache is None else controls_of(said, cache.controls)
        self.program = labels.program()

    @property
    def model(self) -> str:
        """The model that will be asked."""
        return str(self.params.get("model", ""))

    def request(self, adapter: Adapter) -> Request:
        """The request that *adapter* makes of this call."""
        predict = self.predict
        native = None if self.is_plain else native_of(adapter, self.signature, self.params)
        signature = self.signature if native is None else native.signature
        if self.is_usual:
            plan = predict._plans.get(adapter, signature, self.demos)
        else:
            plan = Plan(adapter, signature, self.demos)
        extra = adapter.params(signature, self.model)
        if native is not None:
            extra |= native.params(adapter, self.inputs)
        params = {**extra, **self.params} if extra else self.params
        request = Request(plan.prefix, adapter.suffix(signature, self.inputs), params)
        return request if self.cache is None else self.cache.sent(request)

    @property
    def keeping(self) -> Controls:
        """How what it gets is kept: its controls, with the tags of model, program and settings."""
        return labels.tagged(self.controls, (self.model,), self.program, self.settings.tags)

    @property
    def may_share(self) -> bool:
        """Whether it may ask the LM for others, too: what it gets is kept, and it takes what is kept."""
        return self.controls.is_plain and not (self.controls.only_if_cached or self.settings.is_offline)

    @property
    def patience(self) -> float:
        """Seconds for which it waits for another call's answer."""
        return 0.0 if self.cache is None else self.cache.wait

    def key(self, request: Request) -> str | None:
        """The cache key of *request*; None if it has none, or nothing is to be cached."""
        return None if self.cache is None else self.cache.safe_key(request)


def run(ask: Ask) -> Prediction:
    """Answer *ask*, here and now."""
    question = Question(ask, ask.adapter)
    kept = served(question)
    return drive(ask, answer(question, blocking=True)) if kept is None else kept


async def arun(ask: Ask) -> Prediction:
    """Answer *ask* without holding up the event loop; an LM without ``acomplete`` runs in a worker thread."""
    question = Question(ask, ask.adapter)
    kept = served(question)
    return await adrive(ask, answer(question, blocking=False)) if kept is None else kept


def _laid(adapter: Adapter, layout: str | None) -> Adapter:
    """*adapter* in the *layout* of a predictor, if it has one and the adapter can."""
    with_layout = getattr(adapter, "with_layout", None) if layout else None
    return with_layout(layout) if with_layout else adapter


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

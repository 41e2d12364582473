"""Predict: one call of an LM by a signature; the only part of a program with state."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from progkit.errors import InputError
from progkit.example import Example, Prediction
from progkit.lm import LanguageModel, settings
from progkit.program import call
from progkit.program.held import Held
from progkit.program.module import Module
from progkit.program.plan import Plans
from progkit.signature import Signature, signature_of


class Predict(Module):
    """Asks an LM for the output fields of *signature*, given its inputs by name.

    signature: a ``Signature`` class or its text. config: parameters for every request of this
    predictor (``temperature``, ``n``, ...), before the LM's own.

    A call takes the inputs and, by name, ``config`` (for this call, before the predictor's), ``lm``,
    ``demos`` and ``signature`` (instead of the predictor's); a name that the signature has as an input is
    an input. ``layout`` is the DSPy version in whose layout its prompts are written, such as ``"3.0"``; None for
    the adapter's own. ``config={"cache": False}`` neither reads nor writes the cache; a dict instead
    says more: ``{"cache": {"max_age": 60, "ttl": 3600}}``, see ``caching.expiry.Controls``.
    """

    own_state: ClassVar[frozenset[str]] = Module.own_state | {
        "signature",
        "demos",
        "config",
        "lm",
        "layout",
        "_plans",
    }

    keeps_demos: ClassVar[bool] = True
    """Whether ``demos`` are those of this class, and not of a subclass's making."""

    def __init__(self, signature: str | type[Signature], **config: Any) -> None:
        settings.check(config, "Predict(...)")
        self.signature: type[Signature] = signature_of(signature)
        self.demos = []
        self.config: dict[str, Any] = config
        self.lm: LanguageModel | None = None
        self.layout: str | None = None
        self._plans = Plans()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.keeps_demos = cls.demos is Predict.demos

    @property
    def demos(self) -> list[Example | Mapping[str, Any]]:
        """The examples that are shown to the model; change the list, an example in it, or set another."""
        own = vars(self)
        demos = own["demos"]
        if not isinstance(demos, Held):
            return demos  # type: ignore[no-any-return]
        examples = demos.examples()
        if own["demos"] is demos:  # or else somebody has just set others; nobody comes in between these two lines
            own["demos"] = examples
        return examples

    @demos.setter
    def demos(self, demos: list[Example | Mapping[str, Any]]) -> None:
        vars(self)["demos"] = demos

    @property
    def shown(self) -> Any:
        """The demos, without a look at them: what a prompt is made of."""
        return vars(self)["demos"] if self.keeps_demos else self.demos

    if TYPE_CHECKING:
        # A module's own calls, which answer with a prediction here.
        def __call__(self, *args: Any, **kwargs: Any) -> Prediction:
            """Ask; raises what ``forward`` raises."""

        async def acall(self, *args: Any, **kwargs: Any) -> Prediction:
            """Ask, without holding up the event loop."""

    def forward(self, *args: Any, **kwargs: Any) -> Prediction:
        """Ask: what a call does.

        Raises:
            NoLMError: if no LM is in force.
            InputError: for inputs that do not fit the signature.
            LMError: if the LM does not answer.
            AdapterParseError: if what it answers cannot be read.
            OfflineMissError: if the answer is not cached, and offline.
        """
        return call.run(self._asked(args, kwargs))

    async def aforward(self, *args: Any, **kwargs: Any) -> Prediction:
        """Ask, without holding up the event loop."""
        return await call.arun(self._asked(args, kwargs))

    def reset(self) -> None:
        """Forget the demos and the LM."""
        self.demos = []
        self.lm = None

    def ask(self, inputs: dict[str, Any]) -> "call.Ask":
        """What a call with *inputs* would ask, not yet sent: for warming up, rendering, explaining."""
        return self._asked((), dict(inputs))

    def _asked(self, args: Sequence[Any], kwargs: dict[str, Any]) -> "call.Ask":
        if args:
            known = list(self.signature.input_fields)
            missing = [name for name in known if name not in kwargs]
            raise InputError(repr(self), missing, ["a value without a name"] * len(args), known)
        own: dict[str, Any] = {}
        for name in _CALL_NAMES:
            if name in kwargs and name not in self.signature.input_fields:
                own[name] = kwargs.pop(name)
        if own.get("config"):
            settings.check(own["config"], "config=")
        return call.Ask(self, kwargs, **own)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.signature.signature!r}, {len(self.shown)} demos)"

    def __getstate__(self) -> dict[str, Any]:
        own = {name: value for name, value in vars(self).items() if name != "_plans"}
        return own | {"demos": self.demos} if "demos" in own else own

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _plans=Plans())
        vars(self).setdefault("demos", [])


_CALL_NAMES = ("config", "lm", "demos", "signature")

"""What an LM answers: plain, immutable data, so that it can be kept and handed out again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Completion:
    """One reply.

    text: what was said, None if nothing was. finish_reason: ``stop``, ``length``, ``content_filter``,
    ``tool_calls`` or None. tool_calls: ``{"id", "name", "args"}``, args being JSON text as sent.
    reasoning: the model's own account of its thinking, where the provider gives it. logprobs: as
    the provider gives them.
    """

    text: str | None
    finish_reason: str | None = None
    tool_calls: tuple[dict[str, Any], ...] = ()
    reasoning: str | None = None
    logprobs: Any = None

    @property
    def is_whole(self) -> bool:
        """Whether the model said all it meant to: not cut off, not filtered."""
        return self.finish_reason not in ("length", "content_filter", "error")


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to one request.

    completions: *n* of them, at least one. usage: token counts as the provider names them, ``{}`` when
    nothing was billed. cost: US dollars, None if the price is unknown. cache_hit: it came from
    the cache. source: ``lm``, or ``demo`` for a reply that warm-up made from a demo. saved: on a hit,
    what the kept reply had been billed (usage); saved_cost likewise, US dollars. stale: past its time, and
    served because it is being asked for again, or cannot be. keys: under which the cache keeps it.
    """

    completions: tuple[Completion, ...]
    model: str = ""
    usage: dict[str, Any] = field(default_factory=dict)
    cost: float | None = None
    source: str = "lm"
    cache_hit: bool = False
    saved: dict[str, Any] = field(default_factory=dict)
    saved_cost: float | None = None
    stale: bool = False
    keys: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @classmethod
    def of(cls, *texts: str, model: str = "", usage: dict[str, Any] | None = None, source: str = "lm") -> "Response":
        """A response that says *texts*, one completion each."""
        completions: Sequence[Completion] = [Completion(each, "stop") for each in texts]
        return cls(tuple(completions), model, usage or {}, source=source)

    @property
    def text(self) -> str:
        """The first completion's text; empty if it has none."""
        return self.completions[0].text or ""

    @property
    def is_whole(self) -> bool:
        """Whether every completion is."""
        return all(each.is_whole for each in self.completions)

    def kept_under(self, keys: tuple[str, ...]) -> "Response":
        """This response with other *keys*."""
        # By position: names take a fifth longer.
        return Response(
            self.completions,
            self.model,
            self.usage,
            self.cost,
            self.source,
            self.cache_hit,
            self.saved,
            self.saved_cost,
            self.stale,
            keys,
        )

    def as_hit(self, key: str = "") -> "Response":
        """This response as a cache hit hands it out: nothing billed, and what that saved; *key*: where it was kept."""
        hit: Response = object.__new__(Response)
        # The slots themselves: this is done for every hit, and a frozen dataclass's own way takes twice the time.
        _completions(hit, self.completions)
        _model(hit, self.model)
        _usage(hit, {})
        _cost(hit, None)
        _source(hit, self.source)
        _cache_hit(hit, True)
        _saved(hit, self.usage)
        _saved_cost(hit, self.cost)
        _stale(hit, self.stale)
        _keys(hit, self.keys or ((key,) if key else ()))
        return hit


_completions, _model, _usage, _cost, _source, _cache_hit, _saved, _saved_cost, _stale, _keys = (
    getattr(Response, name).__set__ for name in Response.__slots__
)

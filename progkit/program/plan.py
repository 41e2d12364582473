"""What a predictor prepares once and every call of it uses: the messages that do not depend on the inputs."""

from collections.abc import Sequence
from typing import Any

from progkit.adapters import Adapter
from progkit.lm import Prefix
from progkit.program.freshness import Watch
from progkit.signature import Signature


class Plan:
    """The prefix that *adapter* makes of a signature and demos, and whether it still stands."""

    __slots__ = ("adapter", "prefix", "signature", "watch")

    def __init__(self, adapter: Adapter, signature: type[Signature], demos: Sequence[Any]) -> None:
        # Watched first: demos changed meanwhile by another thread make the plan stale, not wrong.
        self.watch = Watch(demos)
        self.adapter = adapter
        self.signature = signature
        self.prefix = Prefix(adapter.prefix(signature, demos))

    def holds(self, adapter: Adapter, signature: type[Signature], demos: Sequence[Any]) -> bool:
        """Whether it would be made the same now."""
        return adapter is self.adapter and signature is self.signature and self.watch.holds(demos)


class Plans:
    """A predictor's plans, one for each adapter in use (the default and its fallback, as a rule)."""

    __slots__ = ("kept",)

    most = 8

    def __init__(self) -> None:
        self.kept: dict[int, Plan] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> "Plans":
        return Plans()

    def get(self, adapter: Adapter, signature: type[Signature], demos: Sequence[Any]) -> Plan:
        """The plan for *adapter*, made anew if the demos or the signature have changed."""
        plan = self.kept.get(id(adapter))
        if plan is None or not plan.holds(adapter, signature, demos):
            plan = Plan(adapter, signature, demos)
            if len(self.kept) >= self.most:
                self.kept.clear()
            self.kept[id(adapter)] = plan
        return plan

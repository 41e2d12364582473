"""What a predictor prepares once and every call of it uses: the messages that do not depend on the inputs."""

from collections.abc import Sequence
from typing import Any

from progkit.adapters import Adapter, ChatAdapter, JSONAdapter
from progkit.lm import Prefix
from progkit.program.freshness import Watch
from progkit.program.held import Held
from progkit.signature import Signature


class Plan:
    """The prefix that *adapter* makes of a signature and demos, and whether it still stands."""

    __slots__ = ("adapter", "prefix", "signature", "watch")

    def __init__(self, adapter: Adapter, signature: type[Signature], demos: Any) -> None:
        # Watched first: demos changed meanwhile by another thread make the plan stale, not wrong.
        self.watch = Watch(demos)
        self.adapter = adapter
        self.signature = signature
        self.prefix = Prefix(adapter.prefix(signature, _for(adapter, demos)))

    def holds(self, adapter: Adapter, signature: type[Signature], demos: Any) -> bool:
        """Whether it would be made the same now."""
        return adapter is self.adapter and signature is self.signature and self.watch.holds(demos)


def _for(adapter: Adapter, demos: Any) -> Sequence[Any]:
    """*demos* as *adapter* takes them: their values will do for ours, but somebody's own may want Examples."""
    if not isinstance(demos, Held):
        return demos  # type: ignore[no-any-return]
    return demos.values() if type(adapter) in (ChatAdapter, JSONAdapter) else demos.examples()


class Plans:
    """A predictor's plans, one for each adapter in use (the default and its fallback, as a rule)."""

    __slots__ = ("kept",)

    most = 8

    def __init__(self) -> None:
        self.kept: dict[int, Plan] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> "Plans":
        return Plans()

    def get(self, adapter: Adapter, signature: type[Signature], demos: Any) -> Plan:
        """The plan for *adapter*, made anew if the demos or the signature have changed."""
        plan = self.kept.get(id(adapter))
        if plan is None or not plan.holds(adapter, signature, demos):
            plan = Plan(adapter, signature, demos)
            if len(self.kept) >= self.most:
                self.kept.clear()
            self.kept[id(adapter)] = plan
        return plan

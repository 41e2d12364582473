"""What is asked of an LM: messages and every parameter that goes with them.

A request is a read-only mapping (``request["messages"]``, ``request["model"]``, ``request["temperature"]``), and
its messages come in two parts: the ``Prefix``, which a predictor shares between all its calls,
and the tail, which belongs to this call. Whoever works out something costly from the prefix (the
cache: its hash) keeps it in ``Prefix.memo``, so that no call pays for it again.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

Message: TypeAlias = Mapping[str, Any]
"""``{"role": "system" | "user" | "assistant" | "tool", "content": str | list of blocks, ...}``"""

CREDENTIALS = frozenset(
    {"api_key", "api_token", "token", "azure_ad_token", "aws_access_key_id", "aws_secret_access_key"}
    | {"aws_session_token", "vertex_credentials", "headers", "extra_headers", "default_headers"}
)
"""Parameters that authenticate: never in a key, a file, a repr or a log."""

TRANSPORT = frozenset(
    {"timeout", "deadline", "num_retries", "max_retries", "cache", "cache_control_injection_points", "prompt_cache"}
    | {"stream", "stream_options", "user_agent", "metadata"}
)
"""Parameters that change how a request travels and not what is answered: never in a key."""


class Prefix:
    """Messages that open every request of a predictor; never changed once made."""

    __slots__ = ("memo", "messages")

    def __init__(self, messages: Sequence[Message] = ()) -> None:
        self.messages: tuple[Message, ...] = tuple(messages)
        self.memo: dict[str, Any] = {}


class Request(Mapping[str, Any]):
    """One question to an LM.

    prefix, tail: the messages. params: ``model`` and everything else that is sent.
    """

    __slots__ = ("params", "prefix", "tail")

    def __init__(self, prefix: Prefix, tail: Sequence[Message], params: Mapping[str, Any]) -> None:
        self.prefix = prefix
        self.tail = tail
        self.params = params

    @classmethod
    def of(cls, messages: Sequence[Message], **params: Any) -> "Request":
        """A request of plain *messages*; ``model`` and the rest by name."""
        return cls(Prefix(), list(messages), params)

    @property
    def model(self) -> str:
        """The model asked, ``provider/name``."""
        return str(self.params.get("model", ""))

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Every message in order; the dicts are the reader's own."""
        return [dict(each) for each in (*self.prefix.messages, *self.tail)]

    def __getitem__(self, name: str) -> Any:
        return self.messages if name == "messages" else self.params[name]

    def __iter__(self) -> Iterator[str]:
        yield "messages"
        yield from self.params

    def __len__(self) -> int:
        return 1 + len(self.params)

    def __repr__(self) -> str:
        shown = {name: value for name, value in self.params.items() if name not in CREDENTIALS}
        return f"Request({len(self.prefix.messages) + len(self.tail)} messages, {shown})"

"""Messages as litellm would send them; those that it would change in a way of its own are left to it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from progkit.lm.direct.models import Model
from progkit.lm.request import Prefix

_KEYS = frozenset({"role", "content", "name", "tool_calls", "tool_call_id"})
_MEMO: Final = "lm.direct"
_ROLES = frozenset({"system", "user", "assistant", "tool"})


def opening(prefix: Prefix, model: Model) -> bytes:
    """The messages of *prefix* for the wire, as the JSON between the brackets, made once for all its requests.

    Empty if there are none, or if they cannot be sent so: then they are to be looked at with all the others.
    """
    if not prefix.messages:
        return b""
    kept: dict[Any, bytes] = prefix.memo.setdefault(_MEMO, {})
    kind = _as_user(model), model.provider == "hosted_vllm"  # all that ``plain`` looks at
    if kind not in kept:
        kept[kind] = _between(plain(prefix.messages, model))
    return kept[kind]


def _between(sent: list[dict[str, Any]] | None) -> bytes:
    try:
        return b"" if sent is None else encoded(sent)[1:-1]
    except (TypeError, ValueError, RecursionError):  # told of the whole request
        return b""


def encoded(body: Any) -> bytes:
    """*body* as JSON, as OpenAI's client would write it.

    Raises:
        TypeError, ValueError, RecursionError: for what is no JSON: NaN, a lone surrogate, a circle.
    """
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _as_user(model: Model) -> bool:
    return model.kind == "o" and not model.abilities.get("supports_system_messages")


def plain(messages: Sequence[Mapping[str, Any]], model: Model) -> list[dict[str, Any]] | None:
    """*messages* for the wire: without what is None, images as objects; None if litellm must see to them.

    To a model of the o series that litellm's list says nothing of, a system message is sent as a user's.
    """
    as_user = _as_user(model)
    sent = []
    for each in messages:
        content = each.get("content")
        role = each.get("role")
        if role not in _ROLES or not _KEYS.issuperset(each) or not _calls_are_plain(each.get("tool_calls")):
            return None
        message = {name: value for name, value in each.items() if value is not None}
        if isinstance(content, list):
            blocks = _blocks(content, role)
            if blocks is None or (model.provider == "hosted_vllm" and role == "assistant"):
                return None
            message["content"] = blocks
        elif content is not None and not isinstance(content, str):
            return None
        if as_user and role == "system":
            message = {"role": "user", "content": message.get("content")}
        sent.append(message)
    return sent or None


def _calls_are_plain(calls: object) -> bool:
    return calls is None or (isinstance(calls, list) and bool(calls) and all(isinstance(each, dict) for each in calls))


def _blocks(blocks: Sequence[Any], role: str) -> list[dict[str, Any]] | None:
    sent = [_block(each, role) for each in blocks]
    known = [each for each in sent if each is not None]
    return known if len(known) == len(sent) and role != "tool" else None


def _block(block: Any, role: str) -> dict[str, Any] | None:
    if not isinstance(block, Mapping):
        return None
    kind = block.get("type")
    if kind == "text" and set(block) == {"type", "text"}:
        return dict(block)
    if role != "user":
        return None
    if kind == "input_audio" and set(block) == {"type", "input_audio"}:
        return dict(block)
    if kind == "image_url" and set(block) == {"type", "image_url"}:
        image = block["image_url"]
        if isinstance(image, str):
            return {"type": "image_url", "image_url": {"url": image}}
        if isinstance(image, Mapping) and {"url", "detail"}.issuperset(image):
            return {"type": "image_url", "image_url": dict(image)}
    return None

"""What the pickle of a bundle names of progkit, to build again what is no plain object.

The names here stand in files that were saved: none is ever renamed, none changes what it takes.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from progkit.lm import LM
from progkit.signature import Field, Signature
from progkit.signature.field import infer_prefix, placeholder

ALLOWED: ContextVar[tuple[str, ...]] = ContextVar("progkit_bundle_allowed", default=())
"""Hosts that the LMs of the bundle being loaded may send prompts to; whoever loads one sets it."""


def lm(settings: Mapping[str, Any]) -> LM:
    """The LM that ``LM.dump_state`` gave *settings* of; its endpoint must be among those ALLOWED."""
    return LM.from_state(settings, allow_hosts=ALLOWED.get())


def put_lm(new: LM, state: Mapping[str, Any]) -> None:
    """Give *new*, of a subclass of LM, its *state*; its endpoint must be among those ALLOWED."""
    new.__setstate__({**state, "_allowed": ALLOWED.get()})


def signature(name: str, module: str, fields: Mapping[str, Mapping[str, Any]]) -> type[Signature]:
    """The signature of a predictor without its texts, which the state brings. fields: arguments of ``Field``, by name.

    A predictor's role, type, constraints and default are its code's; what was learned is in the state alone.
    """
    bare = [
        Field(name=each, desc=placeholder(each), prefix=infer_prefix(each), **told) for each, told in fields.items()
    ]
    return Signature._make(name, module, bare, "")

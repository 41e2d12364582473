"""How the parts of a program are written into its pickle: without what is learned, and without secrets.

What was learned is in the state alone, so that a program that was optimised again changes that file and no other.
"""

import copyreg
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from progkit import artifact
from progkit.errors import UnsavableError
from progkit.lm import LM
from progkit.lm.withheld import WithheldLM
from progkit.program import tree
from progkit.program.bundles import restoring
from progkit.program.bundles.left_out import LeftOut
from progkit.signature import Field, Signature, SignatureMeta, same_type

_BARE: Mapping[str, Any] = {"demos": [], "config": {}, "lm": None, "layout": None}
"""A predictor's attributes that the state holds, with what a new one has; its signature is treated apart."""
_FRESH = ("_unknown", "_load_report", "_plans")
"""A part's attributes that come with the state, or are made anew."""


@dataclass(slots=True)
class Reducing:
    """Says of each object of a program how it is written; None: as pickle does.

    predictors: path of each predictor of the tree by id: the state holds what they learned. left_out: the parts that
    stay, by id. dropped: what was not written, ``where: what``. notes: what else a user should know. met: path and
    class of each part that stays and was asked for.
    """

    predictors: Mapping[int, str]
    left_out: Mapping[int, LeftOut]
    dropped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    met: dict[str, str] = field(default_factory=dict)

    def __call__(self, value: Any, where: str) -> Any:
        """What ``__reduce__`` would return for *value*, met at *where*."""
        if id(value) in self.left_out:
            instead = self.left_out[id(value)]
            self.met[instead.left_out_path] = instead.left_out_kind
            return LeftOut, (instead.left_out_path, instead.left_out_kind)
        if isinstance(value, WithheldLM):
            return self._lm(value.lm, where) if isinstance(value.lm, LM) else None
        if isinstance(value, LM):
            return self._lm(value, where)
        if isinstance(value, _Bare):
            return restoring.signature, (value.name, value.module, value.fields)
        return self._part(value, where) if tree.is_part(value) else None

    def _part(self, part: Any, where: str) -> Any:
        made = part.__reduce_ex__(5)
        is_known = isinstance(made, tuple) and made[0] in (copyreg.__newobj__, copyreg.__newobj_ex__)  # type: ignore[attr-defined]
        path = self.predictors.get(id(part))
        if not is_known and path is not None:
            raise UnsavableError(where, "has a __reduce__ of its own: define __getstate__ and __setstate__ instead")
        if not is_known or len(made) < 3:
            return made
        make, args, state, *rest = made
        own, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
        if isinstance(own, dict):
            own = {name: value for name, value in own.items() if name not in _FRESH}
            own = self._bared(own) if path is not None else self._kept(own, where, tree.is_predictor(part))
        return make, args, own if slots is None else (own, slots), *rest

    def _bared(self, own: dict[str, Any]) -> dict[str, Any]:
        bare = {**_BARE, "signature": structure(own["signature"])} if "signature" in own else _BARE
        return {name: bare.get(name, value) for name, value in own.items()}

    def _kept(self, own: dict[str, Any], where: str, is_predictor: bool) -> dict[str, Any]:
        """The attributes of a part that is no predictor, or one that no path leads to."""
        if not is_predictor or "config" not in own:
            return own
        self.notes.append(f"{where}: no path leads to this predictor; what it learned is in program.pkl, unseen by git")
        config, dropped = artifact.scrub(own["config"], f"{where}.config")
        self.dropped += dropped
        return {**own, "config": config}

    def _lm(self, lm: LM, where: str) -> Any:
        settings, dropped = lm.dump_state()
        self.dropped += [f"{where}.{each}" for each in dropped]
        settings, secrets = artifact.scrub(settings, where)
        self.dropped += secrets
        if type(lm) is LM:
            return restoring.lm, (settings,)
        state = dict(sorted(lm.__getstate__().items()))
        state.pop("_allowed", None)
        state["_kwargs"] = {name: settings[name] for name in state.get("_kwargs", ()) if name in settings}
        return copyreg.__newobj__, (type(lm),), state, None, None, restoring.put_lm  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class _Bare:
    """A signature without texts: what stands for one in a predictor's attributes."""

    name: str
    module: str
    fields: dict[str, dict[str, Any]]


def structure(signature: type[Signature]) -> Any:
    """What is written of a predictor's *signature*: the class of its module that it comes from, or else its fields.

    Its texts are in the state, whoever wrote them.
    """
    found: Any = sys.modules.get(signature.__module__)
    for step in signature.__qualname__.split("."):  # of one that was changed, the name alone
        found = getattr(found, step, None)
    if isinstance(found, SignatureMeta) and _are_alike(found, signature):
        return found
    return _Bare(signature.__name__, signature.__module__, {n: _told(each) for n, each in signature.fields.items()})


def _are_alike(one: SignatureMeta, other: SignatureMeta) -> bool:
    """Whether both have the same fields but for their texts."""
    if list(one.fields) != list(other.fields):
        return False
    pairs = zip(one.fields.values(), other.fields.values(), strict=True)
    return all(same_type(a.type, b.type) and _rest(a) == _rest(b) for a, b in pairs)


def _rest(each: Field) -> Any:
    return each.role, list(each.constraints.items()), each.default, each.default_factory


def _told(each: Field) -> dict[str, Any]:
    told: dict[str, Any] = {"role": each.role, "type": each.type, "constraints": dict(each.constraints)}
    if each.default_factory is not None:
        return {**told, "default_factory": each.default_factory}
    return {**told, "default": each.default} if each.has_default else told

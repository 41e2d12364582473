"""Module: a program, or a part of one: something called by name that may hold other modules."""

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from progkit import runtime
from progkit.artifact import LoadReport
from progkit.errors import ConfigurationError
from progkit.example import Prediction
from progkit.lm import LanguageModel, inspect_history, track_usage
from progkit.program import labels, state, tree
from progkit.program.copying import copied

if TYPE_CHECKING:
    from progkit.program.predict import Predict


class Module:
    """Subclass it, hold predictors and other modules in attributes, lists, tuples or dicts, define ``forward``.

    ``program(...)`` runs ``forward``; ``await program.acall(...)`` runs ``aforward``, or ``forward`` in a
    worker thread where there is no ``aforward``.
    """

    own_state: ClassVar[frozenset[str]] = frozenset({"_unknown"})
    """Attributes that are a module's state and not its parts."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module does.

        Raises:
            ConfigurationError: if a subclass has not defined it.
        """
        raise ConfigurationError(f"{type(self).__name__} defines no forward(): say there what it does")

    def __repr__(self) -> str:
        """The class, and the predictors by path."""
        return f"{type(self).__name__}({', '.join(path for path, _ in self.named_predictors())})"

    # --- calls ------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run ``forward``; with ``track_usage`` set, its prediction carries the usage of all calls made."""
        begun = labels.begin(self)
        try:
            if not runtime.current().track_usage:
                return self.forward(*args, **kwargs)
            with _Tracked() as tracked:
                return tracked.done(self.forward(*args, **kwargs))
        finally:
            if begun:
                labels.end()

    async def acall(self, *args: Any, **kwargs: Any) -> Any:
        """Like a call, without holding up the event loop."""
        begun = labels.begin(self)
        try:
            if not runtime.current().track_usage:
                return await self._aforward(*args, **kwargs)
            with _Tracked() as tracked:
                return tracked.done(await self._aforward(*args, **kwargs))
        finally:
            if begun:
                labels.end()

    async def _aforward(self, *args: Any, **kwargs: Any) -> Any:
        own = getattr(self, "aforward", None)
        if own is None:
            return await asyncio.to_thread(self.forward, *args, **kwargs)
        return await own(*args, **kwargs)

    # --- the tree ---------------------------------------------------------------------------

    def named_sub_modules(self) -> "list[tuple[str, Module]]":
        """Path and module, this one (``self``) first; a module reachable under two paths has the first."""
        return list(tree.walk(self))

    def named_predictors(self) -> "list[tuple[str, Predict]]":
        """Path and predictor, in the order of definition."""
        return [(path, part) for path, part in tree.walk(self) if hasattr(part, "demos")]

    def predictors(self) -> "list[Predict]":
        """The predictors without their paths."""
        return [predictor for _, predictor in self.named_predictors()]

    def map_named_predictors(self, function: "Callable[[Predict], Module]") -> Self:
        """Replace each predictor by ``function(predictor)``, in place; a shared one stays shared."""
        tree.rebuild(self, lambda _, part: function(part) if hasattr(part, "demos") else part)
        return self

    # --- the LM -----------------------------------------------------------------------------

    def set_lm(self, lm: LanguageModel | None) -> None:
        """Give every predictor *lm*, before any that is configured; None takes it away."""
        for predictor in self.predictors():
            predictor.lm = lm

    def get_lm(self) -> LanguageModel | None:
        """The LM that ``set_lm`` gave, None if none.

        Raises:
            ConfigurationError: if the predictors have different ones.
        """
        found = {id(each.lm): each.lm for each in self.predictors()}
        if len(found) > 1:
            names = ", ".join(f"{path}: {each.lm!r}" for path, each in self.named_predictors())
            raise ConfigurationError(f"the predictors have different LMs ({names}); ask each predictor for its own")
        return next(iter(found.values()), None)

    def inspect_history(self, n: int = 1) -> None:
        """Print the last *n* LM calls of this process, prompts and replies."""
        inspect_history(n)

    # --- copies -----------------------------------------------------------------------------

    def deepcopy(self) -> Self:
        """A copy that shares nothing that can change but the LMs, and what cannot be copied (clients, locks)."""
        new: Self = copied(self, {})
        return new

    def reset_copy(self) -> Self:
        """A deep copy whose predictors have no demos and no LM."""
        new = self.deepcopy()
        for predictor in new.predictors():
            predictor.reset()
        return new

    # --- state ------------------------------------------------------------------------------

    def dump_state(self) -> dict[str, Any]:
        """What the program has learned, as plain JSON data: the ``state`` of a state file.

        Raises:
            UnsavableError: for a value that a state file cannot hold.
        """
        learned: dict[str, Any] = state.capture(self).document["state"]
        return learned

    def load_state(
        self, learned: dict[str, Any], *, strict: bool = True, allow_hosts: Sequence[str] = ()
    ) -> LoadReport:
        """Apply what ``dump_state`` gave, or DSPy's; like ``load``."""
        return state.apply(self, learned, strict=strict, allow_hosts=allow_hosts)

    def save(
        self, path: str | os.PathLike[str], save_program: bool = False, *, format: str = "progkit"
    ) -> "state.SaveReport":
        """Write the program's state to *path*, a ``.json`` file, whole or not at all.

        The same program gives the same bytes. The report lists what was not written: secrets, custom LMs.
        format: ``"dspy"`` for a file that DSPy (2.6 to 3.4) loads into the same program of its own.

        Raises:
            UnsavableError: for a value that a state file cannot hold.
            ConfigurationError: for a *path* that is not ``.json``, or ``save_program=True``: this
                version writes state files alone.
        """
        return state.save(self, path, save_program, format)

    def load(self, path: str | os.PathLike[str], *, strict: bool = True, allow_hosts: Sequence[str] = ()) -> LoadReport:
        """Apply the state file at *path*, ours or DSPy's, to the predictors of this program: all of it or nothing.

        strict: any difference between file and program is an error that lists them all; without it,
        what fits is applied and the report tells the rest. allow_hosts: hosts that a saved LM
        may send prompts to; an LM with another endpoint refuses to be asked.

        Raises:
            DocumentError: for a file that is no valid state file.
            StateMismatchError: for a file of another program (with *strict*).
        """
        return state.load(self, path, strict=strict, allow_hosts=allow_hosts)


class _Tracked:
    """A module's own usage, handed to its prediction, or to the exception that ends it (``lm_usage``)."""

    def __enter__(self) -> Self:
        self.tracking = track_usage()
        self.tracker = self.tracking.__enter__()
        return self

    def done(self, result: Any) -> Any:
        if isinstance(result, Prediction):
            result.set_lm_usage(self.tracker.billed)
        return result

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self.tracking.__exit__(kind, error, trace)
        if error is not None and self.tracker.billed:
            error.lm_usage = self.tracker.billed  # type: ignore[attr-defined]

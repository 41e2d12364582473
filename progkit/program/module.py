"""Module: a program, or a part of one: something called by name that may hold other modules."""

import os
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, Unpack

from progkit import artifact, runtime
from progkit.artifact import LoadReport
from progkit.batch.threads import in_thread
from progkit.errors import ConfigurationError
from progkit.example import Prediction
from progkit.lazy import lazily
from progkit.lm import LanguageModel, inspect_history, track_usage
from progkit.program import labels, state, tree
from progkit.program.chosen import Choice
from progkit.program.copying import copied

if TYPE_CHECKING:
    from types import ModuleType

    from progkit.batch import BatchOptions
    from progkit.program.predict import Predict

# It knows what modules are, and so comes after them: when a batch is first asked for.
_batching = lazily("progkit.program", {"batching": ("run_batch", "arun_batch", "iterate_batch", "aiterate_batch")})


class Module:
    """Subclass it, hold predictors and other modules in attributes, lists, tuples or dicts, define ``forward``.

    ``program(...)`` runs ``forward``; ``await program.acall(...)`` runs ``aforward``, or ``forward`` in a
    worker thread where there is no ``aforward``.
    """

    own_state: ClassVar[frozenset[str]] = frozenset({"_unknown", "_load_report"})
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
            return await in_thread(self.forward, *args, **kwargs)
        return await own(*args, **kwargs)

    # --- many calls -------------------------------------------------------------------------

    def batch(self, inputs: Iterable[Any], **options: "Unpack[BatchOptions]") -> Any:
        """Call it for each of *inputs*, many at once; ``BatchOptions`` lists the options.

        inputs: dicts or Examples, each perhaps with an id before it, ``(id, inputs)``; of a generator no more is read
        than can be begun soon. What fails has a ``Failure`` in its place. Calls run on an event loop where the program
        has ``aforward`` (or is a predictor), in threads otherwise.

        Returns:
            ``BatchResults``, a list in the order of the inputs; with ``ordered=False`` of ``(id, result)`` as they
            finished, an id being the number of the input where it has none of its own.

        Raises:
            BatchStoppedError: after more than ``max_errors`` failures, or at ``max_cost``; it has what was finished.
            CheckpointError: if the checkpoint is of another program or of other inputs, or in use.
            ConfigurationError: for options that cannot work.
        """
        return _batching("run_batch")(self, inputs, options)

    async def abatch(self, inputs: Any, **options: "Unpack[BatchOptions]") -> Any:
        """``batch``, on the caller's event loop; *inputs* may also be an async iterable."""
        return await _batching("arun_batch")(self, inputs, options)

    def batch_iter(self, inputs: Iterable[Any], **options: "Unpack[BatchOptions]") -> Iterator[tuple[Any, Any]]:
        """``batch``, one ``(id, result)`` after the other, for more of them than fit into memory.

        They come in the order of the inputs; with ``ordered=False`` as they finish. What is held does not grow with
        the number of inputs. A batch that stops raises when all that was finished has been handed out.
        """
        iterator: Iterator[tuple[Any, Any]] = _batching("iterate_batch")(self, inputs, options)
        return iterator

    def abatch_iter(self, inputs: Any, **options: "Unpack[BatchOptions]") -> AsyncGenerator[tuple[Any, Any], None]:
        """``batch_iter``, on the caller's event loop, for ``async for``."""
        iterator: AsyncGenerator[tuple[Any, Any], None] = _batching("aiterate_batch")(self, inputs, options)
        return iterator

    # --- the tree ---------------------------------------------------------------------------

    def named_sub_modules(self) -> "list[tuple[str, Module]]":
        """Path and module, this one (``self``) first; a module reachable under two paths has the first."""
        return list(tree.walk(self))

    def named_predictors(self) -> "list[tuple[str, Predict]]":
        """Path and predictor, in the order of definition."""
        return [(path, part) for path, part in tree.walk(self) if tree.is_predictor(part)]

    def predictors(self) -> "list[Predict]":
        """The predictors without their paths."""
        return [predictor for _, predictor in self.named_predictors()]

    def map_named_predictors(self, function: "Callable[[Predict], Module]") -> Self:
        """Replace each predictor by ``function(predictor)``, in place; a shared one stays shared."""
        tree.rebuild(self, lambda _, part: function(part) if tree.is_predictor(part) else part)
        return self

    # --- the LM -----------------------------------------------------------------------------

    def set_lm(self, lm: LanguageModel | None) -> None:
        """Give every predictor *lm*, before any that is configured; None takes it away.

        Raises:
            ConfigurationError: for what is no LM.
        """
        runtime.require_lm(lm)
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

    @property
    def load_report(self) -> LoadReport | None:
        """What ``progkit.load`` did to make this program; None if it was not made so."""
        return vars(self).get("_load_report")

    # --- state ------------------------------------------------------------------------------

    def dump_state(self) -> dict[str, Any]:
        """What the program has learned, as plain JSON data: the ``state`` of a state file.

        Raises:
            UnsavableError: for a value that a state file cannot hold.
        """
        learned: dict[str, Any] = state.capture(self).document["state"]
        return learned

    def load_state(
        self, learned: dict[str, Any], *, strict: bool = True, allow_hosts: Sequence[str] = (), lm: Choice = None
    ) -> LoadReport:
        """Apply what ``dump_state`` gave, or DSPy's; like ``load``."""
        return state.apply(self, learned, strict=strict, allow_hosts=allow_hosts, lm=lm)

    def save(
        self,
        path: str | os.PathLike[str],
        save_program: bool = False,
        modules_to_serialize: "Sequence[ModuleType | str] | None" = None,
        *,
        format: str = "progkit",
        cache: str | os.PathLike[str] | Literal[False] | None = None,
    ) -> "state.SaveReport":
        """Write the program's state to *path*, a ``.json`` file, whole or not at all.

        The same program gives the same bytes. The report lists what was not written: secrets, custom LMs.
        format: ``"dspy"`` for a file that DSPy (2.6 to 3.4) loads into the same program of its own.

        save_program: write the whole program instead, a bundle in the directory *path*: its state, its structure, and
        the source of the user's own modules that it needs. It was loaded in a new process before it takes its
        place, and is trusted on this machine from then on. modules_to_serialize: modules of Python (objects or
        names): exactly their code travels; paths of parts, as ``named_sub_modules`` prints them: only these
        travel, and any other part is supplied at load. cache: what ``progkit cache export`` wrote, to travel, too;
        False: no recorded replies, also not those of the bundle that is at *path* now.

        Raises:
            UnsavableError: for what cannot be saved, with its path.
            ConfigurationError: for arguments that make no sense, such as a *path* that is not ``.json``.
        """
        if save_program:
            if format != "progkit":
                raise ConfigurationError("save_program=True writes a bundle, which is progkit's own: no format")
            return state.save_whole(self, path, modules_to_serialize, cache)
        if modules_to_serialize or cache is not None:
            raise ConfigurationError("modules_to_serialize and cache go with save_program=True")
        return state.save(self, path, format)

    def load(
        self,
        path: str | os.PathLike[str],
        *,
        strict: bool = True,
        allow_hosts: Sequence[str] = (),
        lm: Choice = None,
        at: str | None = None,
    ) -> LoadReport:
        """Apply the state file at *path*, ours or DSPy's, to the predictors of this program: all of it or nothing.

        strict: any difference between file and program is an error that lists them all; without it,
        what fits is applied and the report tells the rest. allow_hosts: hosts that a saved LM
        may send prompts to; an LM with another endpoint refuses to be asked. lm: the LM to use
        whatever the file names, one for every predictor or ``{"writer.predict": lm}`` by path.
        at: the git revision to read the file at (``"v1.2"``), the same as ``load("program.json@v1.2")``;
        the work tree stays as it is, and the report tells the commit.

        Raises:
            ConfigurationError: for a path in *lm* that is no predictor's; nothing is changed.
            DocumentError: for a file that is no valid state file.
            RevisionError: for a revision that git does not have, or not with this file.
            StateMismatchError: for a file of another program (with *strict*).
        """
        path = path if at is None else artifact.pin(path, at)
        return state.load(self, path, strict=strict, allow_hosts=allow_hosts, lm=lm)


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

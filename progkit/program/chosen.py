"""The LMs that a caller of ``load`` chooses for a program, in place of those that its file names."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from progkit.errors import ConfigurationError, did_you_mean
from progkit.lm import LanguageModel

Choice: TypeAlias = LanguageModel | Mapping[str, LanguageModel] | None
"""One LM for every predictor, or LMs by predictor path; None: as the file says."""


def chosen(choice: Choice, paths: Sequence[str]) -> dict[str, LanguageModel]:
    """The LMs of a *choice* by predictor, for a program whose predictors have these *paths*.

    Raises:
        ConfigurationError: for a path that is none of *paths*, or what is no LM.
    """
    if choice is None:
        return {}
    if not isinstance(choice, Mapping):
        return dict.fromkeys(paths, _lm(choice, "lm"))
    unknown = [path for path in choice if path not in paths]
    if unknown:
        told = ", ".join(f"{path!r}{did_you_mean(str(path), paths)}" for path in unknown)
        raise ConfigurationError(
            f"lm names {told}: no predictor of the program. Its predictors: {', '.join(paths) or 'none'}"
        )
    return {path: _lm(lm, f"lm[{path!r}]") for path, lm in choice.items()}


def _lm(value: Any, name: str) -> LanguageModel:
    if isinstance(value, type) or not isinstance(value, LanguageModel):
        shown = f"a {type(value).__name__}" if not isinstance(value, type) else f"the class {value.__name__}"
        raise ConfigurationError(
            f"{name} is {shown} and no LM: progkit.LM('provider/model'), or such by predictor path"
        )
    return value

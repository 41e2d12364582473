"""Programs: modules, predictors, and how what they have learned is saved and loaded."""

from typing import TYPE_CHECKING

from progkit.lazy import lazily
from progkit.program.chain_of_thought import ChainOfThought
from progkit.program.module import Module
from progkit.program.predict import Predict

if TYPE_CHECKING:
    from progkit.program.loading import load
    from progkit.program.react import ReAct
    from progkit.program.result_cache import Cached, cached

__getattr__ = lazily(__name__, {"loading": ("load",), "react": ("ReAct",), "result_cache": ("Cached", "cached")})

__all__ = ["Cached", "ChainOfThought", "Module", "Predict", "ReAct", "cached", "load"]

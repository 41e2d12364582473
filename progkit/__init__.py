"""progkit: ship LM programs. Run them, cache them, save them, load them, warm them up.

The public names, and nothing else: each is imported from its room when it is first asked for, so
that ``import progkit`` costs next to nothing and does no I/O.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from progkit.lazy import lazily
from progkit.version import __version__ as __version__

if TYPE_CHECKING:
    from progkit.adapters import Adapter as Adapter
    from progkit.adapters import ChatAdapter as ChatAdapter
    from progkit.adapters import JSONAdapter as JSONAdapter
    from progkit.artifact import LoadReport as LoadReport
    from progkit.batch import BatchOptions as BatchOptions
    from progkit.batch import BatchReport as BatchReport
    from progkit.batch import BatchResults as BatchResults
    from progkit.batch import Failure as Failure
    from progkit.caching import Cache as Cache
    from progkit.caching import DiskTier as DiskTier
    from progkit.caching import EncryptedTier as EncryptedTier
    from progkit.caching import MemoryTier as MemoryTier
    from progkit.caching import Redactor as Redactor
    from progkit.caching import RedisTier as RedisTier
    from progkit.caching import configure_cache as configure_cache
    from progkit.caching import explain_miss as explain_miss
    from progkit.caching import export_cache as export_cache
    from progkit.caching import import_cache as import_cache
    from progkit.content.base import Type as Type
    from progkit.content.code import Code as Code
    from progkit.content.history import History as History
    from progkit.content.image import Image as Image
    from progkit.content.reasoning import Reasoning as Reasoning
    from progkit.content.tool import Tool as Tool
    from progkit.content.tool_calls import ToolCalls as ToolCalls
    from progkit.errors import AdapterParseError as AdapterParseError
    from progkit.errors import ArtifactError as ArtifactError
    from progkit.errors import BatchStoppedError as BatchStoppedError
    from progkit.errors import CheckpointError as CheckpointError
    from progkit.errors import ConfigurationError as ConfigurationError
    from progkit.errors import DocumentError as DocumentError
    from progkit.errors import EnvironmentMismatchError as EnvironmentMismatchError
    from progkit.errors import InputError as InputError
    from progkit.errors import LMError as LMError
    from progkit.errors import NotCachedError as NotCachedError
    from progkit.errors import OfflineMissError as OfflineMissError
    from progkit.errors import ProgkitError as ProgkitError
    from progkit.errors import RevisionError as RevisionError
    from progkit.errors import SignatureError as SignatureError
    from progkit.errors import StateMismatchError as StateMismatchError
    from progkit.errors import ToolError as ToolError
    from progkit.errors import UnloadableError as UnloadableError
    from progkit.errors import UntrustedError as UntrustedError
    from progkit.example import Example as Example
    from progkit.example import Prediction as Prediction
    from progkit.lm import LM as LM
    from progkit.lm import Completion as Completion
    from progkit.lm import LanguageModel as LanguageModel
    from progkit.lm import Request as Request
    from progkit.lm import Response as Response
    from progkit.lm import inspect_history as inspect_history
    from progkit.lm import track_usage as track_usage
    from progkit.program import ChainOfThought as ChainOfThought
    from progkit.program import Module as Module
    from progkit.program import Predict as Predict
    from progkit.program import ReAct as ReAct
    from progkit.program import cached as cached
    from progkit.program import load as load
    from progkit.runtime import carry as carry
    from progkit.runtime import configure as configure
    from progkit.runtime import context as context
    from progkit.runtime import settings as settings
    from progkit.signature import InputField as InputField
    from progkit.signature import OutputField as OutputField
    from progkit.signature import Signature as Signature
    from progkit.warmup import WarmReport as WarmReport
    from progkit.warmup import warm as warm

    cache: Cache

_ROOMS = {
    "adapters": ("Adapter", "ChatAdapter", "JSONAdapter"),
    "artifact": ("LoadReport",),
    "batch": ("BatchOptions", "BatchReport", "BatchResults", "Failure"),
    "caching": ("Cache", "configure_cache", "explain_miss", "export_cache", "import_cache")
    + ("DiskTier", "EncryptedTier", "MemoryTier", "Redactor", "RedisTier"),
    "content.base": ("Type",),
    "content.code": ("Code",),
    "content.history": ("History",),
    "content.image": ("Image",),
    "content.reasoning": ("Reasoning",),
    "content.tool": ("Tool",),
    "content.tool_calls": ("ToolCalls",),
    "errors": ("AdapterParseError", "ArtifactError", "ConfigurationError", "DocumentError", "InputError", "LMError")
    + ("NotCachedError", "OfflineMissError", "ProgkitError", "SignatureError", "StateMismatchError", "ToolError")
    + ("BatchStoppedError", "CheckpointError", "EnvironmentMismatchError", "RevisionError", "UnloadableError")
    + ("UntrustedError",),
    "example": ("Example", "Prediction"),
    "lm": ("LM", "Completion", "LanguageModel", "Request", "Response", "inspect_history", "track_usage"),
    "program": ("ChainOfThought", "Module", "Predict", "ReAct", "cached", "load"),
    "runtime": ("carry", "configure", "context", "settings"),
    "signature": ("InputField", "OutputField", "Signature"),
    "warmup": ("WarmReport", "warm"),
}
__all__ = sorted([*(name for names in _ROOMS.values() for name in names), "cache"])
__getattr__ = lazily(__name__, _ROOMS)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


class _Root(ModuleType):
    """The package as a module object whose ``cache`` is the cache in force, read and set."""

    @property
    def cache(self) -> Any:
        """The cache in force; assigning one puts it in force at once, everywhere."""
        return import_module("progkit.caching").current_cache()

    @cache.setter
    def cache(self, new: Any) -> None:
        import_module("progkit.runtime").configure(cache=new)


sys.modules[__name__].__class__ = _Root

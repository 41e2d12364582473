"""Asking language models: the protocol that an LM is, request and response, usage, history, and ``LM`` itself.

Nothing here imports litellm before the first request is sent.
"""

from progkit.lm.history import inspect_history
from progkit.lm.model import LM
from progkit.lm.protocol import LanguageModel
from progkit.lm.request import CREDENTIALS, TRANSPORT, Message, Prefix, Request
from progkit.lm.response import Completion, Response
from progkit.lm.usage import UsageTracker, track_usage

__all__ = [
    "CREDENTIALS",
    "LM",
    "TRANSPORT",
    "Completion",
    "LanguageModel",
    "Message",
    "Prefix",
    "Request",
    "Response",
    "UsageTracker",
    "inspect_history",
    "track_usage",
]

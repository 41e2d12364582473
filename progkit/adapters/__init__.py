"""Signature, demos and inputs into messages; replies into fields. Pure, one module for each adapter.

To add an adapter, write a class with the members of ``Adapter``; ``messages`` has what the two here share.
"""

from progkit.adapters.chat import ChatAdapter
from progkit.adapters.draft import fields_text
from progkit.adapters.json_adapter import JSONAdapter
from progkit.adapters.layouts import LAYOUTS, NEWEST, Layout, layout_named, layout_of
from progkit.adapters.messages import is_complete
from progkit.adapters.native import is_plain, native_of, read_completion, write_completion
from progkit.adapters.protocol import Adapter

__all__ = [
    "LAYOUTS",
    "NEWEST",
    "Adapter",
    "ChatAdapter",
    "JSONAdapter",
    "Layout",
    "fields_text",
    "is_complete",
    "is_plain",
    "layout_named",
    "layout_of",
    "native_of",
    "read_completion",
    "write_completion",
]

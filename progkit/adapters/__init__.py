"""Signature, demos and inputs into messages; replies into fields. Pure, one module for each adapter.

To add an adapter, write a class with the members of ``Adapter``; ``layout`` has what the two here share.
"""

from progkit.adapters.chat import ChatAdapter
from progkit.adapters.json_adapter import JSONAdapter
from progkit.adapters.layout import is_complete
from progkit.adapters.protocol import Adapter

__all__ = ["Adapter", "ChatAdapter", "JSONAdapter", "is_complete"]

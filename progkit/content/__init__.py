"""Types of fields that are more than data: what they say in a message is their own affair.

Each stands in a module of its own, and only those who use one import it: they are pydantic models.
What is here needs no pydantic, so that an adapter can tell such types from others without it.
To add one, derive from ``base.Type``.
"""

from progkit.content.marking import BLOCKS_END, BLOCKS_START, marked, unmarked
from progkit.content.parts import LAYOUT, SINK, Content, Sink, Turns, content_types

__all__ = [
    "BLOCKS_END",
    "BLOCKS_START",
    "LAYOUT",
    "SINK",
    "Content",
    "Sink",
    "Turns",
    "content_types",
    "marked",
    "unmarked",
]

"""Many calls at once. This room knows work, not programs: inputs, a function to await, and outcomes.

``engine`` runs, on an event loop; ``bridge`` lets a caller without one have it. What programs add to it
(``Module.batch``) stands in ``program.batching``.
"""

from typing import TYPE_CHECKING

from progkit.lazy import lazily

if TYPE_CHECKING:
    from progkit.batch.bar import Bar
    from progkit.batch.budget import Budget
    from progkit.batch.items import Failure, Unreadable
    from progkit.batch.options import BatchOptions
    from progkit.batch.report import BatchReport, BatchResults

__getattr__ = lazily(
    __name__,
    {
        "bar": ("Bar",),
        "budget": ("Budget",),
        "items": ("Failure", "Unreadable"),
        "options": ("BatchOptions",),
        "report": ("BatchReport", "BatchResults"),
    },
)

__all__ = ["Bar", "BatchOptions", "BatchReport", "BatchResults", "Budget", "Failure", "Unreadable"]

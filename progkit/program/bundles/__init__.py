"""Programs as bundles: what of a program goes into one, and what its pickle names of progkit.

``saving`` writes one. ``left_out`` and ``restoring`` hold what program.pkl refers to: their names stand in files.
``reading`` loads one.
"""

from typing import TYPE_CHECKING

from progkit.lazy import lazily

if TYPE_CHECKING:
    from progkit.program.bundles.reading import Terms, program_of

__getattr__ = lazily(__name__, {"reading": ("Terms", "program_of")})

__all__ = ["Terms", "program_of"]

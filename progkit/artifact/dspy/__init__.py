"""DSPy's state files as documents of ours, and back.

DSPy saves fields by position and without names; what the file tells of them all the same is recovered
(``names``), and held against the program's own signature when there is one (``matching``).
"""

from typing import TYPE_CHECKING

from progkit.lazy import lazily

if TYPE_CHECKING:
    from progkit.artifact.dspy.adopting import adopt

__getattr__ = lazily(__name__, {"adopting": ("adopt",)})

__all__ = ["adopt"]

"""Git, for saved programs that live in it: files at a revision, merges, what a repository has to be told.

Git is asked as a process (``running``); a repository's hooks, aliases and filters never run.
"""

from typing import TYPE_CHECKING

from progkit.lazy import lazily

if TYPE_CHECKING:
    from progkit.artifact.git.pinning import Pinned, find_pin, pin
    from progkit.artifact.git.trees import Tree

__getattr__ = lazily(__name__, {"pinning": ("Pinned", "find_pin", "pin"), "trees": ("Tree",)})

__all__ = ["Pinned", "Tree", "find_pin", "pin"]

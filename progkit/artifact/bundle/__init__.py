"""Whole-program bundles: a directory with a program's state, its pickled structure and its source.

``opening`` and ``placing`` know directories, and run nothing. Only what stands beside them unpickles or imports.
"""

from typing import TYPE_CHECKING

from progkit.lazy import lazily

if TYPE_CHECKING:
    from progkit.artifact.bundle.opening import is_bundle, open_bundle, read_from

__getattr__ = lazily(__name__, {"opening": ("is_bundle", "open_bundle", "read_from")})

__all__ = ["is_bundle", "open_bundle", "read_from"]

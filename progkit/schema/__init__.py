"""The shapes that a saved state has had, and the steps between them. Plain data in and out; no files.

A version is one module, ``vX_Y``: its shape, its checks, and (from the second on) ``upgrade``, the
pure step from the version before. To add one: the module, its line in ``head.VERSIONS`` and ``steps``, frozen files
under ``fixtures/state/X.Y/``, and ``python -m progkit.schema > schemas/state-X.Y.json``. A version that was
released is never edited: a test holds its hash. DSPy's files are another kind: ``dspy`` says what they look like.
"""

from progkit.schema.head import CURRENT, FEATURES, STATE, VERSIONS, Version, detect, header, saved_with, urn
from progkit.schema.lean import Columns, LeanDemo, are_lean, as_dicts, marks, named_inputs
from progkit.schema.live import Restore
from progkit.schema.nodes import decode_demos, decode_value, decode_values
from progkit.schema.paths import Path, show
from progkit.schema.steps import (
    check,
    graft,
    json_schema,
    migrate,
    read_lean,
    read_shaped,
    read_typed,
    split_unknown,
    validate,
)

__all__ = [
    "CURRENT",
    "FEATURES",
    "STATE",
    "VERSIONS",
    "Columns",
    "LeanDemo",
    "Path",
    "Restore",
    "Version",
    "are_lean",
    "as_dicts",
    "check",
    "decode_demos",
    "decode_value",
    "decode_values",
    "detect",
    "graft",
    "header",
    "json_schema",
    "marks",
    "migrate",
    "named_inputs",
    "read_lean",
    "read_shaped",
    "read_typed",
    "saved_with",
    "show",
    "split_unknown",
    "urn",
    "validate",
]

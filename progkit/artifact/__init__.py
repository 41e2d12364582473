"""Documents on disk: read strictly, written whole or not at all, compared with a program. Never programs themselves.

A document is plain data (dict, list, str, int, float, bool, None) in the shape that ``progkit.schema`` says.
"""

from typing import TYPE_CHECKING

from progkit.artifact.comparing import compare
from progkit.artifact.encoding import canonical, demo_id, demo_ids, encode
from progkit.artifact.reading import Received, accept, read, receive
from progkit.artifact.report import FieldChanges, LoadReport
from progkit.artifact.scrubbing import confine, scrub
from progkit.artifact.values import encode_value, encode_values
from progkit.lazy import lazily
from progkit.schema import decode_demos, decode_value, decode_values

if TYPE_CHECKING:
    from progkit.artifact.differing import Change, differences
    from progkit.artifact.dspy.exporting import export
    from progkit.artifact.dspy.matching import settle
    from progkit.artifact.writing import write, write_export

__getattr__ = lazily(
    __name__,
    {
        "differing": ("Change", "differences"),
        "dspy.exporting": ("export",),
        "dspy.matching": ("settle",),
        "writing": ("write", "write_export"),
    },
)

__all__ = [
    "Change",
    "FieldChanges",
    "LoadReport",
    "Received",
    "accept",
    "canonical",
    "compare",
    "confine",
    "decode_demos",
    "decode_value",
    "decode_values",
    "demo_id",
    "demo_ids",
    "differences",
    "encode",
    "encode_value",
    "encode_values",
    "export",
    "read",
    "receive",
    "scrub",
    "settle",
    "write",
    "write_export",
]

"""Documents on disk: read strictly, written whole or not at all, compared with a program. Never programs themselves.

A document is plain data (dict, list, str, int, float, bool, None) in the shape that ``progkit.schema`` says.
"""

from progkit.artifact.comparing import compare
from progkit.artifact.encoding import canonical, demo_id, demo_ids, encode
from progkit.artifact.reading import read
from progkit.artifact.report import FieldChanges, LoadReport
from progkit.artifact.scrubbing import scrub
from progkit.artifact.values import encode_value, encode_values
from progkit.artifact.writing import write
from progkit.schema import decode_demos, decode_value, decode_values

__all__ = [
    "FieldChanges",
    "LoadReport",
    "canonical",
    "compare",
    "decode_demos",
    "decode_value",
    "decode_values",
    "demo_id",
    "demo_ids",
    "encode",
    "encode_value",
    "encode_values",
    "read",
    "scrub",
    "write",
]

"""Documents on disk: read strictly, written whole or not at all, compared with a program. Never programs themselves.

A document is plain data (dict, list, str, int, float, bool, None) in the shape that ``progkit.schema`` says.
"""

from typing import TYPE_CHECKING

from progkit.artifact.comparing import compare
from progkit.artifact.encoding import canonical, demo_id, demo_ids, encode
from progkit.artifact.reading import Received, accept, of_bundle, opened_at, read, receive, taken
from progkit.artifact.report import FieldChanges, LoadReport
from progkit.artifact.scrubbing import confine, scrub
from progkit.artifact.values import encode_value, encode_values, lost_classes
from progkit.lazy import lazily
from progkit.schema import decode_demos, decode_value, decode_values

if TYPE_CHECKING:
    from progkit.artifact.bundle.environment import Mismatch
    from progkit.artifact.bundle.opening import Opened, is_bundle, open_bundle
    from progkit.artifact.bundle.reviving import revived
    from progkit.artifact.differing import Change, differences
    from progkit.artifact.dspy.exporting import export
    from progkit.artifact.dspy.matching import settle
    from progkit.artifact.git.pinning import Pinned, pin
    from progkit.artifact.suspecting import suspects
    from progkit.artifact.writing import is_written, write, write_export

__getattr__ = lazily(
    __name__,
    {
        "bundle.environment": ("Mismatch",),
        "bundle.opening": ("Opened", "is_bundle", "open_bundle"),
        "bundle.reviving": ("revived",),
        "differing": ("Change", "differences"),
        "dspy.exporting": ("export",),
        "dspy.matching": ("settle",),
        "git.pinning": ("Pinned", "pin"),
        "suspecting": ("suspects",),
        "writing": ("is_written", "write", "write_export"),
    },
)

__all__ = [
    "Change",
    "FieldChanges",
    "LoadReport",
    "Mismatch",
    "Opened",
    "Pinned",
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
    "is_bundle",
    "is_written",
    "lost_classes",
    "of_bundle",
    "open_bundle",
    "opened_at",
    "pin",
    "read",
    "receive",
    "revived",
    "scrub",
    "settle",
    "suspects",
    "taken",
    "write",
    "write_export",
]

"""Why a bundle's code may run: the four grounds, the user's list, signatures, and the log of what was allowed.

Nothing in this room runs anything of a bundle, and nothing in a bundle says that it may be trusted.
"""

from typing import TYPE_CHECKING

from progkit.lazy import lazily

if TYPE_CHECKING:
    from progkit.artifact.trust.audit import state_loaded
    from progkit.artifact.trust.judging import Grounds, judge
    from progkit.artifact.trust.keys import PublicKey, public_keys
    from progkit.artifact.trust.listing import Entry, add, forget, listed, remember
    from progkit.artifact.trust.showing import contents, plain, printable
    from progkit.artifact.trust.signatures import Signatures, signatures_of
    from progkit.artifact.trust.signing import Signed, new_key, private_key, sign
    from progkit.artifact.trust.standings import Standing, standing

_MODULES = {
    "audit": ("state_loaded",),
    "judging": ("Grounds", "judge"),
    "keys": ("PublicKey", "public_keys"),
    "listing": ("Entry", "add", "forget", "listed", "remember"),
    "showing": ("contents", "plain", "printable"),
    "signatures": ("Signatures", "signatures_of"),
    "signing": ("Signed", "new_key", "private_key", "sign"),
    "standings": ("Standing", "standing"),
}
__getattr__ = lazily(__name__, _MODULES)

__all__ = [
    "Entry",
    "Grounds",
    "PublicKey",
    "Signatures",
    "Signed",
    "Standing",
    "add",
    "contents",
    "forget",
    "judge",
    "listed",
    "new_key",
    "plain",
    "printable",
    "private_key",
    "public_keys",
    "remember",
    "sign",
    "signatures_of",
    "standing",
    "state_loaded",
]

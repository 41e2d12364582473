"""How a bundle stands: what would speak for its code, told without judging and without running anything."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from progkit.artifact.trust import policy, showing
from progkit.artifact.trust.listing import Entry, listed
from progkit.artifact.trust.signatures import signatures_of
from progkit.errors import DocumentError

if TYPE_CHECKING:
    from progkit.artifact.bundle.opening import Opened


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a bundle's trust here.

    entry: on the trust list. signed: the fingerprints of the keys that are said to have signed it; none was verified.
    list_fault, signature_fault: why the list or MANIFEST.sig cannot be used, "" if it can. policy: what PROGKIT_TRUST
    forbids, "" if nothing. loads: whether ``load(path)`` alone would run its code.
    """

    digest: str
    entry: Entry | None
    signed: tuple[str, ...]
    list_fault: str
    signature_fault: str
    policy: str
    loads: bool

    def __str__(self) -> str:
        if self.entry is not None:
            told = f"on the trust list, by {self.entry.by} of {showing.plain(self.entry.path)} at {self.entry.at}"
        elif self.list_fault:
            told = f"the trust list does not count: {self.list_fault}"
        else:
            told = "not on the trust list"
        return "; ".join([told, *([self.policy] if self.policy else [])])

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "digest": self.digest,
            "entry": self.entry.to_dict() if self.entry else None,
            "signed": list(self.signed),
            "list_fault": self.list_fault,
            "signature_fault": self.signature_fault,
            "policy": self.policy,
            "loads": self.loads,
        }


def standing(opened: "Opened") -> Standing:
    """How the bundle *opened* stands; never an error."""
    list_fault = signature_fault = ""
    entry: Entry | None = None
    signed: tuple[str, ...] = ()
    try:
        entry = listed().get(opened.digest)
    except DocumentError as error:
        list_fault = str(error)
    try:
        signed = tuple(signatures_of(opened).by_key)
    except DocumentError as error:
        signature_fault = str(error)
    rule = policy.in_force()
    loads = rule.code and rule.consent and entry is not None
    return Standing(opened.digest, entry, signed, list_fault, signature_fault, rule.said, loads)

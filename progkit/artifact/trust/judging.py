"""Whether a bundle's code may run, and on which grounds."""

import os
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from progkit.artifact.trust import audit, digests, policy, showing
from progkit.artifact.trust.keys import Named, PublicKey, public_keys
from progkit.artifact.trust.listing import listed
from progkit.artifact.trust.signatures import signatures_of
from progkit.errors import ConfigurationError, DocumentError, UntrustedError

if TYPE_CHECKING:
    from progkit.artifact.bundle.opening import Opened

CODE = "code"
"""``trust="code"``: the caller's consent for one call, whatever the bundle holds."""

Reason: TypeAlias = Literal["listed", "pinned", "signed", "consented"]


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why a bundle's code may run: its *reason*, and in *detail* by which entry, key or caller."""

    reason: Reason
    detail: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


def judge(opened: "Opened", *, trust: str | None = None, keys: "Iterable[Named] | Named" = ()) -> Grounds:
    """The grounds on which the code of the bundle *opened* may run; each answer is a line in the audit log.

    trust: the digest that the caller pins, ``"sha256:..."``; or ``"code"``, consent for this call. keys: public keys of
    which one must have signed, unless the digest is pinned; see ``public_keys``. With neither, the bundle must be on
    the trust list. ``PROGKIT_TRUST`` may forbid more.

    Raises:
        UntrustedError: if there are none.
        ConfigurationError: for another *trust*, for *keys* that are none, or without ``cryptography``.
    """
    _require_trust(trust)
    named = public_keys(keys)
    try:
        grounds = _grounds(opened, trust, named)
    except UntrustedError as error:
        audit.refused(opened, error.reason)
        raise
    audit.allowed(opened, grounds.reason, grounds.detail)
    return grounds


def _require_trust(trust: object) -> None:
    if trust is None or trust == CODE or (isinstance(trust, str) and digests.is_digest(trust)):
        return
    if isinstance(trust, str) and trust[:7].lower() == "sha256:":
        raise ConfigurationError(
            f"trust={trust!r} is no digest: that is sha256: and all 64 digits, 0-9 and a-f; progkit verify prints it"
        )
    raise ConfigurationError(
        f"trust={trust!r} is neither a digest, 'sha256:...', nor 'code'; public keys are named by keys=[...]"
    )


def _grounds(opened: "Opened", trust: str | None, keys: list[PublicKey]) -> Grounds:
    rule = policy.in_force()
    if not rule.code:
        raise _refusal(opened, rule.said, "")
    if trust is not None and trust != CODE:
        return _pinned(opened, trust)
    if keys:
        return _signed(opened, keys)
    if not rule.consent:
        raise _refusal(opened, rule.said, _pin(opened))
    if trust == CODE:
        return Grounds("consented", 'trust="code", for this call')
    return _listed(opened)


def _pinned(opened: "Opened", trust: str) -> Grounds:
    if trust != opened.digest:
        hint = "It was changed, or is another one. If that is as it should be, pin the digest that it has"
        raise _refusal(opened, f"is not what the caller pinned, {trust}", hint)
    return Grounds("pinned", "by the caller")


def _signed(opened: "Opened", keys: list[PublicKey]) -> Grounds:
    wanted = ", ".join(each.fingerprint for each in keys)
    try:
        signatures = signatures_of(opened)
    except DocumentError as error:
        raise _refusal(opened, f"no signature can be read: {error}", "") from error
    if verified := signatures.verified(keys):
        return Grounds("signed", f"by {verified[0]}")
    present = [each.fingerprint for each in keys if each.fingerprint in signatures.by_key]
    if present:
        reason = f"the signature by {', '.join(present)} is not one of this bundle: it was made for another, or changed"
    elif signatures.by_key:
        reason = f"is signed by {', '.join(signatures.by_key)}, and not by a key that was named, {wanted}"
    else:
        reason = f"is not signed, and a signature by {wanted} was asked for"
    raise _refusal(opened, reason, "")  # who asked for a signature is not shown the way around it


def _listed(opened: "Opened") -> Grounds:
    try:
        entry = listed().get(opened.digest)
    except DocumentError as error:
        reason = f"cannot be looked up, as the trust list does not count: {error}"
        raise _refusal(opened, reason, _pin(opened)) from error
    if entry is None:
        hint = f"{_pin(opened)}\n  progkit trust {shlex.quote(opened.root)}"
        raise _refusal(opened, "brings code of its own, and nobody here has said that it may run", hint)
    return Grounds("listed", f"by {entry.by} of {showing.plain(entry.path)} at {entry.at}")


def _pin(opened: "Opened") -> str:
    return f'If you know where it is from:\n  progkit.load({opened.root!r}, trust="{opened.digest}")'


def _refusal(opened: "Opened", reason: str, hint: str) -> UntrustedError:
    return UntrustedError(os.fspath(opened.root), opened.digest, reason, showing.brief(opened), hint)

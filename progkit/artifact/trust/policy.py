"""``PROGKIT_TRUST``: what an environment says about trust. It can only forbid."""

import os
from dataclasses import dataclass

VARIABLE = "PROGKIT_TRUST"


@dataclass(frozen=True, slots=True)
class Policy:
    """What may count. consent: the trust list, and ``trust="code"``. code: anything at all. said: why not."""

    consent: bool = True
    code: bool = True
    said: str = ""


def in_force() -> Policy:
    """The policy of the environment, as it is now; a value that is not known forbids everything."""
    value = os.environ.get(VARIABLE, "")
    if not value:
        return Policy()
    if value == "pinned":
        return Policy(consent=False, said=f"{VARIABLE}=pinned: only a pinned digest or a signature counts")
    if value == "none":
        return Policy(False, False, f"{VARIABLE}=none: no bundle's code may run here")
    said = f"{VARIABLE}={value!r} is neither 'pinned' nor 'none', and counts as 'none'"
    return Policy(False, False, f"{said}: no bundle's code may run here")

"""How DSPy's versions laid prompts out: one small table of differences.

A layout is named after the first DSPy that laid prompts out so; two after a minor version whose first release
still kept to the old one, and these say ``since`` when. Programs keep the one that they were optimised under: their
prompts are then what was measured, byte for byte. To add one: a line in the table that says what changed, and DSPy's
own messages under ``fixtures/dspy``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from progkit.errors import ConfigurationError, did_you_mean

COMPLETED = "[[ ## completed ## ]]"


@dataclass(frozen=True, slots=True)
class Layout:
    """What one layout does where others do otherwise; the defaults are those of the newest.

    since: the first DSPy with it, if that is not its name. early: the form of messages before DSPy rewrote
    its adapters, see ``early.py``. not_supplied: what stands for an output that a demo lacks. constraints:
    the list of fields tells them. bare_lines: in that list no colon follows a type without description, and
    none is of the type itself. json_headers: what JSONAdapter says of outputs stands under headers. trims: no
    blanks, nor quotes, are left around an image. answer_end: what ends an assistant's turn of ChatAdapter.
    enum_names: notes list the names of an Enum's members, not the values. ascii_json: JSON in assistant's
    turns is ASCII. whole_text: a value of which JSON cannot say some part is printed as Python prints it, not
    that part alone. empty_turns: a turn of a history without inputs is an empty message. all_required:
    functions require all their parameters, with defaults or not. turn_requirements: turns of a history say
    what to answer with. union: what ``X | None`` is called.
    """

    version: str
    since: str = ""
    early: bool = False
    not_supplied: str = "Not supplied for this particular example. "
    constraints: bool = True
    bare_lines: bool = False
    json_headers: bool = False
    trims: bool = False
    answer_end: str = f"\n\n{COMPLETED}\n"
    enum_names: bool = False
    ascii_json: bool = False
    whole_text: bool = False
    empty_turns: bool = False
    all_required: bool = False
    turn_requirements: bool = True
    union: Literal["Union", "UnionType"] = "Union"


NEWEST = "3.4"

_V3_4 = Layout(NEWEST, since="3.4.1")
_V3_3 = replace(_V3_4, version="3.3", since="", turn_requirements=False, union="UnionType", whole_text=True)
_V3_2 = replace(_V3_3, version="3.2", empty_turns=True, all_required=True)
_V3_1 = replace(_V3_2, version="3.1", since="3.1.2", ascii_json=True)
_V3_0 = replace(_V3_1, version="3.0", since="")  # another description of Code
_V2_6_26 = replace(_V3_0, version="2.6.26", answer_end="", enum_names=True)
_V2_6_25 = replace(_V2_6_26, version="2.6.25", bare_lines=True)
_V2_6_23 = replace(_V2_6_25, version="2.6.23", trims=True)
_V2_6_17 = replace(_V2_6_23, version="2.6.17", json_headers=True)
_V2_6_13 = replace(_V2_6_17, version="2.6.13", early=True, json_headers=False)
_V2_6_9 = replace(_V2_6_13, version="2.6.9", constraints=False)
_V2_6 = replace(_V2_6_9, version="2.6", not_supplied="Not supplied for this particular example.")

_ALL = (_V2_6, _V2_6_9, _V2_6_13, _V2_6_17, _V2_6_23, _V2_6_25, _V2_6_26, _V3_0, _V3_1, _V3_2, _V3_3, _V3_4)

LAYOUTS: Mapping[str, Layout] = MappingProxyType({each.version: each for each in _ALL})
"""Every layout by its name, the oldest first."""


def layout_named(name: str) -> Layout:
    """The layout called *name*.

    Raises:
        ConfigurationError: if there is none.
    """
    if name not in LAYOUTS:
        near = did_you_mean(str(name), list(LAYOUTS))
        raise ConfigurationError(f"there is no layout {name!r}{near}; there are {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def layout_of(dspy_version: str) -> str:
    """The name of the layout in which DSPy *dspy_version* writes prompts.

    A version newer than all of them takes the newest, an older one the oldest.

    Raises:
        ConfigurationError: if *dspy_version* is no version.
    """
    wanted = _numbers(dspy_version)
    if not wanted:
        raise ConfigurationError(f"{dspy_version!r} is no version of DSPy, such as '3.4.1'")
    oldest, *others = LAYOUTS
    reached = [name for name in others if _numbers(LAYOUTS[name].since or name) <= wanted]
    return reached[-1] if reached else oldest


def _numbers(version: str) -> tuple[int, ...]:
    """The release in *version*; what marks a preview of it is left out."""
    found = re.match(r"\d{1,9}(?:\.\d{1,9})*", version)
    return tuple(map(int, found[0].split("."))) if found else ()

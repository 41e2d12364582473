"""Values that DSPy's files hold as marked text, made values of content types again, and back.

Only where the live field is of such a type: marks in any other text are a user's own and stay text.
"""

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from progkit.content import Content, content_types, marked, unmarked
from progkit.signature import type_adapter

_OLD_IMAGE = re.compile(r"<DSPY_IMAGE_START>(.*)<DSPY_IMAGE_END>", re.DOTALL)
"""An image in a file of DSPy 2.6.5 to 2.6.23, which had no other marks."""


def revive(values: dict[str, Any], types: Mapping[str, Any]) -> dict[str, Any]:
    """The *values* of a demo, marked text of fields with a content type as values of it."""
    kinds = {name: content_types(types[name]) for name in values if name in types}
    return {name: _revived(each, kinds[name]) if kinds.get(name) else each for name, each in values.items()}


def spell(value: Any) -> Any:
    """A *value* as DSPy's files hold it: those of content types as text, marked if they are more than text."""
    if isinstance(value, Content):
        said = value.format()  # type: ignore[attr-defined] # of Type, which needs pydantic
        return marked(said) if isinstance(said, list) else said
    if isinstance(value, Mapping):
        return {name: spell(each) for name, each in value.items()}
    if type(value) in (list, tuple):
        return [spell(each) for each in value]
    return value


def _revived(value: Any, kinds: list[type[Content]]) -> Any:
    if isinstance(value, list):
        return [_revived(each, kinds) for each in value]
    if not isinstance(value, str):
        return value
    if old := _OLD_IMAGE.fullmatch(value):
        value = marked([{"type": "image_url", "image_url": {"url": old[1]}}])
    parts = unmarked(value)
    if parts is None:
        return value
    for kind in kinds:
        try:
            made = type_adapter(kind).validate_python(value)
            if made.format() == parts:
                return made
        # A content type is the user's code and may raise anything: the parts themselves are as good.
        except Exception:
            continue
    # Loaded already, as the base of the kinds; naming it above would load pydantic for every program.
    return import_module("progkit.content.base").Blocks(blocks=parts)

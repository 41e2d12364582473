"""Signatures: the contract of one call, as a class, as text or as a dict.

Nothing here imports pydantic until ``type_adapter`` is called.
"""

from progkit.signature.field import MISSING, Field, InputField, OutputField
from progkit.signature.meta import Signature, SignatureMeta, signature_of
from progkit.signature.text import parse, parse_type
from progkit.signature.types import same_type, type_adapter, type_name, type_text

__all__ = [
    "MISSING",
    "Field",
    "InputField",
    "OutputField",
    "Signature",
    "SignatureMeta",
    "parse",
    "parse_type",
    "same_type",
    "signature_of",
    "type_adapter",
    "type_name",
    "type_text",
]

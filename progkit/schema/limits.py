"""The bounds of a document, the same for whoever writes one and whoever reads it."""

MAX_DEPTH = 64
"""Containers around a value: more are refused, whatever their kind."""

MAX_DIGITS = 4300
"""Digits of one integer: Python's own default, made independent of ``PYTHONINTMAXSTRDIGITS``."""

MAX_PLAIN_INT = 2**53
"""The largest magnitude of a plain integer: beyond it, readers that know only doubles round (RFC 8259, section 6)."""

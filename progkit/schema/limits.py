"""The bounds of a document, the same for whoever writes one and whoever reads it."""

MAX_DEPTH = 64
"""Containers around a value: more are refused, whatever their kind."""

MAX_DIGITS = 4300
"""Digits of one integer: Python's own default, made independent of ``PYTHONINTMAXSTRDIGITS``."""

MAX_PARTS = 4_000_000
"""Values and containers in one document; each takes a hundred bytes of memory or more, and a few of the file."""

MAX_SAME_HASH = 100
"""Members of one set, or keys of one dict, that may have the same hash."""

MAX_PLAIN_INT = 2**53
"""The largest magnitude of a plain integer: beyond it, readers that know only doubles round (RFC 8259, section 6)."""

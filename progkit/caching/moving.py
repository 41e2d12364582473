"""Export and import: entries as JSON Lines, to be carried to another cache.

::

    {"format": "progkit.cache", "version": [1, 0], "key_version": 1, "progkit": "0.1.0"}
    {"key": .., "created": .., "soft": .., "expires": .., "tags": [..], "response": {..}, "sha256": ".."}
    ...
    {"entries": 2, "sha256": ".."}

A line's checksum is SHA-256 over its other fields as canonical JSON; the last line's is over those of all
lines before it. It finds damage, not forgery: import only what comes from where you would take an answer from.
"""

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import IO, Any

import msgspec

from progkit.caching.cache import Cache
from progkit.caching.codec import Entry, encode, open_entry
from progkit.caching.key import KEY_VERSION
from progkit.caching.listing import entries
from progkit.caching.memory import MemoryTier
from progkit.errors import DocumentError, EntryError
from progkit.lm.response import Response
from progkit.version import __version__

FORMAT = "progkit.cache"
VERSION = (1, 0)
LONGEST = 64_000_000
"""Bytes that a line may have."""


class Line(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An entry as a line says it; see ``Entry``."""

    key: str
    created: float
    soft: float | None
    expires: float | None
    tags: tuple[str, ...]
    response: dict[str, Any]
    sha256: str = ""


@dataclass(slots=True)
class Moved:
    """What an export or import did.

    moved: entries written. left: entries that stay out, by reason (``expired``, ``older``, ...). refused: ``line N:
    reason`` of what cannot be taken.
    """

    moved: int = 0
    left: dict[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = [f"{self.moved} entries", *(f"{count} {reason}" for reason, count in self.left.items())]
        return "\n  ".join([", ".join([*counts, f"{len(self.refused)} refused"]), *self.refused])

    def leave(self, reason: str) -> None:
        """Count an entry that stays out."""
        self.left[reason] = self.left.get(reason, 0) + 1

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        return {"entries": self.moved, "left": self.left, "refused": self.refused}


def export_entries(
    cache: Cache, out: IO[bytes], tags: Collection[str] = (), now: Callable[[], float] = time.time
) -> Moved:
    """Write the entries of *cache*, those that bear one of *tags* or all, to *out*.

    What has expired or was invalidated stays behind, and what JSON cannot say exactly.
    """
    report, whole = Moved(), sha256()
    out.write(_json({"format": FORMAT, "version": VERSION, "key_version": KEY_VERSION, "progkit": __version__}) + b"\n")
    for entry, _ in entries(cache):
        if tags and not set(tags) & set(entry.tags):
            continue
        reason = _past(cache, entry, now())
        line = None if reason else _line(entry)
        if line is None:
            report.leave(reason or "not to be said in JSON")
            continue
        whole.update(line["sha256"].encode())
        out.write(_json(line) + b"\n")
        report.moved += 1
    out.write(_json({"entries": report.moved, "sha256": whole.hexdigest()}) + b"\n")
    return report


def import_entries(cache: Cache, lines: IO[bytes], source: str, now: Callable[[], float] = time.time) -> Moved:
    """Merge the entries in *lines*, from *source*, into the tiers of *cache* that outlive the process, or else memory.

    Of two under a key the newer stays. Each line is verified by itself: what is damaged is refused, and the rest taken.

    Raises:
        DocumentError: for what is no export, or one of another version of format or keys.
        CacheError: if a tier cannot keep them.
    """
    report, whole, ended = Moved(), sha256(), False
    _head(lines.readline(LONGEST), source)
    for number, text in _texts(lines):
        last = _last(text)
        if last is not None:
            ended = last == {"entries": number - 2, "sha256": whole.hexdigest()}
            break
        try:
            entry, checksum = _entry(text)
        except EntryError as error:
            report.refused.append(f"line {number}: {error}")
            continue
        whole.update(checksum.encode())
        reason = _past(cache, entry, now()) or _merge(cache, entry)
        if reason:
            report.leave(reason)
        else:
            report.moved += 1
    if not ended:
        report.refused.append("the end: lines are missing, or were changed")
    return report


# --- one line -------------------------------------------------------------------------------------

_json = msgspec.json.Encoder().encode
_canonical = msgspec.json.Encoder(order="sorted").encode
_read_line = msgspec.json.Decoder(Line).decode


def _line(entry: Entry) -> dict[str, Any] | None:
    """The line for *entry*; None if it would not read back equal."""
    fields = {name: getattr(entry, name) for name in ("key", "created", "soft", "expires", "tags", "response")}
    try:
        line = msgspec.json.decode(_json(fields))
        line["sha256"] = sha256(_canonical(line)).hexdigest()
        again, _ = _entry(_json(line))
    except (EntryError, msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        return None
    return line if again == msgspec.structs.replace(entry, version=again.version) else None


def _entry(text: bytes) -> tuple[Entry, str]:
    """The entry that a line says, and its checksum."""
    try:
        line = _read_line(text)
        fields = msgspec.json.decode(text)
        said = fields.pop("sha256", "")
        if sha256(_canonical(fields)).hexdigest() != said:
            raise EntryError("the checksum is another: it was damaged or edited")
        response = msgspec.convert(line.response, Response)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise EntryError(f"no entry: {error}") from None
    times = {"created": line.created, "soft": line.soft, "expires": line.expires}
    return open_entry(line.key, encode(line.key, response, tags=line.tags, **times)), said


def _head(text: bytes, source: str) -> None:
    try:
        head = msgspec.json.decode(text)
    except msgspec.MsgspecError:
        head = None
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise DocumentError(source, "line 1", f'is no export of a cache: it says no "format": "{FORMAT}"')
    version = head.get("version")
    if not isinstance(version, list) or version[:1] != [VERSION[0]]:
        raise DocumentError(source, "line 1", f"version {version} is not known here, only {VERSION[0]}.x")
    if head.get("key_version") != KEY_VERSION:
        reason = f"its keys are of version {head.get('key_version')}: no request of this progkit finds them"
        raise DocumentError(source, "line 1", reason)


def _texts(lines: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    number = 1
    while text := lines.readline(LONGEST):
        number += 1
        yield number, text


def _last(text: bytes) -> dict[str, Any] | None:
    """The last line, if *text* is one."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return found if isinstance(found, dict) and found.keys() == {"entries", "sha256"} else None


# --- merging --------------------------------------------------------------------------------------


def _past(cache: Cache, entry: Entry, now: float) -> str:
    """Why *entry* is no longer good; nothing if it is."""
    if entry.expires is not None and entry.expires <= now:
        return "expired"
    return "invalidated" if cache.stamps.revoke(entry) else ""


def _merge(cache: Cache, entry: Entry) -> str:
    """Keep *entry* where it will last, unless there is one as new; why it was not kept."""
    lasting = [tier for tier in cache.tiers if not isinstance(tier, MemoryTier)] or list(cache.tiers)
    times = {"created": entry.created, "soft": entry.soft, "expires": entry.expires}
    value = encode(entry.key, entry.response, tags=entry.tags, **times)
    kept = [tier for tier in lasting if not _has_as_new(tier, entry)]
    for tier in kept:
        tier.put(entry.key, value)
    if kept:
        for tier in set(cache.tiers) - set(lasting):
            tier.delete(entry.key)
    return "" if kept else "older"


def _has_as_new(tier: Any, entry: Entry) -> bool:
    value = tier.get(entry.key)
    try:
        return value is not None and open_entry(entry.key, value).created >= entry.created
    except EntryError:
        return False

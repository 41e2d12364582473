"""``progkit cache``: what the cache holds, where, and moving, invalidating or dropping it."""

import argparse
import json
import sys
from datetime import UTC, datetime

from progkit.caching import (
    EVERYTHING,
    Cache,
    Moved,
    RedisTier,
    Swept,
    collect,
    current_cache,
    export_cache,
    export_entries,
    import_cache,
    import_entries,
    top,
    verify,
)
from progkit.errors import ConfigurationError

_HELD = ("entries", "bytes", "set_aside", "failed")


def run(options: argparse.Namespace) -> int:
    """The action on the cache in force, or on another one that is named; status 1 if it found something amiss."""
    cache = _cache(options)
    act = {
        "path": _path,
        "stats": _stats,
        "top": _top,
        "clear": _clear,
        "invalidate": _invalidate,
        "export": _export,
        "import": _import,
        "verify": _verify,
        "gc": _gc,
    }[options.action]
    return act(cache, options)


def _cache(options: argparse.Namespace) -> Cache:
    if options.redis:
        url = sys.stdin.readline().strip() if options.redis == "-" else options.redis
        return Cache(tiers=[RedisTier(url)], namespace=options.namespace)
    if options.dir or options.namespace:
        return Cache(disk_cache_dir=options.dir, namespace=options.namespace)
    return current_cache()


def _path(cache: Cache, options: argparse.Namespace) -> int:
    print(json.dumps({"path": str(cache.directory)}) if options.json else cache.directory)
    return 0


def _stats(cache: Cache, options: argparse.Namespace) -> int:
    stats = cache.stats()
    if options.json:
        print(json.dumps(stats))
        return 0
    for name, tier in stats["tiers"].items():
        # What happened in this process is of no interest: it has only just begun.
        print(f"{name:8}" + "  ".join(f"{count} {what}" for what, count in tier.items() if what in _HELD))
    return 0


def _top(cache: Cache, options: argparse.Namespace) -> int:
    groups = top(cache, options.by, options.sort, options.number)
    if options.json:
        print(json.dumps([each.to_dict() for each in groups]))
        return 0
    table: list[tuple[str, ...]] = [("entries", "bytes", "tokens", "cost", "oldest", "newest", options.by)]
    for each in groups:
        days = (datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d") for at in (each.oldest, each.newest))
        counts = (str(each.entries), str(each.bytes), str(each.tokens), f"${each.cost:.4f}")
        table.append((*counts, *days, each.name))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for *numbers, name in table:
        print("  ".join([f"{cell:>{width}}" for cell, width in zip(numbers, widths, strict=False)]), name, sep="  ")
    return 0


def _clear(cache: Cache, options: argparse.Namespace) -> int:
    before = cache.stats()
    cache.clear()
    # A hit is copied into the tiers above, so tiers hold the same entries.
    entries = max((each.get("entries", 0) for each in before["tiers"].values()), default=0)
    print(json.dumps({"cleared": entries}) if options.json else f"{entries} entries cleared from {cache.directory}")
    return 0


def _invalidate(cache: Cache, options: argparse.Namespace) -> int:
    tags = [EVERYTHING] if options.all else options.tags
    if not tags or (options.all and options.tags):
        raise ConfigurationError("name the tags to invalidate, like model:openai/gpt-4o-mini, or say --all")
    cache.invalidate(*tags)
    print(json.dumps({"invalidated": tags}) if options.json else f"invalidated: {', '.join(tags)}")
    return 0


def _export(cache: Cache, options: argparse.Namespace) -> int:
    if options.file == "-":
        report = export_entries(cache, sys.stdout.buffer, options.tag)
        sys.stdout.buffer.flush()
        print(report, file=sys.stderr)
        return 0
    return _moved(export_cache(options.file, options.tag, cache), options)


def _import(cache: Cache, options: argparse.Namespace) -> int:
    if options.file == "-":
        return _moved(import_entries(cache, sys.stdin.buffer, "stdin"), options)
    return _moved(import_cache(options.file, cache), options)


def _moved(report: Moved, options: argparse.Namespace) -> int:
    print(json.dumps(report.to_dict()) if options.json else report)
    return 1 if report.refused else 0


def _verify(cache: Cache, options: argparse.Namespace) -> int:
    return _swept(verify(cache), options)


def _gc(cache: Cache, options: argparse.Namespace) -> int:
    report = collect(cache)
    _swept(report, options)
    return 1 if report.failed else 0


def _swept(report: Swept, options: argparse.Namespace) -> int:
    print(json.dumps(report.to_dict()) if options.json else report)
    return 0 if report.ok else 1

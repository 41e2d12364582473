"""``progkit cache``: where the cache is, what it holds, and emptying it."""

import argparse
import json

from progkit.caching import current_cache


def run(options: argparse.Namespace) -> int:
    """``path``, ``stats`` or ``clear`` of the cache in force."""
    cache = current_cache()
    if options.action == "path":
        print(json.dumps({"path": str(cache.directory)}) if options.json else cache.directory)
        return 0
    before = cache.stats()
    if options.action == "clear":
        cache.clear()
        # A hit is copied into the tiers above, so tiers hold the same entries.
        entries = max((each.get("entries", 0) for each in before["tiers"].values()), default=0)
        print(json.dumps({"cleared": entries}) if options.json else f"{entries} entries cleared from {cache.directory}")
        return 0
    if options.json:
        print(json.dumps(before))
        return 0
    for name, tier in before["tiers"].items():
        print(f"{name:8}" + "  ".join(f"{count} {what}" for what, count in tier.items()))
    return 0

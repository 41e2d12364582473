"""``progkit explain-miss A B``: which field made two requests differ."""

import argparse
import json
from pathlib import Path
from typing import Any

from progkit.caching import explain_miss
from progkit.errors import ConfigurationError


def run(options: argparse.Namespace) -> int:
    """Compare the requests in two files; status 1 if their keys differ."""
    told = explain_miss(_request(options.a), _request(options.b))
    print(json.dumps(told.to_dict(), ensure_ascii=False) if options.json else told)
    return 0 if told.same else 1


def _request(path: str) -> Any:
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigurationError(f"{path}: not JSON: {error}") from error
    # What `progkit render --json` prints holds the request beside other things.
    return found.get("request", found) if isinstance(found, dict) else found

"""Print the JSON Schema of the current version: ``python -m progkit.schema > schemas/state-1.0.json``.

``python -m progkit.schema bundle`` prints that of a bundle's manifest.
"""

import json
import sys

from progkit.schema import bundles, json_schema

if __name__ == "__main__":  # pragma: no branch - it is there to be run
    printed = bundles.json_schema() if sys.argv[1:] == ["bundle"] else json_schema()
    print(json.dumps(printed, indent=1, ensure_ascii=False, sort_keys=True))

"""Print the JSON Schema of the current version: ``python -m progkit.schema > schemas/state-1.0.json``."""

import json

from progkit.schema import json_schema

if __name__ == "__main__":  # pragma: no branch - it is there to be run
    print(json.dumps(json_schema(), indent=1, ensure_ascii=False, sort_keys=True))

"""``python -m progkit``: the command."""

import sys

from progkit.cli import main

if __name__ == "__main__":  # pragma: no branch - nobody imports it
    sys.exit(main())

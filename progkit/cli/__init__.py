"""The command: parse, call one function, print, exit status.

Data goes to stdout, everything else to stderr. Status 0: all well; 1: findings (a failed line of
``run``, a failure of ``warm``); 2: wrong usage, or the command could not do its work.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from progkit.cli.options import parse

OK, FINDINGS, FAILED = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the status to exit with."""
    options = parse(arguments)
    try:
        if getattr(options, "at", None) is not None:
            import_module("progkit.cli.revisions").pin(options)
        # Each command's room is imported when it is run: help and errors of usage stay light.
        status: int = import_module(f"progkit.cli.{options.room}").run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output has gone: what is left in the buffer goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        print("progkit: interrupted", file=sys.stderr)
        return 130
    # Of ours, of the system, or of the user's own program: told in a sentence where that can be done.
    except Exception as error:
        import_module("progkit.cli.telling").tell(error, options)
        return FAILED
    return status

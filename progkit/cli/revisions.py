"""``--at REVISION``: the files that a command names, at a revision of their git repository."""

import argparse

from progkit import artifact


def pin(options: argparse.Namespace) -> None:
    """Let FILE mean the file at ``--at``.

    Raises:
        RevisionError: for what is no revision.
    """
    if hasattr(options, "files"):
        options.files = [artifact.pin(each, options.at) for each in options.files]
    else:
        options.file = artifact.pin(options.file, options.at)

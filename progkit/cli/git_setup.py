"""``progkit git install``, ``uninstall`` and ``status``: what a repository is told."""

import argparse
import json
import os

from progkit.artifact import repository

FINDINGS = 1
_SHOWN = 60
"""So much of a command that somebody else has configured is shown."""


def run(options: argparse.Namespace) -> int:
    """The action, on the repository that the current directory is in; with ``--check``, status 1 for findings."""
    root = repository.root_of(os.curdir)
    if options.action == "install":
        return _install(root, options)
    if options.action == "uninstall":
        repository.uninstall(root)
        print(json.dumps({"root": root}) if options.json else f"{root}: nothing of progkit's is set up any more")
        return 0
    return _status(root, options)


def _install(root: str, options: argparse.Namespace) -> int:
    added = repository.install(root, options.patterns)
    if options.json:
        print(json.dumps({"root": root, "added": added}, ensure_ascii=False))
        return 0
    for line in added:
        print(f"{repository.ATTRIBUTES}: {line}")
    print(f"{root}: git diffs and merges these by meaning; commit {repository.ATTRIBUTES}, and run this in every clone")
    return 0


def _status(root: str, options: argparse.Namespace) -> int:
    status = repository.status(root, check=options.check)
    if options.json:
        print(json.dumps(status.to_dict(), ensure_ascii=False))
    else:
        for path in status.covered:
            print(f"{path}: {status.how()}")
        for path in status.uncovered:
            print(f"{path}: no attributes: progkit git install gives them")
        for name, there in status.config.items():
            if name not in status.broken:
                told = f"another command, {there[:_SHOWN]}," if there else "not set"
                print(f"git config {name}: {told} in this clone: progkit git install")
        for name in status.broken:
            print(f"git config {name}: what it calls does not run, or is not progkit: progkit git install")
        if not (status.config or status.uncovered or status.broken):
            print(f"{root}: set up")
    # A CI's clone needs no configuration: what is committed is what counts, and that what is configured works.
    return FINDINGS if options.check and (status.uncovered or status.broken) else 0

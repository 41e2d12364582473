"""``progkit git install``, ``uninstall`` and ``status``: what a repository is told."""

import argparse
import json
import os

from progkit.artifact import repository

FINDINGS = 1


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
    status = repository.status(root)
    if options.json:
        print(json.dumps(status.to_dict(), ensure_ascii=False))
    else:
        for path in status.covered:
            print(f"{path}: by meaning")
        for path in status.uncovered:
            print(f"{path}: no attributes: progkit git install gives them")
        for name, there in status.config.items():
            print(f"git config {name}: {'another command' if there else 'not set'} in this clone: progkit git install")
        if not (status.config or status.uncovered):
            print(f"{root}: set up")
    # The configuration is each clone's own, and a CI's clone needs none: what is committed is what counts.
    return FINDINGS if options.check and status.uncovered else 0

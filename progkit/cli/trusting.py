"""``progkit trust`` and ``untrust``: whose code may run, asked of a person who sees what it is."""

import argparse
import json
import os
import sys
from collections.abc import Iterator

from progkit import artifact
from progkit.artifact import Opened, trust
from progkit.artifact.trust import policy
from progkit.artifact.trust.digests import is_digest
from progkit.errors import ConfigurationError, DocumentError


def run(options: argparse.Namespace) -> int:
    """The action; status 1 if there was nothing to take off the list, or the answer was no."""
    if options.action == "untrust":
        return _untrust(options)
    if options.list == bool(options.bundle):
        raise ConfigurationError("name the bundle to trust, or say --list, one of the two")
    return _list(options) if options.list else _trust(options)


def bundle_at(path: str) -> Opened:
    """The bundle at *path*, whole and checked; ``desk@v1.2`` is the one at a git revision.

    Raises:
        ConfigurationError: for a file, as a state file needs none of this; and where there is nothing.
        DocumentError: for what is no intact bundle.
    """
    opened = None if os.path.isfile(path) else artifact.opened_at(path)
    if opened is None and os.path.exists(path):
        raise ConfigurationError(
            f"{path} is a file. A state file is data: loading it runs nothing, so it needs no trust and no signature. "
            "progkit validate tells whether it can be loaded"
        )
    if opened is None:
        raise ConfigurationError(f"{path} is not there")
    return opened


def _list(options: argparse.Namespace) -> int:
    entries = trust.listed().values()
    if options.json:
        print(json.dumps([each.to_dict() for each in entries], ensure_ascii=False))
        return 0
    for each in entries:
        print(f"{each.digest}  {each.at}  {each.by:5}  {trust.plain(each.path)}")
    return 0


# --- trust ----------------------------------------------------------------------------------------


def _trust(options: argparse.Namespace) -> int:
    if options.digest and not is_digest(options.digest):
        raise ConfigurationError(f"--digest {options.digest}: a digest is sha256: and all 64 digits, 0-9 and a-f")
    opened = bundle_at(options.bundle)
    if options.digest and options.digest != opened.digest:
        raise ConfigurationError(
            f"{options.bundle} has the digest {opened.digest}, not {options.digest}; it is not trusted"
        )
    if not options.json:
        sys.stdout.writelines(f"{line}\n" for line in told(opened))
        sys.stdout.flush()
    if not (options.yes or options.digest) and not _agreed(options):
        print(f"{options.bundle} is not trusted", file=sys.stderr)
        return 1
    is_new = trust.add(opened.digest, options.bundle)
    if options.json:
        print(json.dumps({"digest": opened.digest, "path": options.bundle, "added": is_new}))
    else:
        print(f"{options.bundle} {'is trusted now' if is_new else 'was trusted before'}")
    if said := policy.in_force().said:
        print(f"progkit: the list does not count at present: {said}", file=sys.stderr)
    return 0


def told(opened: Opened) -> Iterator[str]:
    """What is in a bundle, in lines for somebody who is to trust it."""
    held = trust.contents(opened)
    yield f"{opened.root}: a bundle of {held['files']} files, {held['bytes']:,} bytes"
    yield f"  digest       {opened.digest}"
    yield f"  program      {trust.plain(held['program'])}"
    yield f"  portability  {held['portability']}"
    yield from _lines("source", held["sources"])
    yield from _lines("by value", held["by_value"])
    yield from _lines("left out", [f"{path}: {program}" for path, program in held["left_out"].items()])
    yield from _lines("needs", held["dependencies"])


def _lines(head: str, texts: list[str]) -> Iterator[str]:
    for text in texts or ["nothing"]:
        yield f"  {head:12} {trust.plain(text)}"
        head = ""


def _agreed(options: argparse.Namespace) -> bool:
    """What a person at a terminal says."""
    if options.json or not sys.stdin.isatty():
        raise ConfigurationError(
            f"nobody can be asked whether to trust {options.bundle}: say --yes, or better --digest sha256:..., which "
            "whoever made the bundle can tell"
        )
    print("Its code can do whatever you can do. Trust it? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


# --- untrust --------------------------------------------------------------------------------------


def _untrust(options: argparse.Namespace) -> int:
    digests = _meant(options.bundle)
    gone = [each for each in digests if trust.forget(each)]
    if options.json:
        print(json.dumps({"forgotten": gone}))
    elif gone:
        print("\n".join(f"{each} is not trusted any more" for each in gone))
    else:
        print(f"{options.bundle} was not on the trust list")
    return 0 if gone else 1


def _meant(named: str) -> list[str]:
    """The digests that *named* stands for: a bundle, or where one was that is on the list.

    Raises:
        ConfigurationError: for a digest that is none.
        DocumentError: for a list that cannot be used.
    """
    if is_digest(named):
        return [named]
    if named.lower().startswith("sha256:"):
        raise ConfigurationError(f"{named}: a digest is sha256: and all 64 digits, 0-9 and a-f")
    path = os.path.abspath(named)
    there = [each.digest for each in trust.listed().values() if each.path == path]
    try:
        return [bundle_at(named).digest]
    except DocumentError as error:
        print(f"progkit: {error}; looking for where it was", file=sys.stderr)
    except ConfigurationError:
        if not there:
            raise
    return there

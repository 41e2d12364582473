"""The files that a command reads and writes: kept apart from each other, and written whole or not at all."""

import argparse
import errno
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from progkit.artifact.git import find_pin
from progkit.artifact.writing import TEMPORARY, sweep
from progkit.batch import locking
from progkit.cli.ours import whole
from progkit.errors import ConfigurationError


def keep_apart(options: argparse.Namespace, checkpoint: str | None = None) -> None:
    """Nothing, if ``--output`` and *checkpoint* can be written, and are neither each other nor what is read.

    Raises:
        ConfigurationError: if not; nothing was opened.
    """
    pinned = find_pin(options.file)
    program = whole(options.file if pinned is None else pinned.path)
    taken = [("--input", options.input)] if options.input not in (None, "-") else []
    taken.append(("the program's file", program))
    for name, path in (("--output", options.output), ("--checkpoint", checkpoint)):
        if not path:
            continue
        _require_place(name, path)
        for other, place in taken:
            if _is_within(path, place):
                raise ConfigurationError(f"{name} {path} would write over {other}, {place}: name another file")
        taken.append((name, path))


def is_file(path: str) -> bool:
    """Whether *path* is a file, or can become one: no device, no pipe."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return True


@contextmanager
def written(path: str | None, in_place: bool = False) -> Iterator[TextIO]:
    """Where lines go: a file beside *path* that takes its place at the end; *path* itself, *in_place*; or stdout.

    A device or a pipe is written to as it is. Where *path* is a link, the file that it leads to is replaced.
    """
    if not path:
        yield sys.stdout
        return
    if in_place or not is_file(path):
        with open(path, "w", encoding="utf-8") as file:
            yield file
        return
    target = os.path.realpath(path)
    directory, name = os.path.split(target)
    sweep(directory, name)
    aside = os.path.join(directory, f".{name}.{secrets.token_hex(8)}{TEMPORARY}")
    with _opened(aside, path) as file:
        try:
            # Locked, it is taken for nobody's leavings, however long this runs.
            locking.lock(file.fileno())
            with suppress(FileNotFoundError):
                os.chmod(aside, stat.S_IMODE(os.stat(target).st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(aside, target)
        except BaseException:  # also an interrupt: what this process made goes away
            with suppress(OSError):  # what went wrong first is what is told
                os.unlink(aside)
            raise


def _opened(aside: str, path: str) -> TextIO:
    try:
        return open(aside, "x", encoding="utf-8")
    except OSError as error:
        error.filename = path  # what the user said, and not what we made of it
        raise


def _require_place(name: str, path: str) -> None:
    above = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise ConfigurationError(f"{name} {path} is a directory: name a file in it")
    if not os.path.isdir(above):
        raise ConfigurationError(f"{name} {path}: {os.strerror(errno.ENOENT)}: there is no directory {above}")


def _is_within(path: str, place: str) -> bool:
    """Whether *path* is the file *place*, under whatever name, or is in the directory *place*."""
    if not is_file(path):
        return False
    mine, other = os.path.realpath(path), os.path.realpath(place)
    if mine == other or (os.path.isdir(other) and mine.startswith(os.path.join(other, ""))):
        return True
    try:
        return os.path.samestat(os.stat(mine), os.stat(other))
    except OSError:
        return False

"""The file by which a batch goes on where it stopped: JSON Lines, added to at the end and never changed.

::

    {"format":"progkit.checkpoint","version":[1,0],"program":"desk:Desk","identity":"9f2c..."}     the first line
    {"id":17,"key":"51ab...","used":{...},"result":["prediction",[{"answer":"..."}],null]}
    {"id":18,"key":"c07d...","used":{...},"error":{"type":"LMServerError","message":"..."}}

id: the item's own, or its number. key: a hash of its inputs. result: as ``Codec.encode`` writes it. Failures are asked
again. An item whose result cannot be written has null for it, and is asked again, too.

A line is handed to the system whole as soon as its item is finished, so that a process that is killed loses nothing; to
the disk it goes every five seconds at the latest and at the end, so that a machine that loses power loses these. A last
line that was cut short is taken away when the file is opened next. The file is locked while a batch uses it. Of
the lines no more is held in memory than where each begins.
"""

import hashlib
import json
import os
import stat
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from progkit.batch import locking
from progkit.batch.items import Failure, Item, Outcome
from progkit.errors import CheckpointError, UnsavableError
from progkit.lm import UsageTracker

FORMAT: Final = "progkit.checkpoint"
VERSION: Final = [1, 0]
SYNC: Final = 5.0
"""Seconds after which lines are on the disk, at the latest, as long as more come."""
_BEGINNING: Final = f'{{"format":"{FORMAT}"'.encode()
_ANOTHER = "remove it, or give another path, to begin anew"


@dataclass(frozen=True, slots=True)
class Codec:
    """What a checkpoint needs to know of programs.

    program: what it is called. identity: a text that changes with whatever changes its answers. key: of an item's
    inputs, plain data. encode, decode: a result to a JSON text and back; ``UnsavableError`` for one that cannot be.
    """

    program: str
    identity: str
    key: Callable[[dict[str, Any]], Any]
    encode: Callable[[Any], str]
    decode: Callable[[str], Any]


class Checkpoint:
    """The checkpoint at *path*, made if there is none; closed with ``close``. clock: seconds.

    fresh: what it holds is forgotten, once it is known that nobody uses it.

    Raises:
        CheckpointError: if it is of another program, is no checkpoint, or is in use.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        codec: Codec,
        clock: Callable[[], float] = time.monotonic,
        *,
        fresh: bool = False,
    ) -> None:
        self.path = os.fspath(path)
        self.codec = codec
        self.clock = clock
        self.synced = clock()
        self.told = False
        self.places: dict[Any, tuple[int, int, str]] = {}
        self.file = self._locked()
        try:
            if fresh:
                self._forget()
            self.end = self._read()
        except BaseException:  # whatever it is, it goes on
            os.close(self.file)
            raise

    def _locked(self) -> int:
        """The file at the path, open and locked."""
        while True:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            try:
                if not stat.S_ISREG(os.fstat(file).st_mode):
                    raise CheckpointError(self.path, "is no file, but a device or a pipe", "give another path")
                if not locking.lock(file):
                    raise CheckpointError(self.path, "is in use by another batch", "wait for it, or give another path")
                if self._is_there(file):
                    return file
            except BaseException:  # whatever it is, it goes on
                os.close(file)
                raise
            os.close(file)  # who held it has removed it: the path is another file's, or nobody's

    def _is_there(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _forget(self) -> None:
        """Empty the file, if it is a checkpoint or may become one."""
        head = os.read(self.file, len(_BEGINNING))
        if head != _BEGINNING[: len(head)]:
            raise CheckpointError(self.path, "is no checkpoint, and is not written over", "give another path")
        os.ftruncate(self.file, 0)
        os.lseek(self.file, 0, os.SEEK_SET)

    # --- what is there ------------------------------------------------------------------------

    def _read(self) -> int:
        """Take in where each line begins, and take away a last line that was cut short; where the file ends."""
        at = 0
        with open(self.file, "rb", closefd=False) as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    break
                self._note(number, at, line)
                at += len(line)
        os.ftruncate(self.file, at)
        os.lseek(self.file, at, os.SEEK_SET)
        if at:
            return at
        head = {"format": FORMAT, "version": VERSION, "program": self.codec.program, "identity": self.codec.identity}
        return self._write(_line(head), 0)

    def _note(self, number: int, at: int, line: bytes) -> None:
        try:
            told = json.loads(line)
            if number == 1:
                self._check(told)
            elif "error" not in told and told["result"] is not None:
                self.places[told["id"]] = (at, len(line), told["key"])
        except (ValueError, TypeError, KeyError) as error:
            raise CheckpointError(self.path, f"is no checkpoint: line {number} cannot be read", _ANOTHER) from error

    def _check(self, head: dict[str, Any]) -> None:
        if head["format"] != FORMAT:
            raise CheckpointError(self.path, f"is no checkpoint, but {head['format']!r:.40}", "give another path")
        if head["version"] != VERSION:
            raise CheckpointError(self.path, f"is a checkpoint of version {head['version']!r:.20}", _ANOTHER)
        if head["identity"] != self.codec.identity:
            mine = self.codec.program
            other = f"another program, {head['program']}" if head["program"] != mine else f"another state of {mine}"
            why = f"is of {other}: code, demos, instructions, LM, adapter or settings differ"
            raise CheckpointError(self.path, why, _ANOTHER)

    def find(self, item: Item) -> Outcome | None:
        """The result of *item*, if it was finished before.

        Raises:
            CheckpointError: if the item of that id had other inputs then, or its inputs have no stable content.
        """
        place = self.places.get(self._id(item))
        if place is None:
            return None
        at, length, key = place
        if key != self._key(item):
            raise CheckpointError(self.path, f"is of other inputs: item {item.id!r} is not what it was", _ANOTHER)
        line = os.pread(self.file, length, at) if hasattr(os, "pread") else self._seek_and_read(at, length)
        return Outcome(item, self.codec.decode(json.dumps(json.loads(line)["result"])), None)

    def _seek_and_read(self, at: int, length: int) -> bytes:  # pragma: no cover - where there is no pread: Windows
        os.lseek(self.file, at, os.SEEK_SET)
        line = os.read(self.file, length)
        os.lseek(self.file, self.end, os.SEEK_SET)
        return line

    def _id(self, item: Item) -> Any:
        if type(item.id) not in (int, str):
            raise CheckpointError(self.path, f"knows items by text or whole numbers, not {item.id!r}", "give such ids")
        return item.id

    def _key(self, item: Item) -> str:
        text = json.dumps(self.codec.key(item.inputs), sort_keys=True)
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()

    # --- what comes ---------------------------------------------------------------------------

    def add(self, outcome: Outcome) -> None:
        """Write the line of *outcome*; nothing for one that was found here, or had no inputs.

        Raises:
            OSError: if it cannot be written.
        """
        item = outcome.item
        if outcome.used is None or item.error is not None:
            return
        key = self._key(item)
        told = {"id": self._id(item), "key": key, "used": _used(outcome.used)}
        text = None
        if isinstance(outcome.result, Failure):
            error = outcome.result.error
            line = _line(told | {"error": {"type": type(error).__name__, "message": str(error)}})
        else:
            text = self._text(outcome.result)
            line = _line(told)[:-2] + b',"result":' + (text or "null").encode("utf-8", "surrogatepass") + b"}\n"
        at = self.end
        self.end = self._write(line, at)
        if text is not None:
            self.places[item.id] = (at, len(line), key)
        if self.clock() - self.synced > SYNC:
            self._sync()

    def _text(self, result: Any) -> str | None:
        try:
            return self.codec.encode(result)
        except UnsavableError as error:
            if not self.told:
                self.told = True
                warnings.warn(
                    f"{self.path} does not hold the results: {error}; after a stop they are asked for anew (told once)",
                    RuntimeWarning,
                    stacklevel=2,
                )
            return None

    def _write(self, line: bytes, at: int) -> int:
        """Write *line*, whole or not at all; where the file then ends."""
        left = memoryview(line)
        try:
            while left:
                left = left[os.write(self.file, left) :]
        except OSError:
            # Part of it may be there: what is written next, if the disk has room again, must begin a line.
            os.ftruncate(self.file, at)
            os.lseek(self.file, at, os.SEEK_SET)
            raise
        return at + len(line)

    def _sync(self) -> None:
        os.fsync(self.file)
        self.synced = self.clock()

    def remove(self) -> None:
        """Take the file away, while nobody else can have it."""
        with suppress(FileNotFoundError):
            os.unlink(self.path)

    def close(self) -> None:
        """Put what was written on the disk, and let go of the file."""
        try:
            self._sync()
        finally:
            os.close(self.file)


def _line(told: dict[str, Any]) -> bytes:
    return (json.dumps(told, ensure_ascii=True, separators=(",", ":"), default=str) + "\n").encode()


def _used(used: UsageTracker) -> dict[str, Any]:
    return {"calls": used.calls, "hits": used.hits, "cost": used.cost, "billed": used.billed}

"""One SQLite file of the disk tier: one connection that reads and one that writes, however many threads there are.

Reading goes to SQLite itself, past diskcache, so that a process that finds everything cached never
imports diskcache. The table is diskcache's, and of its rows only those are looked at that ``store``
can have written.

The file may be broken, deleted or replaced at any time, by anybody. A broken one is set aside and begun
anew; one that has gone is noticed at the next ``put``, and within ``LOOK`` seconds by who reads.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar
from weakref import finalize

from progkit.caching import forking
from progkit.caching.mending import Identity, identity, is_broken, is_writable, set_aside
from progkit.caching.store import RAW, Store, open_store

T = TypeVar("T")

TIMEOUT = 1.0
"""Seconds to wait for another process, and as many for another thread of this one."""

LOOK = 1.0
"""Seconds after which who reads looks whether the file is still the same."""

_OURS = f"raw = 1 AND mode = {RAW} AND filename IS NULL AND typeof(key) = 'text' AND typeof(value) = 'blob'"
_GET = f"SELECT value FROM Cache WHERE key = ? AND {_OURS}"
_KEYS = f"SELECT rowid, key FROM Cache WHERE rowid > ? AND {_OURS} ORDER BY rowid LIMIT 1000"
_COUNT = "SELECT CAST(value AS INTEGER) FROM Settings WHERE key = 'count'"
_SIZE = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"

_inherited: list[sqlite3.Connection] = []


class Shard:
    """The entries in *directory*, which is made at the first ``put``.

    size_limit: bytes of the file from which on the entries stored longest ago are dropped. ``broken``: how often the
    files were set aside. Its methods raise ``sqlite3.Error`` and ``OSError``.
    """

    def __init__(self, directory: Path, size_limit: int) -> None:
        self.directory = directory
        self.size_limit = size_limit
        self.broken = 0
        self.locks = (threading.Lock(), threading.Lock())
        self._reading, self._writing = self.locks
        self._file = directory / "cache.db"
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._store: Store | None = None
        self._read: Identity | None = None
        self._written: Identity | None = None
        self._is_frozen = False
        self._look = 0.0
        self._connections: list[sqlite3.Connection] = []
        finalize(self, _close, self._connections)
        forking.track(self)

    def get(self, key: str) -> bytes | None:
        """What is kept under *key*, or None."""
        with self._reading:
            try:
                reader = self._reader
                if reader is None or monotonic() > self._look:
                    reader = self._begin_reading()
                found = reader.execute(_GET, (key,)).fetchall() if reader is not None else None
            except sqlite3.Error as error:
                self._mend(error, self._read)
                return None
        return found[0][0] if found else None

    def put(self, key: str, value: bytes) -> None:
        """Keep *value*, unless it is larger than all that may be here."""
        if len(value) > self.size_limit:
            self.delete(key)
        else:
            self._change(lambda store: store.set(key, value))

    def delete(self, key: str) -> bool:
        """Forget *key*; whether it was here."""
        return self._file.exists() and self._change(lambda store: store.delete(key))

    def clear(self) -> None:
        """Forget everything, a hundred rows at a time."""
        if self._file.exists():
            self._change(lambda store: store.clear())

    def keys(self) -> Iterator[str]:
        """Every key, a thousand at a time; what is added or deleted meanwhile may or may not show."""
        rows: list[tuple[int, str]] = [(0, "")]
        while rows:
            rows = self._ask(_KEYS, rows[-1][0])
            yield from (key for _, key in rows)

    def stats(self) -> tuple[int, int]:
        """The number of rows, and the bytes of the file."""
        counts, sizes = self._ask(_COUNT), self._ask(_SIZE)
        return (counts[0][0], sizes[0][0]) if counts and sizes else (0, 0)

    def close(self) -> None:
        """Close both connections; the next use opens them again."""
        with self._reading, self._turn():
            self._reader = self._writer = self._store = None
            _close(self._connections)

    def forked(self) -> None:
        """Begin anew in a child, keeping the parent's connections from being closed here."""
        _inherited.extend(self._connections)
        self._connections.clear()
        self._reader = self._writer = self._store = None

    # --- reading ------------------------------------------------------------------------------

    def _ask(self, query: str, *values: int) -> list[Any]:
        """The rows that *query* gives; none if there is no file, or a broken one."""
        with self._reading:
            try:
                reader = self._begin_reading()
                return reader.execute(query, values).fetchall() if reader is not None else []
            except sqlite3.Error as error:
                self._mend(error, self._read)
                return []

    def _begin_reading(self) -> sqlite3.Connection | None:
        """A connection that reads the file that is there now; None if there is nothing to read yet."""
        there = identity(self._file, self._is_frozen)
        self._look = monotonic() + LOOK
        if self._reader is not None and there == self._read:
            return self._reader
        self._end(self._reader)
        self._reader, self._read = None, there
        if there is None:
            return None
        # A read-only file that nobody has open is read without the files that SQLite would put beside it.
        may_write = is_writable(self._file)
        self._is_frozen = not may_write and not self._file.with_name("cache.db-wal").exists()
        self._read = identity(self._file, self._is_frozen)
        reader = self._connect("rw" if may_write else "ro&immutable=1" if self._is_frozen else "ro")
        try:
            laid_out = reader.execute("SELECT 1 FROM sqlite_master WHERE name = 'Cache'").fetchall()
        except sqlite3.Error:
            self._end(reader)
            raise
        if not laid_out:  # another process is at it
            self._end(reader)
            return None
        self._reader = reader
        return reader

    # --- writing ------------------------------------------------------------------------------

    def _change(self, act: Callable[[Store], T]) -> T:
        """What *act* gives; at the second attempt, if the files had to be mended."""
        with self._turn():
            try:
                return act(self._begin_writing())
            except sqlite3.Error as error:
                self._mend(error, self._written)
                return act(self._begin_writing())

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """This thread's turn to write."""
        if not self._writing.acquire(timeout=TIMEOUT):
            raise TimeoutError(f"{self.directory} is being written by another thread")
        try:
            yield
        finally:
            self._writing.release()

    def _begin_writing(self) -> Store:
        """A store that writes the file that is there now, made if there is none."""
        there = identity(self._file)
        if self._store is not None and there == self._written:
            return self._store
        self._end(self._writer)
        self._writer, self._store, self._written = None, None, there
        self.directory.mkdir(mode=0o700, exist_ok=True)
        writer = self._connect("rwc")
        try:
            # Before anything is written, or the file never shrinks, and all of it is culled once it is full.
            writer.execute("PRAGMA auto_vacuum = FULL")
            # diskcache waits for a minute while it opens a file that is locked: find that out first.
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("ROLLBACK")
            store = open_store(self.directory, writer, self.size_limit)
        except Exception:  # whatever it was, the file must not stay open
            self._end(writer)
            raise
        self._writer, self._store, self._written = writer, store, identity(self._file)
        self._look = 0.0  # so that who reads looks, too
        return store

    # --- both ---------------------------------------------------------------------------------

    def _connect(self, mode: str) -> sqlite3.Connection:
        place = f"{self._file.absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(place, uri=True, timeout=TIMEOUT, isolation_level=None, check_same_thread=False)
        self._connections.append(connection)
        return connection

    def _end(self, connection: sqlite3.Connection | None) -> None:
        if connection is not None:
            self._connections.remove(connection)
            connection.close()

    def _mend(self, error: sqlite3.Error, seen: Identity | None) -> None:
        """See to it that another attempt meets whole files, or raise *error*. *seen*: the file that it is about."""
        now = identity(self._file)
        if now == (seen and seen[:2]):
            if not is_broken(error):
                raise error
            set_aside(self.directory, error)
            self.broken += 1


def _close(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()

"""One SQLite file of the disk tier: one connection that reads and one that writes, however many threads there are.

Reading goes to SQLite itself, past diskcache, so that a process that finds everything cached never
imports diskcache. The table is diskcache's, and of its rows only those are looked at that ``store``
can have written.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import finalize

from progkit.caching import forking
from progkit.caching.store import RAW, Store, open_store

TIMEOUT = 1.0
"""Seconds to wait for another process, and as many for another thread of this one."""

MAPPED = 2**26
"""Bytes of the file that reading maps into memory; diskcache's own figure."""

_OURS = f"raw = 1 AND mode = {RAW} AND filename IS NULL AND typeof(key) = 'text' AND typeof(value) = 'blob'"
_GET = f"SELECT value FROM Cache WHERE key = ? AND {_OURS}"
_KEYS = f"SELECT rowid, key FROM Cache WHERE rowid > ? AND {_OURS} ORDER BY rowid LIMIT 1000"
_COUNT = "SELECT value FROM Settings WHERE key = 'count'"
_SIZE = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"

_inherited: list[sqlite3.Connection] = []


class Shard:
    """The entries in *directory*, which is made at the first ``put``.

    size_limit: bytes of the file from which on the entries stored longest ago are dropped. Its methods raise
    ``sqlite3.Error`` and ``OSError``.
    """

    def __init__(self, directory: Path, size_limit: int) -> None:
        self.directory = directory
        self.size_limit = size_limit
        self.locks = (threading.Lock(), threading.Lock())
        self._reading, self._writing = self.locks
        self._reader: sqlite3.Connection | None = None
        self._store: Store | None = None
        self._connections: list[sqlite3.Connection] = []
        finalize(self, _close, self._connections)
        forking.track(self)

    def get(self, key: str) -> bytes | None:
        """What is kept under *key*, or None."""
        with self._reading:
            reader = self._reader or self._begin_reading()
            found = reader.execute(_GET, (key,)).fetchall() if reader is not None else None
        return found[0][0] if found else None

    def put(self, key: str, value: bytes) -> None:
        """Keep *value*, unless it is larger than all that may be here."""
        if len(value) > self.size_limit:
            self.delete(key)
            return
        with self._turn():
            (self._store or self._begin_writing()).set(key, value)

    def delete(self, key: str) -> bool:
        """Forget *key*; whether it was here."""
        if not self._exists():
            return False
        with self._turn():
            return (self._store or self._begin_writing()).delete(key)

    def clear(self) -> None:
        """Forget everything, a hundred rows at a time."""
        if self._exists():
            with self._turn():
                (self._store or self._begin_writing()).clear()

    def keys(self) -> Iterator[str]:
        """Every key, a thousand at a time; what is added or deleted meanwhile may or may not show."""
        rows: list[tuple[int, str]] = [(0, "")]
        while rows:
            with self._reading:
                reader = self._reader or self._begin_reading()
                rows = reader.execute(_KEYS, (rows[-1][0],)).fetchall() if reader is not None else []
            yield from (key for _, key in rows)

    def stats(self) -> tuple[int, int]:
        """The number of rows, and the bytes of the file."""
        with self._reading:
            reader = self._reader or self._begin_reading()
            if reader is None:
                return 0, 0
            ((count,),), ((size,),) = reader.execute(_COUNT).fetchall(), reader.execute(_SIZE).fetchall()
            return int(count), int(size)

    def close(self) -> None:
        """Close both connections; the next use opens them again."""
        with self._reading, self._turn():
            self._reader = self._store = None
            _close(self._connections)

    def forked(self) -> None:
        """Begin anew in a child, keeping the parent's connections from being closed here."""
        _inherited.extend(self._connections)
        self._connections.clear()
        self._reader = self._store = None

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """This thread's turn to write."""
        if not self._writing.acquire(timeout=TIMEOUT):
            raise TimeoutError(f"{self.directory} is being written by another thread")
        try:
            yield
        finally:
            self._writing.release()

    def _exists(self) -> bool:
        return (self.directory / "cache.db").exists()

    def _begin_reading(self) -> sqlite3.Connection | None:
        """A connection that reads; None if there is nothing to read yet."""
        if not self._exists():
            return None
        reader = self._connect("rw")
        try:
            reader.execute(f"PRAGMA mmap_size = {MAPPED}")
            laid_out = reader.execute("SELECT 1 FROM sqlite_master WHERE name = 'Cache'").fetchall()
        except sqlite3.Error:
            _close([reader])
            raise
        if not laid_out:  # another process is at it
            _close([reader])
            return None
        self._reader = reader
        self._connections.append(reader)
        return reader

    def _begin_writing(self) -> Store:
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
            _close([writer])
            raise
        self._store = store
        self._connections.append(writer)
        return store

    def _connect(self, mode: str) -> sqlite3.Connection:
        place = f"{(self.directory / 'cache.db').absolute().as_uri()}?mode={mode}"
        return sqlite3.connect(place, uri=True, timeout=TIMEOUT, isolation_level=None, check_same_thread=False)


def _close(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()

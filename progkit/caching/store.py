"""The door to diskcache: a SQLite file that diskcache lays out, writes and culls.

Values stand in the database and nowhere else. diskcache as it comes also pickles, and reads and
removes files that a row names (CVE-2025-69872); ``BytesOnly`` does none of that.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from time import time
from typing import Any, Final, Protocol

RAW = 1
"""``diskcache.core.MODE_RAW``: the value stands in the row as it is."""


OURS = {
    "statistics": 0,
    "tag_index": 0,
    "eviction_policy": "least-recently-stored",
    "cull_limit": 10,
    # A file that is mapped into memory and then truncated by somebody kills the process that reads it.
    "sqlite_mmap_size": 0,
}
"""Settings of diskcache that are not its own defaults; all of them are given, so that none is read from the file."""

SHARE: Final = 1 / 16
"""The part of the room left that one process fills until it looks again: others may be filling the rest."""

MOST: Final = 1_000_000
"""Bytes written after which it looks in any case."""

ROW: Final = 500
"""Bytes of a row, and of its places in the indices, that are not its value."""

PUT: Final = f"""
INSERT INTO Cache (key, raw, store_time, access_time, mode, value) VALUES (?, 1, ?, ?, {RAW}, ?)
ON CONFLICT (key, raw) DO UPDATE SET
store_time = excluded.store_time, access_time = excluded.access_time, expire_time = NULL, access_count = 0, tag = NULL,
size = 0, mode = {RAW}, filename = NULL, value = excluded.value
"""
"""A row as diskcache writes it. One statement is a transaction of its own; diskcache takes seven."""


class Store(Protocol):
    """The part of ``diskcache.Cache`` in use here; raises ``TimeoutError`` when it cannot begin to write."""

    def set(self, key: str, value: bytes) -> bool:
        """Keep *value* under *key*."""
        ...

    def get(self, key: str) -> bytes | None:
        """What is kept under *key*, or None."""
        ...

    def delete(self, key: str) -> bool:
        """Forget *key*; whether it was here."""
        ...

    def clear(self) -> int:
        """Forget everything; how many there were."""
        ...


def open_store(directory: Path, connection: sqlite3.Connection, size_limit: int) -> Store:
    """The store in *directory*, laid out if it is new, that does everything through *connection*.

    size_limit: bytes of the file from which on each write that finds it so drops the ten entries stored longest ago.
    """
    store: Store = _store_class()(directory, connection, size_limit)
    return store


class OneStatement:
    """The part of a ``diskcache.Cache`` that keeps a value: one statement, and a look at the size only now and then."""

    directory: str
    size_limit: int
    volume: Any
    _connection: sqlite3.Connection
    _cull: Any
    _transact: Any
    _room = 0.0

    def set(self, key: str, value: bytes) -> bool:
        """Keep *value* under *key*."""
        now = time()
        try:
            self._connection.execute(PUT, (key, now, now, value))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise _locked(self.directory) from None
            raise
        self._room -= len(value) + ROW
        if self._room < 0:
            self._make_room(now)
        return True

    def _make_room(self, now: float) -> None:
        """Drop what is to be dropped, and see how much there is room for."""
        volume = self.volume()
        if volume >= self.size_limit:
            with self._transact() as (sql, cleanup):
                self._cull(now, sql, cleanup)
            volume = self.volume()
        self._room = min((self.size_limit - volume) * SHARE, MOST)


def _locked(directory: str) -> TimeoutError:
    return TimeoutError(f"{directory} cannot be written: it is locked, or read-only")


@cache
def _disk_class() -> Any:
    import diskcache  # 30 ms, which a process that only reads never pays

    class BytesOnly(diskcache.Disk):  # type: ignore[misc] # diskcache has no types
        """Keys are text and values bytes; any other row is a miss, and no row names a file."""

        def put(self, key: str) -> tuple[str, bool]:
            return key, True

        def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> bytes | None:
            return value if mode == RAW and filename is None and type(value) is bytes else None

        def remove(self, file_path: str) -> None:
            """Nothing: a row that names a file is not ours, and neither is the file."""

    return BytesOnly


@cache
def _store_class() -> Any:
    import diskcache  # as above

    class OneConnection(OneStatement, diskcache.Cache):  # type: ignore[misc] # diskcache has no types
        """One connection for all threads, which take turns; diskcache would open one for each."""

        def __init__(self, directory: Path, connection: sqlite3.Connection, size_limit: int) -> None:
            self._connection = connection
            # diskcache makes an attribute, a PRAGMA or an argument of whatever the file has as a setting.
            settings = diskcache.DEFAULT_SETTINGS | OURS | {"size_limit": size_limit}
            _forget_others(connection, [*settings, *diskcache.core.METADATA])
            super().__init__(str(directory), disk=_disk_class(), **settings)

        @property
        def _con(self) -> sqlite3.Connection:
            return self._connection

        @contextmanager
        def _transact(self, *args: Any) -> Iterator[Any]:
            try:
                with super()._transact(*args) as transaction:
                    yield transaction
            except diskcache.Timeout:  # which says nothing
                raise _locked(self.directory) from None

    return OneConnection


def _forget_others(connection: sqlite3.Connection, known: list[str]) -> None:
    """Delete the settings that are not among *known*."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'Settings'").fetchall():
        others = f"FROM Settings WHERE key IS NULL OR key NOT IN ({', '.join('?' * len(known))})"
        if connection.execute(f"SELECT 1 {others}", known).fetchall():
            connection.execute(f"DELETE {others}", known)

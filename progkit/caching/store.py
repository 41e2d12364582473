"""The door to diskcache: a SQLite file that diskcache lays out, writes and culls.

Values stand in the database and nowhere else. diskcache as it comes also pickles, and reads and
removes files that a row names (CVE-2025-69872); ``BytesOnly`` does none of that.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol

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

    size_limit: bytes of the file from which on each write drops the ten entries stored longest ago.
    """
    store: Store = _store_class()(directory, connection, size_limit)
    return store


@cache
def _disk_class() -> Any:
    import diskcache  # 30 ms, which a process that only reads never pays

    class BytesOnly(diskcache.Disk):  # type: ignore[misc] # diskcache has no types
        """Keys are text and values bytes; any other row is a miss, and no row names a file."""

        def put(self, key: str) -> tuple[str, bool]:
            return key, True

        def store(self, value: bytes, read: bool, key: str) -> tuple[int, int, None, bytes]:
            return 0, RAW, None, value

        def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> bytes | None:
            return value if mode == RAW and filename is None and type(value) is bytes else None

        def remove(self, file_path: str) -> None:
            """Nothing: a row that names a file is not ours, and neither is the file."""

    return BytesOnly


@cache
def _store_class() -> Any:
    import diskcache  # as above

    class OneConnection(diskcache.Cache):  # type: ignore[misc] # diskcache has no types
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
                raise TimeoutError(f"{self.directory} cannot be written: it is locked, or read-only") from None

    return OneConnection


def _forget_others(connection: sqlite3.Connection, known: list[str]) -> None:
    """Delete the settings that are not among *known*."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'Settings'").fetchall():
        others = f"FROM Settings WHERE key IS NULL OR key NOT IN ({', '.join('?' * len(known))})"
        if connection.execute(f"SELECT 1 {others}", known).fetchall():
            connection.execute(f"DELETE {others}", known)

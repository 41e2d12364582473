"""Locks for keys among the processes of one host, free at once when their holder dies.

Linux locks single bytes of an open file (open file description locks, ``man 2 fcntl_locking``), also bytes that are
not there: each key has one of its own, so that a lock takes one system call and makes no file. Elsewhere, and on
kernels without them, a key has a file.
"""

import errno
import os
import struct
import sys
import threading
from contextlib import suppress
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from weakref import finalize

from progkit.caching import forking
from progkit.caching.directory import make_private

FOLDER: Final = "locks"
"""The folder of lock files, in the directory of a tier."""

STAYING: Final = "keys."
"""How the names of the files begin whose bytes are locked; they are empty, and stay."""

FILES: Final = 8
"""How many there are: the kernel goes through all the locks on a file to find one."""

_FLOCK: Final = struct.Struct("hhqqi4x")
"""``struct flock`` of Linux: type, whence, start, length, process."""

_IN_USE: Final = (errno.EAGAIN, errno.EACCES)


class KeyLocks:
    """One process of this host for each key, in the directory of *tier*."""

    name = "lock file"

    def __init__(self, tier: Any) -> None:
        self._tier = tier
        self._locks: ByteLocks | FileLocks = ByteLocks(tier) if ByteLocks.fcntl else FileLocks(tier)

    def enter(self, key: str) -> Any:
        """The token; None while another one has the lock."""
        locks = self._locks
        try:
            token = locks.enter(key)
        except OSError as error:
            if error.errno != errno.EINVAL or isinstance(locks, FileLocks):
                raise
            # The system has them, but not the kernel below it, as gVisor.
            locks = self._locks = FileLocks(self._tier)
            token = locks.enter(key)
        return None if token is None else (locks, token)

    def leave(self, key: str, token: Any) -> None:
        """Let the next one in."""
        locks, held = token
        locks.leave(held)

    def close(self) -> None:
        """Let go of the files; the next key opens them again."""
        self._locks.close()


class Held:
    """A byte of a file that is locked here."""

    __slots__ = ("byte", "file")

    def __init__(self, file: int, byte: int) -> None:
        self.file = file
        self.byte = byte


class ByteLocks:
    """Bytes of ``FILES`` files, each of which is opened once.

    A file may be removed at any time, by anybody: it is made anew. Two processes that meet in that moment both get
    through.
    """

    fcntl: Any = import_module("fcntl") if sys.platform == "linux" else None

    def __init__(self, tier: Any) -> None:
        self._tier = tier
        self._lock = threading.Lock()
        self._open: dict[int, tuple[int, os.stat_result]] = {}
        self._held: dict[tuple[int, int], Held] = {}
        self._paths: tuple[str, ...] = ()
        finalize(self, _close, self._open)
        forking.track(self)

    def enter(self, key: str) -> Held | None:
        """The lock; None while another one has it, here or elsewhere."""
        byte, file = divmod(int.from_bytes(_digest(key)[:8]) >> 1, FILES)
        with self._lock:
            if (file, byte) in self._held:
                return None
            descriptor = self._descriptor(file)
            try:
                self._set(descriptor, self.fcntl.F_WRLCK, byte)
            except OSError as error:
                if error.errno in _IN_USE:
                    return None
                raise
            held = self._held[file, byte] = Held(file, byte)
            return held

    def leave(self, held: Held) -> None:
        """Unlock, unless this is a fork of the process that locked."""
        with self._lock:
            if self._held.get((held.file, held.byte)) is held:
                del self._held[held.file, held.byte]
                if held.file in self._open:
                    self._set(self._open[held.file][0], self.fcntl.F_UNLCK, held.byte)

    def close(self) -> None:
        """Close the files, and with them unlock what is locked."""
        with self._lock:
            _close(self._open)

    @property
    def locks(self) -> tuple[threading.Lock]:
        """The one lock."""
        return (self._lock,)

    def forked(self) -> None:
        """Forget all, in a child: closing its descriptors unlocks nothing as long as the parent has its own."""
        _close(self._open)
        self._held.clear()

    def _set(self, descriptor: int, how: int, byte: int) -> None:
        self.fcntl.fcntl(descriptor, self.fcntl.F_OFD_SETLK, _FLOCK.pack(how, os.SEEK_SET, byte, 1, 0))

    def _descriptor(self, file: int) -> int:
        """That of the file which is there now, made if there is none."""
        if not self._paths:
            self._paths = tuple(f"{os.path.join(self._tier.directory, FOLDER, STAYING)}{n}" for n in range(FILES))
        path = self._paths[file]
        known = self._open.get(file)
        if known is not None:
            with suppress(FileNotFoundError):
                if os.path.samestat(os.stat(path), known[1]):
                    return known[0]
            os.close(self._open.pop(file)[0])
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            _make_folder(self._tier.directory)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._open[file] = descriptor, os.fstat(descriptor)
        return descriptor


class FileLocks:
    """A file for each key, gone when it is unlocked."""

    def __init__(self, tier: Any) -> None:
        self._tier = tier

    def enter(self, key: str) -> Any:
        """The lock; None while another process has it."""
        import filelock  # 80 ms, which a process on Linux never pays

        directory: Path = self._tier.directory
        if not os.path.isdir(os.path.join(directory, FOLDER)):
            _make_folder(directory)
        lock = filelock.FileLock(os.path.join(directory, FOLDER, _digest(key).hex()), thread_local=False)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            return None
        return lock

    def leave(self, held: Any) -> None:
        """Remove the file and unlock it: who then holds it unlinked sees that, and makes another."""
        with suppress(OSError):  # Windows removes no open file; it is used again then
            os.unlink(held.lock_file)
        held.release()

    def close(self) -> None:
        """Nothing: a file is closed when it is unlocked."""


def _digest(key: str) -> bytes:
    return blake2b(key.encode(errors="surrogatepass"), digest_size=16).digest()


def _make_folder(directory: Path) -> None:
    make_private(directory)
    make_private(directory / FOLDER)


def _close(files: dict[int, tuple[int, os.stat_result]]) -> None:
    while files:
        os.close(files.popitem()[1][0])

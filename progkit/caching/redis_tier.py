"""The tier that machines share: Redis, Valkey or whatever speaks as they do, one server or a cluster of them.

It never raises into a call and never holds one up for long: what the server does not answer in time is
a miss, and a ``Breaker`` sees to it that a server in trouble is soon left alone.
"""

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from hashlib import sha1
from itertools import islice
from typing import Any, TypeVar

from progkit.caching import forking
from progkit.caching.breaker import Breaker, log
from progkit.caching.redis_door import Client, Server, answers
from progkit.caching.tiers import Tier
from progkit.errors import CacheError, ConfigurationError

T = TypeVar("T")

BATCH = 500
"""Keys asked for in one go."""

RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"
_RELEASE_SHA = sha1(RELEASE.encode(), usedforsecurity=False).hexdigest()

_inherited: list[Client] = []


class RedisTier(Tier):
    """Keeps entries on a server, under ``prefix:{key}:v``, which a cluster puts together with the key's lease.

    url: ``redis://[[user]:password@]host[:port][/number]``, ``rediss://`` for TLS, ``unix://``; what redis-py reads
    from its query (``?ssl_ca_certs=...``) goes before what is set here. prefix: keeps apart those who share a
    server. ttl: seconds for which the server keeps an entry; None leaves that to its ``maxmemory-policy``.
    timeout: seconds to wait for a connection, and for an answer; one that takes half as long counts
    as slow, see ``Breaker``. cluster: the URL is that of a server of a cluster. read, write: switches.
    clock: seconds.

    Raises:
        ConfigurationError: without redis-py, or for a URL that it cannot read, or for a number not above 0.
    """

    name = "redis"

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        *,
        prefix: str = "progkit",
        ttl: float | None = None,
        timeout: float = 0.1,
        cluster: bool = False,
        read: bool = True,
        write: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not timeout > 0 or not (ttl is None or ttl > 0):
            raise ConfigurationError(f"timeout and ttl are seconds above 0, not {timeout!r} and {ttl!r}")
        self.prefix = prefix
        self.ttl = ttl
        self.read = read
        self.write = write
        self.failures = 0
        self.refused = 0
        self._server = Server(url, timeout, cluster)
        self._breaker = Breaker(f"the cache's server {self._server.public}", timeout / 2, clock)
        self._told: set[str] = set()
        self._connecting = threading.Lock()
        self._client: Client | None = None
        forking.track(self)

    def __repr__(self) -> str:
        return f"RedisTier({self._server.public!r}, prefix={self.prefix!r})"

    def get(self, key: str) -> bytes | None:
        """What is kept under *key*; None also if the server cannot say."""
        name = self._name(key)
        found = self._ask(lambda client: client.get(name), None)
        return found if isinstance(found, bytes) else None

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """What is kept under those of *keys* that are here, asked for by the ``BATCH``."""
        found: dict[str, bytes] = {}
        rest = iter(keys)
        while batch := list(islice(rest, BATCH)):
            values: list[Any] = self._ask(partial(_all, command="get", names=[self._name(key) for key in batch]), [])
            found.update((key, each) for key, each in zip(batch, values, strict=False) if isinstance(each, bytes))
        return found

    def put(self, key: str, value: bytes) -> None:
        """Keep *value*, if the server lets us."""
        name, lifetime = self._name(key), _milliseconds(self.ttl)
        self._ask(lambda client: client.set(name, value, px=lifetime), None)

    def delete(self, key: str) -> bool:
        """Forget *key*; whether it was here.

        Raises:
            CacheError: if the server cannot be asked. So with ``clear`` and ``keys``.
        """
        name = self._name(key)
        return bool(self._demand(lambda client: client.delete(name)))

    def clear(self) -> None:
        """Forget everything under the prefix, for everybody."""
        for names in self._batches():
            self._demand(partial(_all, command="delete", names=names))

    def keys(self) -> Iterator[str]:
        """Every key under the prefix; the server is walked through from end to end."""
        seen: set[bytes] = set()
        start, end = len(self._name("")) - len(b"}:v"), -len(b"}:v")
        for names in self._batches():
            new = dict.fromkeys(name for name in names if name not in seen)
            seen.update(new)
            yield from (name[start:end].decode(errors="replace") for name in new)

    def stats(self) -> dict[str, Any]:
        """``entries`` and ``bytes`` of values under the prefix, found by walking through the server.

        ``failed`` in their place if it cannot be asked. ``breaker``: ``closed``, ``open``, ``half-open``. ``failures``:
        calls without an answer; ``refused``: with a refusal; ``skipped``: not made.
        """
        own = {"failures": self.failures, "refused": self.refused, "skipped": self._breaker.skipped}
        try:
            sizes = [size for names in self._batches() for size in self._sizes(set(names))]
        except CacheError as error:
            return {"failed": str(error), "breaker": self._breaker.state, **own}
        return {"entries": len(sizes), "bytes": sum(sizes), "breaker": self._breaker.state, **own}

    def close(self) -> None:
        """Close every connection; the next use opens one again."""
        with self._connecting:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    # --- one asks, the others wait ------------------------------------------------------------

    def lease(self, key: str, seconds: float) -> str | None:
        """A token for *seconds* of being the one who asks the LM for *key*; None while another is.

        A server that cannot say makes nobody wait: then everyone gets a token.
        """
        name, token = self._name(key, b"l"), secrets.token_hex(16)
        lifetime = _milliseconds(seconds)
        return token if self._ask(lambda client: client.set(name, token, px=lifetime, nx=True), True) else None

    def release(self, key: str, token: str) -> None:
        """Give the lease of *token* back; one that has meanwhile passed to another stays his."""
        name = self._name(key, b"l")

        def give_back(client: Client) -> None:
            try:
                client.evalsha(_RELEASE_SHA, 1, name, token)
            except self._server.unknown_script:
                client.eval(RELEASE, 1, name, token)

        self._ask(give_back, None)

    # --- across a fork ------------------------------------------------------------------------

    @property
    def locks(self) -> tuple[threading.Lock, threading.Lock]:
        """Both locks."""
        return self._connecting, self._breaker.lock

    def forked(self) -> None:
        """Begin anew in a child, keeping the parent's connections from being closed here."""
        if self._client is not None:
            _inherited.append(self._client)
            self._client = None

    # --- asking -------------------------------------------------------------------------------

    def _ask(self, act: Callable[[Client], T], otherwise: T) -> T:
        """What *act* gives, or *otherwise* if the server does not answer, says no, or is left alone."""
        began = self._breaker.begin()
        if began is None:
            return otherwise
        try:
            found = act(self._client or self._connected())
        except self._server.refusal as error:
            self.refused += 1
            self._tell(error)
            found = otherwise
        except Exception as error:  # what can go wrong on the way has no common class, and none of it may reach a call
            self.failures += 1
            self._breaker.failed(began, self._server.told(error))
            return otherwise
        self._breaker.answered(began)
        return found

    def _demand(self, act: Callable[[Client], T]) -> T:
        """What *act* gives, for one who asked by hand and wants to know."""
        began = self._breaker.begin()
        if began is None:
            raise CacheError(f"{self._breaker.name} is left alone for a while: it did not answer")
        try:
            found = act(self._client or self._connected())
        except Exception as error:  # as above; it is told in our own words, which hold no password
            self.failures += 1
            self._breaker.failed(began, self._server.told(error))
            reason = self._server.told(error)
        else:
            # Not `answered`: a walk through a large server takes its time.
            return found
        raise CacheError(f"{self._breaker.name}: {reason}")

    def _connected(self) -> Client:
        with self._connecting:
            if self._client is None:
                self._client = self._server.connect()
            return self._client

    def _tell(self, error: Exception) -> None:
        kind = type(error).__name__
        if kind not in self._told:
            self._told.add(kind)
            log.warning("%s refuses: %s (told once)", self._breaker.name, self._server.told(error))

    # --- many at once -------------------------------------------------------------------------

    def _sizes(self, names: set[bytes]) -> list[int]:
        sizes = self._demand(partial(_all, command="strlen", names=names))
        return [size for size in sizes if isinstance(size, int)]

    def _batches(self) -> Iterator[list[bytes]]:
        """The names of all entries, as they stand on the server."""
        pattern = re.sub(rb"([*?\[\]\\])", rb"\\\1", self._name("")[: -len(b"}:v")]) + b"*}:v"
        names = self._demand(lambda client: client.scan_iter(match=pattern, count=BATCH))
        while batch := self._demand(lambda client: list(islice(names, BATCH))):
            yield batch

    def _name(self, key: str, kind: bytes = b"v") -> bytes:
        return b"%b:{%b}:%b" % (self.prefix.encode(), key.encode(), kind)


def _all(client: Client, command: str, names: Iterable[bytes]) -> list[Any]:
    """What *command* gives for each of *names*; single commands in one go, since a cluster has no other."""
    pipeline = client.pipeline(transaction=False)
    for name in names:
        getattr(pipeline, command)(name)
    return list(answers(pipeline))


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else max(1, round(seconds * 1000))

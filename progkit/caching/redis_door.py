"""The door to redis-py: a client that gives up early, tries nothing twice and shows no password."""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from progkit.errors import ConfigurationError
from progkit.lm.secrecy import blot

SCHEMES = ("redis", "rediss", "unix")
NAMES = ("lib_name", "lib_version")


class Pipeline(Protocol):
    """The part of ``redis.client.Pipeline`` in use here."""

    def get(self, name: bytes) -> Any:
        """Ask for what is kept under *name*."""
        ...

    def strlen(self, name: bytes) -> Any:
        """Ask for the length of what is kept under *name*, in bytes."""
        ...

    def delete(self, name: bytes) -> Any:
        """Ask for *name* to be forgotten."""
        ...

    def execute(self, raise_on_error: bool) -> list[Any]:
        """All the answers, in order; an error in the place of one that was refused."""
        ...


class Client(Protocol):
    """The part of ``redis.Redis`` and ``redis.RedisCluster`` in use here."""

    def get(self, name: bytes) -> Any:
        """What is kept under *name*, or None."""
        ...

    def set(self, name: bytes, value: bytes | str, px: int | None = None, nx: bool = False) -> Any:
        """Keep *value*, for *px* milliseconds; with *nx* only if there is none. Whether it was."""
        ...

    def delete(self, name: bytes) -> Any:
        """Forget *name*; how many there were."""
        ...

    def evalsha(self, sha: str, numkeys: int, *keys_and_args: bytes | str) -> Any:
        """Run a script that the server knows."""
        ...

    def eval(self, script: str, numkeys: int, *keys_and_args: bytes | str) -> Any:
        """Run a script, and let the server know it."""
        ...

    def scan_iter(self, match: bytes, count: int) -> Iterator[bytes]:
        """Every name that fits the pattern, some perhaps twice."""
        ...

    def pipeline(self, transaction: bool) -> Pipeline:
        """Commands to be sent in one go."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


class Server:
    """A server by its URL: how to reach it, how to name it, which of its errors mean what.

    cluster: it is one of a cluster, whose other servers it then names. timeout: seconds to wait for a connection, and
    for each piece of an answer.

    Raises:
        ConfigurationError: without redis-py, or for a URL that it cannot read.
    """

    def __init__(self, url: str, timeout: float, cluster: bool) -> None:
        try:
            import redis  # 100 ms, which a process without such a tier never pays
        except ImportError:
            raise ConfigurationError("RedisTier needs redis-py: pip install 'progkit[redis]'") from None
        self.public = public(url)
        self.refusal: type[Exception] = redis.exceptions.ResponseError
        self.unknown_script: type[Exception] = redis.exceptions.NoScriptError
        self._redis: Any = redis
        self._url = url
        self._cluster = cluster
        self._settings: dict[str, Any] = {
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            "socket_keepalive": True,
            # By default it waits and tries again, three seconds and more for each call.
            "retry": redis.retry.Retry(redis.backoff.NoBackoff(), 0),
            "protocol": 2,
        }
        # No CLIENT SETINFO: two commands for each connection, which an ACL may not allow. Before 7.2 it went by these.
        self._settings |= {"driver_info": None} if hasattr(redis, "DriverInfo") else dict.fromkeys(NAMES)
        parts = self._parts()
        self._secrets = [str(parts[name]) for name in ("username", "password") if parts and name in parts]
        if parts is None or parts.get("decode_responses"):
            # Outside any `except`, or the traceback would show what could not be read.
            raise ConfigurationError(
                f"not a URL of a server: {self.public!r}; it is redis://[[user]:password@]host[:port][/number], "
                "rediss://... for TLS or unix://..., special characters in a password percent-encoded"
            )

    def connect(self) -> Client:
        """A client; a single server is not spoken to before the first command."""
        make = self._redis.RedisCluster if self._cluster else self._redis.Redis
        client: Client = make.from_url(self._url, **self._settings)
        return client

    def told(self, error: Exception) -> str:
        """*error* as it may be logged."""
        return blot(f"{type(error).__name__}: {error}", self._secrets)

    def _parts(self) -> dict[str, Any] | None:
        try:
            parts: dict[str, Any] = self._redis.connection.parse_url(self._url)
            return parts
        except ValueError:
            return None


def public(url: str) -> str:
    """*url* as scheme, host, port and path alone, also if what stands before the last ``@`` is no proper user."""
    scheme, _, rest = url.partition("://")
    if scheme not in SCHEMES:
        return "..."
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0].partition('#')[0]}"


def answers(pipeline: Pipeline) -> Iterable[Any]:
    """What the commands of *pipeline* gave; None for one that was refused."""
    return (None if isinstance(each, Exception) else each for each in pipeline.execute(raise_on_error=False))

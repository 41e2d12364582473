"""Where requests go: the endpoint of an LM, and whether a saved one is allowed."""

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from progkit.errors import ConfigurationError
from progkit.lm.secrecy import is_reference, public_url

NAMES = ("api_base", "base_url")
"""The parameters that name an endpoint."""

_PORTS = {"http": "80", "https": "443"}
_HOST = re.compile(r"([A-Za-z0-9.\-]+|\[[0-9a-fA-F:.]+\])(:[0-9]+)?|[0-9a-fA-F:.]+")
_PORT = re.compile(r":[0-9]+$")
_PLAIN = re.compile(
    r"https?://[A-Za-z0-9.\-]+(:[0-9]+)?(/[^\s\\@]*)?|https?://\[[0-9a-fA-F:.]+\](:[0-9]+)?(/[^\s\\@]*)?"
)


def in_environment(model: str) -> str:
    """The endpoint that the environment sets for *model*'s provider; empty if it sets none.

    litellm's names: ``OPENAI_BASE_URL``, ``OPENAI_API_BASE`` and so for each provider. Providers differ in which
    of the two comes first, so both are told if both are set.
    """
    provider, slash, _ = model.partition("/")
    if not slash:
        provider = "anthropic" if model.startswith("claude") else "openai"
    prefix = provider.upper().replace("-", "_")
    found = (os.environ.get(f"{prefix}_BASE_URL"), os.environ.get(f"{prefix}_API_BASE"))
    return " ".join(each for each in found if each)


def resolved(name: str, value: Any) -> Any:
    """*value*, or what the environment holds if it is ``{"env": "NAME"}``.

    Raises:
        ConfigurationError: if that variable is not set.
    """
    if not is_reference(value):
        return value
    try:
        return os.environ[value["env"]]
    except KeyError:
        message = f"{name} comes from the environment variable {value['env']}, which is not set"
    raise ConfigurationError(message)


def withheld(wire: Mapping[str, Any], allowed: Iterable[str]) -> str:
    """The first endpoint in *wire* not on a host *allowed* (``host`` or ``host:port``), without its password; or empty.

    A model's name counts as one if it holds an address. An address in any but the plain form (one with a user, a
    backslash, a space) is on no host: parsers differ on what it means.
    """
    addresses = [str(wire[name]) for name in NAMES if wire.get(name)]
    if "://" in str(wire.get("model", "")):
        addresses.append("http" + str(wire["model"]).partition("http")[2])
    hosts = {each.lower() for each in allowed}
    return next((public_url(each) for each in addresses if not hosts_of(each) & hosts), "")


def checked_hosts(allowed: Iterable[str]) -> tuple[str, ...]:
    """The hosts *allowed*, each ``host`` or ``host:port``.

    Raises:
        ConfigurationError: for what can be no host, such as an address, or one text instead of a list.
    """
    if isinstance(allowed, str):
        raise ConfigurationError(f"allow_hosts is a list of hosts, [{allowed!r}], not one text")
    hosts = tuple(allowed)
    for each in hosts:
        if not isinstance(each, str) or not _HOST.fullmatch(each):
            shown = public_url(each) if isinstance(each, str) else each  # an address may hold a password
            raise ConfigurationError(f"allow_hosts takes 'host' or 'host:port', no address, and not {shown!r}")
    return hosts


def hosts_of(address: str) -> set[str]:
    """``host`` and ``host:port`` of an address in the plain form; of any other, nothing.

    A host of numbers (IPv6) is told with and without its brackets; without a port of its own, with its scheme's.
    """
    if not _PLAIN.fullmatch(address):
        return set()
    scheme, _, rest = address.lower().partition("://")
    place = rest.partition("/")[0]
    host = _PORT.sub("", place)
    return {host, host.strip("[]"), place if host != place else f"{host}:{_PORTS[scheme]}"}

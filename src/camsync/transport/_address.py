"""Where a device is: scheme, host and port, checked once; and who else can reach it there."""

from __future__ import annotations

import ipaddress
import re
import socket

from collections.abc import Callable
from typing import Any

import attrs

from .._secret import Secret
from ..errors import ConfigurationError, UnreachableError


_HOST = re.compile(r"[0-9A-Za-z._-]+|\[?[0-9A-Fa-f:.]+(%[0-9A-Za-z._-]+)?\]?", re.ASCII)
_PORTS = range(1, 65536)
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
_IP = ipaddress.IPv4Address | ipaddress.IPv6Address


@attrs.frozen
class Address:
    """The root of a device's URLs.

    Attributes:
        host: Name or address; IPv6 without brackets.
    """

    host: str
    port: int
    secure: bool

    @classmethod
    def of(cls, host: str | Secret, port: int | None = None, *, secure: bool = False) -> Address:
        """Check *host* and *port*; the port defaults to 80, or 443 with TLS.

        Raises:
            ConfigurationError: *host* is empty, a URL, or holds something else than a host.
        """
        host = Secret.of(host)  # people paste URLs with passwords here
        if _HOST.fullmatch(host.reveal()) is None or _half_an_address(host.reveal()):
            pasted = "@" in host.reveal()
            shown = "what was given as host" if pasted else repr(host.reveal()[:80])
            msg = f"{shown} is not a host name or an IP address"
            raise ConfigurationError(msg, next_step="give only the host; use port= and https=")
        number = port if port is not None else (443 if secure else 80)
        if number not in _PORTS:
            msg = f"port {number} is not between 1 and 65535"
            raise ConfigurationError(msg)
        return cls(host.reveal().strip("[]"), number, secure)

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return "https" if self.secure else "http"

    @property
    def url(self) -> str:
        """``http://192.168.1.64:80``; never with credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def __str__(self) -> str:
        return self.url


def _half_an_address(host: str) -> bool:
    """Whether *host* looks like an address but is none.

    ``192.168.200`` is a typing slip, and ``192.168.1.64:8000`` has the port in the wrong place.
    """
    if ":" in host:
        return _as_ip(host.strip("[]")) is None
    if re.fullmatch(r"[0-9.]+", host, re.ASCII) is None:
        return False
    parts = host.split(".")
    return len(parts) != 4 or not all(part.isdigit() and int(part) < 256 for part in parts)  # noqa: PLR2004


Lookup = Callable[..., Any]
"""Finds addresses as `socket.getaddrinfo` does."""


def public_addresses(host: str, *, lookup: Lookup | None = None) -> tuple[str, ...]:
    """Return the addresses behind *host* that can be reached from the whole internet.

    Private networks, loopback, link-local addresses and carrier-grade NAT (100.64.0.0/10) are not.

    Args:
        lookup: Resolves a name; None for `socket.getaddrinfo`.

    Raises:
        ConfigurationError: *host* is no host.
        UnreachableError: The name has no address.
    """
    given, host = Secret.of(host), ""  # tracebacks can show arguments
    host = Address.of(given).host
    found = [host] if _as_ip(host) else _resolve(host, lookup or socket.getaddrinfo)
    addresses = [ip for ip in map(_as_ip, found) if ip is not None]
    return tuple(dict.fromkeys(str(ip) for ip in addresses if _is_public(ip)))


def is_public(text: str) -> bool:
    """Whether *text* is an IP address that can be reached from the whole internet."""
    found = _as_ip(text)
    return found is not None and _is_public(found)


def _resolve(host: str, lookup: Lookup) -> list[str]:
    try:
        return [str(found[4][0]) for found in lookup(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        msg = f"the name {host!r} has no address"
        step = "check the spelling and the name server, or use the address"
        raise UnreachableError(msg, next_step=step) from error


def _is_public(address: _IP) -> bool:
    """Look through the ways in which IPv6 addresses stand for IPv4 ones, of private networks too.

    That is 6to4, Teredo, and the translation of networks that have IPv6 only (RFC 6052); with the
    last, the whole internet of old is behind such addresses.
    """
    behind: _IP | None = None
    if isinstance(address, ipaddress.IPv6Address):
        behind = address.sixtofour or (address.teredo[1] if address.teredo else None)
        if address in _TRANSLATED:
            behind = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    address = address if behind is None else behind
    return address.is_global and not address.is_multicast


def _as_ip(text: str) -> _IP | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])  # without a zone id
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if found.version == 6 else found  # noqa: PLR2004

"""Where a device is: scheme, host and port, checked once."""

from __future__ import annotations

import re

import attrs

from ..errors import ConfigurationError


_HOST = re.compile(r"[0-9A-Za-z._-]+|\[?[0-9A-Fa-f:.]+(%[0-9A-Za-z._-]+)?\]?", re.ASCII)
_PORTS = range(1, 65536)


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
    def of(cls, host: str, port: int | None = None, *, secure: bool = False) -> Address:
        """Check *host* and *port*; the port defaults to 80, or 443 with TLS.

        Raises:
            ConfigurationError: *host* is empty, a URL, or holds something else than a host.
        """
        if _HOST.fullmatch(host) is None or _half_an_address(host):
            msg = f"{host[:80]!r} is not a host name or an IP address"
            raise ConfigurationError(msg, next_step="give only the host; use port= and https=")
        number = port if port is not None else (443 if secure else 80)
        if number not in _PORTS:
            msg = f"port {number} is not between 1 and 65535"
            raise ConfigurationError(msg)
        return cls(host.strip("[]"), number, secure)

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
    """Whether *host* is digits and dots but no IPv4 address: ``192.168.200`` is a typing slip."""
    if re.fullmatch(r"[0-9.]+", host, re.ASCII) is None:
        return False
    parts = host.split(".")
    return len(parts) != 4 or not all(part.isdigit() and int(part) < 256 for part in parts)  # noqa: PLR2004

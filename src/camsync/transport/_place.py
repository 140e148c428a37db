"""URLs that a cloud gives: taken apart and checked, their paths kept secret."""

from __future__ import annotations

import ipaddress
import re

from urllib.parse import urljoin, urlsplit

import attrs

from .._secret import Secret
from ..errors import ConfigurationError
from ._address import Address


_PRINTABLE = re.compile(r"[!-~]{1,8192}", re.ASCII)
_CHECK_URL = "it looks like https://openapi-sg.easy4ip.com"


@attrs.frozen
class Place:
    """A URL, taken apart.

    Attributes:
        path: Path and query, which may hold a signature.
    """

    address: Address
    path: Secret


def read_url(url: str | Secret, name: str = "url") -> Place:
    """Take *url* apart, without user name and fragment.

    Raises:
        ConfigurationError: It is no usable URL; its text is not shown.
    """
    url = Secret.of(url)
    place = _split(url) if _PRINTABLE.fullmatch(url.reveal()) else None
    if place is None:
        msg = f"{name} is not a usable http(s) URL"
        raise ConfigurationError(msg, next_step=_CHECK_URL)
    return place


def _split(url: Secret) -> Place | None:
    """Do it in a frame of its own: none of an error that leaves."""
    try:
        parts = urlsplit(url.reveal())
        port, secure = parts.port, parts.scheme == "https"
        if parts.scheme not in {"http", "https"} or "@" in parts.netloc or "\\" in url.reveal():
            return None
        address = Address.of(parts.hostname or "", port, secure=secure)
    except ValueError:  # our ConfigurationError is one
        return None
    query = f"?{parts.query}" if parts.query else ""
    return Place(address, Secret(f"/{parts.path.lstrip('/')}{query}"))


def joined(place: Place, location: Secret) -> str:
    """Return the URL that a redirect's *location* means; empty if it means none."""
    try:
        return urljoin(place.address.url + place.path.reveal(), location.reveal())
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether *host* is this computer, by its name or number: no name server is asked."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"

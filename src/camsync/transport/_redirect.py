"""Redirects: where one points, whether it may be followed, and what to say when not.

Only a target on the same scheme, host and port is followed: anything else would carry the login,
or what it opens, to a place that nobody chose.
"""

from __future__ import annotations

import enum
import ipaddress
import re

from urllib.parse import SplitResult, urljoin, urlsplit

import attrs

from ..errors import UnreachableError
from ._address import Address


MOST_HOPS = 3
STATUSES = frozenset({301, 302, 303, 307, 308})
_PORTS = {"http": 80, "https": 443}
_LONGEST = 2048
_LONGEST_NAME = 120
_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)


class Where(enum.Enum):
    """What a redirect's target is, seen from the device."""

    SAME = "the device itself"
    SECURE = "HTTPS on the same host"
    INSECURE = "plain HTTP on the same host"
    FOREIGN = "another protocol on the same host"
    ELSEWHERE = "another place"
    NOWHERE = "nothing readable"


_CHANGED = {"https": Where.SECURE, "http": Where.INSECURE}


@attrs.frozen(kw_only=True)
class Target:
    """Where a redirect points.

    Attributes:
        place: Scheme and host for people; never a path, a query or a user name.
        path: What to ask for on the device itself, else empty.
    """

    where: Where
    place: str = ""
    path: str = ""


def read_target(address: Address, path: str, location: str) -> Target:
    """Read a ``Location`` header that came as the answer to *path*."""
    if len(location) > _LONGEST or _PRINTABLE.fullmatch(location) is None:
        return Target(where=Where.NOWHERE)
    try:
        parts = urlsplit(urljoin(address.url + path, location))
        host = _host(parts.hostname or "")
        port = _PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
    except ValueError:
        return Target(where=Where.NOWHERE)
    if not host or not port or "\\" in location:
        return Target(where=Where.NOWHERE)
    return _judge(address, parts, host, port)


def _judge(address: Address, parts: SplitResult, host: str, port: int) -> Target:
    shown = f"[{host}]" if ":" in host else host
    place = f"{parts.scheme}://{shown[:_LONGEST_NAME]}:{port}"
    if host != _host(address.host) or "@" in parts.netloc:
        return Target(where=Where.ELSEWHERE, place=place)
    if parts.scheme == address.scheme and port == address.port:
        query = f"?{parts.query}" if parts.query else ""
        # requests would shorten several slashes on the wire, but the login binds what is sent
        return Target(where=Where.SAME, place=place, path=f"/{parts.path.lstrip('/')}{query}")
    if parts.scheme == address.scheme:
        return Target(where=Where.ELSEWHERE, place=place)
    return Target(where=_CHANGED.get(parts.scheme, Where.FOREIGN), place=place)


def _host(text: str) -> str:
    """Return a host in the one spelling that can be compared."""
    try:
        return str(ipaddress.ip_address(text.replace("%25", "%")))
    except ValueError:
        return text.lower().removesuffix(".")


def redirect_error(
    status: int, location: str | None, what: str, address: Address | None = None
) -> UnreachableError:
    """Build the error for a redirect that is not followed.

    Args:
        what: The request, for messages.
        address: The device; without it, less can be said.
    """
    if location is None:
        message, step = f"redirects {what} but does not say where to", "check host and port"
    elif address is None:
        message, step = _guess(location, what)
    else:
        target = read_target(address, "/", location)
        words, step = _WORDS[target.where]
        message = f"redirects {what} to {words.format(place=target.place)}"
    return UnreachableError(
        f"the device {message}", http_status=status, retryable=False, next_step=step
    )


_TO_SECURE = (
    "use https=True (hikvisions://…), and 'camsync trust' to see and pin the recorder's certificate"
)
_WORDS = {
    Where.SAME: (
        (
            f"another path on itself, which camsync follows at most {MOST_HOPS} times, and never with "
            "a request that carries a body"
        ),
        "restart the recorder; if that does not help, report the output of 'camsync doctor'",
    ),
    Where.SECURE: ("{place}, HTTPS on the same host; a login is never carried along", _TO_SECURE),
    Where.INSECURE: (
        (
            "{place}, from HTTPS to plain HTTP: refused, because footage and login could be read on "
            "the way"
        ),
        (
            "switch HTTPS on in the recorder's network settings; use https=False only if you accept "
            "that everything can be read"
        ),
    ),
    Where.FOREIGN: (
        "{place}, which is neither HTTP nor HTTPS: refused",
        "check host and port: this may not be the web interface of a recorder",
    ),
    Where.ELSEWHERE: (
        "{place}, another place: refused, because a login is never carried there",
        "check host and port; if the recorder has moved, use its new address yourself",
    ),
    Where.NOWHERE: (
        "a target that cannot be read: refused, because a login is never carried along",
        "check host and port",
    ),
}


def _guess(location: str, what: str) -> tuple[str, str]:
    """Say what can be said without knowing the device's own address."""
    target = read_target(Address.of("unknown.invalid"), "/", location)
    if target.where is Where.NOWHERE:
        return f"redirects {what} to a target that cannot be read", "check host and port"
    place = "another path" if target.where is Where.SAME else target.place
    step = _TO_SECURE if place.startswith("https:") else "check host and port"
    return f"redirects {what} to {place}, and a login is never carried along", step

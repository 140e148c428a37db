"""Provider URLs: where and as whom to connect. A password that was typed into one stays unseen."""

from __future__ import annotations

import ipaddress

from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

import attrs

from ._secret import Secret
from .errors import ConfigurationError


_WITHHELD = "(not shown)"


def plain_host(host: str) -> str:
    """Return a host in the one spelling that can be compared: lower case, no brackets, no last dot."""
    bare = host.removeprefix("[").removesuffix("]").removesuffix(".").lower()
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return bare


@attrs.frozen(kw_only=True)
class ProviderUrl:
    """Where and as whom to connect: ``hikvision://admin@192.168.1.64:8080``.

    Attributes:
        secure: Whether the scheme asks for TLS (``hikvisions``).
    """

    provider: str
    host: str
    port: int | None = None
    username: str | None = None
    secure: bool = False

    @property
    def place(self) -> str:
        """``host``, or ``host:port`` when the URL has a port."""
        host = f"[{self.host}]" if ":" in self.host and self.port else self.host
        return f"{host}:{self.port}" if self.port else host

    def __str__(self) -> str:
        user = f"{self.username}@" if self.username else ""
        host = f"[{self.host}]" if ":" in self.host and not self.port else self.place
        return f"{self.provider}{'s' if self.secure else ''}://{user}{host}"


@attrs.frozen(kw_only=True)
class _Parts:
    """What stands in a URL, without the password: tracebacks with locals show this."""

    scheme: str
    authority: bool
    host: str | None = None
    port: int | None = None
    username: str | None = None
    password: bool = False
    more: bool = False
    readable: bool = True


def read_url(url: Secret, providers: Sequence[str]) -> ProviderUrl:
    """Read *url*, whose scheme is one of *providers* or the same with an ``s``.

    Raises:
        ConfigurationError: The scheme is unknown, the host missing, or a password is in it.
    """
    parts = _split(url)
    secure = {f"{name}s": name for name in providers}
    provider = secure.get(parts.scheme, parts.scheme)
    if not parts.authority or provider not in providers:
        known = ", ".join(f"{name}://" for name in (*providers, *secure))
        # The text before the colon cannot hold a password, what comes after it can.
        kind = f"{parts.scheme[:40]!r} is not a known kind of address"
        msg = kind if parts.authority else "no scheme in the URL"
        step = f"begin with one of {known}, as in {providers[0]}://front-shop"
        raise ConfigurationError(msg, next_step=step)
    if not parts.readable:
        msg = "host or port of the URL cannot be read"
        raise ConfigurationError(msg, next_step=f"write {provider}://USER@HOST:PORT")
    if parts.password:
        msg = "a password in a URL ends up in histories, logs and process lists"
        step = f"write {provider}://USER@HOST and give the password separately"
        raise ConfigurationError(msg, next_step=step)
    if not parts.host or parts.more:
        msg = "the URL must hold a host, and nothing behind it"
        raise ConfigurationError(msg, next_step=f"write {provider}://USER@HOST:PORT")
    return ProviderUrl(
        provider=provider,
        host=parts.host,
        port=parts.port,
        username=parts.username,
        secure=parts.scheme in secure,
    )


def _split(url: Secret) -> _Parts:
    """Take *url* apart without raising: a traceback that shows locals must not show it."""
    scheme, found, _ = url.reveal().partition("://")
    if not found:
        return _Parts(scheme=_WITHHELD, authority=False)
    try:
        parts = urlsplit(url.reveal())
        host, port = parts.hostname, parts.port
        if "[" in parts.netloc:  # Python looks into the brackets from 3.11 on
            ipaddress.IPv6Address(host or "")
    except ValueError:  # its text repeats what stands in the place of the port
        return _Parts(scheme=scheme.lower(), authority=True, readable=False)
    secret = parts.password is not None
    if parts.path.strip("/") or parts.query or parts.fragment:
        # A password with a "/", "?" or "#" in it ends here, and begins in the host's place.
        return _Parts(scheme=scheme.lower(), authority=True, password=secret, more=True)
    return _Parts(
        scheme=scheme.lower(),
        authority=True,
        host=plain_host(host or ""),
        port=port,
        username=unquote(parts.username) if parts.username and not secret else None,
        password=secret,
    )

"""From a name or a URL to a provider, without importing any before it is needed."""

from __future__ import annotations

import importlib

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol, cast
from urllib.parse import unquote, urlsplit

import attrs

from ._secret import Secret
from .errors import ConfigurationError
from .provider import Provider


_TABLE = {"hikvision": "camsync.providers.hikvision:HikvisionISAPI"}
_SECURE = {"hikvisions": "hikvision"}


class _Factory(Protocol):
    def __call__(
        self, host: str, username: str, password: str | Secret, /, **options: Any
    ) -> Provider: ...


def available() -> Mapping[str, str]:
    """Return the known providers: name to ``module:class``. Imports nothing."""
    return MappingProxyType(_TABLE)


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

    def __str__(self) -> str:
        user = f"{self.username}@" if self.username else ""
        port = f":{self.port}" if self.port else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.provider}{'s' if self.secure else ''}://{user}{host}{port}"


def parse_url(url: str) -> ProviderUrl:
    """Read a provider URL.

    Raises:
        ConfigurationError: The scheme is unknown, the host missing, or a password is in it.
    """
    scheme, found, _ = url.partition("://")
    scheme = scheme.lower()
    provider = _SECURE.get(scheme, scheme)
    if not found or provider not in _TABLE:
        known = ", ".join(f"{name}://" for name in (*_TABLE, *_SECURE))
        # The text before the colon cannot hold a password, what comes after it can.
        msg = f"{scheme[:40]!r} is not a known kind of address" if found else "no scheme in the URL"
        raise ConfigurationError(msg, next_step=f"begin with one of {known}")
    try:
        parts = urlsplit(url)
        host, port, password = parts.hostname, parts.port, parts.password
    except ValueError:
        msg = "host or port of the URL cannot be read"
        # Not `from error`: its text repeats what stands in the place of the port.
        raise ConfigurationError(msg, next_step=f"write {provider}://USER@HOST:PORT") from None
    if password is not None:
        msg = "a password in a URL ends up in histories, logs and process lists"
        raise ConfigurationError(
            msg, next_step=f"write {provider}://USER@HOST and give the password separately"
        )
    if not host or parts.path.strip("/") or parts.query or parts.fragment:
        msg = "the URL must hold a host, and nothing behind it"
        raise ConfigurationError(msg, next_step=f"write {provider}://USER@HOST:PORT")
    return ProviderUrl(
        provider=provider,
        host=host,
        port=port,
        username=unquote(parts.username) if parts.username else None,
        secure=scheme in _SECURE,
    )


def connect(url: str, *, password: str | Secret | None = None, **options: Any) -> Provider:
    """Make the provider for *url*. Nothing is sent before its first method call.

    Args:
        url: ``hikvision://admin@192.168.1.64``; ``hikvisions://`` for TLS.
        password: The password of the user in the URL.
        options: Passed on to the provider's class.

    Raises:
        ConfigurationError: The URL is unusable, or user or password are missing.
    """
    place = parse_url(url)
    if place.username is None:
        msg = "the URL names no user"
        raise ConfigurationError(msg, next_step=f"write {place.provider}://USER@HOST")
    if password is None:
        msg = f"no password was given for {place}"
        raise ConfigurationError(msg, next_step="pass password=…")
    module, _, attribute = _TABLE[place.provider].partition(":")
    factory = cast("_Factory", getattr(importlib.import_module(module), attribute))
    options.setdefault("port", place.port)
    if place.secure:
        options["https"] = True
    return factory(place.host, place.username, password, **options)

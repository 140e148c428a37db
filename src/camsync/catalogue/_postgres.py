"""A catalogue on a PostgreSQL server. The only importer of psycopg."""

from __future__ import annotations

import contextlib

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import psycopg.conninfo
import sqlalchemy as sa

from .._secret import Secret
from ..errors import CatalogueServerError, ConfigurationError
from ._codec import shown


_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
_SECRETS = ("password", "sslpassword")
_PATIENCE = 10
"""Seconds for making a connection, unless the URL says otherwise."""
_STEP = "use postgresql://USER:PASSWORD@HOST:PORT/DATABASE; write special characters as %40"


class PostgresPlace:
    """A database on a server, reached by a URL that may hold a password.

    Raises:
        ConfigurationError: The URL cannot be used. Nothing of it is shown.
    """

    shared = True
    file: Path | None = None

    def remember(self) -> None:
        """Do nothing: a name on a server leads to one database."""

    def check(self) -> None:
        """Do nothing: see `remember`."""

    def __init__(self, url: Secret) -> None:
        self._url = _checked(url)
        self._shown = _description(self._url)

    def __str__(self) -> str:
        return self._shown

    def engine(self) -> sa.Engine:
        """Return a new engine, which never sees the URL: SQLAlchemy keeps arguments in frames."""
        return sa.create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            pool_size=5,
            max_overflow=10,
            pool_pre_ping=True,
            hide_parameters=True,
        )

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Do nothing: whoever changes the schema takes a lock on the server."""
        yield

    def _connect(self) -> Any:
        # psycopg's own error keeps frames that show the password: it must not be in the chain.
        failure = ""
        try:
            return psycopg.connect(self._url.reveal())
        except psycopg.Error as error:
            words = _masked(" ".join(str(error).split()), self._url)
            failure = shown(words, 300) or type(error).__name__
        msg = f"the catalogue {self} cannot be reached: {failure}"
        raise CatalogueServerError(msg, retryable=True)


def _checked(url: Secret) -> Secret:
    """Return the URL in the form that libpq reads, with a limit for the time to connect."""
    scheme = url.reveal().partition("://")[0]
    if scheme not in _SCHEMES:
        del scheme  # it may be the first half of a password
        msg = "the URL of a catalogue must begin with postgresql://"
        raise ConfigurationError(msg, next_step=f"{_STEP}; for SQLite give the path of the file")
    url = Secret("postgresql://" + url.reveal().partition("://")[2])
    if not _is_plain(url):
        msg = "the URL of the catalogue cannot be read: it has '@' or '/' in unusual places"
        raise ConfigurationError(msg, next_step=_STEP)
    if not _has(url, "connect_timeout"):
        mark = "&" if "?" in url.reveal() else "?"
        url = Secret(f"{url.reveal()}{mark}connect_timeout={_PATIENCE}")
    return url


def _is_plain(url: Secret) -> bool:
    """Whether user and password end where they seem to: else a message could quote their rest."""
    rest = Secret(url.reveal().partition("://")[2])
    place = Secret(rest.reveal().partition("?")[0])
    before, _, after = (Secret(part) for part in place.reveal().partition("/"))
    odd = "@" in after.reveal() or before.reveal().count("@") > 1 or "#" in place.reveal()
    stray = "@" not in before.reveal() and "@" in rest.reveal()
    port = Secret(before.reveal().rpartition("@")[2].rpartition(":")[2])
    bracketed = "]" in port.reveal() or ":" not in before.reveal().rpartition("@")[2]
    return not (odd or stray) and (bracketed or port.reveal().isdecimal())


def _has(url: Secret, name: str) -> bool:
    return _parts(url).get(name) is not None


def _parts(url: Secret) -> dict[str, Any]:
    """Return what is known about the connection, without what is secret.

    Raises:
        ConfigurationError: libpq cannot read the URL.
    """
    try:
        found = psycopg.conninfo.conninfo_to_dict(url.reveal())
        return {name: value for name, value in found.items() if name not in _SECRETS}
    except psycopg.Error:
        pass  # its message and its frames quote the URL
    msg = "the URL of the catalogue cannot be read"
    raise ConfigurationError(msg, next_step=_STEP)


def _description(url: Secret) -> str:
    parts = _parts(url)
    user = f"{parts['user']}@" if parts.get("user") else ""
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"postgresql://{user}{parts.get('host', '')}{port}/{parts.get('dbname', '')}"


def _masked(text: str, url: Secret) -> str:
    """Take the password out of *text*, should the server or libpq ever quote it."""
    for each in _SECRETS:
        text = _without(text, _secret_part(url, each))
    return text


def _secret_part(url: Secret, name: str) -> Secret:
    return Secret(str(psycopg.conninfo.conninfo_to_dict(url.reveal()).get(name) or ""))


def _without(text: str, secret: Secret) -> str:
    return text.replace(secret.reveal(), "***") if secret else text

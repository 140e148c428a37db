"""The argument URL with the options that say how to connect."""

from __future__ import annotations

import contextlib
import functools

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import attrs
import click

from .. import registry
from .._zone import parse_timezone
from ..errors import ConfigurationError
from ..provider import Provider
from ._options import Finite
from ._output import Output
from ._password import find_password


Result = TypeVar("Result")
_CONNECT_TIMEOUT = 10.0
_LONGEST_TIMEOUT = 86_400.0
_FINGERPRINT = "sha256:"


@attrs.frozen(kw_only=True)
class Target:
    """What the user said about the recorder and the way to it."""

    url: str
    password_file: str | None
    keyring: bool
    verify: str | None
    insecure_basic: bool
    timezone: str | None
    time_mode: str | None
    timeout: float | None

    def options(self) -> dict[str, Any]:
        """Return the provider's options that were given; the others keep their defaults.

        Raises:
            ConfigurationError: The time zone is none.
        """
        given: dict[str, Any] = {}
        if self.verify is not None:
            pinned = self.verify.startswith(_FINGERPRINT)
            given["verify"] = self.verify if pinned else Path(self.verify)
        if self.insecure_basic:
            given["allow_basic"] = True
        if self.timezone is not None:
            given["timezone"] = parse_timezone(self.timezone)
        if self.time_mode is not None:
            given["time_mode"] = self.time_mode
        if self.timeout is not None:
            given["timeout"] = (min(self.timeout, _CONNECT_TIMEOUT), self.timeout)
        return given


_PARAMETERS = (
    click.argument("url"),
    click.option(
        "--password-file",
        metavar="FILE",
        help="Read the password from FILE, or from stdin for '-'.",
    ),
    click.option("--keyring", is_flag=True, help="Take the password from the system's keyring."),
    click.option(
        "--verify",
        metavar="CA|sha256:HEX",
        help="Trust this CA file, or the certificate with this fingerprint.",
    ),
    click.option(
        "--insecure-basic",
        is_flag=True,
        help="Allow Basic login over plain HTTP: it shows the password to the network.",
    ),
    click.option(
        "--timezone",
        metavar="ZONE",
        help="The recorder's time zone (Asia/Shanghai, +08:00), when it declares a wrong one.",
    ),
    click.option(
        "--time-mode",
        type=click.Choice(["auto", "local", "utc"]),
        help="What 'Z' means in the recorder's times.  [default: auto]",
    ),
    click.option(
        "--timeout",
        type=Finite(min=0, min_open=True, max=_LONGEST_TIMEOUT),
        metavar="SECONDS",
        help="How long to wait for an answer.  [default: 60]",
    ),
)


def connection_options(function: Callable[..., Result]) -> Callable[..., Result]:
    """Add the argument URL and the connection's options; the command gets them as ``target``."""

    @functools.wraps(function)
    def command(*arguments: Any, **options: Any) -> Result:
        names = [field.name for field in attrs.fields(Target)]
        target = Target(**{name: options.pop(name) for name in names})
        return function(*arguments, target=target, **options)

    decorated: Callable[..., Result] = command
    for parameter in reversed(_PARAMETERS):
        decorated = parameter(decorated)
    return decorated


@contextlib.contextmanager
def connected(output: Output, target: Target) -> Iterator[Provider]:
    """Find the password and connect; all else is checked before anybody is asked for it.

    Raises:
        ConfigurationError: The URL or an option is unusable, or there is no password.
    """
    url = registry.parse_url(target.url)
    if url.username is None:
        msg = "the URL names no user"
        raise ConfigurationError(msg, next_step=f"write {url.provider}://USER@{url.host}")
    options = target.options()
    place = url.host if url.port is None else f"{url.host}:{url.port}"
    password = find_password(
        output, place, url.username, file=target.password_file, keyring=target.keyring
    )
    provider = registry.connect(target.url, password=password, **options)
    with contextlib.closing(provider):
        yield provider

"""The argument URL with the options that say how to connect."""

from __future__ import annotations

import contextlib
import functools
import logging

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs
import click

from .. import registry
from .._secret import Secret
from .._zone import parse_timezone
from ..errors import CamsyncError, ConfigurationError
from ..profiles import Profile, Profiles
from ..provider import Provider
from ._link import Link
from ._options import LIMITS, Finite, secret_text, store_option
from ._output import Output
from ._password import Sources, find_credential
from ._place import find_place
from ._vendors import check_options, check_place


Result = TypeVar("Result")
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
_log = logging.getLogger("camsync.cli")
_CONNECT_TIMEOUT = 10.0
_LONGEST_TIMEOUT = 86_400.0
_FINGERPRINT = "sha256:"


def _hidden(url: str | Secret) -> Secret:
    return Secret.of(url)


@attrs.frozen(kw_only=True)
class Target:
    """What the user said about the recorder, or the account, and the way to it.

    Attributes:
        url: A URL or the name of a profile; a `Secret`, because people type passwords into URLs.
    """

    url: Secret = attrs.field(converter=_hidden)
    password_file: str | None
    store: str | None
    verify: str | None
    old_tls: bool
    insecure_no_verify: bool
    insecure_basic: bool
    timezone: str | None
    time_mode: str | None
    timeout: float | None
    max_calls: int | None = None
    max_bytes: int | None = None

    def options(self) -> dict[str, Any]:
        """Return the provider's options that were given; the others keep their defaults.

        Raises:
            ConfigurationError: The time zone is none, or two options contradict each other.
        """
        given: dict[str, Any] = {}
        if self.verify is not None:
            pinned = self.verify.lower().startswith(_FINGERPRINT)
            given["verify"] = self.verify if pinned else Path(self.verify)
        if self.insecure_no_verify:
            given["verify"] = self._unverified()
        if self.old_tls:
            given["old_tls"] = True
        if self.insecure_basic:
            given["allow_basic"] = True
        if self.timezone is not None:
            given["timezone"] = parse_timezone(self.timezone)
        if self.time_mode is not None:
            given["time_mode"] = self.time_mode
        if self.timeout is not None:
            given["timeout"] = (self.patience, self.timeout)
        limits = {"max_calls": self.max_calls, "max_bytes": self.max_bytes}
        given |= {name: limit for name, limit in limits.items() if limit is not None}
        return given

    @property
    def patience(self) -> float:
        """Seconds to wait for a connection."""
        return _CONNECT_TIMEOUT if self.timeout is None else min(self.timeout, _CONNECT_TIMEOUT)

    @property
    def sources(self) -> Sources:
        """Where the user said that the password is."""
        return Sources(file=self.password_file, store=self.store)

    def _unverified(self) -> bool:
        if self.verify is not None:
            msg = "--verify and --insecure-no-verify contradict each other"
            raise ConfigurationError(msg, next_step="leave --insecure-no-verify out")
        return False


_URL = click.argument("url", metavar="URL|NAME", callback=secret_text)
_MAYBE_URL = click.argument(
    "url", metavar="[URL|NAME]", default="", required=False, callback=secret_text
)
_PARAMETERS = (
    click.option(
        "--password-file",
        metavar="FILE",
        help="Read the password (or app secret) from FILE, or from stdin for '-'.",
    ),
    store_option,
    click.option(
        "--verify",
        metavar="CA|sha256:HEX",
        help="Trust this CA file, or (recorders only) the certificate with this fingerprint.",
    ),
    click.option(
        "--old-tls",
        is_flag=True,
        help="Allow TLS 1.0 and weak ciphers, for old ones (recorders only).",
    ),
    click.option(
        "--insecure-no-verify",
        is_flag=True,
        help="Accept any certificate, an attacker's too; 'camsync trust' is the better way.",
    ),
    click.option(
        "--insecure-basic",
        is_flag=True,
        help="Allow Basic login over plain HTTP: the network sees the password (recorders only).",
    ),
    click.option(
        "--timezone",
        metavar="ZONE",
        help="The device's time zone (Asia/Shanghai, +08:00), when it declares none or a wrong one.",
    ),
    click.option(
        "--time-mode",
        type=click.Choice(["auto", "local", "utc"]),
        help="What 'Z' means in the device's times (recorders only).  [default: auto]",
    ),
    click.option(
        "--timeout",
        type=Finite(min=0, min_open=True, max=_LONGEST_TIMEOUT),
        metavar="SECONDS",
        help="How long to wait for an answer.  [default: 60]",
    ),
    *LIMITS,
)


def connection_options(function: Callable[..., Result]) -> Callable[..., Result]:
    """Add the argument URL and the connection's options; the command gets them as ``target``."""
    return _targeted(function, (_URL, *_PARAMETERS))


def login_options(function: Callable[..., Result]) -> Callable[..., Result]:
    """Add the same; but without a URL the command gets an empty one."""
    return _targeted(function, (_MAYBE_URL, *_PARAMETERS))


def _targeted(
    function: Callable[..., Result], parameters: Sequence[Decorator]
) -> Callable[..., Result]:
    @functools.wraps(function)
    def command(*arguments: Any, **options: Any) -> Result:
        names = [field.name for field in attrs.fields(Target)]
        target = Target(**{name: options.pop(name) for name in names})
        return function(*arguments, target=target, **options)

    decorated: Callable[..., Result] = command
    for parameter in reversed(parameters):
        decorated = parameter(decorated)
    return decorated


def as_user(place: registry.Target, username: str) -> registry.Target:
    """Return the same place, with who logs in there."""
    return attrs.evolve(place, url=attrs.evolve(place.url, username=username))


@contextlib.contextmanager
def connected(output: Output, target: Target, **more: Any) -> Iterator[Link]:
    """Find the password and connect; all else is checked before anybody is asked for it.

    Args:
        more: Options of the provider that the command brings.

    Raises:
        ConfigurationError: The URL or an option is unusable, or there is no password.
        CredentialError: The store cannot be read.
    """
    place = find_place(target.url)
    options = {**target.options(), **more}
    check_options(place.url.provider, options)
    check_place(place)
    credential = find_credential(output, place, target.sources)
    # Not by the URL again: a profile that is deleted meanwhile would leave its name as a host's.
    named = as_user(place, credential.username)
    provider = registry.connect_to(named, password=credential.secret, **options)
    with contextlib.closing(provider):
        try:
            yield Link(provider=provider, place=place, username=credential.username)
        finally:
            keep_learnt(place.profile, provider)


def keep_learnt(profile: Profile | None, provider: Provider) -> Profile | None:
    """Keep what was found out in its profile: the next command need not ask, and pay, again.

    Returns:
        The profile as it is stored now, as far as is known.
    """
    learnt = dict(getattr(provider, "learnt", {}))
    if profile is None or not learnt or learnt == dict(profile.learnt):
        return profile
    fresh = attrs.evolve(profile, learnt=learnt)
    try:
        Profiles().replace(profile, fresh)
    except CamsyncError as error:  # it is asked again next time; the command itself is done
        _log.info("what was learnt about %s was not kept: %s", profile.name, error.message)
        return profile
    return fresh

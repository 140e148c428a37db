"""Profiles: where a device is and how to speak to it, under a name. No secret is ever in one."""

from __future__ import annotations

import json
import os
import re

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from ._places import absolute, config_folder
from ._private import TO_READ, locked, read_private, replace_private
from ._url import plain_host
from .errors import ConfigurationError, DamagedStoreError, ProfileNotFoundError


_FILE = "profiles.json"
_PIN = "sha256:"
_PORTS = range(1, 65536)
_MARK = "camsync_profiles"
_VERSION = 1
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?", re.ASCII)


def _check_name(_: object, __: Any, value: Any) -> None:
    if not isinstance(value, str) or _NAME.fullmatch(value) is None:
        msg = f"{str(value)[:80]!r} cannot be the name of a profile"
        raise ConfigurationError(
            msg, next_step="use up to 63 lower case letters, digits, '-', '.' and '_': front-shop"
        )


def _check_port(_: object, __: Any, value: Any) -> None:
    if value is not None and (type(value) is not int or value not in _PORTS):
        msg = f"the port of a profile must be a number from 1 to 65535, not {value!r}"
        raise ConfigurationError(msg)


def _check_verify(_: object, __: Any, value: Any) -> None:
    if value is None or (isinstance(value, str) and value.startswith(_PIN)):
        return
    if not isinstance(value, str) or not Path(value).is_absolute():
        msg = "verify in a profile must be 'sha256:…' or the whole path of a CA file"
        step = "begin the path at the root: whoever owns the current folder could choose the CA"
        raise ConfigurationError(msg, next_step=step)


def _plain(host: object) -> Any:
    return plain_host(host) if isinstance(host, str) else host


def _check_host(_: object, __: Any, value: Any) -> None:
    if not isinstance(value, str) or not value or any(char in value for char in "@/ \n"):
        msg = "the host of a profile must be a name or an address, and nothing else"
        raise ConfigurationError(msg, next_step="leave out scheme, user and password")


def _check_limit(_: object, attribute: Any, value: Any) -> None:
    if value is not None and (type(value) is not int or value < 0):
        msg = f"{attribute.name} of a profile must be a whole number from 0, not {value!r}"
        raise ConfigurationError(msg)


def _check_learnt(_: object, __: Any, value: Any) -> None:
    if not isinstance(value, Mapping):
        msg = f"what was learnt must be a mapping, not {type(value).__name__}"
        raise ConfigurationError(msg)


_TEXT = attrs.validators.instance_of(str)
_MAYBE_TEXT = attrs.validators.optional(_TEXT)
_FLAG = attrs.validators.instance_of(bool)


@attrs.frozen(kw_only=True)
class Profile:
    """How to reach one device. It may be shown, logged and copied: it holds no secret.

    Attributes:
        name: What stands in the URL: ``hikvision://front-shop``.
        provider: Such as ``"hikvision"``.
        host: Name or address.
        port: None for the usual one.
        username: As whom to log in, as far as is known: the store has it, too.
        https: Whether to use TLS.
        verify: ``"sha256:…"`` (the pinned certificate), a CA file's path, or None for public roots.
        old_tls: Whether TLS 1.0 and weak ciphers are accepted.
        allow_basic: Whether Basic login is accepted without TLS.
        timezone: The device's zone in words, or None to ask it.
        time_mode: ``"auto"``, ``"local"`` or ``"utc"``.
        device: Serial number of the device that answered at the last login, or None.
        max_calls: Calls a month after which nothing more is sent to a cloud account, or None.
        max_bytes: Media bytes a month after which nothing more is fetched from one, or None.
        learnt: What the provider found out about the device and need not find out again, such as
            the search dialect. JSON values; only the provider knows what they mean.
    """

    name: str = attrs.field(validator=_check_name)
    provider: str = attrs.field(validator=_TEXT)
    host: str = attrs.field(converter=_plain, validator=_check_host)
    port: int | None = attrs.field(default=None, validator=_check_port)
    username: str | None = attrs.field(default=None, validator=_MAYBE_TEXT)
    https: bool = attrs.field(default=False, validator=_FLAG)
    verify: str | None = attrs.field(default=None, validator=_check_verify)
    old_tls: bool = attrs.field(default=False, validator=_FLAG)
    allow_basic: bool = attrs.field(default=False, validator=_FLAG)
    timezone: str | None = attrs.field(default=None, validator=_MAYBE_TEXT)
    time_mode: str = attrs.field(default="auto", validator=_TEXT)
    device: str | None = attrs.field(default=None, validator=_MAYBE_TEXT)
    max_calls: int | None = attrs.field(default=None, validator=_check_limit)
    max_bytes: int | None = attrs.field(default=None, validator=_check_limit)
    learnt: Mapping[str, Any] = attrs.field(factory=dict, validator=_check_learnt)

    def __attrs_post_init__(self) -> None:
        # A name with a dot could be the name of a host: without the profile the password would go
        # there. Those of addresses (192.168.1.64, and VPACK's 192.168.1.64_80) are that host.
        own = self.name == self.host or self.name.startswith((f"{self.host}-", f"{self.host}_"))
        if "." in self.name and not own:
            msg = f"{self.name!r} looks like another host than {self.host!r}"
            raise ConfigurationError(msg, next_step="use a name without dots, such as front-shop")

    @property
    def at(self) -> tuple[str, int]:
        """Host and port, with the usual port where none is given."""
        return self.host, self.port or (443 if self.https else 80)

    def options(self) -> dict[str, Any]:
        """Return what differs from the defaults, as arguments of the provider's class."""
        given: dict[str, Any] = {}
        if self.port is not None:
            given["port"] = self.port
        for flag in ("https", "old_tls", "allow_basic"):
            if getattr(self, flag):
                given[flag] = True
        for name in ("verify", "timezone", "max_calls", "max_bytes"):
            if getattr(self, name) is not None:
                given[name] = getattr(self, name)
        if self.time_mode != "auto":
            given["time_mode"] = self.time_mode
        if self.learnt:
            given["learnt"] = dict(self.learnt)
        return given


class Profiles:
    """The profiles of a user, in one file. Thread-safe; several processes may share the file.

    Args:
        path: The file; by default ``profiles.json`` in the user's configuration folder, or in
            ``$CAMSYNC_HOME``. It need not exist. It is written with mode 0600.

    Raises:
        DamagedStoreError: (from every method) The file is not what camsync wrote.
        ExposedStoreError: (from every method) Others can change the file, and with it the host that a
            name stands for.
        StoreUnavailableError: (from every method) It cannot be read or written.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = config_folder() / _FILE if path is None else absolute(path)

    def get(self, name: str) -> Profile:
        """Return the profile called *name*.

        Raises:
            ProfileNotFoundError: There is none.
        """
        for profile in self._read():
            if profile.name == name:
                return profile
        raise self._not_found(name)

    def all(self) -> Sequence[Profile]:
        """Return all profiles, sorted by name."""
        return tuple(sorted(self._read(), key=lambda profile: profile.name))

    def set(self, profile: Profile) -> None:
        """Store *profile*, in the place of one with the same name."""
        with locked(self.path):
            others = [one for one in self._read() if one.name != profile.name]
            self._write([*others, profile])

    def replace(self, old: Profile | None, new: Profile) -> None:
        """Store *new* if what is stored under its name is still *old*: None for nothing.

        Raises:
            ConfigurationError: It was changed meanwhile; nothing was stored.
        """
        with locked(self.path):
            profiles = {one.name: one for one in self._read()}
            if profiles.get(new.name) != old:
                msg = f"the profile {new.name!r} was changed by somebody else meanwhile"
                raise ConfigurationError(msg, next_step="look at it again: camsync profiles")
            self._write([*{**profiles, new.name: new}.values()])

    def delete(self, name: str) -> None:
        """Forget the profile called *name*.

        Raises:
            ProfileNotFoundError: There is none.
        """
        with locked(self.path):
            before = self._read()
            after = [profile for profile in before if profile.name != name]
            if len(after) == len(before):
                raise self._not_found(name)
            self._write(after)

    def find(self, provider: str, host: str, port: int | None = None) -> Sequence[Profile]:
        """Return the profile of that name, else those with that host and port; or none.

        Several may have one address: then only a name says which of them is meant.
        """
        own = [profile for profile in self._read() if profile.provider == provider]
        named = [profile for profile in own if profile.name == host and port is None]
        usual = (443, 80) if port is None else (port,)
        places = [(plain_host(host), number) for number in usual]
        return tuple(named or (profile for profile in own if profile.at in places))

    def __iter__(self) -> Iterator[Profile]:
        """Yield all profiles, sorted by name."""
        return iter(self.all())

    def __contains__(self, name: object) -> bool:
        """Whether there is a profile called *name*."""
        return any(profile.name == name for profile in self._read())

    def __repr__(self) -> str:
        return f"Profiles({str(self.path)!r})"

    def _not_found(self, name: str) -> ProfileNotFoundError:
        return ProfileNotFoundError(f"there is no profile {name[:80]!r} in {self.path}")

    def _read(self) -> list[Profile]:
        content = read_private(self.path, others=TO_READ)
        return [] if content is None else _parse(content, self.path)

    def _write(self, profiles: Sequence[Profile]) -> None:
        entries = [attrs.asdict(profile) for profile in sorted(profiles, key=lambda one: one.name)]
        document = {_MARK: _VERSION, "profiles": entries}
        replace_private(self.path, json.dumps(document, indent=1, default=dict).encode() + b"\n")


def _parse(content: bytes, path: Path) -> list[Profile]:
    try:
        document = json.loads(content)
        version = document[_MARK]
        if version == _VERSION:
            return [Profile(**entry) for entry in document["profiles"]]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        msg = f"{path} does not hold profiles ({type(error).__name__})"
        raise DamagedStoreError(msg) from error
    msg = f"{path} was written by another version of camsync (format {str(version)[:20]})"
    raise DamagedStoreError(msg, next_step="use the newer camsync, or move the file away")

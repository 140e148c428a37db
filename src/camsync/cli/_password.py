"""User name and password of a run: a file, the environment, a store, or a prompt. Never argv."""

from __future__ import annotations

import os
import shlex
import stat
import sys

from pathlib import Path
from typing import BinaryIO

import attrs

from .. import registry
from .._secret import Secret
from ..credentials import Credential
from ..errors import (
    ConfigurationError,
    CredentialError,
    CredentialNotFoundError,
    ProfileNotFoundError,
)
from ._output import Output
from ._place import names_text
from ._prompt import ask_line, ask_secret
from ._stores import open_chain
from ._vendors import vendor_of


VARIABLE = "CAMSYNC_PASSWORD"
STDIN = "-"
_LONGEST = 4096
_WAYS = f"use --password-file FILE, the variable {VARIABLE}, or store it once: camsync login"
_FOR_OTHERS = stat.S_IRGRP | stat.S_IROTH


@attrs.frozen(kw_only=True)
class Sources:
    """Where the user said that the password is.

    Attributes:
        file: For ``--password-file``, or None.
        store: For ``--store``, or None.
    """

    file: str | None
    store: str | None


def find_credential(output: Output, place: registry.Target, sources: Sources) -> Credential:
    """Return user and password of *place* from the first source that has them.

    ``CAMSYNC_PASSWORD`` counts only where the URL names the user: it belongs to one recorder, and
    tried on another one it would be a failed login. A password file is named for this one run, so
    its user may come from the store.

    Raises:
        ConfigurationError: A source was named but is unusable, or there is none and nobody to ask.
        CredentialError: The store cannot be read.
    """
    username = place.url.username
    password = given_password(output, sources.file, username)
    if password is not None:
        return Credential(username=find_user(place, sources), secret=password)
    found = _stored(place, sources.store)
    return found if isinstance(found, Credential) else _asked(output, place, found)


def given_password(output: Output, file: str | None, username: str | None) -> Secret | None:
    """Return the password that a file gives, or the environment for a named user, or None.

    Raises:
        ConfigurationError: The file is unusable.
    """
    if file is not None:
        return password_from_file(output, file)
    named = username is not None and os.environ.get(VARIABLE)
    return Secret(os.environ[VARIABLE]) if named else None


def _stored(place: registry.Target, where: str | None) -> Credential | CredentialError:
    """Return what the store holds for *place* and its user, or why there is nothing."""
    try:
        found = open_chain(where).get(place.url.provider, place.stored_under())
    except (CredentialNotFoundError, ProfileNotFoundError) as error:
        return error
    if place.url.username in {None, found.username}:
        return found
    msg = f"what is stored for {place.account} belongs to another user"
    return CredentialNotFoundError(msg)


def _stored_user(place: registry.Target, sources: Sources) -> str:
    found = _stored(place, sources.store)
    if isinstance(found, Credential):
        return found.username
    return ask_user(place.url.provider, place.url.place, otherwise=_no_user(place))


def find_user(place: registry.Target, sources: Sources) -> str:
    """Return the user of *place*: from the URL, a store, or a prompt.

    Raises:
        ConfigurationError: Nobody says it.
        CredentialError: The store cannot be read.
    """
    return place.url.username or _stored_user(place, sources)


def ask_user(provider: str, where: str, *, otherwise: ConfigurationError) -> str:
    """Ask as whom to log in.

    Raises:
        ConfigurationError: *otherwise*, when there is no terminal.
    """
    return ask_line(f"{vendor_of(provider).user} on {where}", otherwise=otherwise)


def ask_password(provider: str, where: str, username: str, why: str = "") -> Secret:
    """Ask for the password without showing it.

    Raises:
        ConfigurationError: There is no terminal; it says *why* nothing else has the password.
    """
    word = vendor_of(provider).secret
    reason = f" ({why})" if why else ""
    msg = f"no {word.lower()} for {username} on {where}{reason}, and no terminal to ask for it"
    nobody = ConfigurationError(msg, next_step=_WAYS)
    return ask_secret(f"{word} of {username} on {where}", otherwise=nobody)


def with_user(place: registry.Target) -> str:
    """Return how the URL looks that names the user: ``hikvision://USER@HOST``."""
    user = vendor_of(place.url.provider).example.partition("://")[2].partition("@")[0]
    return f"{place.url.provider}://{user}@{place.url.place}"


def _no_user(place: registry.Target, why: str = "") -> ConfigurationError:
    reason = f": {why}" if why else ""
    vendor = vendor_of(place.url.provider)
    msg = (
        f"neither the URL nor a store names the {vendor.user.lower().removesuffix(' name')}{reason}"
    )
    step = f"write {with_user(place)}, or store it: camsync login"
    if place.profile is None:
        step = f"{step}; {names_text()}"
    return ConfigurationError(msg, next_step=step)


def _asked(output: Output, place: registry.Target, miss: CredentialError) -> Credential:
    provider, where = place.url.provider, place.url.place
    nobody = _no_user(place, miss.message)
    username = place.url.username or ask_user(provider, where, otherwise=nobody)
    password = ask_password(provider, where, username, miss.message)
    output.note("not stored: 'camsync login' stores it, and nothing asks for it again")
    return Credential(username=username, secret=password)


def password_from_file(output: Output, name: str) -> Secret:
    """Return what the file holds, but for one line end; ``-`` is standard input.

    Raises:
        ConfigurationError: It cannot be read, is empty, too long, or no text.
    """
    found = _first_line(sys.stdin.buffer) if name == STDIN else _read(output, Path(name))
    if isinstance(found, Secret):
        return found
    what, step = found
    msg = f"the password file {name} {what}"
    raise ConfigurationError(msg, next_step=step)


def _first_line(stream: BinaryIO) -> Secret | tuple[str, str]:
    """Return the password, or what is wrong and what to do.

    Nothing is raised here once the file was read: a traceback with locals would show it.
    """
    raw = stream.read(_LONGEST + 1)
    if len(raw) > _LONGEST:
        return f"is longer than {_LONGEST} bytes", "put the password into it, and nothing else"
    try:
        password = Secret(raw.decode().removesuffix("\n").removesuffix("\r"))
    except UnicodeDecodeError:
        return "is not UTF-8 text", "save it as UTF-8"
    return password or ("is empty", "put the password into its first line")


def _read(output: Output, path: Path) -> Secret | tuple[str, str]:
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            found = _first_line(stream)
    except OSError as error:
        msg = f"the password file {path} cannot be read: {error.strerror}"
        raise ConfigurationError(msg, next_step="check its name and its permissions") from error
    # Windows shows no permissions of others here; a pipe such as /dev/fd/63 has no readers.
    if os.name == "posix" and stat.S_ISREG(mode) and mode & _FOR_OTHERS:
        quoted = shlex.quote(str(path))
        output.warning(f"others can read the password file {path}; run: chmod 600 {quoted}")
    return found

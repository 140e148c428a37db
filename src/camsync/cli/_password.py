"""Where the password comes from: a file, the environment, the keyring, or a prompt. Never argv."""

from __future__ import annotations

import os
import shlex
import stat
import sys

from pathlib import Path

import click

from .._secret import Secret
from ..errors import ConfigurationError
from ._output import Output


VARIABLE = "CAMSYNC_PASSWORD"
STDIN = "-"
_LONGEST = 4096
_WAYS = f"use --password-file FILE, the variable {VARIABLE}, or --keyring"
_FOR_OTHERS = stat.S_IRGRP | stat.S_IROTH


def find_password(
    output: Output, target: str, username: str, *, file: str | None, keyring: bool
) -> Secret:
    """Return the password of *username* on *target* from the first source that is there.

    Raises:
        ConfigurationError: A source was named but is unusable, or there is none and nobody to ask.
    """
    if file is not None:
        return _from_file(output, file)
    if os.environ.get(VARIABLE):
        return Secret(os.environ[VARIABLE])
    if keyring:
        from ..credentials.keyring import password_for

        return password_for(target, username)
    return _ask(target, username)


def _from_file(output: Output, name: str) -> Secret:
    raw = _stdin() if name == STDIN else _read(output, Path(name))
    if len(raw) > _LONGEST:
        msg = f"the password file {name} is longer than {_LONGEST} bytes"
        raise ConfigurationError(msg, next_step="put the password into it, and nothing else")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        # Not "from error": the exception holds the bytes of the password.
        msg = f"the password file {name} is not UTF-8 text"
        raise ConfigurationError(msg, next_step="save it as UTF-8") from None
    password = text.removesuffix("\n").removesuffix("\r")
    if not password:
        msg = f"the password file {name} is empty"
        raise ConfigurationError(msg, next_step="put the password into its first line")
    return Secret(password)


def _stdin() -> bytes:
    return sys.stdin.buffer.read(_LONGEST + 1)


def _read(output: Output, path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            raw = stream.read(_LONGEST + 1)
    except OSError as error:
        msg = f"the password file {path} cannot be read: {error.strerror}"
        raise ConfigurationError(msg, next_step="check its name and its permissions") from error
    # Windows shows no permissions of others here; a pipe such as /dev/fd/63 has no readers.
    if os.name == "posix" and stat.S_ISREG(mode) and mode & _FOR_OTHERS:
        quoted = shlex.quote(str(path))
        output.warning(f"others can read the password file {path}; run: chmod 600 {quoted}")
    return raw


def _ask(target: str, username: str) -> Secret:
    if not sys.stdin.isatty():
        msg = f"no password for {username} on {target}, and no terminal to ask for it"
        raise ConfigurationError(msg, next_step=_WAYS)
    return Secret(click.prompt(f"Password of {username} on {target}", hide_input=True, err=True))

"""`EnvStore`: credentials from environment variables, as containers and services give them."""

from __future__ import annotations

import os
import re
import sys

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import attrs

from .._secret import Secret
from ..errors import ConfigurationError, CredentialNotFoundError, ReadOnlyStoreError
from . import Credential, CredentialName, given_credential, select
from ._given import read_secret


_PREFIX = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)
_PLAIN = re.compile(r"[a-z0-9]", re.ASCII)
_OWNER = "__OWNER__"
_PARTS = 2  # account and owner
_TOKEN = re.compile(
    r"__(?P<code>[0-9A-F]{1,6})__|(?P<owner>__OWNER__)|(?P<plain>[A-Z0-9])|(?P<hyphen>_)", re.ASCII
)
_NAME = re.compile(r"(?P<provider>[A-Z](?:[A-Z0-9]|__5F__)*)_(?P<account>.+)", re.ASCII)


class EnvStore:
    """Reads credentials from environment variables. It cannot be written.

    The credential of ``hikvision://front-shop`` is in ``CAMSYNC_HIKVISION_FRONT_SHOP_USERNAME``
    and ``CAMSYNC_HIKVISION_FRONT_SHOP_SECRET``; or in a file that ``…_SECRET_FILE`` names, as
    Docker's secrets are. One line end at the end of the file is not part of the secret.

    In a variable's name, letters are upper case and a hyphen between letters or digits is ``_``.
    Every other character is its code point in hex between double underscores: that of
    ``192.168.1.64`` is ``192__2E__168__2E__1__2E__64``. ``__OWNER__`` and the owner follow where
    there is one. Messages name the variable in full.

    Args:
        prefix: What the names begin with.
        environ: Instead of the process's environment, which is read at every call.

    Raises:
        ConfigurationError:
            *prefix* cannot begin a variable's name; (from `get`) both ``…_SECRET`` and
            ``…_SECRET_FILE`` are set, or what they hold cannot be a credential.
    """

    def __init__(
        self, prefix: str = "CAMSYNC", *, environ: Mapping[str, str] | None = None
    ) -> None:
        self._environ = None if environ is None else _Given(environ)
        self.prefix = prefix
        if _PREFIX.fullmatch(prefix) is None:
            msg = f"{prefix[:40]!r} cannot begin the name of a variable: use letters like CAMSYNC"
            raise ConfigurationError(msg)

    def get(self, provider: str, account: str, *, owner: str | None = None) -> Credential:
        """Return what the variables hold. See `CredentialStore.get`.

        Raises:
            CredentialNotFoundError: A variable is missing or empty; the message names it.
            ExposedStoreError: Others can read the file; allowed below ``/run/secrets`` and
                ``$CREDENTIALS_DIRECTORY``, where Docker and systemd decide.
        """
        name = CredentialName(provider, account, owner)
        names = self._variables(name)
        username = self._value(names.username)
        given = self._has(names.secret) or self._has(names.file)
        if username is None or not given:
            raise _missing(name, names, username=username is not None, secret=given)
        secret = self._secret(names)
        try:
            return Credential(username=username.reveal(), secret=secret)
        except ConfigurationError as error:
            msg = f"{names.username} and {names.secret} hold no credential: {error.message}"
            raise ConfigurationError(msg) from error

    def set(
        self, provider: str, account: str, credential: Credential, *, owner: str | None = None
    ) -> NoReturn:
        """Refuse. See `CredentialStore.set`.

        Raises:
            ReadOnlyStoreError: Always; it names the variables to set.
        """
        credential = given_credential(credential)
        names = self._variables(CredentialName(provider, account, owner))
        msg = "environment variables cannot be stored"
        step = f"set {names.username} and {names.secret} (or {names.file}) where the program starts"
        raise ReadOnlyStoreError(msg, next_step=step)

    def delete(self, provider: str, account: str, *, owner: str | None = None) -> NoReturn:
        """Refuse. See `CredentialStore.delete`.

        Raises:
            CredentialNotFoundError: There is nothing to delete.
            ReadOnlyStoreError: There is; it names the variables to unset.
        """
        name = CredentialName(provider, account, owner)
        names = self._variables(name)
        present = [one for one in attrs.astuple(names) if self._has(one)]
        if not self._complete(names):
            raise _missing(
                name,
                names,
                username=self._has(names.username),
                secret=self._has(names.secret) or self._has(names.file),
            )
        msg = f"the credential for {name} is in environment variables"
        step = f"unset {' and '.join(present)} where the program starts"
        raise ReadOnlyStoreError(msg, next_step=step)

    def names(
        self, provider: str | None = None, *, owner: str | None = None
    ) -> Sequence[CredentialName]:
        """List whose variables are complete. See `CredentialStore.names`."""
        begin, end = f"{self.prefix}_", "_USERNAME"
        middles = [
            variable[len(begin) : -len(end)]
            for variable in self._all()
            if variable.startswith(begin) and variable.endswith(end)
        ]
        found = [name for name in map(_decode, middles) if name is not None]
        return select(
            (one for one in found if self._complete(self._variables(one))), provider, owner
        )

    def __repr__(self) -> str:
        return f"EnvStore({self.prefix!r})"

    def _variables(self, name: CredentialName) -> _Variables:
        begin = f"{self.prefix}_{_encode(name)}"
        return _Variables(f"{begin}_USERNAME", f"{begin}_SECRET", f"{begin}_SECRET_FILE")

    def _complete(self, names: _Variables) -> bool:
        return self._has(names.username) and (self._has(names.secret) or self._has(names.file))

    def _secret(self, names: _Variables) -> Secret:
        secret, file = self._value(names.secret), self._value(names.file)
        if secret is not None and file is not None:
            msg = f"both {names.secret} and {names.file} are set"
            raise ConfigurationError(msg, next_step="unset one of them")
        if secret is not None:
            return secret
        path = Path("" if file is None else file.reveal())
        found = read_secret(path, "the secret")
        if not found:
            what = "does not exist" if found is None else "is empty"
            msg = f"{names.file} names {path}, which {what}"
            raise CredentialNotFoundError(msg, next_step="put the secret into that file")
        return found

    # The environment itself is never bound to a name: a frame that shows it shows every secret.

    def _value(self, variable: str) -> Secret | None:
        if self._environ is not None:
            return self._environ.value(variable)
        return Secret(os.environ[variable]) if os.environ.get(variable) else None

    def _has(self, variable: str) -> bool:
        return self._value(variable) is not None

    def _all(self) -> list[str]:
        return list(os.environ) if self._environ is None else self._environ.all()


@attrs.frozen
class _Variables:
    username: str
    secret: str
    file: str


class _Given:
    """An environment that was given; shows nothing, and cannot be pickled."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def value(self, variable: str) -> Secret | None:
        return Secret(self._values[variable]) if self._values.get(variable) else None

    def all(self) -> list[str]:
        return list(self._values)

    def __repr__(self) -> str:
        return "<given>"

    def __reduce__(self) -> NoReturn:
        msg = "an EnvStore that was given its environment cannot be pickled"
        raise TypeError(msg)


def _missing(
    name: CredentialName, names: _Variables, *, username: bool, secret: bool
) -> CredentialNotFoundError:
    if username:
        what = f"{names.username} is set, but neither {names.secret} nor {names.file}"
    elif secret:
        what = f"the secret is set, but not {names.username}"
    else:
        what = f"{names.username} and {names.secret} are not set"
    return CredentialNotFoundError(
        f"the environment holds no credential for {name}: {what}",
        next_step=f"set {names.username} and {names.secret} (or {names.file})",
    )


def _encode(name: CredentialName) -> str:
    provider = name.provider.upper().replace("_", "__5F__")
    owner = "" if name.owner is None else f"{_OWNER}{_encode_part(name.owner)}"
    return f"{provider}_{_encode_part(name.account)}{owner}"


def _encode_part(part: str) -> str:
    padded = f" {part} "
    around = zip(padded, part, padded[2:], strict=False)
    return "".join(_encode_char(before, char, after) for before, char, after in around)


def _encode_char(before: str, char: str, after: str) -> str:
    if _PLAIN.match(char):
        return char.upper()
    if char == "-" and _PLAIN.match(before) and _PLAIN.match(after):
        return "_"
    return f"__{ord(char):X}__"


def _decode(text: str) -> CredentialName | None:
    """Return whose variables have *text* in their middle; None when they are not a store's."""
    match = _NAME.fullmatch(text)
    if match is None:
        return None
    parts = "".join(map(_decode_token, _TOKEN.finditer(match["account"]))).split("\0")
    if len(parts) > _PARTS:
        return None
    provider = match["provider"].replace("__5F__", "_").lower()
    try:
        name = CredentialName(provider, parts[0], parts[1] if parts[1:] else None)
    except ConfigurationError:
        return None
    # There is one way to write a name: what reads the same but is written otherwise is not one.
    return name if _encode(name) == text else None


def _decode_token(match: re.Match[str]) -> str:
    """Return the character; a NUL, which no name has, for the mark of the owner."""
    if match["code"]:
        code = int(match["code"], 16)
        return chr(code) if code <= sys.maxunicode else "\0"
    if match["owner"]:
        return "\0"
    return match["plain"].lower() if match["plain"] else "-"

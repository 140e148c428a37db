"""`VpackTokenStore`: the files in which VPACK keeps its tokens, to read, write and move away from.

What is VPACK's: a folder with one JSON file for each account, named ``hikvision_{nvr_id}.json``
where ``nvr_id`` is ``host_port``, or ``imou_…`` and ``google_drive_…`` with the first 16 hex digits
of the SHA-256 of the user's e-mail address. The members are ``encrypted_data``, ``nvr_id`` or
``user_email``, ``created_at``, ``provider`` and (in some) ``encryption_version``: ``"1.0"``.
``encrypted_data`` is base64 of a Fernet token (itself base64) of JSON; a recorder's has ``host``,
``port``, ``username``, ``password``, ``use_https`` and ``device_info``.

What is our choice, for VPACK has nothing for it: the member ``owner`` (in a recorder's file VPACK's
``user_email`` is taken for it, too); a file name with ``~`` and a digest where the account's own
name could leave the folder, is too long for a file system, has capital letters, or has an owner;
``app_id`` and ``app_secret`` as the credential of an Imou account; UTC in ``created_at``; and that
every trouble is an error. VPACK itself finds only files that have VPACK's names.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from .._places import absolute
from .._private import locked, read_private, replace_private, unavailable
from .._secret import Secret
from ..errors import ConfigurationError, CredentialNotFoundError, DamagedStoreError
from . import Credential, CredentialName, given_credential, select
from ._bytes import KeySource, checked, hidden
from ._fernet import Box, Payload


_LOCK = "vpack-tokens"
_VERSION = "1.0"
_PLAIN = re.compile(r"[a-z0-9._-]{1,120}", re.ASCII)
_FILE = re.compile(r"[a-z][a-z0-9_]*_[^/\\\0]+\.json", re.ASCII)
_HOST_AND_PORT = re.compile(r"(?P<host>.+)_(?P<port>[0-9]{1,5})", re.ASCII)
_DIGITS = 16
_HASH = re.compile(r"[0-9a-f]{16}", re.ASCII)
_SEALED = "encrypted_data"
_INSIDE = "credentials"


@attrs.frozen
class _Kind:
    account: str  # the member that names the account
    owners: tuple[str, ...]
    username: str
    secret: str


_KINDS = {
    "hikvision": _Kind("nvr_id", ("owner", "user_email"), "username", "password"),
    "imou": _Kind("user_email", ("owner",), "app_id", "app_secret"),
}


@attrs.frozen
class _File:
    path: Path
    outside: Mapping[str, Any]

    def name(self) -> CredentialName | None:
        """Return whose file it is, or None for a provider that keeps no credentials."""
        kind = _KINDS.get(str(self.outside.get("provider")))
        if kind is None:
            return None
        owners = [self.outside[each] for each in kind.owners if self.outside.get(each)]
        owner = owners[0] if owners else None
        try:
            name = CredentialName(self.outside["provider"], self.outside[kind.account], owner)
        except (LookupError, ValueError) as error:
            msg = f"{self.path} does not say whose credential it holds"
            raise DamagedStoreError(msg) from error
        usual = _file_name(_of_nobody(name), plain=True)
        if self.path.name not in {usual, _file_name(name, plain=False)} and _says_whose(
            self.path.name
        ):
            msg = f"{self.path} holds the credential of another account than its name says"
            raise DamagedStoreError(msg, next_step=f"call it {usual}")
        return name


class VpackTokenStore:
    """Reads and writes VPACK's token files. A `CredentialStore` for ``hikvision`` and ``imou``.

    A recorder's account is VPACK's ``nvr_id``, such as ``192.168.1.64_80``; that of Imou is the
    e-mail address. OAuth tokens are no credentials: see `read`.

    To leave VPACK's format: ``migrate(VpackTokenStore(folder, key), camsync.open_store())``.

    Args:
        folder: VPACK's ``tokens`` folder. A relative path is seen from the working folder of now.
        key: VPACK's key: text, `Secret`, or a callable such as `KeyFromFile`. Asked when needed.
        previous: Older keys, which can still read. What is written uses *key*.

    Raises:
        ConfigurationError: A key is none; the message does not show it.
        MissingKeyError: (from every method) There are files, but no key.
        WrongKeyError: (from every method) No key fits.
        DamagedStoreError: (from every method) A file is not what VPACK or camsync writes, or holds
            what was encrypted for another recorder.
        ExposedStoreError: (from every method) Others can read a file, or it belongs to another user.
        StoreUnavailableError: (from every method) A file cannot be read or written.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        key: KeySource,
        *,
        previous: Sequence[KeySource] = (),
    ) -> None:
        sources = tuple(map(hidden, (key, *previous)))
        key, previous = "", ()  # no frame of an error shows them
        self.folder = Path(folder)  # for the repr, should the next line raise
        self.folder = absolute(folder)
        self._box = Box([checked(each, "the key") for each in sources])

    def get(self, provider: str, account: str, *, owner: str | None = None) -> Credential:
        """Return what is stored. See `CredentialStore.get`."""
        name = CredentialName(provider, account, owner)
        if provider not in _KINDS:
            msg = f"VPACK keeps no credentials of {provider!r}: tokens of OAuth are none"
            raise CredentialNotFoundError(msg, next_step="read them with VpackTokenStore.read()")
        file = self._find(name)
        if file is None:
            msg = f"no credential for {name} is in {self.folder}"
            raise CredentialNotFoundError(msg)
        found = self._credential(file, _KINDS[provider])
        if found is None:
            msg = f"{file.path} holds tokens of OAuth, which are no credential"
            raise CredentialNotFoundError(msg, next_step="read them with VpackTokenStore.read()")
        return found

    def set(
        self, provider: str, account: str, credential: Credential, *, owner: str | None = None
    ) -> None:
        """Store *credential*; what else is in its file stays. See `CredentialStore.set`.

        Raises:
            ConfigurationError: VPACK keeps no credentials of that provider.
        """
        credential = given_credential(credential)
        name = CredentialName(provider, account, owner)
        kind = _KINDS.get(provider)
        if kind is None:
            msg = f"VPACK keeps no credentials of {provider!r}, only of {', '.join(_KINDS)}"
            raise ConfigurationError(msg)
        with self._locked():
            file = self._find(name)
            inside = _new_inside(name) if file is None else self._inside(file)
            changed = {kind.username: credential.username, kind.secret: credential.secret}
            inside = Payload({**inside.members, **changed})
            outside = _new_outside(name, kind) if file is None else file.outside
            path = self._path(name) if file is None else file.path
            self._write(path, outside, inside)

    def delete(self, provider: str, account: str, *, owner: str | None = None) -> None:
        """Delete the account's file. See `CredentialStore.delete`."""
        name = CredentialName(provider, account, owner)
        with self._locked():
            file = self._find(name)
            if file is None:
                msg = f"no credential for {name} is in {self.folder}"
                raise CredentialNotFoundError(msg)
            try:
                file.path.unlink()
            except OSError as error:
                raise unavailable(file.path, "deleted", error) from error

    def names(
        self, provider: str | None = None, *, owner: str | None = None
    ) -> Sequence[CredentialName]:
        """List the accounts with a credential. See `CredentialStore.names`.

        One file that cannot be read is an error, which names it: a list without its account would
        look complete, and a migration would leave it behind.
        """
        found = [(file, file.name()) for file in self._files(provider)]
        named = {
            name
            for file, name in found
            if name is not None and self._credential(file, _KINDS[name.provider]) is not None
        }
        return select(named, provider, owner)

    def files(self) -> Sequence[str]:
        """List the names of the token files, sorted: for `read`."""
        return tuple(file.path.name for file in self._files())

    def read(self, file: str) -> Mapping[str, Any]:
        """Return a whole document, OAuth tokens included.

        Args:
            file: Its name in the folder.

        Returns:
            VPACK's members, and under ``"credentials"`` what was encrypted. Passwords, tokens and
            keys in it are `Secret`.

        Raises:
            ConfigurationError: *file* is no such name.
            CredentialNotFoundError: There is no such file.
        """
        path = self._checked(file)
        found = _read(path)
        if found is None:
            msg = f"there is no file {path}"
            raise CredentialNotFoundError(msg)
        outside = {key: value for key, value in found.outside.items() if key != _SEALED}
        return {**outside, _INSIDE: self._inside(found).members}

    def write(self, file: str, document: Mapping[str, Any]) -> None:
        """Write a whole document, as `read` gives it, with mode 0600, in the place of an old one.

        Raises:
            ConfigurationError: *file* is no such name, or the document cannot be written.
        """
        # No frame of an error shows what is to be encrypted, wrapped or not.
        inside = Payload(document.get(_INSIDE, {}))
        complete = _INSIDE in document and bool(document.get("provider"))
        document = {key: value for key, value in document.items() if key != _INSIDE}
        path = self._checked(file)
        if not complete or not isinstance(inside.members, Mapping):
            msg = f"the document needs the members 'provider' and {_INSIDE!r}"
            raise ConfigurationError(msg)
        with self._locked():
            self._write(path, document, inside)

    def rotate(self) -> Sequence[str]:
        """Encrypt every file with the first key, and return their names."""
        with self._locked():
            files = self._files()
            opened = [(file, self._inside(file)) for file in files]  # all of them can be read
            for file, inside in opened:
                self._write(file.path, file.outside, inside)
        return tuple(file.path.name for file in files)

    def __repr__(self) -> str:
        return f"VpackTokenStore({str(self.folder)!r}, key=***)"

    def _locked(self) -> Any:
        return locked(self.folder / _LOCK)

    def _inside(self, file: _File) -> Payload:
        inside = self._box.open(file.outside[_SEALED], str(file.path))
        if not _belongs(inside, file.outside):
            msg = f"{file.path} holds what was encrypted for another recorder than it says"
            step = "somebody has exchanged files: delete it, log in again and change the password"
            raise DamagedStoreError(msg, next_step=step)
        return inside

    def _credential(self, file: _File, kind: _Kind) -> Credential | None:
        inside = self._inside(file)
        if kind.secret not in inside.members or kind.username not in inside.members:
            return None
        username, secret = inside.members[kind.username], inside.members[kind.secret]
        if not isinstance(username, str) or not isinstance(secret, Secret):
            msg = f"{file.path} holds no text for {kind.username} or {kind.secret}"
            raise DamagedStoreError(msg)
        return Credential(username=username, secret=secret)

    def _write(self, path: Path, outside: Mapping[str, Any], inside: Payload) -> None:
        now = dt.datetime.now(dt.timezone.utc).isoformat()
        document = {
            _SEALED: self._box.seal(inside),
            **{key: value for key, value in outside.items() if key != _SEALED},
        }
        document.setdefault("created_at", now)
        document.setdefault("encryption_version", _VERSION)
        replace_private(path, json.dumps(document, indent=2).encode("utf-8"))

    def _find(self, name: CredentialName) -> _File | None:
        """Return the account's file: by its usual name, or any that says that it is."""
        usual = [
            self.folder / _file_name(_of_nobody(name), plain=True),
            self.folder / _file_name(name, plain=False),
        ]
        for path in usual:
            file = _read(path)
            if file is not None and file.name() == name:
                return file
        for path in self._paths(name.provider):
            file = None if path in usual or _says_whose(path.name) else _read(path)
            if file is not None and file.name() == name:
                return file
        return None

    def _path(self, name: CredentialName) -> Path:
        """Return where a new file goes; VPACK's own name may be taken where case is ignored."""
        path = self.folder / _file_name(name, plain=True)
        return self.folder / _file_name(name, plain=False) if path.exists() else path

    def _files(self, provider: str | None = None) -> list[_File]:
        read = map(_read, self._paths(provider))
        return [file for file in read if file is not None]

    def _paths(self, provider: str | None = None) -> Iterator[Path]:
        try:
            names = sorted(path.name for path in self.folder.iterdir())
        except FileNotFoundError:
            return
        except OSError as error:
            raise unavailable(self.folder, "read", error) from error
        begin = "" if provider is None else f"{provider}_"
        for each in names:
            if each.startswith(begin) and _FILE.fullmatch(each):
                yield self.folder / each

    def _checked(self, file: str) -> Path:
        if not _FILE.fullmatch(file):
            msg = f"{file[:80]!r} is not the name of a file such as hikvision_192.168.1.64_80.json"
            raise ConfigurationError(msg)
        return self.folder / file


def _read(path: Path) -> _File | None:
    content = read_private(path)
    if content is None:
        return None
    try:
        outside = json.loads(content)
    except (ValueError, RecursionError):
        outside = None
    if not isinstance(outside, dict) or not isinstance(outside.get(_SEALED), str):
        msg = f"{path} is not a token file of VPACK"
        raise DamagedStoreError(msg)
    return _File(path, outside)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:_DIGITS]


def _file_name(name: CredentialName, *, plain: bool) -> str:
    """Return VPACK's name (*plain*) for a file where it is safe, else one of our own."""
    if name.owner is None and plain:
        if name.provider != "hikvision":
            return f"{name.provider}_{_digest(name.account)}.json"
        if _PLAIN.fullmatch(name.account):
            return f"{name.provider}_{name.account}.json"
    slug = re.sub(r"[^a-z0-9.]+", "-", name.account.lower())[:40]
    return f"{name.provider}_{slug}~{_digest(json.dumps([name.account, name.owner]))}.json"


def _says_whose(file: str) -> bool:
    """Whether the name alone says whose file it is, so that there is no need to look inside."""
    provider, _, rest = file.removesuffix(".json").partition("_")
    pattern = _PLAIN if provider == "hikvision" else _HASH
    return "~" in rest or pattern.fullmatch(rest) is not None


def _new_outside(name: CredentialName, kind: _Kind) -> dict[str, Any]:
    owner = {} if name.owner is None else {"owner": name.owner}
    return {kind.account: name.account, "provider": name.provider, **owner}


def _new_inside(name: CredentialName) -> Payload:
    match = _HOST_AND_PORT.fullmatch(name.account)
    if name.provider != "hikvision" or match is None:
        return Payload({})
    return Payload({"host": match["host"], "port": int(match["port"])})


def _belongs(inside: Payload, outside: Mapping[str, Any]) -> bool:
    """Whether a recorder's host and port inside are those of its account outside.

    What is outside is not protected: without this, whoever can write to the folder chooses for
    which recorder a password is taken. An Imou account has nothing inside to compare.
    """
    host, port = inside.members.get("host"), inside.members.get("port")
    if outside.get("provider") != "hikvision" or host is None:
        return True
    account, host = str(outside.get("nvr_id")).lower(), str(host).lower()
    match = _HOST_AND_PORT.fullmatch(account)
    if match is None or account == host:  # a name of another kind says nothing about the host
        return True
    return match["host"] == host and (port is None or str(port) == str(int(match["port"])))


def _of_nobody(name: CredentialName) -> CredentialName:
    return CredentialName(name.provider, name.account)

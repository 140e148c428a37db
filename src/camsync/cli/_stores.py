"""The stores of credentials that a command may use, one by one: what is where, in words."""

from __future__ import annotations

import functools
import os

from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from .. import registry
from .._places import config_folder
from .._secret import Secret
from ..credentials import Credential, CredentialName, CredentialStore
from ..errors import (
    CredentialNotFoundError,
    MissingKeyError,
    ReadOnlyStoreError,
)
from ._prompt import ask_new_secret, ask_secret, on_terminal


Ask = Callable[[], "str | Secret"]
AUTOMATIC = "auto"
ENV = "env"
KEYRING = "keyring"
FILE = "file"
_KEYS = (registry.KEY_VARIABLE, registry.KEY_FILE_VARIABLE, registry.PASSPHRASE_VARIABLE)


def no_key() -> MissingKeyError:
    """Build the error for an encrypted file without key and without anybody to ask."""
    msg = "the file of credentials needs a key or a passphrase, and there is no terminal to ask"
    return MissingKeyError(msg, next_step=f"set {', '.join(_KEYS[:-1])} or {_KEYS[-1]}")


def chosen_store(where: str | None) -> str:
    """Return what ``--store`` says, else the variable, else ``auto``."""
    return where or os.environ.get(registry.STORE_VARIABLE) or AUTOMATIC


def file_path(where: str | None) -> Path:
    """Return the path of the encrypted file that *where* means."""
    kind, _, path = chosen_store(where).partition(":")
    if kind == FILE and path:
        return Path(path).expanduser()
    return config_folder() / registry.STORE_FILE


def has_key() -> bool:
    """Whether a variable gives the file's key or passphrase."""
    return any(os.environ.get(name) for name in _KEYS)


def asker(where: str | None) -> Ask | None:
    """Return what asks for the file's passphrase; None without a terminal."""
    return functools.partial(_passphrase, file_path(where)) if on_terminal() else None


def _passphrase(path: Path) -> Secret:
    if path.exists():
        return ask_secret(f"Passphrase of {path}", otherwise=no_key())
    return ask_new_secret(f"New passphrase for {path}", otherwise=no_key())


def open_chain(where: str | None) -> CredentialStore:
    """Open what *where* means, for reading; it asks for a passphrase when it needs one."""
    return registry.open_store(where, ask=asker(where))


@attrs.frozen(kw_only=True)
class Part:
    """One store.

    Attributes:
        kind: ``env``, ``keyring`` or ``file``.
        path: Of the file.
    """

    kind: str
    store: CredentialStore
    path: Path | None = None

    @property
    def words(self) -> str:
        """Where it is, for people."""
        if self.kind == ENV:
            return "the environment of this process"
        if self.kind == KEYRING:
            return "the keyring of this system"
        return f"the encrypted file {self.path}"

    @property
    def locked(self) -> bool:
        """Whether the file is there, but nothing but a question would give its key."""
        return self.path is not None and self.path.exists() and not has_key()

    def names(self) -> Sequence[CredentialName]:
        """List what it holds; a file that does not exist holds nothing.

        Raises:
            CredentialError: It cannot be read.
        """
        if self.path is not None and not self.path.exists():
            return ()
        return self.store.names()

    def holds(self, name: CredentialName) -> bool:
        """Whether it holds that credential.

        Raises:
            CredentialError: It cannot be read.
        """
        return name in self.names()

    def previous(self, name: CredentialName) -> Credential | None:
        """Return what it holds under that name, or None.

        Raises:
            CredentialError: It cannot be read.
        """
        if self.path is not None and not self.path.exists():
            return None
        try:
            return self.store.get(name.provider, name.account, owner=name.owner)
        except CredentialNotFoundError:
            return None


def parts_of(where: str | None, ask: Ask | None = None, *, absent: bool = False) -> list[Part]:
    """Return the stores that *where* means, in the order in which they are asked.

    Args:
        ask: For the passphrase of an encrypted file; see `asker`.
        absent: Whether to return the keyring also where this computer has none.

    Raises:
        ConfigurationError: *where* names no store.
    """
    chosen = chosen_store(where)
    if chosen != AUTOMATIC:
        return [_part(chosen, ask)]
    parts = [_part(kind, ask) for kind in (ENV, KEYRING, FILE)]
    return [part for part in parts if absent or part.kind != KEYRING or usable(part)]


def _part(chosen: str, ask: Ask | None) -> Part:
    store = registry.open_store(chosen, ask=ask)
    kind = chosen.partition(":")[0]
    return Part(kind=kind, store=store, path=file_path(chosen) if kind == FILE else None)


def usable(part: Part) -> bool:
    """Whether this computer has such a store: a keyring may be missing."""
    check = getattr(part.store, "usable", None)
    return check is None or bool(check())


@attrs.frozen(kw_only=True)
class Saved:
    """Where a credential was put, and what was there before."""

    part: Part
    name: CredentialName
    before: Credential | None

    def take_back(self) -> None:
        """Make the store what it was.

        Raises:
            CredentialError: It cannot be written any more.
        """
        place = (self.name.provider, self.name.account)
        if self.before is None:
            self.part.store.delete(*place, owner=self.name.owner)
        else:
            self.part.store.set(*place, self.before, owner=self.name.owner)


def save(parts: Sequence[Part], name: CredentialName, credential: Credential) -> Saved:
    """Put *credential* into the first of *parts* that can be written.

    Raises:
        ReadOnlyStoreError: None can.
        CredentialError: The first that could be written failed.
    """
    refusals: list[ReadOnlyStoreError] = []
    for part in parts:
        try:
            before = part.previous(name)
            part.store.set(name.provider, name.account, credential, owner=name.owner)
        except ReadOnlyStoreError as error:
            refusals.append(error)
            continue
        return Saved(part=part, name=name, before=before)
    raise refusals[0]

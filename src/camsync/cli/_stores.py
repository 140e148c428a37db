"""The stores of credentials that a command may use, one by one: what is where, in words."""

from __future__ import annotations

import functools
import os
import re

from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from .. import registry
from .._places import config_folder
from .._secret import Secret
from ..credentials import Credential, CredentialName, CredentialStore
from ..errors import (
    CamsyncError,
    CredentialNotFoundError,
    MissingKeyError,
    ReadOnlyStoreError,
)
from ..profiles import Profile, Profiles
from ._prompt import ask_new_secret, ask_secret, on_terminal


Ask = Callable[[], "str | Secret"]
AUTOMATIC = "auto"
ENV = "env"
KEYRING = "keyring"
FILE = "file"
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]+", re.ASCII)
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

    @property
    def identity(self) -> tuple[str, str | None]:
        """What is the same for two ways to say the same store."""
        return self.kind, None if self.path is None else os.path.realpath(self.path)

    def variables(self, name: CredentialName) -> Sequence[str]:
        """Return which variables of the environment hold that credential."""
        step = ""
        try:
            if self.kind == ENV:  # it deletes nothing: it says what to unset
                self.store.delete(name.provider, name.account, owner=name.owner)
        except ReadOnlyStoreError as error:
            step = error.next_step or ""
        return _VARIABLE.findall(step)

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


def others_than(parts: Sequence[Part]) -> list[Part]:
    """Return the usual stores, and those of the variable, that are not among *parts*."""
    rest = {part.identity: part for part in (*parts_of(None), *parts_of(AUTOMATIC))}
    mine = {part.identity for part in parts}
    return [part for identity, part in rest.items() if identity not in mine]


def check_target(parts: Sequence[Part], name: CredentialName) -> None:
    """Find out whether a credential could be kept; a file that is there is opened for that.

    Raises:
        CredentialError: It could not: nobody should type a password for that.
    """
    part = _target(parts)
    if part.kind == FILE and not has_key() and not on_terminal():
        raise no_key()
    if part.kind != ENV:
        part.previous(name)


def _target(parts: Sequence[Part]) -> Part:
    return next((one for one in parts if one.kind != ENV), parts[0])


@attrs.define(kw_only=True)
class Saving:
    """A profile and the credential under its name, which change together or not at all.

    Wherever it is killed, no password stands under the name of another device: the profile that
    had the name goes first, and the new one comes last.

    Attributes:
        part: Where the credential goes.
        old: The profile that has the name until now.
        before: The credential that was there, once that is known.
    """

    part: Part
    profile: Profile
    book: Profiles
    old: Profile | None
    before: Credential | None = None

    @classmethod
    def of(cls, parts: Sequence[Part], profile: Profile) -> Saving:
        """Take the first of *parts* that can be written; where none can, that one says so."""
        book = Profiles()
        part = _target(parts)
        old = next((one for one in book.all() if one.name == profile.name), None)
        return cls(part=part, profile=profile, book=book, old=old)

    @property
    def name(self) -> CredentialName:
        """Under which the credential is kept."""
        return CredentialName(self.profile.provider, self.profile.name)

    @property
    def moved(self) -> bool:
        """Whether the name stood for another device, or another way to it."""
        return self.old is not None and _place(self.old) != _place(self.profile)

    def run(self, credential: Credential, warn: Callable[[str], None]) -> None:
        """Store both, or leave everything as it was; *warn* is told when that was impossible.

        Raises:
            ReadOnlyStoreError: The store cannot be written.
            CredentialError: It failed, or the profile could not be written.
        """
        self.before = self.part.previous(self.name)  # it may ask for a passphrase
        try:
            if self.moved:
                self.book.delete(self.profile.name)
            if self.part.kind != ENV:  # there it is already, and cannot be put
                self._put(credential)
            self.book.set(self.profile)
        except BaseException:  # Ctrl-C, too
            self._undo(warn)
            raise

    def _put(self, credential: Credential | None) -> None:
        place, owner = (self.name.provider, self.name.account), self.name.owner
        if credential is None:
            self.part.store.delete(*place, owner=owner)
        else:
            self.part.store.set(*place, credential, owner=owner)

    def _undo(self, warn: Callable[[str], None]) -> None:
        """Put the old profile back; not unless the old credential is there again."""
        try:
            if (self.moved or self.old is None) and self.profile in self.book.all():
                self.book.delete(self.profile.name)
            if self.part.previous(self.name) != self.before:
                self._put(self.before)
            if self.old is not None:
                self.book.set(self.old)
        except (CamsyncError, OSError) as error:
            reason = error.message if isinstance(error, CamsyncError) else str(error)
            warn(
                f"not all of {self.profile.name} could be put back ({reason}): "
                "see camsync profiles, and log in again"
            )


def _place(profile: Profile) -> tuple[object, ...]:
    return profile.provider, *profile.at, profile.https

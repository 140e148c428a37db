"""`EncryptedFileStore`: credentials in one encrypted file, for one user and many processes."""

from __future__ import annotations

import os

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from .._places import absolute
from .._private import locked, read_private, replace_private
from ..errors import (
    ConfigurationError,
    CredentialNotFoundError,
    DamagedStoreError,
    WrongKeyError,
)
from . import Credential, CredentialName, given_credential, select
from ._book import Book, Unreadable
from ._bytes import KeySource, checked, hidden, new_key
from ._format import SCRYPT_CHEAPEST, SCRYPT_DEFAULT, Derivation, Scrypt, parse, seal
from ._given import is_below, is_managed
from ._guard import Guard
from ._unlock import Unlocker
from .keys import KeyFromFile


__all__ = ["SCRYPT_CHEAPEST", "SCRYPT_DEFAULT", "EncryptedFileStore", "Scrypt", "new_key"]

_T = TypeVar("_T")


class EncryptedFileStore:
    """Keeps credentials in one file, encrypted with AES-256-GCM.

    The file is made by the first `set`, with mode 0600; every change writes it anew beside the old
    one and takes its place, under a lock that threads and processes share. A writer that is
    killed leaves the old file or the new one. The lock is a hidden file in the same folder.

    Args:
        path: The file. Its folder is made when needed, with mode 0700. A relative path is seen from
            the working folder of now, and stays the same file when that changes.
        passphrase:
            Text, `Secret`, or a callable that gives one: `camsync.credentials.keys.KeyFromEnv`, or
            a prompt. The key is derived from it with scrypt. It is asked for when it is needed
            first, and again after it was wrong.
        key:
            Instead of a passphrase, 32 random bytes in URL-safe base64, as `new_key` makes them:
            text, `Secret`, or a callable such as `camsync.credentials.keys.KeyFromFile`.
        kdf: How costly a passphrase is to guess; used for a new file and by `rotate`.

    The store can be pickled when passphrase or key come from something that can, such as
    `KeyFromEnv`. No secret is ever in the pickle.

    Raises:
        ConfigurationError:
            Neither or both of *passphrase* and *key* are given, the key's file is in the store's
            own folder, or *path* is relative and there is no working folder any more; (from a
            method) what was given is no key.
        MissingKeyError: (from every method) There is a file, and no key or passphrase for it.
        WrongKeyError: (from every method) The file was written with another one.
        DamagedStoreError: (from every method) The file is not what camsync wrote.
        ExposedStoreError: (from every method) Others can read or change the file, or it belongs to
            another user.
        StoreUnavailableError: (from every method) It cannot be read, written or locked, it is no
            regular file, or there is not enough memory to derive the key from the passphrase.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        passphrase: KeySource | None = None,
        key: KeySource | None = None,
        kdf: Scrypt | None = None,
    ) -> None:
        passphrase, key = _hidden(passphrase), _hidden(key)
        self.path = Path(path)  # for the repr, should the next line raise
        self.path = absolute(path)
        if "\0" in str(path):
            msg = "the path of the store has a NUL character in it"
            raise ConfigurationError(msg)
        if (passphrase is None) == (key is None):
            msg = "give either passphrase= or key= to EncryptedFileStore"
            raise ConfigurationError(msg)
        self._guard = Guard()
        self._kdf = kdf
        if key is not None and kdf is not None:
            msg = "kdf= goes with a passphrase: a key needs no costly derivation"
            raise ConfigurationError(msg)
        self._unlocker = self._new_unlocker(passphrase, key)

    def get(self, provider: str, account: str, *, owner: str | None = None) -> Credential:
        """Return what is stored. See `CredentialStore.get`."""
        name = CredentialName(provider, account, owner)
        opened = self._open()
        found = None if opened is None else self._readable(lambda: opened.book.get(name))
        if found is None:
            raise self._not_found(name)
        return found

    def set(
        self, provider: str, account: str, credential: Credential, *, owner: str | None = None
    ) -> None:
        """Store *credential*. See `CredentialStore.set`."""
        credential = given_credential(credential)
        name = CredentialName(provider, account, owner)
        if not self._prepare() and not self._unlocker.makes:
            self._unlocker.ask(new=True)
        with locked(self.path):
            opened = self._open() or self._new(self._unlocker)
            opened.book.put(name, credential)
            self._write(opened)

    def delete(self, provider: str, account: str, *, owner: str | None = None) -> None:
        """Forget what is stored. See `CredentialStore.delete`."""
        name = CredentialName(provider, account, owner)
        if not self._prepare():
            raise self._not_found(name)
        with locked(self.path):
            opened = self._open()
            if opened is None or not opened.book.remove(name):
                raise self._not_found(name)
            self._write(opened)

    def names(
        self, provider: str | None = None, *, owner: str | None = None
    ) -> Sequence[CredentialName]:
        """List what is stored. See `CredentialStore.names`."""
        opened = self._open()
        if opened is None:
            return ()
        return select(self._readable(opened.book.names), provider, owner)

    def rotate(self, *, passphrase: KeySource | None = None, key: KeySource | None = None) -> None:
        """Encrypt the file with another key or passphrase, and use that from now on.

        With neither, the same one is used with a new salt and the store's *kdf*. Other store
        objects, and other processes, need the new one for their next operation.

        Raises:
            ConfigurationError: Both were given, or they cannot be used.
            CredentialError: The file could not be read with the old key, or not be written; then
                the old key is still the right one.
        """
        passphrase, key = _hidden(passphrase), _hidden(key)
        old = self._unlocker
        new = old
        if passphrase is not None or key is not None:
            new = self._new_unlocker(passphrase, key)
        self._prepare()
        new.ask(new=True)
        with locked(self.path):
            before = self._open()
            after = self._new(new)
            after.book = Book() if before is None else before.book
            with self._guard.lock:  # nobody reads the new file with the old key
                if before is not None:
                    self._write(after)
                self._unlocker = new

    def __repr__(self) -> str:
        # A debugger may show it before it is complete.
        unlocker = getattr(self, "_unlocker", None)
        return f"EncryptedFileStore({str(self.path)!r}, {unlocker!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "source": self._unlocker.source,
            "costs": self._unlocker.costs,
            "kdf": self._kdf,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.path = state["path"]
        self._guard = Guard()
        self._kdf = state["kdf"]
        self._unlocker = Unlocker(state["source"], state["costs"])

    def _new_unlocker(self, passphrase: object, key: object) -> Unlocker:
        if passphrase is not None and key is not None:
            msg = "give a passphrase or a key, not both"
            raise ConfigurationError(msg)
        if key is None:
            costs = self._kdf or SCRYPT_DEFAULT
            unlocker = Unlocker(checked(passphrase, "the passphrase"), costs)
        else:
            unlocker = Unlocker(checked(key, "the key"), None)
        self._check_place(unlocker.source)
        return unlocker

    def _check_place(self, source: object) -> None:
        if not isinstance(source, KeyFromFile):
            return
        folder = Path(os.path.realpath(self.path)).parent
        apart = is_managed(source.path) and not is_managed(folder)
        if is_below(source.path, folder) and not apart:
            msg = f"the key file {source.path} is in the folder of the store, {folder}"
            step = "keep it elsewhere: whoever copies the folder must not have both"
            raise ConfigurationError(msg, next_step=step)

    def _prepare(self) -> bool:
        """Ask for the key before the lock is taken: a person may have to type it.

        False when there is no file, and nobody was asked.
        """
        return self._unlocker.ready or self._open() is not None

    def _open(self) -> _Opened | None:
        with self._guard.lock:
            content, unlocker = read_private(self.path), self._unlocker
        if content is None:
            return None
        sealed = parse(content, str(self.path))
        derived = unlocker.derive(sealed.derivation, sealed.where)
        try:
            text = sealed.open(derived)
        except WrongKeyError:
            unlocker.forget()
            raise
        book = self._readable(lambda: Book(text))
        return _Opened(unlocker, sealed.derivation, book)

    def _new(self, unlocker: Unlocker) -> _Opened:
        unlocker.ask(new=True)
        return _Opened(unlocker, unlocker.new_derivation(), Book())

    def _write(self, opened: _Opened) -> None:
        derived = opened.unlocker.derive(opened.derivation, str(self.path))
        replace_private(self.path, seal(opened.derivation, derived, opened.book.text))

    def _readable(self, read: Callable[[], _T]) -> _T:
        try:
            return read()
        except Unreadable as error:
            msg = f"{self.path} was decrypted, but {error}"
            raise DamagedStoreError(msg) from error

    def _not_found(self, name: CredentialName) -> CredentialNotFoundError:
        return CredentialNotFoundError(f"no credential for {name} is in {self.path}")


class _Opened:
    """A file's entries, and how they were and will be sealed."""

    __slots__ = ("book", "derivation", "unlocker")

    def __init__(self, unlocker: Unlocker, derivation: Derivation, book: Book) -> None:
        self.unlocker, self.derivation, self.book = unlocker, derivation, book


def _hidden(given: object) -> Any:
    return None if given is None else hidden(given)

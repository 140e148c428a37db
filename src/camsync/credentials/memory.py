"""`MemoryStore`: credentials for as long as the process lives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from ..errors import CredentialNotFoundError
from . import Credential, CredentialName, given_credential, select
from ._guard import Guard


class MemoryStore:
    """Keeps credentials in memory: for tests, and for programs that have a store of their own."""

    def __init__(self) -> None:
        self._guard = Guard()
        self._entries: dict[CredentialName, Credential] = {}

    def get(self, provider: str, account: str, *, owner: str | None = None) -> Credential:
        """Return what is stored. See `CredentialStore.get`."""
        name = CredentialName(provider, account, owner)
        with self._guard.lock:
            found = self._entries.get(name)
        if found is None:
            raise _not_found(name)
        return found

    def set(
        self, provider: str, account: str, credential: Credential, *, owner: str | None = None
    ) -> None:
        """Store *credential*. See `CredentialStore.set`."""
        credential = given_credential(credential)
        name = CredentialName(provider, account, owner)
        kept = Credential(username=credential.username, secret=credential.secret)
        with self._guard.lock:
            self._entries[name] = kept

    def delete(self, provider: str, account: str, *, owner: str | None = None) -> None:
        """Forget what is stored. See `CredentialStore.delete`."""
        name = CredentialName(provider, account, owner)
        with self._guard.lock:
            found = self._entries.pop(name, None)
        if found is None:
            raise _not_found(name)

    def names(
        self, provider: str | None = None, *, owner: str | None = None
    ) -> Sequence[CredentialName]:
        """List what is stored. See `CredentialStore.names`."""
        with self._guard.lock:
            return select(self._entries, provider, owner)

    def __repr__(self) -> str:
        return f"MemoryStore({len(self._entries)} stored)"

    def __reduce__(self) -> NoReturn:
        msg = "a MemoryStore cannot be pickled: other processes need a store that lasts"
        raise TypeError(msg)


def _not_found(name: CredentialName) -> CredentialNotFoundError:
    return CredentialNotFoundError(f"no credential for {name} was put into this MemoryStore")

"""Who logs in where: `Credential`, the contract of the stores that keep them, and their chain.

The stores themselves are in modules of their own, loaded when they are first used:
`camsync.MemoryStore`, `camsync.EnvStore`, `camsync.KeyringStore`, `camsync.EncryptedFileStore`.
"""

from __future__ import annotations

import re

from collections.abc import Iterable, Sequence
from typing import NoReturn, Protocol, cast, runtime_checkable

import attrs

from .._secret import Secret
from ..errors import (
    ConfigurationError,
    CredentialError,
    CredentialNotFoundError,
    ReadOnlyStoreError,
    StoreUnavailableError,
)


_PROVIDER = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_LONGEST_NAME = 255


@attrs.frozen(kw_only=True, init=False)
class Credential:
    """A user name and its password; for a cloud account, application id and application secret.

    Attributes:
        username: Neither empty nor with control characters.
        secret: Text or `Secret`; kept as a `Secret`, exactly as given, and not empty.

    Raises:
        ConfigurationError: One of them is unusable; the message shows neither.
    """

    username: str = attrs.field()
    secret: Secret = attrs.field()

    def __init__(self, *, username: str, secret: str | Secret) -> None:
        secret = Secret.of(secret)  # first of all: tracebacks can show arguments
        self.__attrs_init__(username=username, secret=secret)

    @username.validator
    def _check_username(self, _: object, value: object) -> None:
        _checked_name(value, "the user name", shown=False)

    @secret.validator
    def _check_secret(self, _: object, value: Secret) -> None:
        if not value:
            msg = "the secret is empty"
            raise ConfigurationError(msg)
        if not _is_text(value.reveal()):
            msg = "the secret holds half of a character (a lone surrogate)"
            raise ConfigurationError(msg)


class _NoCredential:
    """Stands for what was given instead of a credential, which may be the secret itself."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __getattr__(self, name: str) -> NoReturn:
        msg = f"a Credential is needed, not {self._kind}"
        raise ConfigurationError(msg, next_step="Credential(username=…, secret=…)")


def given_credential(value: object) -> Credential:
    """Return *value*; in the place of anything else, what raises as soon as it is used.

    A store calls it first of all: raised right here, the error's traceback would hold the argument.
    """
    if isinstance(value, Credential):
        return value
    return cast("Credential", _NoCredential(type(value).__name__))


@attrs.frozen(order=True)
class CredentialName:
    """Under which a credential is stored: provider, account, and whose it is.

    Attributes:
        provider: Such as ``"hikvision"``.
        account: A profile's name, a host, ``host:port`` or an application id: any line of text.
        owner: Whose credential it is where one program serves several people; None otherwise.

    Raises:
        ConfigurationError: A part is empty, too long (255 characters) or has control characters.
    """

    provider: str = attrs.field()
    account: str = attrs.field()
    owner: str | None = None

    @provider.validator
    def _check_provider(self, _: object, value: object) -> None:
        if not isinstance(value, str) or _PROVIDER.fullmatch(value) is None:
            msg = f"{str(value)[:40]!r} is not the name of a provider"
            raise ConfigurationError(msg, next_step="use the name in its URL, such as 'hikvision'")

    def __attrs_post_init__(self) -> None:
        _checked_name(self.account, "the account")
        if self.owner is not None:
            _checked_name(self.owner, "the owner")

    def __str__(self) -> str:
        whose = f" of {self.owner}" if self.owner is not None else ""
        return f"{self.provider} account {self.account!r}{whose}"

    def matches(self, provider: str | None, owner: str | None) -> bool:
        """Whether the name belongs to *provider* and *owner*, where they are given."""
        return provider in {None, self.provider} and owner in {None, self.owner}


def _checked_name(value: object, what: str, *, shown: bool = True) -> None:
    usable = isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME
    if not usable or not str(value).strip() or not _is_line(str(value)):
        msg = f"{what} is empty, longer than {_LONGEST_NAME} characters, or not a line of text"
        if shown and isinstance(value, str):
            msg = f"{msg}: {value[:40]!r}"
        raise ConfigurationError(msg)


def _is_line(text: str) -> bool:
    return _is_text(text) and not any(ord(char) < ord(" ") or char == "\x7f" for char in text)


def _is_text(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


@runtime_checkable
class CredentialStore(Protocol):
    """Keeps credentials. Thread-safe; several processes may share what lasts.

    `camsync.testing.store_contract.CredentialStoreContract` is the test suite that says whether
    an implementation is right.
    """

    def get(self, provider: str, account: str, *, owner: str | None = None) -> Credential:
        """Return what is stored.

        Raises:
            CredentialNotFoundError: Nothing is; the message says where it was looked for.
            CredentialError: The store could not be read.
        """
        ...

    def set(
        self, provider: str, account: str, credential: Credential, *, owner: str | None = None
    ) -> None:
        """Store *credential*, in the place of what was there.

        Raises:
            CredentialError: It could not; then what was there is still there.
        """
        ...

    def delete(self, provider: str, account: str, *, owner: str | None = None) -> None:
        """Forget what is stored.

        Raises:
            CredentialNotFoundError: Nothing is.
            CredentialError: It could not.
        """
        ...

    def names(
        self, provider: str | None = None, *, owner: str | None = None
    ) -> Sequence[CredentialName]:
        """List under which names something is stored, sorted; of *provider* or *owner* only.

        Raises:
            CredentialError: The store could not be read.
        """
        ...


def select(
    names: Iterable[CredentialName], provider: str | None = None, owner: str | None = None
) -> tuple[CredentialName, ...]:
    """Return those of *names* that belong to *provider* and *owner*, sorted: for stores' `names`."""
    return tuple(sorted((one for one in names if one.matches(provider, owner)), key=_order))


def _order(name: CredentialName) -> tuple[str, str, str]:
    return name.provider, name.account, name.owner or ""


def migrate(
    source: CredentialStore,
    target: CredentialStore,
    *,
    provider: str | None = None,
    owner: str | None = None,
) -> Sequence[CredentialName]:
    """Copy credentials from one store to another, and read each back. *source* stays as it is.

    What *target* holds under the same name is replaced. It can be repeated after a failure.

    Args:
        provider: Copy those of this provider only.
        owner: Copy those of this owner only.

    Returns:
        The names of what was copied.

    Raises:
        CredentialError: One of the stores failed, or *target* gave back something else.
    """
    names = tuple(source.names(provider, owner=owner))
    for name in names:
        credential = source.get(name.provider, name.account, owner=name.owner)
        target.set(name.provider, name.account, credential, owner=name.owner)
        if target.get(name.provider, name.account, owner=name.owner) != credential:
            msg = f"the credential for {name} was copied, but reads back differently"
            raise StoreUnavailableError(msg, next_step="keep the old store, and report this")
    return names


def first_of(*stores: CredentialStore) -> CredentialStore:
    """Chain stores: the first one that holds a credential gives it.

    A store that is unavailable (a machine without a keyring) is passed over when reading; every
    other trouble, such as a wrong key, is raised. `set` writes to the first store that can be
    written. `delete` deletes from all of them, and raises when one of them keeps it.

    Raises:
        ConfigurationError: No store was given.
    """
    if not stores:
        msg = "first_of() needs at least one store"
        raise ConfigurationError(msg)
    return _Chain(stores)


_MISSES = (CredentialNotFoundError, ReadOnlyStoreError, StoreUnavailableError)


class _Chain:
    def __init__(self, stores: Sequence[CredentialStore]) -> None:
        self._stores = tuple(stores)

    def get(self, provider: str, account: str, *, owner: str | None = None) -> Credential:
        misses: list[CredentialError] = []
        for store in self._stores:
            try:
                return store.get(provider, account, owner=owner)
            except (CredentialNotFoundError, StoreUnavailableError) as error:  # noqa: PERF203
                misses.append(error)
        raise _not_found(CredentialName(provider, account, owner), misses)

    def set(
        self, provider: str, account: str, credential: Credential, *, owner: str | None = None
    ) -> None:
        credential = given_credential(credential)
        for store in self._stores:
            try:
                store.set(provider, account, credential, owner=owner)
            except ReadOnlyStoreError:
                continue
            return
        msg = "none of the stores can be written"
        raise ReadOnlyStoreError(msg, next_step="add a keyring or an encrypted file to the chain")

    def delete(self, provider: str, account: str, *, owner: str | None = None) -> None:
        misses: list[CredentialError] = []
        for store in self._stores:
            try:
                store.delete(provider, account, owner=owner)
            except _MISSES as error:  # noqa: PERF203
                misses.append(error)
        # It may still be in a store that could not be asked, or is, where it cannot be deleted.
        for miss in misses:
            if not isinstance(miss, CredentialNotFoundError):
                raise miss
        if len(misses) == len(self._stores):
            raise _not_found(CredentialName(provider, account, owner), misses)

    def names(
        self, provider: str | None = None, *, owner: str | None = None
    ) -> Sequence[CredentialName]:
        found: set[CredentialName] = set()
        misses: list[StoreUnavailableError] = []
        for store in self._stores:
            try:
                found.update(store.names(provider, owner=owner))
            except StoreUnavailableError as error:  # noqa: PERF203
                misses.append(error)
        if len(misses) == len(self._stores):
            raise misses[0]
        return select(found)

    def __repr__(self) -> str:
        return f"first_of({', '.join(map(repr, self._stores))})"


def _not_found(name: CredentialName, misses: Sequence[CredentialError]) -> CredentialNotFoundError:
    known = f"no credential for {name}"
    where = "; ".join(error.message.replace(known, "nothing") for error in misses)
    return CredentialNotFoundError(f"{known}: {where}")

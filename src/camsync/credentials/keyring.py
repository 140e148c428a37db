"""`KeyringStore`: the operating system's keyring, through the optional package ``keyring``.

The only importer of keyring. What its backends raise is put into words and not chained: their
frames hold what was to be stored.
"""

from __future__ import annotations

import json
import os
import re

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from .._places import absolute, config_folder
from .._private import locked, read_private, replace_private
from .._secret import Secret
from ..errors import (
    CredentialError,
    CredentialNotFoundError,
    DamagedStoreError,
    MissingExtraError,
    StoreUnavailableError,
)
from . import Credential, CredentialName, given_credential, select
from ._bytes import new_key


_T = TypeVar("_T")
_SERVICE = "camsync"
_INDEX = "keyring-names.json"
_MARK = "camsync_keyring_names"
_VERSION = 1
_PURPOSE = "keeping passwords in the system's keyring"
_ELSEWHERE = "use EncryptedFileStore, with its key in the file that CAMSYNC_KEY_FILE names"
_NO_BACKEND = tuple(f"keyring.backends.{each}." for each in ("fail", "null", "chainer"))
_RUN = re.compile(r"[0-9A-Za-z]{4,}")  # what no escaping changes
_LONGEST_REASON = 160
_MOST_REASONS = 8
_WINDOWS_BYTES = 2560  # CRED_MAX_CREDENTIAL_BLOB_SIZE; text is stored as UTF-16
_ESCAPED = re.compile(r"[^a-z0-9._-]", re.ASCII)


class KeyringStore:
    """Keeps credentials in the keyring of the operating system (extra ``keyring``).

    That is the Credential Manager of Windows, the keychain of macOS, or the Secret Service of a
    Linux desktop. A keyring cannot list what it holds, so the names (no secrets) are kept in a
    file. A backend that writes passwords unencrypted is refused.

    Args:
        service: Under which name the entries are in the keyring.
        index: The file of names; by default ``keyring-names.json`` beside the profiles.

    Raises:
        MissingExtraError: (from every method but `usable`) The package ``keyring`` is not
            installed.
        StoreUnavailableError: (from every method but `usable`) There is no usable keyring, it is
            locked, or it refused; the message says why.
    """

    def __init__(
        self, *, service: str = _SERVICE, index: str | os.PathLike[str] | None = None
    ) -> None:
        self.service = service
        self.index = config_folder() / _INDEX if index is None else absolute(index)

    def usable(self) -> bool:
        """Whether there is a keyring that keeps passwords well. Asks nobody anything."""
        try:
            _backend()
        except (MissingExtraError, StoreUnavailableError):
            return False
        return True

    def get(self, provider: str, account: str, *, owner: str | None = None) -> Credential:
        """Return what the keyring holds. See `CredentialStore.get`."""
        name = CredentialName(provider, account, owner)
        stored = _get(self.service, _key(name))
        if stored is None:
            raise self._not_found(name)
        found = _credential(stored)
        if found is None:
            msg = f"what the keyring holds for {name} was not written by camsync"
            raise DamagedStoreError(msg, next_step="delete it there, and log in again")
        return found

    def set(
        self, provider: str, account: str, credential: Credential, *, owner: str | None = None
    ) -> None:
        """Store *credential*. See `CredentialStore.set`."""
        credential = given_credential(credential)
        name = CredentialName(provider, account, owner)
        backend = _backend()
        with locked(self.index):
            names = self._read()
            known = name in names
            # The name first: killed in between, it is better to know one name too many.
            if not known:
                self._write({*names, name})
            try:
                _set(backend, self.service, _key(name), _value(credential))
            except CredentialError:
                if not known:
                    self._write(names)
                raise

    def delete(self, provider: str, account: str, *, owner: str | None = None) -> None:
        """Forget what is stored. See `CredentialStore.delete`."""
        name = CredentialName(provider, account, owner)
        with locked(self.index):
            there = _get(self.service, _key(name)) is not None
            if there:
                _call("delete", lambda: _backend().delete_password(self.service, _key(name)))
            names = self._read()
            if name in names:
                self._write(names - {name})
        if not there:
            raise self._not_found(name)

    def names(
        self, provider: str | None = None, *, owner: str | None = None
    ) -> Sequence[CredentialName]:
        """List what was stored through camsync. See `CredentialStore.names`."""
        _backend()  # an empty list would mean that nothing is stored
        return select(self._read(), provider, owner)

    def __repr__(self) -> str:
        return f"KeyringStore(service={self.service!r})"

    def _not_found(self, name: CredentialName) -> CredentialNotFoundError:
        msg = f"the keyring holds no credential for {name} (service {self.service!r})"
        return CredentialNotFoundError(msg)

    def _read(self) -> frozenset[CredentialName]:
        names = self._services().get(self.service, [])
        try:
            return frozenset(CredentialName(*parts) for parts in names)
        except (TypeError, ValueError) as error:
            raise self._damaged() from error

    def _write(self, names: Iterable[CredentialName]) -> None:
        entries = [[one.provider, one.account, one.owner] for one in select(names)]
        services = {**self._services(), self.service: entries}
        document = {_MARK: _VERSION, "services": services}
        replace_private(self.index, json.dumps(document, indent=1).encode() + b"\n")

    def _services(self) -> dict[str, Any]:
        content = read_private(self.index)
        if content is None:
            return {}
        try:
            document = json.loads(content)
            if document[_MARK] == _VERSION:
                return dict(document["services"])
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise self._damaged() from error
        raise self._damaged()

    def _damaged(self) -> DamagedStoreError:
        msg = f"{self.index} does not hold the names of the keyring's entries"
        return DamagedStoreError(msg, next_step="delete it, and log in again")


def stored_key(name: str) -> Secret | None:
    """Return the key called *name* that the keyring keeps for an encrypted file, or None."""
    return _get(_SERVICE, _key_entry(name))


def stored_or_new_key(name: str) -> Secret:
    """Return the key called *name*; make it if there is none.

    Raises:
        StoreUnavailableError: The keyring did not keep it.
    """
    with locked(config_folder() / _INDEX):  # two processes must not make one each
        key = stored_key(name)
        if key is None:
            key = new_key()
            _set(_backend(), _SERVICE, _key_entry(name), key)
            if stored_key(name) != key:
                msg = "the keyring took the new key, but does not give it back"
                raise StoreUnavailableError(msg, next_step=_ELSEWHERE)
    return key


def _key_entry(name: str) -> str:
    return f":key/{_quoted(name)}"  # no provider's name begins like this


def _key(name: CredentialName) -> str:
    parts = [name.provider, name.account, *([] if name.owner is None else [name.owner])]
    return "/".join(map(_quoted, parts))


def _quoted(part: str) -> str:
    """Quote everything but a few characters; capitals too, as Windows takes a and A for the same."""
    return _ESCAPED.sub(lambda match: "".join(f"%{byte:02x}" for byte in match[0].encode()), part)


def _value(credential: Credential) -> Secret:
    return Secret(
        json.dumps(
            {"username": credential.username, "secret": credential.secret.reveal()},
            ensure_ascii=False,
            separators=(",", ":"),
        )
    )


def _credential(stored: Secret) -> Credential | None:
    # Catches and says None instead of raising: the frames of json hold the secret.
    try:
        entry = json.loads(stored.reveal())
        return Credential(username=entry["username"], secret=Secret(entry["secret"]))
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _get(service: str, key: str) -> Secret | None:
    return _call("give", lambda: _maybe_secret(_backend(reading=True).get_password(service, key)))


def _maybe_secret(value: str | None) -> Secret | None:
    return None if value is None else Secret(value)


def _set(backend: Any, service: str, key: str, value: Secret) -> None:
    on_windows = type(backend).__name__ == "WinVaultKeyring"
    if on_windows and len(value.reveal().encode("utf-16-le")) > _WINDOWS_BYTES:
        msg = (
            f"the Credential Manager of Windows keeps up to {_WINDOWS_BYTES} bytes; this is longer"
        )
        raise StoreUnavailableError(msg, next_step=_ELSEWHERE)
    _call("keep", lambda: backend.set_password(service, key, value.reveal()), value)


def _call(what: str, action: Callable[[], _T], secret: Secret | None = None) -> _T:
    """Do *action*; every error of a backend becomes one of ours, without its frames."""
    try:
        return action()
    except (CredentialError, MissingExtraError):
        raise
    except Exception as error:  # noqa: BLE001 - a backend may raise anything; raised again below
        reason = _words(error, secret) if _speaks(error) else type(error).__name__
    msg = f"the keyring did not {what} it: {reason}"
    raise StoreUnavailableError(msg, next_step=f"unlock the keyring and try again, or {_ELSEWHERE}")


def _words(error: Exception, secret: Secret | None = None) -> str:
    kind = type(error).__name__
    if secret is not None and _shows(error, secret):
        return kind
    text = " ".join(str(error).split())
    return f"{kind}: {text[:_LONGEST_REASON]}" if text else kind


def _speaks(error: Exception) -> bool:
    """Whether the error was made to be read; a ValueError from a backend may quote what it found."""
    return isinstance(error, OSError) or type(error).__module__.startswith("keyring.")


def _shows(error: Exception, stored: Secret) -> bool:
    """Whether the error's text may hold the secret that was to be stored, escaped in any way."""
    credential = _credential(stored)
    secret = stored if credential is None else credential.secret
    return not _RUN.search(secret.reveal()) or any(
        found[0] in str(error) for found in _RUN.finditer(secret.reveal())
    )


def _backend(*, reading: bool = False) -> Any:
    """Return the keyring's backend.

    Args:
        reading: Whether a backend that writes passwords unencrypted is good enough.
    """
    try:
        import keyring
        import keyring.backend
    except ImportError as error:
        missing = MissingExtraError.for_extra("keyring", _PURPOSE)
        raise missing from error
    backend = _call("start", keyring.get_keyring)
    writer = _call("start", lambda: _writer(backend))
    kind = f"{type(writer).__module__}.{type(writer).__qualname__}"
    if kind.startswith(_NO_BACKEND):
        _call("start", keyring.backend.get_all_keyring)  # loads them all
        msg = f"this computer has no usable keyring: {_tried(keyring.backend.KeyringBackend)}"
        raise StoreUnavailableError(msg, next_step=_ELSEWHERE)
    if "plaintext" in kind.lower() and not reading:
        msg = f"the keyring's backend {kind} writes passwords to a file without encryption"
        raise StoreUnavailableError(msg, next_step=_ELSEWHERE)
    return backend


def _writer(backend: Any) -> Any:
    """Return the backend that writes: of a chain, the first one."""
    return next(iter(getattr(backend, "backends", None) or [backend]))


def _tried(root: Any) -> str:
    """Say of every backend why it cannot be used."""
    reasons = []
    for each in sorted(getattr(root, "_classes", ()), key=_packages_own_first):
        module = each.__module__.rpartition(".")[2]
        if module in {"fail", "null", "chainer"}:
            continue
        try:
            reasons.append(f"{module}: priority {each.priority}")
        except Exception as error:  # noqa: BLE001 - this is how a backend says why
            reasons.append(f"{module}: {_words(error)}")
    listed = "; ".join(list(dict.fromkeys(reasons))[:_MOST_REASONS]) or "no backend is installed"
    return f"{listed} (Linux without a desktop session has no Secret Service)"


def _packages_own_first(backend: Any) -> tuple[bool, str]:
    return not backend.__module__.startswith("keyring."), backend.__module__

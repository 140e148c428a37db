"""From a name or a URL to a provider, and to the store of its password, importing none early."""

from __future__ import annotations

import importlib
import os

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, cast

import attrs

from .._places import config_folder
from .._secret import Secret
from .._url import ProviderUrl, read_url
from ..credentials import Credential, CredentialName, CredentialStore, first_of
from ..errors import (
    ConfigurationError,
    CredentialNotFoundError,
    MissingKeyError,
    ProfileNotFoundError,
)
from ..profiles import Profile, Profiles
from ..provider import Provider
from . import _refused


_TABLE = {
    "hikvision": "camsync.providers.hikvision:HikvisionISAPI",
    "imou": "camsync.providers.imou:open_account",
}
PLACES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "hikvision": MappingProxyType({}),
        "imou": MappingProxyType(
            {"sg": "Singapore", "fk": "Frankfurt", "or": "Oregon", "cn": "China"}
        ),
    }
)
"""What stands in the place of a host and is none: a cloud's data centres, and what they are."""
_STORES = {
    "env": "camsync.credentials.env:EnvStore",
    "keyring": "camsync.credentials.keyring:KeyringStore",
    "file": "camsync.credentials.file:EncryptedFileStore",
}
_LOCKING = frozenset({"hikvision"})
"""Whose accounts are locked after some refused logins: those get a guard."""
STORE_VARIABLE = "CAMSYNC_STORE"
KEY_VARIABLE = "CAMSYNC_KEY"
KEY_FILE_VARIABLE = "CAMSYNC_KEY_FILE"
PASSPHRASE_VARIABLE = "CAMSYNC_PASSPHRASE"  # noqa: S105 - the name of a variable
STORE_FILE = "credentials.camsync"


class _Factory(Protocol):
    def __call__(
        self, host: str, username: str, password: str | Secret, /, **options: Any
    ) -> Provider: ...


def available() -> Mapping[str, str]:
    """Return the known providers: name to ``module:class``. Imports nothing."""
    return MappingProxyType(_TABLE)


def parse_url(url: str | Secret) -> ProviderUrl:
    """Read a provider URL.

    Raises:
        ConfigurationError: The scheme is unknown, the host missing, or a password is in it.
    """
    url = Secret.of(url)  # first of all: tracebacks can show arguments
    return read_url(url, tuple(_TABLE))


@attrs.frozen(kw_only=True)
class Target:
    """Everything that `connect` needs to know about a device, but for the password.

    Attributes:
        url: The URL as it was read.
        profile: The profile that it names, or None.
        rivals: Names of several profiles with the URL's address: none of them is taken.
    """

    url: ProviderUrl
    profile: Profile | None
    rivals: Sequence[str] = ()

    @property
    def account(self) -> str:
        """Under which the credential is stored: the profile's name, or ``host`` or ``host:port``."""
        return self.profile.name if self.profile is not None else self.url.place

    def stored_under(self) -> str:
        """Return the account to look for in a store.

        Raises:
            ProfileNotFoundError: The URL is only a name, and no profile has it (any more). What is
                stored under it belongs to that profile, not to whichever host answers to the name.
        """
        host, known = self.url.host, {*PLACES[self.url.provider], "localhost"}
        named = set(host).isdisjoint(".:") and self.url.port is None and host not in known
        if self.profile is None and named:
            msg = f"there is no profile {self.url.host!r}, and what is stored is not sent to a host"
            raise ProfileNotFoundError(msg)
        return self.account

    def options(self) -> dict[str, Any]:
        """Return the options as the provider's class takes them; the URL beats the profile.

        Raises:
            ConfigurationError: Several profiles have the address, and one of them may have a pin.
        """
        if self.rivals:
            msg = f"several profiles have the address {self.url.place}: {', '.join(self.rivals)}"
            raise ConfigurationError(msg, next_step="use one of their names instead")
        found = {} if self.profile is None else self.profile.options()
        if self.url.secure and not found.get("https"):
            found["https"] = True
            found.pop("port", None)  # the profile's is the port for plain HTTP
        if self.url.port is not None:
            found["port"] = self.url.port
        return found

    @property
    def host(self) -> str:
        """Name or address of the device."""
        return self.url.host if self.profile is None else self.profile.host


def resolve(url: str | Secret, profiles: Profiles | None = None) -> Target:
    """Read *url* and look whether it names a profile.

    Raises:
        ConfigurationError: The URL is unusable.
        DamagedStoreError: The file of profiles is damaged.
    """
    url = Secret.of(url)  # first of all: tracebacks can show arguments
    place = parse_url(url)
    book = Profiles() if profiles is None else profiles
    found = [
        one
        for one in book.find(place.provider, place.host, place.port)
        if one.name == place.host or not _is_of_another(one, place)
    ]
    if len(found) > 1:
        return Target(url=place, profile=None, rivals=[profile.name for profile in found])
    return Target(url=place, profile=found[0] if found else None)


def _is_of_another(profile: Profile, url: ProviderUrl) -> bool:
    """Whether a profile in the same data centre is another account's: many live in each."""
    shared = profile.host in PLACES[profile.provider]
    return (
        shared
        and None not in {url.username, profile.username}
        and (url.username != profile.username)
    )


def connect(
    url: str | Secret,
    *,
    password: str | Secret | None = None,
    store: CredentialStore | str | None = None,
    profiles: Profiles | None = None,
    owner: str | None = None,
    **options: Any,
) -> Provider:
    """Make the provider for *url*. Nothing is sent before its first method call.

    A password that a recorder has refused is not sent to it again for a while, whichever process
    wants to: an hour, then twice as long each time up to a day; a day at once when the recorder
    says that two tries or fewer are left. Another password is sent at once.

    Args:
        url:
            ``hikvision://front-shop`` (a profile, see ``camsync login``) or
            ``hikvision://admin@192.168.1.64``; ``hikvisions://`` for TLS. Of a cloud
            ``imou://APPID@sg``: app id and data centre.
        password: The password of the user in the URL or the profile; for ``imou://`` that is the
            app secret: ``connect("imou://APPID@sg", password=APP_SECRET)``. Without one, *store* is
            asked.
        store: Where user name and password are kept, or what `open_store` takes; None for the usual.
        profiles: By default the user's own, see `camsync.Profiles`.
        owner: Whose credential to take from a store that serves several people.
        options: Passed on to the provider's class; they beat those of the profile.

    Raises:
        ConfigurationError: The URL is unusable, or user or password are missing.
        ProfileNotFoundError: The URL is a name that no profile has.
        CredentialNotFoundError: No store holds the credential.
        CredentialError: The store cannot be read.
    """
    url, password = Secret.of(url), None if password is None else Secret.of(password)
    if "app_secret" in options:
        options["app_secret"] = Secret.of(options["app_secret"])
    target = resolve(url, profiles)
    return connect_to(target, password=password, store=store, owner=owner, **options)


def connect_to(
    target: Target,
    *,
    password: str | Secret | None = None,
    store: CredentialStore | str | None = None,
    owner: str | None = None,
    insist: bool = False,
    **options: Any,
) -> Provider:
    """Make the provider for what `resolve` has found; see `connect`.

    Args:
        insist: Send the password once even if it was refused not long ago.
    """
    password = None if password is None else Secret.of(password)
    if "app_secret" in options:
        options.clear()  # tracebacks can show them
        msg = "unknown option app_secret: the app secret is password="
        raise ConfigurationError(msg, next_step='connect("imou://APPID@sg", password=APP_SECRET)')
    given = {**target.options(), **options}
    if password is None:
        store = open_store(store) if store is None or isinstance(store, str) else store
        credential = credential_for(target, store, owner=owner)
    else:
        credential = Credential(username=_username(target), secret=password)
    if target.url.provider in _LOCKING:
        given.setdefault("guard", _guard(target, credential, given, insist=insist))
    module, _, attribute = _TABLE[target.url.provider].partition(":")
    factory = cast("_Factory", getattr(importlib.import_module(module), attribute))
    return factory(target.host, credential.username, credential.secret, **given)


def _guard(
    target: Target, credential: Credential, given: Mapping[str, Any], *, insist: bool
) -> _refused.Guard:
    """Return what remembers a refused login from one process to the next."""
    kind, host = target.url.provider, target.host
    port = given.get("port") or (443 if given.get("https") else 80)
    shown = f"[{host}]" if ":" in host else host
    named = None if target.profile is None else target.profile.name
    return _refused.Guard(
        f"{kind}://{credential.username}@{shown}:{port}",
        credential.secret,
        command=f"camsync login {named or target.url}",
        insist=insist,
    )


def credential_for(
    target: Target, store: CredentialStore, *, owner: str | None = None
) -> Credential:
    """Return what *store* holds for *target*.

    Raises:
        ConfigurationError: It is for another user than the URL's.
        ProfileNotFoundError: *target* is a name that no profile has.
        CredentialNotFoundError: It holds nothing.
        CredentialError: It cannot be read.
    """
    try:
        credential = store.get(target.url.provider, target.stored_under(), owner=owner)
    except CredentialNotFoundError as error:
        if PLACES[target.url.provider] and target.profile is None:
            error.next_step = (
                f"store it first: camsync login {target.url} --name home, "
                "or connect(..., password=APP_SECRET)"
            )
        raise
    if target.url.username not in {None, credential.username}:
        name = CredentialName(target.url.provider, target.account, owner)
        msg = f"what is stored for {name} belongs to another user than {target.url.username!r}"
        raise ConfigurationError(msg, next_step="leave the user out of the URL, or log in again")
    return credential


def _username(target: Target) -> str:
    username = target.url.username or (target.profile.username if target.profile else None)
    if username is None:
        msg = f"a password was given for {target.url}, but no user"
        kind = target.url.provider
        example = (
            f"{kind}://APPID@{next(iter(PLACES[kind]))}" if PLACES[kind] else f"{kind}://USER@HOST"
        )
        raise ConfigurationError(msg, next_step=f"write {example}")
    return username


def open_store(
    where: str | None = None, *, ask: Callable[[], str | Secret] | None = None
) -> CredentialStore:
    """Open the store of credentials that *where* names.

    Args:
        where:
            ``"env"``, ``"keyring"``, ``"file"`` or ``"file:PATH"``. None means what the variable
            ``CAMSYNC_STORE`` says, else a chain: the environment, the keyring of the system where
            there is one, and the encrypted file ``credentials.camsync`` beside the profiles.
        ask: Called for the file's passphrase when no variable gives key or passphrase.

    The file's key is looked for when it is needed: in ``CAMSYNC_KEY``, in the file that
    ``CAMSYNC_KEY_FILE`` names, or derived from ``CAMSYNC_PASSPHRASE``, in this order.

    Raises:
        ConfigurationError: *where* names no store.
    """
    chosen = where or os.environ.get(STORE_VARIABLE) or "auto"
    kind, _, path = chosen.partition(":")
    if chosen == "auto":
        return _automatic(ask)
    if kind == "file":
        return _file_store(Path(path).expanduser() if path else config_folder() / STORE_FILE, ask)
    if chosen in _STORES:
        store: CredentialStore = _store_class(chosen)()
        return store
    msg = f"{chosen[:80]!r} is not a store of credentials"
    raise ConfigurationError(msg, next_step="use env, keyring, file, or file:PATH")


def _automatic(ask: Callable[[], str | Secret] | None) -> CredentialStore:
    stores: list[CredentialStore] = [_store_class("env")()]
    keyring = _store_class("keyring")()
    if keyring.usable():
        stores.append(keyring)
    stores.append(_file_store(config_folder() / STORE_FILE, ask))
    return first_of(*stores)


def _file_store(path: Path, ask: Callable[[], str | Secret] | None) -> CredentialStore:
    keys = importlib.import_module("camsync.credentials.keys")
    store: CredentialStore
    if os.environ.get(KEY_VARIABLE):
        store = _store_class("file")(path, key=keys.KeyFromEnv(KEY_VARIABLE))
    elif os.environ.get(KEY_FILE_VARIABLE):
        store = _store_class("file")(path, key=keys.KeyFromFile(os.environ[KEY_FILE_VARIABLE]))
    elif os.environ.get(PASSPHRASE_VARIABLE):
        store = _store_class("file")(path, passphrase=keys.KeyFromEnv(PASSPHRASE_VARIABLE))
    else:
        store = _store_class("file")(path, passphrase=ask or _no_key)
    return store


def _no_key() -> Secret:
    msg = "there is neither a key nor a passphrase for the file of credentials"
    step = f"set {KEY_FILE_VARIABLE}, {KEY_VARIABLE} or {PASSPHRASE_VARIABLE}"
    raise MissingKeyError(msg, next_step=step)


def _store_class(name: str) -> Any:
    module, _, attribute = _STORES[name].partition(":")
    return getattr(importlib.import_module(module), attribute)

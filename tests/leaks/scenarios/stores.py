"""The stores of credentials: used well, used wrongly, damaged, exposed, and without a key."""

from __future__ import annotations

import base64
import json

from pathlib import Path

import keyring
import keyring.backend
import keyring.errors

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt as ScryptFunction
from leak_harness.stage import Stage, of, scenario

import camsync

from camsync import Credential, EncryptedFileStore, EnvStore, KeyringStore, MemoryStore
from camsync.credentials import keyring as keyring_store
from camsync.credentials import keys, migrate, select
from camsync.credentials.file import SCRYPT_CHEAPEST, Scrypt, new_key


_ALL = "get set delete names"
_PLACE = ("hikvision", "front-shop")


def _credential(stage: Stage, secret: str = "password") -> Credential:
    return Credential(username="admin", secret=stage.plain(secret))


def _used(stage: Stage, store: camsync.CredentialStore) -> None:
    """Do with a store what one does, and what one does wrong."""
    store.set(*_PLACE, _credential(stage))
    store.set("imou", "cloud", _credential(stage, "cloud"), owner="ann@example.org")
    stage.keep(store.get(*_PLACE), store.names(), store.names("imou"), store)
    store.delete("imou", "cloud", owner="ann@example.org")
    with stage.fails(camsync.CredentialNotFoundError):
        store.get("imou", "cloud", owner="ann@example.org")
    with stage.fails(camsync.CredentialNotFoundError):
        store.delete("imou", "cloud", owner="ann@example.org")
    with stage.fails(camsync.ConfigurationError):
        store.get("no provider", "x")
    with stage.fails(camsync.CredentialNotFoundError, camsync.ConfigurationError):
        store.get("hikvision", "another")


@scenario(
    *of("camsync.MemoryStore", _ALL),
    *of("camsync.EncryptedFileStore", _ALL),
    "camsync.Credential",
    *of("camsync.CredentialName", "matches"),
    "camsync.first_of",
    "camsync.credentials.migrate",
    "camsync.credentials.select",
)
def in_memory_and_chained(stage: Stage) -> None:
    """Use a memory store, a chain, and copy from one to the other."""
    memory = MemoryStore()
    _used(stage, memory)
    file = EncryptedFileStore(stage.folder / "chain.camsync", key=stage.plain("key"))
    chain = camsync.first_of(EnvStore(environ={}), file, memory)
    _used(stage, chain)
    stage.keep(chain, migrate(memory, file), select(file.names(), "hikvision"))
    with stage.fails(camsync.ReadOnlyStoreError):
        camsync.first_of(EnvStore(environ={})).set(*_PLACE, _credential(stage))
    with stage.fails(camsync.ConfigurationError):
        camsync.first_of()


@scenario("camsync.credentials.given_credential")
def with_a_bare_secret(stage: Stage) -> None:
    """Give every store the secret itself where a credential belongs."""
    file = EncryptedFileStore(stage.folder / "bare.camsync", key=stage.plain("key"))
    vpack = camsync.VpackTokenStore(stage.folder / "tokens", new_key())
    stores = (MemoryStore(), EnvStore(environ={}), file, vpack, camsync.first_of(file, vpack))
    for store in stores:
        with stage.fails(camsync.ConfigurationError, camsync.ReadOnlyStoreError):
            store.set(*_PLACE, stage.plain("password"))


@scenario(*of("camsync.EnvStore", _ALL))
def in_the_environment(stage: Stage) -> None:
    """Read variables, and files that they name; miss one; have two; have one that is exposed."""
    name = "CAMSYNC_HIKVISION_FRONT_SHOP"
    store = EnvStore()
    with stage.fails(camsync.CredentialNotFoundError):
        store.get(*_PLACE)
    stage.environ(f"{name}_SECRET", "password")
    with stage.fails(camsync.CredentialNotFoundError):
        store.get(*_PLACE)
    stage.patch.setenv(f"{name}_USERNAME", "admin")
    stage.keep(store.get(*_PLACE), store.names(), store)
    with stage.fails(camsync.ReadOnlyStoreError):
        store.set(*_PLACE, _credential(stage, "wrong"))
    with stage.fails(camsync.ReadOnlyStoreError):
        store.delete(*_PLACE)
    secret = stage.secret_file("front-shop", "cloud")
    stage.patch.setenv(f"{name}_SECRET_FILE", str(secret))
    with stage.fails(camsync.ConfigurationError):
        store.get(*_PLACE)
    stage.patch.delenv(f"{name}_SECRET")
    stage.keep(store.get(*_PLACE))
    secret.chmod(0o644)
    with stage.fails(camsync.ExposedStoreError):
        store.get(*_PLACE)
    given = EnvStore(environ={f"{name}_USERNAME": "a\nb", f"{name}_SECRET": stage.plain()})
    with stage.fails(camsync.ConfigurationError):
        given.get(*_PLACE)
    stage.keep(given)


def _derive(stage: Stage, path: Path, *names: str) -> None:
    """Plant the keys that the file's header and a secret lead to: they are as good as it."""
    kdf = json.loads(path.read_bytes().partition(b"\n")[0])["kdf"]
    salt = base64.b64decode(kdf["salt"])
    for name in names:
        if kdf["name"] == "scrypt":
            function = ScryptFunction(salt=salt, length=32, n=kdf["n"], r=kdf["r"], p=kdf["p"])
            derived = function.derive(stage.plain(name).encode())
        else:
            raw = base64.urlsafe_b64decode(stage.plain(name))
            derived = HKDF(SHA256(), 32, salt, b"camsync credentials 1: key").derive(raw)
        stage.vault.keep_bytes(f"derived from {name}", derived)
        cipher = HKDFExpand(SHA256(), 32, b"camsync credentials 1: encryption").derive(derived)
        stage.vault.keep_bytes(f"cipher key from {name}", cipher)


@scenario(*of("camsync.EncryptedFileStore", f"{_ALL} rotate"), "camsync.credentials.file.Scrypt")
def in_a_file_with_a_passphrase(stage: Stage) -> None:
    """Write, read, rotate; with a wrong passphrase, a damaged file, an exposed one, a full disk."""
    path = stage.folder / "store" / "credentials.camsync"
    store = EncryptedFileStore(path, passphrase=stage.plain("passphrase"), kdf=SCRYPT_CHEAPEST)
    _used(stage, store)
    _derive(stage, path, "passphrase", "other-passphrase")
    other = EncryptedFileStore(path, passphrase=stage.plain("other-passphrase"))
    for attempt in (
        lambda: other.get(*_PLACE),
        lambda: other.set(*_PLACE, _credential(stage, "wrong")),
        lambda: other.delete(*_PLACE),
        other.names,
        lambda: other.rotate(passphrase=stage.plain("wrong")),
    ):
        with stage.fails(camsync.WrongKeyError):
            attempt()
    stage.keep(other, store)
    with stage.fails(camsync.ConfigurationError):
        store.rotate(passphrase=stage.plain("passphrase"), key=stage.plain("key"))
    with stage.fails(camsync.ConfigurationError):
        store.rotate(key=stage.plain("passphrase"))
    store.rotate(passphrase=stage.plain("other-passphrase"))
    _derive(stage, path, "other-passphrase")
    store.rotate(key=stage.plain("key"))
    _derive(stage, path, "key")
    stage.keep(store, store.get(*_PLACE))
    _broken(stage, path)


def _broken(stage: Stage, path: Path) -> None:
    store = EncryptedFileStore(path, key=stage.plain("key"))
    stage.keep(store.get(*_PLACE))
    content = path.read_bytes()
    for damaged in (content[:-10], content[:40], b"", b"\0" * 100, content.replace(b"=", b"", 1)):
        path.write_bytes(damaged)
        with stage.fails(camsync.DamagedStoreError):
            store.get(*_PLACE)
        with stage.fails(camsync.DamagedStoreError):
            store.set(*_PLACE, _credential(stage, "wrong"))
    path.write_bytes(content)
    path.chmod(0o644)
    with stage.fails(camsync.ExposedStoreError):
        store.get(*_PLACE)
    path.chmod(0o600)
    with stage.patch.context() as patch:
        patch.setattr("os.fsync", _full)
        with stage.fails(camsync.StoreUnavailableError):
            store.set(*_PLACE, _credential(stage, "wrong"))
        patch.setattr("os.fsync", _interrupted)
        with stage.fails(KeyboardInterrupt):
            store.set(*_PLACE, _credential(stage, "wrong"))
    stage.keep(store)


def _full(_handle: int) -> None:
    raise OSError(28, "No space left on device")


def _interrupted(_handle: int) -> None:
    raise KeyboardInterrupt


@scenario("camsync.EncryptedFileStore", "camsync.EncryptedFileStore.set")
def keys_that_are_none(stage: Stage) -> None:
    """Give a password as a key, bytes, nothing, both, and callables that fail or give nonsense."""
    path = stage.folder / "unused" / "x.camsync"
    for wrap in (str.encode, list, lambda text: [text]):
        with stage.fails(camsync.ConfigurationError, TypeError):
            EncryptedFileStore(path, passphrase=wrap(stage.plain("passphrase")))
        with stage.fails(camsync.ConfigurationError, TypeError):
            EncryptedFileStore(path, key=wrap(stage.plain("key")))
        with stage.fails(camsync.ConfigurationError, TypeError):
            EncryptedFileStore(path, key=lambda wrap=wrap: wrap(stage.plain("key"))).set(
                *_PLACE, _credential(stage)
            )
    with stage.fails(camsync.ConfigurationError):
        EncryptedFileStore(path, passphrase=stage.plain("passphrase"), key=stage.plain("key"))
    with stage.fails(camsync.ConfigurationError):
        EncryptedFileStore("nul\0", key=stage.plain("key"))
    for options in ({"key": stage.plain}, {"passphrase": lambda: ""}, {"passphrase": _interrupt}):
        with stage.fails(camsync.ConfigurationError, KeyboardInterrupt):
            EncryptedFileStore(path, **options).set(*_PLACE, _credential(stage))
    with stage.fails(camsync.ConfigurationError):
        EncryptedFileStore(path, key=stage.plain("password")).set(*_PLACE, _credential(stage))
    with stage.fails(camsync.ConfigurationError):
        EncryptedFileStore(path, key=stage.plain("key"), kdf=SCRYPT_CHEAPEST)
    with stage.fails(camsync.ConfigurationError):
        Scrypt(n=3, r=1, p=1)


def _interrupt() -> str:
    raise KeyboardInterrupt


@scenario(
    "camsync.KeyFromEnv",
    "camsync.KeyFromFile",
    "camsync.credentials.file.new_key",
    "camsync.credentials.keys.write_key_file",
)
def keys_from_elsewhere(stage: Stage) -> None:
    """Take keys from a variable and from files; miss them; write one that exists."""
    path = stage.folder / "store" / "credentials.camsync"
    from_env = keys.KeyFromEnv()
    store = EncryptedFileStore(path, key=from_env)
    with stage.fails(camsync.MissingKeyError):
        store.set(*_PLACE, _credential(stage))
    stage.environ("CAMSYNC_KEY", "key")
    store.set(*_PLACE, _credential(stage))
    _derive(stage, path, "key")
    stage.keep(store, from_env, from_env())  # the key has been asked for: a pickle must not hold it
    file = stage.secret_file("key", "other-key")
    from_file = keys.KeyFromFile(file)
    stage.keep(from_file, from_file())
    with stage.fails(camsync.WrongKeyError):
        EncryptedFileStore(path, key=from_file).get(*_PLACE)
    file.chmod(0o640)
    with stage.fails(camsync.ExposedStoreError):
        from_file()
    with stage.fails(camsync.MissingKeyError):
        keys.KeyFromFile(stage.folder / "none")()
    fresh = stage.folder / "given" / "fresh.key"
    stage.watch.given.add(fresh)
    made = keys.write_key_file(fresh)
    stage.vault.keep_key("written key", made().reveal())
    stage.keep(made, made(), new_key())
    with stage.fails(camsync.ConfigurationError):
        keys.write_key_file(fresh)


class _Backend(keyring.backend.KeyringBackend):
    """A keyring in memory, whose errors quote all that they were given, as some really do."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}
        self.broken = False

    def __repr__(self) -> str:
        return "<a keyring>"

    def get_password(self, service: str, username: str) -> str | None:
        found = self.entries.get((service, username))
        if self.broken:
            msg = f"cannot decode {found!r}"
            raise ValueError(msg)
        return found

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.broken:
            msg = f"cannot keep {password!r}"
            raise keyring.errors.PasswordSetError(msg)
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.broken:
            msg = f"cannot delete {self.entries.get((service, username))}"
            raise keyring.errors.PasswordDeleteError(msg)
        del self.entries[service, username]


@scenario(
    *of("camsync.KeyringStore", f"{_ALL} usable"),
    *of("camsync.KeyFromKeyring", "make"),
    "camsync.credentials.keyring.stored_key",
    "camsync.credentials.keyring.stored_or_new_key",
)
def in_a_keyring(stage: Stage) -> None:
    """Use a keyring; then one that fails and quotes in its errors what it was given; then none."""
    backend = _Backend()
    stage.patch.setattr(keyring, "get_keyring", lambda: backend)
    store = KeyringStore()
    stage.keep(store, store.usable())
    _used(stage, store)
    key = camsync.KeyFromKeyring(create=True)
    key.make()
    stage.vault.keep_key("key in the keyring", key().reveal())
    stage.keep(key, keyring_store.stored_key("default"), keyring_store.stored_or_new_key("new"))
    with stage.fails(camsync.MissingKeyError):
        camsync.KeyFromKeyring("none")()
    backend.broken = True
    for attempt in (
        lambda: store.get(*_PLACE),
        lambda: store.set(*_PLACE, _credential(stage, "wrong")),
        lambda: store.delete(*_PLACE),
        key,
        camsync.KeyFromKeyring("another", create=True).make,
    ):
        with stage.fails(camsync.CredentialError):
            attempt()
    stage.patch.setattr(keyring, "get_keyring", keyring.backends.fail.Keyring)
    with stage.fails(camsync.StoreUnavailableError):
        store.get(*_PLACE)
    stage.keep(store, store.usable())


@scenario(*of("camsync.VpackTokenStore", f"{_ALL} files read write rotate"))
def in_the_files_of_vpack(stage: Stage) -> None:
    """Use VPACK's files, with tokens in them; with a wrong key, damaged and exposed."""
    folder = stage.folder / "tokens"
    folder.mkdir(mode=0o700)
    store = camsync.VpackTokenStore(folder, stage.plain("key"))
    _used(stage, store)
    (name,) = store.files()
    stage.keep(store, store.read(name))
    store.write(
        "imou_tokens.json",
        {
            "provider": "imou",
            "user_email": "ann@example.org",
            "credentials": {"access_token": stage.plain("cloud"), "more": ["text"]},
        },
    )
    stage.keep(store.read("imou_tokens.json"), store.rotate())
    with stage.fails(camsync.ConfigurationError):
        store.write("../x", {"provider": "imou", "credentials": {"token": stage.plain("cloud")}})
    with stage.fails(camsync.ConfigurationError):
        store.write("imou_x.json", {"credentials": {"token": stage.plain("cloud")}})
    with stage.fails(camsync.ConfigurationError):
        store.write(
            "imou_x.json",
            {"provider": "imou", "credentials": {"token": stage.plain("cloud"), "when": stage}},
        )
    picklable = camsync.VpackTokenStore(folder, keys.KeyFromFile(stage.secret_file("key", "key")))
    stage.keep(picklable.names(), picklable)
    other = camsync.VpackTokenStore(folder, stage.plain("other-key"))
    for attempt in (lambda: other.get(*_PLACE), other.names, other.rotate):
        with stage.fails(camsync.WrongKeyError):
            attempt()
    stage.keep(other)
    for wrong in ("password", "passphrase"):
        with stage.fails(camsync.ConfigurationError):
            camsync.VpackTokenStore(folder, stage.plain(wrong)).get(*_PLACE)
    with stage.fails(camsync.ConfigurationError):
        camsync.VpackTokenStore(folder, stage.plain("key").encode(), previous=[5])
    path = folder / name
    content = path.read_bytes()
    for damaged in (content[:-20], b"{}", b"\xff" * 9):
        path.write_bytes(damaged)
        with stage.fails(camsync.CamsyncError):
            store.get(*_PLACE)
    path.write_bytes(content)
    path.chmod(0o644)
    with stage.fails(camsync.ExposedStoreError):
        store.get(*_PLACE)

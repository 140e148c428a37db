"""Every store of credentials passes the same contract."""

from __future__ import annotations

import functools
import sys

import keyring.core
import pytest

import camsync

from camsync.credentials import CredentialName, first_of
from camsync.credentials.env import EnvStore
from camsync.credentials.file import SCRYPT_CHEAPEST, EncryptedFileStore
from camsync.credentials.keyring import KeyringStore
from camsync.credentials.keys import KeyFromEnv, KeyFromFile, new_key, write_key_file
from camsync.credentials.memory import MemoryStore
from camsync.credentials.vpack import VpackTokenStore
from camsync.testing.store_contract import CredentialStoreContract


# A keyring in a file: what several processes share. Tests only: it does not encrypt.
BACKEND = """
import json, os, pathlib
import filelock
from keyring.backend import KeyringBackend


class Priority:
    def __get__(self, instance, owner=None):
        return len(os.environ["TEST_KEYRING"])  # elsewhere it is not viable


class Keyring(KeyringBackend):
    priority = Priority()

    def _change(self, change):
        path = pathlib.Path(os.environ["TEST_KEYRING"])
        with filelock.FileLock(str(path) + ".lock").acquire(poll_interval=0.001):
            entries = json.loads(path.read_text()) if path.exists() else {}
            result = change(entries)
            path.write_text(json.dumps(entries))
        return result

    def get_password(self, service, username):
        return self._change(lambda entries: entries.get(f"{service} {username}"))

    def set_password(self, service, username, password):
        self._change(lambda entries: entries.update({f"{service} {username}": password}))

    def delete_password(self, service, username):
        self._change(lambda entries: entries.pop(f"{service} {username}"))
"""


class TestMemoryStore(CredentialStoreContract):
    @pytest.fixture
    def store(self):
        return MemoryStore()


class TestEnvStore(CredentialStoreContract):
    writable = False
    nul = False

    @pytest.fixture
    def store(self, monkeypatch):
        self.monkeypatch = monkeypatch
        return EnvStore()

    def plant(self, store, name, credential):
        username, secret, _ = variables(store, name)
        self.monkeypatch.setenv(username, credential.username)
        self.monkeypatch.setenv(secret, credential.secret.reveal())


class TestEnvStoreWithFiles(CredentialStoreContract):
    writable = False

    @pytest.fixture
    def store(self, tmp_path):
        self.folder, self.environ = tmp_path, {}
        return EnvStore("MY_APP", environ=self.environ)

    def plant(self, store, name, credential):
        username, _, file = variables(store, name)
        path = self.folder / str(len(self.environ))
        path.touch(mode=0o600)
        text = credential.secret.reveal()
        # A first byte order mark is the file's, as Notepad's is, and not the secret's.
        encoding = "utf-8-sig" if text.startswith("\ufeff") else "utf-8"
        path.write_bytes(text.encode(encoding) + b"\n")
        self.environ.update({username: credential.username, file: str(path)})


def variables(store, name: CredentialName) -> list[str]:
    """The variables that a store names when one asks it to store something."""
    with pytest.raises(camsync.CamsyncError) as caught:
        store.set(name.provider, name.account, None, owner=name.owner)
    return [word.strip("()") for word in caught.value.next_step.split() if store.prefix in word]


class TestFileStoreWithPassphrase(CredentialStoreContract):
    lasting = True

    @pytest.fixture
    def place(self, tmp_path, monkeypatch):
        monkeypatch.setenv("CAMSYNC_PASSPHRASE", "a passphrase for the tests")
        return functools.partial(
            EncryptedFileStore,
            tmp_path / "credentials",
            passphrase=KeyFromEnv("CAMSYNC_PASSPHRASE"),
            kdf=SCRYPT_CHEAPEST,
        )


class TestFileStoreWithKey(CredentialStoreContract):
    lasting = True

    @pytest.fixture
    def place(self, tmp_path):
        key = write_key_file(tmp_path / "elsewhere" / "key")
        return functools.partial(EncryptedFileStore, tmp_path / "here" / "credentials", key=key)


class TestKeyringStore(CredentialStoreContract):
    lasting = True

    @pytest.fixture
    def place(self, tmp_path, monkeypatch):
        (tmp_path / "keyring_in_a_file.py").write_text(BACKEND)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setenv("TEST_KEYRING", str(tmp_path / "entries.json"))
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring_in_a_file.Keyring")
        monkeypatch.delitem(sys.modules, "keyring_in_a_file", raising=False)
        monkeypatch.setattr(keyring.core, "_keyring_backend", None)
        return functools.partial(KeyringStore, index=tmp_path / "names.json")


class TestVpackTokenStore(CredentialStoreContract):
    lasting = True

    @pytest.fixture
    def place(self, tmp_path):
        key = write_key_file(tmp_path / "keys" / "oauth_encryption.key")
        return functools.partial(VpackTokenStore, tmp_path / "tokens", KeyFromFile(key.path))


class TestChain(CredentialStoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        file = EncryptedFileStore(tmp_path / "credentials", key=new_key())
        return first_of(EnvStore(environ={}), file, MemoryStore())

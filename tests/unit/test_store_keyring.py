"""The system's keyring: what is kept there, the list of names, and why there may be none."""

from __future__ import annotations

import builtins
import json
import pickle
import sys
import traceback

import keyring as package
import pytest

from keyring.backend import KeyringBackend
from keyring.backends import chainer, fail, null
from keyring.errors import KeyringLocked

from camsync.credentials import Credential, CredentialName
from camsync.credentials import keyring as module
from camsync.credentials.file import EncryptedFileStore, new_key
from camsync.credentials.keyring import KeyringStore
from camsync.credentials.keys import KeyFromKeyring
from camsync.errors import (
    CredentialNotFoundError,
    DamagedStoreError,
    MissingExtraError,
    MissingKeyError,
    StoreUnavailableError,
)


SECRET = "Planted-secret-\u00e4-13"
ADMIN = Credential(username="admin", secret=SECRET)
OTHER = Credential(username="other", secret="another")


class _OnlyForTests:
    """A priority that says why nobody else should use the backend."""

    def __get__(self, instance, owner=None):
        msg = "for tests only"
        raise RuntimeError(msg)


class _Backend(KeyringBackend):
    """A keyring in memory, which is never found by itself."""

    forgetful = False
    priority = _OnlyForTests()

    def __init__(self):
        super().__init__()
        self.entries = {}
        self.error = None

    def get_password(self, service, username):
        self._fail()
        return self.entries.get((service, username))

    def set_password(self, service, username, password):
        self._fail()
        if not self.forgetful:
            self.entries[service, username] = password

    def delete_password(self, service, username):
        self._fail()
        del self.entries[service, username]

    def _fail(self):
        if self.error is not None:
            raise self.error


class PlaintextKeyring(_Backend):
    """Called like the one that writes passwords to a file as they are."""


class WinVaultKeyring(_Backend):
    """Called like that of Windows."""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The list of names is not that of the user."""
    monkeypatch.setenv("CAMSYNC_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def use(monkeypatch):
    """Make a backend the system's keyring, for one test."""

    def use(backend):
        monkeypatch.setattr(package.core, "_keyring_backend", backend)
        return backend

    return use


@pytest.fixture
def keyring(use):
    """A keyring that works."""
    return use(_Backend())


def _report(error) -> str:
    """The chain of errors with the variables of every frame, but for those of the tests."""
    report = ""
    while error is not None:
        frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
        report += repr([frame.locals for frame in frames if frame.filename != __file__]) + str(
            error
        )
        error = error.__cause__ or error.__context__
    return report


def test_entries_are_json_under_quoted_names(keyring, home):
    """One entry for each credential; the file of names holds no secret and is private."""
    store = KeyringStore()
    store.set("hikvision", "front-shop", ADMIN)
    store.set("imou", "A/b \u00e4", OTHER, owner="anna@x")

    assert [
        ("camsync", "hikvision/front-shop"),
        ("camsync", "imou/%41%2fb%20%c3%a4/anna%40x"),
    ] == list(keyring.entries)
    assert {"username": "admin", "secret": SECRET} == json.loads(
        keyring.entries["camsync", "hikvision/front-shop"]
    )
    index = home / "keyring-names.json"
    assert SECRET not in index.read_text()
    assert {"keyring-names.json", ".keyring-names.json.lock"} == {
        one.name for one in home.iterdir()
    }
    assert "KeyringStore(service='camsync')" == repr(store)


def test_services_are_apart(keyring):
    """Two programs that share the file of names see their own."""
    KeyringStore(service="one").set("hikvision", "a", ADMIN)
    KeyringStore(service="two").set("hikvision", "b", ADMIN)

    assert [CredentialName("hikvision", "a")] == list(KeyringStore(service="one").names())
    assert [CredentialName("hikvision", "b")] == list(KeyringStore(service="two").names())
    with pytest.raises(CredentialNotFoundError, match="service 'two'"):
        KeyringStore(service="two").get("hikvision", "a")


def test_a_name_without_an_entry_is_forgotten(keyring):
    """When the entry was deleted elsewhere, deleting here tidies the list."""
    store = KeyringStore()
    store.set("hikvision", "a", ADMIN)
    keyring.entries.clear()

    assert 1 == len(store.names())
    with pytest.raises(CredentialNotFoundError):
        store.delete("hikvision", "a")
    assert () == store.names()


def test_a_credential_whose_name_is_lost_is_still_found(keyring, home):
    """The list is a help for listing, not the store; deleting works, too."""
    store = KeyringStore()
    store.set("hikvision", "a", ADMIN)
    (home / "keyring-names.json").unlink()

    assert ADMIN == store.get("hikvision", "a")
    store.delete("hikvision", "a")
    assert {} == keyring.entries


@pytest.mark.parametrize("error", [KeyringLocked("locked by the user"), OSError("bus is gone")])
def test_a_keyring_that_refuses_is_told_with_its_reason(keyring, error):
    """Whatever a backend raises becomes an error of ours, without its frames."""
    store = KeyringStore()
    store.set("hikvision", "a", ADMIN)
    keyring.error = error

    for action in (
        lambda: store.get("hikvision", "a"),
        lambda: store.set("hikvision", "a", OTHER),
        lambda: store.set("hikvision", "b", ADMIN),
        lambda: store.delete("hikvision", "a"),
    ):
        with pytest.raises(StoreUnavailableError, match=str(error)) as caught:
            action()
        assert type(error).__name__ in caught.value.message
        assert "unlock the keyring" in caught.value.next_step
        assert None is caught.value.__context__
        assert SECRET not in _report(caught.value)
    keyring.error = None
    assert ADMIN == store.get("hikvision", "a")
    assert [CredentialName("hikvision", "a")] == list(store.names())


@pytest.mark.parametrize(
    "text", ["", f"cannot store {SECRET}", 'cannot store {"username":"admin","secret":"' + SECRET]
)
def test_an_error_with_the_secret_in_it_is_not_repeated(keyring, text):
    """Then only its kind is told."""
    keyring.error = ValueError(text)

    with pytest.raises(
        StoreUnavailableError, match=r"did not keep it: ValueError( - |$)"
    ) as caught:
        KeyringStore().set("hikvision", "a", ADMIN)
    assert SECRET not in _report(caught.value)


def test_an_error_about_a_key_does_not_show_it(keyring, monkeypatch):
    """A key is no JSON, and is looked for as well."""
    key = new_key()
    monkeypatch.setattr(module, "new_key", lambda: key)

    class Talkative(_Backend):
        def set_password(self, service, username, password):
            raise ValueError(password)

    monkeypatch.setattr(package.core, "_keyring_backend", Talkative())
    with pytest.raises(StoreUnavailableError) as caught:
        KeyFromKeyring(create=True).make()
    assert key.reveal() not in _report(caught.value)


@pytest.mark.parametrize(
    "stored", ["", "x", "[]", "{}", '{"username":"a"}', '{"username":"a","secret":7}', "[" * 99_999]
)
def test_what_something_else_has_stored_is_an_error(keyring, stored):
    """It is neither returned nor shown."""
    keyring.entries["camsync", "hikvision/a"] = stored

    with pytest.raises(DamagedStoreError, match="was not written by camsync"):
        KeyringStore().get("hikvision", "a")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b'{"camsync_keyring_names":2,"services":{}}',
        b'{"camsync_keyring_names":1,"services":7}',
        b'{"camsync_keyring_names":1,"services":{"camsync":[["H","a",null]]}}',
        b'{"camsync_keyring_names":1,"services":{"camsync":[[]]}}',
        b'{"camsync_keyring_names":1,"services":{"camsync":[7]}}',
    ],
)
def test_a_damaged_list_is_an_error(keyring, home, content):
    """It is told, and not taken for an empty one."""
    KeyringStore().set("hikvision", "a", ADMIN)
    (home / "keyring-names.json").write_bytes(content)

    with pytest.raises(DamagedStoreError, match="does not hold the names"):
        KeyringStore().names()
    with pytest.raises(DamagedStoreError, match="does not hold the names"):
        KeyringStore().set("hikvision", "b", ADMIN)


# Whether there is a keyring


def test_a_working_keyring_is_usable(keyring):
    """Nothing is stored or read to find out."""
    keyring.error = AssertionError("used")

    assert KeyringStore().usable()


@pytest.mark.parametrize("backend", [fail.Keyring, null.Keyring])
def test_without_a_keyring_the_reasons_are_told(use, backend):
    """Every backend says why it cannot be used, and there is a next step."""
    use(backend())
    store = KeyringStore()

    assert not store.usable()
    for action in (
        lambda: store.get("hikvision", "a"),
        lambda: store.set("hikvision", "a", ADMIN),
        lambda: store.delete("hikvision", "a"),
        store.names,
    ):
        with pytest.raises(StoreUnavailableError, match="no usable keyring: ") as caught:
            action()
        assert "Windows: " in caught.value.message
        assert "SecretService: " in caught.value.message
        assert "EncryptedFileStore" in caught.value.next_step
        assert "CAMSYNC_KEY_FILE" in caught.value.next_step
        assert SECRET not in _report(caught.value)


def test_a_backend_that_works_but_was_not_chosen_is_told():
    """Somebody has configured the null backend on a machine that has a keyring."""
    better = type("Keyring", (), {"__module__": "a.kwallet", "priority": 5})

    said = module._tried(type("Root", (), {"_classes": {better}}))
    assert said.startswith("kwallet: priority 5 (")
    assert module._tried(object()).startswith("no backend is installed (")


def test_a_chain_of_no_backends_is_no_keyring(use, monkeypatch):
    """The package's own chain swallows what is stored when it is empty."""
    monkeypatch.setattr(chainer.ChainerBackend, "backends", [])
    use(chainer.ChainerBackend())

    assert not KeyringStore().usable()


def test_a_keyring_that_writes_plain_text_is_refused(use, monkeypatch):
    """Also as the first of a chain; what is in it already can be read and deleted."""
    backend = use(PlaintextKeyring())
    store = KeyringStore()

    assert not store.usable()
    with pytest.raises(StoreUnavailableError, match="PlaintextKeyring writes passwords to a file"):
        store.set("hikvision", "a", ADMIN)
    assert {} == backend.entries
    backend.entries["camsync", "hikvision/a"] = json.dumps({"username": "a", "secret": "x"})
    assert "a" == store.get("hikvision", "a").username
    with pytest.raises(StoreUnavailableError, match="PlaintextKeyring"):
        KeyFromKeyring(create=True).make()
    monkeypatch.setattr(chainer.ChainerBackend, "backends", [backend, _Backend()])
    use(chainer.ChainerBackend())
    assert not store.usable()
    monkeypatch.setattr(chainer.ChainerBackend, "backends", [_Backend(), backend])
    assert store.usable()


def test_a_keyring_that_cannot_start_is_not_usable(use, monkeypatch):
    """A backend that somebody has configured and not installed."""
    use(None)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "no_such_module.Keyring")

    assert not KeyringStore().usable()
    with pytest.raises(StoreUnavailableError, match="did not start it: ModuleNotFoundError"):
        KeyringStore().get("hikvision", "a")


def test_without_the_package_the_extra_is_named(monkeypatch):
    """The error says how to install it; asking whether it is usable is no error."""
    real = builtins.__import__

    def refuse(name, *args):
        if name == "keyring" and not args[3]:
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.delitem(sys.modules, "keyring")
    monkeypatch.setattr(builtins, "__import__", refuse)
    store = KeyringStore()

    assert not store.usable()
    for action in (lambda: store.get("hikvision", "a"), lambda: store.set("hikvision", "a", ADMIN)):
        with pytest.raises(MissingExtraError, match="'keyring'"):
            action()


def test_windows_has_a_limit(use):
    """It counts bytes of UTF-16, and what is too long is told before it is cut off."""
    use(WinVaultKeyring())
    store = KeyringStore()
    room = 1280 - len('{"username":"a","secret":""}')

    store.set("hikvision", "a", Credential(username="a", secret="x" * room))
    with pytest.raises(StoreUnavailableError, match="up to 2560 bytes"):
        store.set("hikvision", "b", Credential(username="a", secret="x" * (room + 1)))
    assert ["a"] == [name.account for name in store.names()]


# Keys of encrypted files


def test_a_key_is_made_for_a_new_file_only(tmp_path, keyring):
    """With create=True, and no file yet: else a lost key is an error, and nothing is replaced."""
    path = tmp_path / "c"
    careful = EncryptedFileStore(path, key=KeyFromKeyring())
    with pytest.raises(MissingKeyError, match="holds no key 'default'"):
        careful.set("hikvision", "a", ADMIN)
    assert not path.exists()

    EncryptedFileStore(path, key=KeyFromKeyring(create=True)).set("hikvision", "a", ADMIN)
    assert ADMIN == careful.get("hikvision", "a")
    EncryptedFileStore(tmp_path / "d", key=KeyFromKeyring(create=True)).set("hikvision", "a", ADMIN)
    assert ADMIN == careful.get("hikvision", "a")

    before = path.read_bytes()
    keyring.entries.clear()
    lost = EncryptedFileStore(path, key=KeyFromKeyring(create=True))
    for action in (
        lambda: lost.get("hikvision", "a"),
        lambda: lost.set("hikvision", "b", ADMIN),
        lost.rotate,
        lambda: lost.rotate(key=KeyFromKeyring("new", create=True)),
    ):
        with pytest.raises(MissingKeyError):
            action()
    assert {} == keyring.entries
    assert before == path.read_bytes()


def test_a_key_from_the_keyring_can_be_rotated_in(tmp_path, keyring):
    """A store with a key elsewhere moves to a new one in the keyring, which is made for it."""
    store = EncryptedFileStore(tmp_path / "c", key=new_key())
    store.set("hikvision", "a", ADMIN)
    store.rotate(key=KeyFromKeyring("second", create=True))

    assert [("camsync", ":key/second")] == list(keyring.entries)
    again = pickle.loads(pickle.dumps(store))
    assert ADMIN == again.get("hikvision", "a")


def test_a_keyring_that_forgets_is_found_out(tmp_path, keyring):
    """Before anything is encrypted with a key that nobody has."""
    keyring.forgetful = True
    with pytest.raises(StoreUnavailableError, match="does not give it back"):
        KeyFromKeyring(create=True).make()


def test_the_list_stays_the_same_file(tmp_path, keyring, monkeypatch):
    """A relative path is seen from the folder in which it was given."""
    monkeypatch.chdir(tmp_path)
    store = KeyringStore(index="names.json")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir("other")
    store.set("hikvision", "a", Credential(username="admin", secret="x"))

    assert tmp_path / "names.json" == store.index
    assert store.index.exists()

"""VPACK's token files: what VPACK has written is read, and what we write VPACK can read."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
import pickle
import stat
import traceback

import pytest

from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from camsync import Secret
from camsync.credentials import Credential, CredentialName, migrate
from camsync.credentials.file import EncryptedFileStore, new_key
from camsync.credentials.keys import KeyFromFile, write_key_file
from camsync.credentials.memory import MemoryStore
from camsync.credentials.vpack import VpackTokenStore
from camsync.errors import (
    ConfigurationError,
    CredentialNotFoundError,
    DamagedStoreError,
    ExposedStoreError,
    MissingKeyError,
    StoreUnavailableError,
    WrongKeyError,
)


SECRET = "Planted-secret-\u00e4-29"
KEY = Fernet.generate_key().decode()
NVR = {
    "host": "192.168.1.64",
    "username": "admin",
    "password": SECRET,
    "port": 80,
    "use_https": False,
    "device_info": {"model": "DS-7616NI-K2", "serial": "123"},
}
TOKENS = {
    "access_token": SECRET,
    "refresh_token": f"{SECRET}-r",
    "token_uri": "https://example.org/token",
    "scopes": ["drive"],
    "client": {"client_secret": f"{SECRET}-c", "id": "1"},
    "api_keys": [SECRET],
    "expires_in": 7,
}
ADMIN = Credential(username="admin", secret=SECRET)
EMAIL = "anna@example.com"
EMAIL_HASH = hashlib.sha256(EMAIL.encode()).hexdigest()[:16]


def _vpack_writes(folder, name, payload, **outside):
    """Write a file as VPACK's own code does."""
    folder.mkdir(exist_ok=True)
    sealed = base64.b64encode(Fernet(KEY.encode()).encrypt(json.dumps(payload).encode())).decode()
    storage = {"encrypted_data": sealed, "created_at": "2025-01-02T03:04:05.678", **outside}
    path = folder / name
    path.write_text(json.dumps(storage, indent=2))
    path.chmod(0o600)
    return path


def _vpack_reads(path):
    """Read a file as VPACK's own code does."""
    storage = json.loads(path.read_text())
    token = base64.b64decode(storage["encrypted_data"].encode("utf-8"))
    return json.loads(Fernet(KEY.encode()).decrypt(token).decode("utf-8"))


@pytest.fixture
def folder(tmp_path):
    """VPACK's folder with a recorder, an Imou account and a Google Drive."""
    folder = tmp_path / "tokens"
    nvr = {"nvr_id": "192.168.1.64_80", "provider": "hikvision"}
    _vpack_writes(folder, "hikvision_192.168.1.64_80.json", NVR, **nvr)
    app = {"app_id": "lc123", "app_secret": SECRET}
    _vpack_writes(folder, f"imou_{EMAIL_HASH}.json", app, user_email=EMAIL, provider="imou")
    google = {"user_email": EMAIL, "provider": "google_drive", "encryption_version": "1.0"}
    _vpack_writes(folder, f"google_drive_{EMAIL_HASH}.json", TOKENS, **google)
    (folder / "README.txt").write_text("not a token")
    return folder


@pytest.fixture
def store(folder):
    """The store over that folder."""
    return VpackTokenStore(folder, KEY)


def _report(error) -> str:
    report = ""
    while error is not None:
        frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
        report += repr([frame.locals for frame in frames if frame.filename != __file__]) + str(
            error
        )
        error = error.__cause__ or error.__context__
    return report


def _raises(kind, action, match):
    with pytest.raises(kind, match=match) as caught:
        action()
    for plain in (SECRET, json.dumps(SECRET)[1:-1], KEY):
        assert plain not in _report(caught.value)
    return caught.value


def test_what_vpack_has_written_is_read(store):
    """Recorders and Imou applications are credentials; OAuth tokens are not among the names."""
    assert [
        CredentialName("hikvision", "192.168.1.64_80"),
        CredentialName("imou", EMAIL),
    ] == list(store.names())
    assert ADMIN == store.get("hikvision", "192.168.1.64_80")
    assert Credential(username="lc123", secret=SECRET) == store.get("imou", EMAIL)
    assert [CredentialName("imou", EMAIL)] == list(store.names("imou"))


def test_what_we_write_vpack_can_read(store, folder):
    """User name and password change; everything else in the file stays."""
    store.set("hikvision", "192.168.1.64_80", Credential(username="viewer", secret="new"))

    path = folder / "hikvision_192.168.1.64_80.json"
    assert {**NVR, "username": "viewer", "password": "new"} == _vpack_reads(path)
    outside = json.loads(path.read_text())
    assert ("192.168.1.64_80", "hikvision", "2025-01-02T03:04:05.678", "1.0") == tuple(
        outside[key] for key in ("nvr_id", "provider", "created_at", "encryption_version")
    )
    assert os.name != "posix" or 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_a_new_recorder_has_host_and_port(store, folder):
    """VPACK connects with what is in the file."""
    store.set("hikvision", "nvr.local_8000", ADMIN)

    payload = _vpack_reads(folder / "hikvision_nvr.local_8000.json")
    assert {"host": "nvr.local", "port": 8000, "username": "admin", "password": SECRET} == payload
    store.set("hikvision", "front-shop", ADMIN)
    payload = _vpack_reads(folder / "hikvision_front-shop.json")
    assert {"username": "admin", "password": SECRET} == payload


@pytest.mark.parametrize(
    "account",
    ["../../etc/passwd_80", "a/b_80", "..\\x_80", "/abs_80", "fe80::1_80", "A" * 250, "NVR_80"],
)
def test_no_account_leaves_the_folder(store, folder, account):
    """The host is text that a user has typed."""
    before = set(folder.parent.rglob("*"))
    store.set("hikvision", account, ADMIN)

    new = {path for path in set(folder.parent.rglob("*")) - before if path.suffix == ".json"}
    assert [folder] == [path.parent for path in new]
    assert all("~" in path.name for path in new)
    assert ADMIN == store.get("hikvision", account)
    assert CredentialName("hikvision", account) in store.names()
    store.delete("hikvision", account)
    assert not new & set(folder.iterdir())


def test_files_with_odd_names_are_found_by_what_they_hold(store, folder):
    """VPACK itself uses the host as it is; a file of that name stays where it is."""
    path = _vpack_writes(
        folder,
        "hikvision_NVR_80.json",
        {**NVR, "host": "NVR"},
        nvr_id="NVR_80",
        provider="hikvision",
    )

    assert ADMIN == store.get("hikvision", "NVR_80")
    store.set("hikvision", "NVR_80", Credential(username="x", secret="y"))
    assert "x" == _vpack_reads(path)["username"]
    with pytest.raises(CredentialNotFoundError):
        store.get("hikvision", "nvr_80")


def test_where_case_is_ignored_nothing_is_overwritten(store, folder):
    """On Windows and macOS, VPACK's file of NVR_80 answers to nvr_80, too."""
    _vpack_writes(folder, "hikvision_nvr_80.json", NVR, nvr_id="NVR_80", provider="hikvision")
    path = store._path(CredentialName("hikvision", "nvr_80"))

    assert "hikvision_nvr-80~" in path.name
    _raises(DamagedStoreError, store.names, "holds the credential of another account than its name")


def test_owners_are_apart(store, folder):
    """A recorder's file with an e-mail address belongs to that person only."""
    hers = {"nvr_id": "10.0.0.1_80", "user_email": EMAIL, "provider": "hikvision"}
    recorder = {**NVR, "host": "10.0.0.1"}
    _vpack_writes(folder, "hikvision_10.0.0.1_80.json", recorder, **hers)
    store.set("hikvision", "192.168.1.64_80", Credential(username="zoe", secret="z"), owner="zoe")

    assert ADMIN == store.get("hikvision", "10.0.0.1_80", owner=EMAIL)
    with pytest.raises(CredentialNotFoundError):
        store.get("hikvision", "10.0.0.1_80")
    assert ADMIN == store.get("hikvision", "192.168.1.64_80")
    assert "zoe" == store.get("hikvision", "192.168.1.64_80", owner="zoe").username
    assert [EMAIL] == [name.owner for name in store.names(owner=EMAIL)]


def test_oauth_tokens_are_no_credential(store, folder):
    """The error says how to read them; other providers cannot be stored."""
    path = _vpack_writes(
        folder,
        f"imou_{hashlib.sha256(b'b').hexdigest()[:16]}.json",
        TOKENS,
        user_email="b",
        provider="imou",
    )

    _raises(
        CredentialNotFoundError, lambda: store.get("imou", "b"), "tokens of OAuth, which are no"
    )
    assert "b" not in [name.account for name in store.names()]
    drive = functools.partial(store.get, "google_drive", EMAIL)
    _raises(CredentialNotFoundError, drive, "tokens of OAuth are none")
    _raises(CredentialNotFoundError, lambda: store.get("imou", "nobody"), "no credential for")
    _raises(
        ConfigurationError,
        lambda: store.set("google_drive", EMAIL, ADMIN),
        "only of hikvision, imou",
    )
    _raises(CredentialNotFoundError, lambda: store.delete("imou", "nobody"), "no credential for")
    store.delete("imou", "b")
    assert not path.exists()


def test_whole_documents_can_be_read_and_written(store, folder):
    """Everything in them stays, and what is secret is wrapped."""
    name = f"google_drive_{EMAIL_HASH}.json"
    document = store.read(name)

    assert (EMAIL, "google_drive") == (document["user_email"], document["provider"])
    inside = document["credentials"]
    assert SECRET == inside["access_token"].reveal()
    assert SECRET == inside["api_keys"][0].reveal()
    assert TOKENS["token_uri"] == inside["token_uri"]
    assert SECRET not in repr(document)
    assert {"encrypted_data"} == set(json.loads((folder / name).read_text())) - set(document)

    (folder / name).unlink()
    store.write(name, {**document, "credentials": {**inside, "expires_in": Secret("8")}})
    assert {**TOKENS, "expires_in": "8"} == _vpack_reads(folder / name)
    assert document["created_at"] == store.read(name)["created_at"]
    assert name in store.files()


@pytest.mark.parametrize(
    "file",
    ["", "x.json", "../hikvision_a.json", "hikvision_a/b.json", "hikvision_\\a.json", "HIK_a.json"],
)
def test_only_token_files_are_read_and_written(store, file):
    """No name leads out of the folder."""
    _raises(ConfigurationError, lambda: store.read(file), "is not the name of a file")
    document = {"provider": "x", "credentials": {}}
    _raises(ConfigurationError, lambda: store.write(file, document), "is not the name of a file")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "needs the members"),
        ({"provider": "x"}, "needs the members"),
        ({"credentials": {"password": SECRET}}, "needs the members"),
        ({"provider": "x", "credentials": [SECRET]}, "needs the members"),
        ({"provider": "x", "credentials": {"x": object(), "y": SECRET}}, "JSON cannot express"),
    ],
)
def test_documents_that_cannot_be_written_are_refused(store, document, message):
    """Nothing is written."""
    before = store.files()
    with pytest.raises(ConfigurationError, match=message) as caught:
        store.write("imou_a.json", document)

    assert SECRET not in _report(caught.value)
    assert before == store.files()


def test_a_full_disk_shows_nothing(store, monkeypatch):
    """Whatever the members are called, and whether they are wrapped or not."""

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    document = {"provider": "x", "credentials": {"pin": SECRET, "more": {"note": SECRET}}}
    _raises(StoreUnavailableError, lambda: store.write("imou_a.json", document), "No space left")
    place = functools.partial(store.set, "hikvision", "192.168.1.64_80", ADMIN)
    _raises(StoreUnavailableError, place, "No space left")
    monkeypatch.undo()
    assert ADMIN == store.get("hikvision", "192.168.1.64_80")


def test_a_document_that_is_not_there_is_an_error(store, tmp_path):
    """Reading says which file; a folder that is not there has no files."""
    _raises(CredentialNotFoundError, lambda: store.read("imou_a.json"), "there is no file")
    assert () == VpackTokenStore(tmp_path / "nowhere", KEY).files()
    (tmp_path / "file").touch()
    nowhere = VpackTokenStore(tmp_path / "file", KEY)
    _raises(StoreUnavailableError, nowhere.names, "cannot be read")


def test_a_wrong_key_is_an_error_and_destroys_nothing(folder):
    """VPACK returned None here, and the source was silently not authenticated."""
    before = {path: path.read_bytes() for path in folder.iterdir()}
    store = VpackTokenStore(folder, new_key())

    for action in (
        lambda: store.get("hikvision", "192.168.1.64_80"),
        lambda: store.set("hikvision", "192.168.1.64_80", ADMIN),
        store.names,
        store.rotate,
    ):
        _raises(WrongKeyError, action, "was written with another key, or it was changed")
    assert before == {path: path.read_bytes() for path in before}


def test_keys_are_asked_for_when_needed(folder, tmp_path):
    """A missing key is an error as soon as there is a file; what is no key is not shown."""
    store = VpackTokenStore(folder, KeyFromFile(tmp_path / "key"))
    assert 3 == len(store.files())
    _raises(MissingKeyError, lambda: store.get("imou", EMAIL), "there is no key file")
    bad = VpackTokenStore(folder, lambda: f"{KEY}x")
    _raises(ConfigurationError, lambda: bad.get("imou", EMAIL), "44 characters")
    with pytest.raises(ConfigurationError, match="must be text") as caught:
        VpackTokenStore(folder, KEY.encode())
    assert KEY not in _report(caught.value)
    with pytest.raises(ConfigurationError, match="must be text"):
        VpackTokenStore(folder, KEY, previous=[7])


def test_keys_can_be_rotated(folder, tmp_path):
    """Old files can be read with the previous key; rotating writes them with the new one."""
    key = write_key_file(tmp_path / "key")
    store = VpackTokenStore(folder, key, previous=[KEY])

    assert ADMIN == store.get("hikvision", "192.168.1.64_80")
    store.set("imou", EMAIL, Credential(username="app", secret="x"))
    assert "app" == VpackTokenStore(folder, key).get("imou", EMAIL).username
    assert store.files() == store.rotate()
    assert ADMIN == VpackTokenStore(folder, key).get("hikvision", "192.168.1.64_80")
    tokens = VpackTokenStore(folder, key).read(f"google_drive_{EMAIL_HASH}.json")["credentials"]
    assert TOKENS["refresh_token"] == tokens["refresh_token"].reveal()


@pytest.mark.skipif(os.name != "posix", reason="rights as in POSIX")
def test_a_file_that_others_can_read_is_refused(store, folder):
    """VPACK writes first and takes the rights away afterwards."""
    (folder / f"imou_{EMAIL_HASH}.json").chmod(0o644)

    _raises(ExposedStoreError, lambda: store.get("imou", EMAIL), "mode 0644")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b"[" * 99_999,
        b'{"provider":"hikvision"}',
        b'{"encrypted_data":7}',
        b'{"encrypted_data":"x","provider":"hikvision"}',
        b'{"encrypted_data":"x","provider":"hikvision","nvr_id":7}',
    ],
)
def test_damaged_files_are_errors(store, folder, content):
    """None is taken for an account that is not there."""
    (folder / "hikvision_192.168.1.64_80.json").write_bytes(content)

    _raises(DamagedStoreError, lambda: store.get("hikvision", "192.168.1.64_80"), ".")
    _raises(DamagedStoreError, lambda: store.set("hikvision", "192.168.1.64_80", ADMIN), ".")
    # A list without this account would look complete.
    _raises(DamagedStoreError, store.names, "hikvision_192.168.1.64_80.json")


@pytest.mark.parametrize(
    "payload", [[SECRET], "x", {**NVR, "password": 7}, {**NVR, "username": None}]
)
def test_damaged_payloads_are_errors(store, folder, payload):
    """What was decrypted is checked, and not shown."""
    nvr = {"nvr_id": "192.168.1.64_80", "provider": "hikvision"}
    _vpack_writes(folder, "hikvision_192.168.1.64_80.json", payload, **nvr)

    _raises(DamagedStoreError, lambda: store.get("hikvision", "192.168.1.64_80"), ".")


def test_a_payload_that_is_no_json_is_an_error(store, folder):
    """It is told without the text."""
    path = folder / "hikvision_192.168.1.64_80.json"
    token = Fernet(KEY.encode()).encrypt(SECRET.encode())
    document = {**json.loads(path.read_text()), "encrypted_data": base64.b64encode(token).decode()}
    path.write_text(json.dumps(document))

    _raises(DamagedStoreError, store.names, "was decrypted, but does not hold a document")


@given(st.data())
def test_damage_is_noticed(tmp_path_factory, data):
    """Wherever the token is changed or cut: an error of ours, and never a wrong password."""
    folder = tmp_path_factory.mktemp("vpack")
    nvr = {"nvr_id": "a", "provider": "hikvision"}
    path = _vpack_writes(folder, "hikvision_a.json", {**NVR, "host": "a"}, **nvr)
    document = json.loads(path.read_text())
    sealed = document["encrypted_data"]
    at = data.draw(st.integers(0, len(sealed) - 1))
    end = data.draw(st.integers(at + 1, len(sealed)))
    changed = sealed[:at] + data.draw(st.text("ABCxyz09+/=", max_size=9)) + sealed[end:]
    path.write_text(json.dumps({**document, "encrypted_data": changed}))
    try:
        found = VpackTokenStore(folder, KEY).get("hikvision", "a")
    except (DamagedStoreError, WrongKeyError):
        assert changed != sealed
    else:
        assert ADMIN == found


def test_vpack_can_be_left(store, tmp_path):
    """Everything that is a credential moves into a store of our own, and back."""
    target = EncryptedFileStore(tmp_path / "c", key=new_key())

    moved = migrate(store, target)
    assert moved == store.names() == target.names()
    assert ADMIN == target.get("hikvision", "192.168.1.64_80")
    back = VpackTokenStore(tmp_path / "back", KEY)
    assert (CredentialName("imou", EMAIL),) == migrate(target, back, provider="imou")
    assert (CredentialName("imou", EMAIL),) == back.names() == migrate(back, MemoryStore())


def test_a_file_that_cannot_be_deleted_is_an_error(store, folder, monkeypatch):
    """With the system's reason."""

    def refuse(self, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    _raises(StoreUnavailableError, lambda: store.delete("imou", EMAIL), "cannot be deleted")


def test_nothing_is_shown_and_keys_do_not_travel(store, folder, tmp_path):
    """The store shows its folder; it can be pickled when its key comes from a file."""
    assert f"VpackTokenStore({str(folder)!r}, key=***)" == repr(store)
    assert "Box(1 keys)" == repr(store._box)
    with pytest.raises(TypeError, match="a Secret cannot be pickled"):
        pickle.dumps(store)
    (tmp_path / "key").touch(mode=0o600)
    (tmp_path / "key").write_text(KEY)
    travelled = VpackTokenStore(folder, KeyFromFile(tmp_path / "key"))
    assert ADMIN == travelled.get("hikvision", "192.168.1.64_80")
    pickled = pickle.dumps(travelled)
    assert KEY.encode() not in pickled
    assert base64.urlsafe_b64decode(KEY)[:16] not in pickled
    assert base64.urlsafe_b64decode(KEY)[16:] not in pickled
    assert ADMIN == pickle.loads(pickled).get("hikvision", "192.168.1.64_80")


def _recorder(folder, account, **inside):
    payload = {"username": "admin", "password": SECRET, **inside}
    return _vpack_writes(
        folder, f"hikvision_{account}.json", payload, nvr_id=account, provider="hikvision"
    )


def test_what_was_encrypted_for_another_recorder_is_refused(store, folder):
    """Only what is inside is protected: a swap would send a password to somebody's own recorder."""
    theirs = _recorder(folder, "6.6.6.6_80", host="6.6.6.6", port=80)
    ours = json.loads((folder / "hikvision_192.168.1.64_80.json").read_text())
    document = json.loads(theirs.read_text())
    theirs.write_text(json.dumps({**document, "encrypted_data": ours["encrypted_data"]}))
    before = {path: path.read_bytes() for path in folder.iterdir()}

    for action in (
        lambda: store.get("hikvision", "6.6.6.6_80"),
        lambda: store.set("hikvision", "6.6.6.6_80", ADMIN),
        lambda: store.read("hikvision_6.6.6.6_80.json"),
        store.names,
        store.rotate,
    ):
        _raises(DamagedStoreError, action, "encrypted for another recorder")
    assert before == {path: path.read_bytes() for path in before}
    store.delete("hikvision", "6.6.6.6_80")
    assert ADMIN == store.get("hikvision", "192.168.1.64_80")


@pytest.mark.parametrize(
    ("account", "inside", "same"),
    [
        ("nvr.lan_80", {"host": "NVR.lan", "port": 80}, True),
        ("nvr.lan_80", {"host": "nvr.lan", "port": "80"}, True),
        ("nvr.lan_080", {"host": "nvr.lan", "port": 80}, True),
        ("nvr.lan_80", {"host": "nvr.lan"}, True),
        ("nvr.lan_80", {"port": 81}, True),
        ("nvr.lan", {"host": "nvr.lan", "port": 80}, True),
        ("a_1", {"host": "a_1", "port": 80}, True),
        ("front-shop", {}, True),
        ("front-shop", {"host": "nvr.lan", "port": 80}, True),
        ("nvr.lan_80", {"host": "nvr.lan", "port": 81}, False),
        ("nvr.lan_80", {"host": "other.lan", "port": 80}, False),
        ("nvr.lan_80", {"host": 7}, False),
    ],
)
def test_host_and_port_must_be_those_of_the_account(tmp_path, account, inside, same):
    """Where both say it; capitals and the form of a number make no difference."""
    _recorder(tmp_path / "tokens", account, **inside)
    store = VpackTokenStore(tmp_path / "tokens", KEY)

    if same:
        assert ADMIN == store.get("hikvision", account)
    else:
        _raises(DamagedStoreError, lambda: store.get("hikvision", account), "another recorder")


def test_a_folder_stays_the_same_folder(tmp_path, monkeypatch):
    """A relative path is seen from the folder in which it was given."""
    monkeypatch.chdir(tmp_path)
    store = VpackTokenStore("tokens", KEY)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir("other")
    store.set("imou", EMAIL, ADMIN)

    assert [f"imou_{EMAIL_HASH}.json"] == [
        path.name for path in (tmp_path / "tokens").glob("*.json")
    ]
    assert str(tmp_path / "tokens") in repr(store)

"""Looking after the stores: showing, keys, rotation, copying."""

from __future__ import annotations

import io
import json
import os
import stat
import sys

import click
import keyring
import keyring.backend
import keyring.errors
import pytest

from camsync import (
    Credential,
    EncryptedFileStore,
    KeyFromFile,
    KeyringStore,
    Profiles,
    Secret,
    VpackTokenStore,
    registry,
)
from camsync.cli import main
from camsync.credentials import file
from camsync.credentials.keys import new_key, write_key_file


PASSWORD = "s3cret-word"
ADMIN = Credential(username="admin", secret=PASSWORD)
VIEWER = Credential(username="viewer", secret=PASSWORD + "-2")


class Terminal(io.StringIO):
    """A stdin with somebody in front of it."""

    def isatty(self):
        return True


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A keyring of the system, in memory."""

    priority = 1

    def __init__(self):
        super().__init__()
        self.entries = {}

    def get_password(self, service, username):
        return self.entries.get((service, username))

    def set_password(self, service, username, password):
        self.entries[service, username] = password

    def delete_password(self, service, username):
        del self.entries[service, username]


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """A home of its own, cheap passphrases, and a key in the environment."""
    folder = tmp_path / "home"
    monkeypatch.setenv("CAMSYNC_HOME", str(folder))
    monkeypatch.setenv("CAMSYNC_KEY", new_key().reveal())
    monkeypatch.setattr(file, "SCRYPT_DEFAULT", file.SCRYPT_CHEAPEST)
    return folder


@pytest.fixture
def system_keyring():
    """A usable keyring."""
    before = keyring.get_keyring()
    keyring.set_keyring(MemoryKeyring())
    yield KeyringStore()
    keyring.set_keyring(before)


@pytest.fixture
def no_keyring():
    """A machine without one."""
    from keyring.backends.fail import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    yield
    keyring.set_keyring(before)


@pytest.fixture
def answers(monkeypatch):
    """What somebody at the terminal types, without being seen."""
    given = []

    def prompt(_question, **options):
        assert options["hide_input"]
        assert options["err"]
        return given.pop(0)

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(click, "prompt", prompt)
    return given


def run(capsys, *arguments):
    """Run the command line; return its exit code, stdout and stderr."""
    code = main(arguments)
    captured = capsys.readouterr()
    assert PASSWORD not in captured.out + captured.err
    return code, captured.out, captured.err


def run_json(capsys, *arguments):
    """Run the command line with --json; return its exit code and the one document."""
    code, out, err = run(capsys, *arguments, "--json")
    assert "" == err
    return code, json.loads(out)


def passworded(path, passphrase="old horse"):
    """An encrypted file with one password."""
    store = EncryptedFileStore(path, passphrase=passphrase)
    store.set("hikvision", "front-shop", ADMIN)
    return store


# -- show


def test_the_stores_are_shown_in_their_order(capsys, no_keyring, monkeypatch):
    """Which one, where, whether it works and why not, and the names that it holds."""
    monkeypatch.setenv("CAMSYNC_HIKVISION_SHOP_USERNAME", "admin")
    monkeypatch.setenv("CAMSYNC_HIKVISION_SHOP_SECRET", PASSWORD)
    registry.open_store("file").set("hikvision", "front-shop", ADMIN)
    registry.open_store("file").set("hikvision", "front-shop", ADMIN, owner="alice")
    code, out, _err = run(capsys, "store", "show")
    lines = [" ".join(line.split()) for line in out.splitlines()]

    assert 0 == code
    assert "chosen: auto (--store or CAMSYNC_STORE)" == lines[0]
    assert "env the environment of this process usable shop" == lines[2]
    assert lines[3].startswith("keyring the keyring of this system unusable: this computer has no")
    assert lines[4].endswith("credentials.camsync usable front-shop, front-shop of alice")


def test_the_stores_as_json(capsys, system_keyring, home):
    """A file that is not there yet is usable, and holds nothing."""
    system_keyring.set("hikvision", "front-shop", ADMIN)
    code, document = run_json(capsys, "store", "show")
    env, ring, encrypted = document["stores"]

    assert (0, "auto") == (code, document["chosen"])
    assert ("env", True, []) == (env["store"], env["usable"], env["holds"])
    entry = {"provider": "hikvision", "account": "front-shop", "owner": None}
    assert ("keyring", True, [entry]) == (ring["store"], ring["usable"], ring["holds"])
    assert {
        "store": "file",
        "where": f"the encrypted file {home / 'credentials.camsync'}",
        "path": str(home / "credentials.camsync"),
        "usable": True,
        "state": "not made yet",
        "holds": [],
    } == encrypted


def test_a_file_that_cannot_be_read_says_why(capsys, monkeypatch):
    """Another key, or none at all."""
    registry.open_store("file").set("hikvision", "front-shop", ADMIN)
    monkeypatch.setenv("CAMSYNC_KEY", new_key().reveal())

    assert "unusable: " in run(capsys, "store", "show", "--store", "file")[1]
    monkeypatch.delenv("CAMSYNC_KEY")
    (state,) = run_json(capsys, "store", "show", "--store", "file")[1]["stores"]
    assert not state["usable"]


def test_a_person_may_unlock_it_to_see_the_names(capsys, monkeypatch, answers, home):
    """The names are encrypted, too."""
    monkeypatch.delenv("CAMSYNC_KEY")
    passworded(home / "credentials.camsync")
    answers.append("old horse")

    assert "front-shop" in run(capsys, "store", "show", "--store", "file")[1]


def test_the_group_explains_itself(capsys):
    """There is more to say than "missing command"."""
    code, out, _err = run(capsys, "store")

    assert 0 == code
    assert "import-vpack" in out


# -- which one takes a password


def test_a_login_prefers_the_keyring(capsys, system_keyring, tmp_path):
    """Where there is one; and the logout takes it away again."""
    path = tmp_path / "pw"
    path.write_text(PASSWORD, encoding="utf-8")
    path.chmod(0o600)
    url = ("hikvision://admin@192.168.1.64", "--name", "front-shop", "--no-test")
    code, out, _err = run(capsys, "login", *url, "--password-file", str(path))

    assert 0 == code
    assert "the password of admin is in the keyring of this system" in out
    assert ADMIN == system_keyring.get("hikvision", "front-shop")
    assert "keyring" in run(capsys, "profiles")[1].splitlines()[1]
    assert ["keyring"] == run_json(capsys, "logout", "front-shop", "--yes")[1]["deleted"]
    assert () == system_keyring.names()


# -- new-key


def test_a_key_is_made_for_its_owner_alone(capsys, tmp_path):
    """It opens a store; its text is not shown."""
    path = tmp_path / "keys" / "camsync.key"
    path.parent.mkdir()
    code, out, _err = run(capsys, "store", "new-key", str(path))
    key = KeyFromFile(path)()

    assert 0 == code
    assert f"set CAMSYNC_KEY_FILE={path}" in out
    assert key.reveal() not in out
    EncryptedFileStore(tmp_path / "store", key=key).set("hikvision", "x", ADMIN)
    if os.name == "posix":
        assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_a_key_is_never_overwritten(capsys, tmp_path):
    """Whatever it opened would be lost."""
    path = tmp_path / "camsync.key"
    path.write_text("precious", encoding="utf-8")
    code, document = run_json(capsys, "store", "new-key", str(path))

    assert (2, "input") == (code, document["error"]["category"])
    assert "precious" == path.read_text(encoding="utf-8")


# -- rotate


def test_a_passphrase_is_changed(capsys, monkeypatch, answers, home):
    """The old one first, then the new one twice."""
    monkeypatch.delenv("CAMSYNC_KEY")
    path = home / "credentials.camsync"
    passworded(path)
    answers += ["old horse", "new horse", "new horse"]
    code, out, _err = run(capsys, "store", "rotate")

    assert 0 == code
    assert f"changed: the encrypted file {path}" in out
    assert "horse" not in out
    assert ADMIN == EncryptedFileStore(path, passphrase="new horse").get("hikvision", "front-shop")


def test_a_passphrase_becomes_a_key(capsys, monkeypatch, answers, home, tmp_path):
    """From a file that `store new-key` made."""
    monkeypatch.delenv("CAMSYNC_KEY")
    path, key = tmp_path / "elsewhere" / "passwords", tmp_path / "keys" / "camsync.key"
    key.parent.mkdir()
    write_key_file(key)
    passworded(path)
    monkeypatch.setenv("CAMSYNC_STORE", f"file:{path}")
    answers.append("old horse")
    code, out, _err = run(capsys, "store", "rotate", "--key-file", str(key))

    assert 0 == code
    assert f"next: set CAMSYNC_KEY_FILE={key}" in out
    store = EncryptedFileStore(path, key=KeyFromFile(key))
    assert ADMIN == store.get("hikvision", "front-shop")


def test_a_wrong_passphrase_changes_nothing(capsys, monkeypatch, answers, home):
    """It is noticed before a new one is asked for."""
    monkeypatch.delenv("CAMSYNC_KEY")
    path = home / "credentials.camsync"
    store = passworded(path)
    answers.append("young horse")

    assert 16 == run(capsys, "store", "rotate")[0]
    assert ADMIN == store.get("hikvision", "front-shop")


def test_a_script_cannot_be_asked_for_a_new_passphrase(capsys):
    """No question that nobody answers."""
    registry.open_store("file").set("hikvision", "front-shop", ADMIN)
    code, _out, err = run(capsys, "store", "rotate")

    assert 16 == code
    assert "no terminal to ask" in err


@pytest.mark.parametrize("where", ["file", "env"])
def test_what_is_not_there_is_not_rotated(capsys, where):
    """Neither a missing file nor another kind of store."""
    code, _out, err = run(capsys, "store", "rotate", "--store", where)

    assert 16 == code
    assert "there is no encrypted file to rotate" in err


# -- copy


def test_passwords_are_copied(capsys, system_keyring):
    """All of them, with their owners; what was there stays there."""
    encrypted = registry.open_store("file")
    encrypted.set("hikvision", "front-shop", ADMIN)
    encrypted.set("hikvision", "front-shop", VIEWER, owner="alice")
    code, out, _err = run(capsys, "store", "copy", "--from", "file", "--to", "keyring")

    assert 0 == code
    assert "copied: 2 passwords to the keyring of this system" in out
    assert "  front-shop of alice" in out
    assert ADMIN == system_keyring.get("hikvision", "front-shop")
    assert VIEWER == system_keyring.get("hikvision", "front-shop", owner="alice")
    assert 2 == len(encrypted.names())


def test_other_passwords_are_not_overwritten_by_accident(capsys, system_keyring):
    """Nothing is copied then; --replace is clear enough."""
    registry.open_store("file").set("hikvision", "front-shop", ADMIN)
    system_keyring.set("hikvision", "front-shop", VIEWER)
    words = ("store", "copy", "--from", "file", "--to", "keyring")
    code, _out, err = run(capsys, *words)

    assert 2 == code
    assert "other passwords under the same names: front-shop" in err
    assert VIEWER == system_keyring.get("hikvision", "front-shop")

    code, document = run_json(capsys, *words, "--replace")

    assert (0, "keyring", 1) == (code, document["to"], len(document["copied"]))
    assert ADMIN == system_keyring.get("hikvision", "front-shop")


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (("file", "file"), "are the same store"),
        (("auto", "file"), "--from must name one store"),
        (("file", "auto"), "--to must name one store"),
        (("attic", "file"), "'attic' is not a store"),
    ],
)
def test_unclear_places_are_refused(capsys, places, message):
    """Exit code 2, and what to write."""
    source, target = places
    code, _out, err = run(capsys, "store", "copy", "--from", source, "--to", target)

    assert 2 == code
    assert message in err


# -- import-vpack


@pytest.fixture
def vpack(tmp_path):
    """VPACK's folder with a recorder and a Google account, and the option for its key."""
    folder, key = tmp_path / "tokens", tmp_path / "keys" / "oauth_encryption.key"
    folder.mkdir()
    key.parent.mkdir()
    write_key_file(key)
    store = VpackTokenStore(folder, KeyFromFile(key))
    store.set("hikvision", "192.168.1.64_80", ADMIN)
    store.write(
        "google_drive_0123456789abcdef.json",
        {"provider": "google_drive", "credentials": {"token": Secret("t0ken")}},
    )
    return (str(folder), "--key-file", str(key))


def test_vpacks_passwords_are_imported(capsys, vpack, home):
    """With a profile each, so that the name is enough; tokens of others stay where they are."""
    code, out, _err = run(capsys, "store", "import-vpack", *vpack, "--to", "file")

    assert 0 == code
    assert f"copied: 1 password to the encrypted file {home / 'credentials.camsync'}" in out
    assert "made: the profile 192.168.1.64_80" in out
    assert ADMIN == registry.open_store("file").get("hikvision", "192.168.1.64_80")
    profile = Profiles().get("192.168.1.64_80")
    assert ("192.168.1.64", 80, False) == (profile.host, profile.port, profile.https)


def test_importing_again_changes_nothing(capsys, vpack, no_keyring):
    """The same passwords are no clash, and profiles that are there stay as they are."""
    run(capsys, "store", "import-vpack", *vpack)
    code, document = run_json(capsys, "store", "import-vpack", *vpack)

    assert (0, []) == (code, document["profiles"])
    assert 1 == len(document["copied"])


def test_nothing_is_imported_into_the_environment(capsys, vpack):
    """The error says which variables to set."""
    code, _out, err = run(capsys, "store", "import-vpack", *vpack, "--to", "env")

    assert 16 == code
    assert "CAMSYNC_HIKVISION_192__2E__168" in err

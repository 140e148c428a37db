"""Looking after the stores: showing, keys, rotation, copying."""

from __future__ import annotations

import io
import json
import os
import stat
import sys

from pathlib import Path

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
    Profile,
    Profiles,
    Secret,
    VpackTokenStore,
    errors,
    registry,
)
from camsync.cli import main
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
    """A home of its own, and a key in the environment."""
    folder = tmp_path / "home"
    monkeypatch.setenv("CAMSYNC_HOME", str(folder))
    monkeypatch.setenv("CAMSYNC_KEY", new_key().reveal())
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
    assert "shop: CAMSYNC_HIKVISION_SHOP_USERNAME and CAMSYNC_HIKVISION_SHOP_SECRET" == lines[5]


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
        "variables": [],
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


def token_file(folder, account, *, change=None, outside=None, file=None):
    """Write a recorder's token file with the key of the fixture; *change* what is inside."""
    key = KeyFromFile(Path(folder).parent / "keys" / "oauth_encryption.key")
    host, _, port = account.partition("_")
    inside = {"host": host, "port": int(port or 80), "username": "admin"}
    inside = {**inside, "password": Secret(PASSWORD), "use_https": False, **(change or {})}
    document = {"provider": "hikvision", "nvr_id": account, **(outside or {})}
    document = {name: value for name, value in document.items() if value is not None}
    inside = {name: value for name, value in inside.items() if value is not None}
    name = file or f"hikvision_{account}.json"
    VpackTokenStore(folder, key).write(name, {**document, "credentials": inside})
    return name


@pytest.mark.parametrize(
    ("profile", "where"),
    [
        ({"host": "192.168.1.64", "port": 8000}, "hikvision at 192.168.1.64:8000"),
        ({"host": "192.168.1.64", "https": True}, "hikvision at 192.168.1.64:443"),
        ({"host": "192.168.1.64", "port": 80, "provider": "imou"}, "imou at 192.168.1.64:80"),
    ],
)
def test_the_profile_of_another_device_gets_no_password(capsys, vpack, profile, where):
    """Both are named, and nothing at all is copied, with --replace neither."""
    token_file(vpack[0], "10.0.0.1_80")
    before = Profile(name="192.168.1.64_80", **{"provider": "hikvision", **profile})
    Profiles().set(before)
    code, _out, err = run(capsys, "store", "import-vpack", *vpack, "--to", "file", "--replace")

    assert 2 == code
    assert "hikvision_192.168.1.64_80.json is for hikvision at 192.168.1.64:80, but the pro" in err
    assert f"the profile 192.168.1.64_80 is {where}" in err
    assert () == registry.open_store("file").names()
    assert (before,) == Profiles().all()


def test_a_profile_of_another_host_gets_no_password(capsys, vpack):
    """Some of VPACK's ids are the name of the host alone, which somebody may have used, too."""
    token_file(vpack[0], "shop")
    Profiles().set(Profile(name="shop", provider="hikvision", host="10.0.0.1"))
    code, _out, err = run(capsys, "store", "import-vpack", *vpack, "--to", "file")

    assert 2 == code
    assert "hikvision_shop.json is for hikvision at shop:80, but the profile shop is hik" in err
    assert () == registry.open_store("file").names()


def test_a_file_without_a_host_gets_no_profile(capsys, vpack):
    """It is copied under its name, but not to where a profile of that name leads."""
    token_file(vpack[0], "shop_80", change={"host": None})
    code, document = run_json(capsys, "store", "import-vpack", *vpack, "--to", "file")

    assert (0, ["192.168.1.64_80"]) == (code, document["profiles"])
    assert 2 == len(document["copied"])

    Profiles().set(Profile(name="shop_80", provider="hikvision", host="nvr"))
    code, _out, err = run(capsys, "store", "import-vpack", *vpack, "--to", "file")

    assert 2 == code
    assert "VPACK does not say where hikvision account 'shop_80' is, and the profile shop_80" in err


def test_two_files_of_one_name_must_agree(capsys, vpack):
    """Each person has one, but it is the same recorder; else the second would lead to the first."""
    token_file(vpack[0], "shop", outside={"owner": "alice"})
    second = {"outside": {"owner": "bob"}, "file": "hikvision_Shop2.json"}
    token_file(vpack[0], "shop", **second, change={"port": 8000})
    code, _out, err = run(capsys, "store", "import-vpack", *vpack, "--to", "file")

    assert 2 == code
    assert "hikvision_shop.json is for hikvision at shop:80, but the profile shop is hik" in err
    assert ((), ()) == (registry.open_store("file").names(), Profiles().all())

    token_file(vpack[0], "shop", **second)
    assert 0 == run(capsys, "store", "import-vpack", *vpack, "--to", "file")[0]
    assert 3 == len(registry.open_store("file").names())


@pytest.mark.parametrize(
    ("change", "outside", "reason"),
    [
        ({"port": "80"}, {}, "must be a number from 1 to 65535, not '80'"),
        ({"port": True}, {}, "must be a number from 1 to 65535"),
        ({"port": 0}, {}, "must be a number from 1 to 65535"),
        ({"host": 7}, {"nvr_id": "7"}, "the host of a profile must be"),
        ({"use_https": "no"}, {}, "use_https is neither true nor false"),
        ({}, {"provider": None}, "does not say whose nvr_id that is"),
    ],
    ids=["port-text", "port-bool", "port-0", "host-number", "https", "provider"],
)
def test_a_malformed_file_stops_the_import(capsys, vpack, change, outside, reason):
    """With its name and what is wrong; nothing is copied, of the good files neither."""
    account = outside.get("nvr_id", "shop")
    name = token_file(vpack[0], account, change=change)
    if "provider" in outside:  # without one it is not written
        path = Path(vpack[0]) / name
        document = json.loads(path.read_bytes())
        del document["provider"]
        path.write_text(json.dumps(document), encoding="utf-8")
    code, _out, err = run(capsys, "store", "import-vpack", *vpack, "--to", "file")

    assert 16 == code
    assert name in err
    assert reason in err
    assert ((), ()) == (registry.open_store("file").names(), Profiles().all())


def broken_store(monkeypatch, error, *, reads=True):
    """Let the encrypted file take one password, and no more."""
    real_set, real_get, calls = EncryptedFileStore.set, EncryptedFileStore.get, []

    def write(*arguments, **options):
        calls.append(arguments)
        if len(calls) > 1:
            raise error
        real_set(*arguments, **options)

    def read(*arguments, **options):
        if len(calls) > 1 and not reads:
            raise error
        return real_get(*arguments, **options)

    monkeypatch.setattr(EncryptedFileStore, "set", write)
    monkeypatch.setattr(EncryptedFileStore, "get", read)


@pytest.mark.parametrize(
    ("error", "code"),
    [(errors.StoreUnavailableError("no room"), 16), (KeyboardInterrupt(), 130)],
)
def test_half_a_copy_says_what_was_copied(capsys, vpack, monkeypatch, error, code):
    """And what was not; it can be repeated."""
    token_file(vpack[0], "10.0.0.1_80")
    broken_store(monkeypatch, error)
    seen, _out, err = run(capsys, "store", "import-vpack", *vpack, "--to", "file")

    assert code == seen
    assert "credentials.camsync by now: 10.0.0.1_80\n" in err
    assert "not copied: 192.168.1.64_80\n" in err
    assert () == Profiles().all()


def test_a_copy_into_what_cannot_be_read_any_more(capsys, vpack, monkeypatch):
    """Then nobody knows, and that is said."""
    token_file(vpack[0], "10.0.0.1_80")
    broken_store(monkeypatch, errors.StoreUnavailableError("no room"), reads=False)
    code, _out, err = run(capsys, "store", "import-vpack", *vpack, "--to", "file")

    assert 16 == code
    assert "it is not known what was copied: no room" in err


def test_a_profile_that_somebody_makes_meanwhile_is_not_replaced(capsys, vpack, monkeypatch):
    """What was made until then is said."""
    token_file(vpack[0], "10.0.0.1_80")
    real = Profiles.replace
    theirs = Profile(name="192.168.1.64_80", provider="hikvision", host="192.168.1.64", port=81)

    def replace(book, old, new):
        if new.name == theirs.name:
            book.set(theirs)
        real(book, old, new)

    monkeypatch.setattr(Profiles, "replace", replace)
    code, _out, err = run(capsys, "store", "import-vpack", *vpack, "--to", "file")

    assert 2 == code
    assert "profiles made: 10.0.0.1_80\n" in err
    assert "profiles not made: 192.168.1.64_80\n" in err
    assert theirs == Profiles().get("192.168.1.64_80")


def test_nothing_is_imported_into_the_environment(capsys, vpack):
    """The error says which variables to set."""
    code, _out, err = run(capsys, "store", "import-vpack", *vpack, "--to", "env")

    assert 16 == code
    assert "CAMSYNC_HIKVISION_192__2E__168" in err

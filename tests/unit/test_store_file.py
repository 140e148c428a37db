"""The encrypted file: keys and passphrases, rotation, damage, and what it never shows."""

from __future__ import annotations

import base64
import errno
import functools
import json
import os
import pickle
import subprocess
import sys
import traceback
import unicodedata

import pytest

from hypothesis import example, given
from hypothesis import strategies as st

from camsync import CamsyncError, Secret
from camsync.credentials import Credential, CredentialName, _book, _format, _guard, _unlock, file
from camsync.credentials._book import Book, Unreadable
from camsync.credentials._bytes import SecretBytes
from camsync.credentials.file import SCRYPT_CHEAPEST, SCRYPT_DEFAULT, EncryptedFileStore, Scrypt
from camsync.credentials.keys import KeyFromEnv, KeyFromFile, new_key, write_key_file
from camsync.errors import (
    ConfigurationError,
    CredentialNotFoundError,
    DamagedStoreError,
    ExposedStoreError,
    MissingKeyError,
    StoreUnavailableError,
    WrongKeyError,
)


SECRET = "Planted-secret-\u00e4-77"
PASSPHRASE = "planted passphrase 4711"
ADMIN = Credential(username="admin", secret=SECRET)
OTHER = Credential(username="operator", secret="another")
posix = pytest.mark.skipif(os.name != "posix", reason="rights as in POSIX")


def _open(path, passphrase=PASSPHRASE, **options):
    return EncryptedFileStore(path, passphrase=passphrase, kdf=SCRYPT_CHEAPEST, **options)


@pytest.fixture
def path(tmp_path):
    """Where a store with one credential is."""
    path = tmp_path / "credentials"
    _open(path).set("hikvision", "a", ADMIN)
    return path


def _report(error: BaseException) -> str:
    """The chain of errors with the variables of every frame, but for those of the tests."""
    parts = [str(error), repr(error), repr(vars(error))]
    while error is not None:
        frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
        parts += [repr(frame.locals) for frame in frames if frame.filename != __file__]
        error = error.__cause__ or error.__context__
    return "\n".join(parts)


def _assert_clean(error: BaseException, *more: str) -> None:
    report = _report(error)
    for plain in (SECRET, PASSPHRASE, *more):
        escaped = json.dumps(plain)[1:-1]
        assert plain not in report
        assert escaped not in report
        assert base64.b64encode(plain.encode()).decode() not in report


def _raises(kind, action, *more, match=None):
    with pytest.raises(kind, match=match) as caught:
        action()
    _assert_clean(caught.value, *more)
    return caught.value


def test_the_file_is_three_lines_of_text(path):
    """Header, ciphertext, digest; the header says how the key is derived."""
    header, body, digest = path.read_text("ascii").splitlines()
    members = json.loads(header)

    assert 1 == members["camsync_credentials"]
    assert "AES-256-GCM" == members["cipher"]
    salt = members["kdf"].pop("salt")
    assert 16 == len(base64.b64decode(salt))
    assert {"name": "scrypt", "n": 2, "r": 1, "p": 1} == members["kdf"]
    assert len(base64.b64decode(body)) > 16
    assert digest.startswith("sha256:")


def test_nothing_of_the_content_is_in_the_file(path):
    """Neither names, nor user names, nor secrets."""
    content = path.read_bytes() + base64.b64decode(path.read_bytes().splitlines()[1])

    for plain in (b"hikvision", b"admin", SECRET.encode(), PASSPHRASE.encode()):
        assert plain not in content


def test_the_same_entries_never_look_the_same(path):
    """Every write has a nonce of its own; the salt stays until the key is rotated."""
    before = json.loads(path.read_text().splitlines()[0])
    _open(path).set("hikvision", "a", ADMIN)
    after = json.loads(path.read_text().splitlines()[0])

    assert before["nonce"] != after["nonce"]
    assert before["kdf"] == after["kdf"]
    _open(path).rotate()
    assert after["kdf"] != json.loads(path.read_text().splitlines()[0])["kdf"]


def test_the_default_costs_are_those_that_owasp_recommends(tmp_path, monkeypatch):
    """They are in the file, so that they can be raised later."""
    assert Scrypt(131072, 8, 1) == SCRYPT_DEFAULT
    monkeypatch.setattr(file, "SCRYPT_DEFAULT", SCRYPT_DEFAULT)  # the other tests make it cheap
    store = EncryptedFileStore(tmp_path / "c", passphrase=PASSPHRASE)
    store.set("hikvision", "a", ADMIN)
    kdf = json.loads((tmp_path / "c").read_text().splitlines()[0])["kdf"]

    assert ("scrypt", 131072, 8, 1) == (kdf["name"], kdf["n"], kdf["r"], kdf["p"])
    assert ADMIN == EncryptedFileStore(tmp_path / "c", passphrase=PASSPHRASE).get("hikvision", "a")


def test_without_a_file_nobody_is_asked(tmp_path):
    """Reading from a store that is not there yet needs no key."""

    def ask():
        pytest.fail("asked for a passphrase")

    store = EncryptedFileStore(tmp_path / "c", passphrase=ask)

    assert () == store.names()
    for action in (store.get, store.delete):
        with pytest.raises(CredentialNotFoundError, match=r"is in .*c"):
            action("hikvision", "a")


def test_a_passphrase_is_asked_for_once(path):
    """One prompt for everything; after a wrong answer it is asked for again."""
    answers = ["wrong", PASSPHRASE]
    store = _open(path, passphrase=lambda: answers.pop(0))

    with pytest.raises(WrongKeyError, match="was written with another passphrase"):
        store.get("hikvision", "a")
    assert ADMIN == store.get("hikvision", "a")
    store.set("hikvision", "b", OTHER)
    store.delete("hikvision", "a")
    assert ["b"] == [name.account for name in store.names()]
    assert [] == answers


def test_a_passphrase_is_asked_for_before_the_lock_is_taken(path):
    """A person types for longer than others would wait."""
    (path.parent / ".credentials.lock").unlink()
    seen = []

    def ask():
        seen.append(path.with_name(".credentials.lock").exists())
        return PASSPHRASE

    _open(path, passphrase=ask).set("hikvision", "b", ADMIN)

    assert [False] == seen


def test_a_passphrase_for_a_new_file_is_asked_for_before_the_lock_is_taken(tmp_path):
    """The same for the first credential of all."""
    seen = []

    def ask():
        seen.append(list(tmp_path.iterdir()))
        return PASSPHRASE

    _open(tmp_path / "c", passphrase=ask).set("hikvision", "a", ADMIN)

    assert [[]] == seen


def test_accents_may_be_composed_or_not(tmp_path):
    """MacOS and Windows send different characters for the same key."""
    composed = unicodedata.normalize("NFC", "schl\u00fcssel")
    _open(tmp_path / "c", composed).set("hikvision", "a", ADMIN)

    other = _open(tmp_path / "c", unicodedata.normalize("NFD", composed))
    assert ADMIN == other.get("hikvision", "a")


def test_a_passphrase_may_be_odd(tmp_path):
    """Blanks count, and half characters from a broken terminal do no harm."""
    _open(tmp_path / "c", " x\udc80 ").set("hikvision", "a", ADMIN)

    assert ADMIN == _open(tmp_path / "c", " x\udc80 ").get("hikvision", "a")
    with pytest.raises(WrongKeyError):
        _open(tmp_path / "c", "x\udc80").get("hikvision", "a")


def test_an_empty_passphrase_is_refused(tmp_path, path):
    """A new file with it would be open to everybody; an old one has another."""
    _raises(
        ConfigurationError,
        lambda: _open(tmp_path / "new", "").set("hikvision", "a", ADMIN),
        match="an empty passphrase protects nothing",
    )
    assert not (tmp_path / "new").exists()
    _raises(WrongKeyError, lambda: _open(path, "").get("hikvision", "a"))
    _raises(ConfigurationError, lambda: _open(path).rotate(passphrase=""))
    assert ADMIN == _open(path).get("hikvision", "a")


@pytest.mark.parametrize(
    "action",
    [
        lambda store: store.get("hikvision", "a"),
        lambda store: store.names(),
        lambda store: store.set("hikvision", "a", ADMIN),
        lambda store: store.delete("hikvision", "a"),
        lambda store: store.rotate(),
        lambda store: store.rotate(passphrase="new passphrase"),
    ],
)
def test_a_wrong_passphrase_destroys_nothing(path, action):
    """Whatever was to be done, the file is as it was, and no secret is shown."""
    before = path.read_bytes()

    _raises(WrongKeyError, lambda: action(_open(path, "wrong-one")), "wrong-one", "new passphrase")
    key = new_key()
    store = EncryptedFileStore(path, key=key)
    message = "was made with a passphrase, and is opened with a key"
    _raises(WrongKeyError, lambda: action(store), key.reveal(), "new passphrase", match=message)

    assert before == path.read_bytes()


def test_a_passphrase_does_not_open_what_a_key_has_made(tmp_path):
    """It says so, instead of calling the passphrase wrong; another key is called wrong."""
    key = new_key()
    EncryptedFileStore(tmp_path / "c", key=key).set("hikvision", "a", ADMIN)

    assert ADMIN == EncryptedFileStore(tmp_path / "c", key=key.reveal()).get("hikvision", "a")
    with pytest.raises(WrongKeyError, match="made with a key, and is opened with a passphrase"):
        _open(tmp_path / "c").get("hikvision", "a")
    with pytest.raises(WrongKeyError, match="was written with another key"):
        EncryptedFileStore(tmp_path / "c", key=new_key()).get("hikvision", "a")


@pytest.mark.parametrize(
    "key", ["", "short", "A" * 44, "A" * 43 + "==", "\u00e4" * 43 + "=", "A" * 22 + "\n" + "A" * 21]
)
def test_what_is_no_key_is_refused_without_showing_it(tmp_path, key):
    """Nothing is written with a key that somebody mistyped."""
    store = EncryptedFileStore(tmp_path / "c", key=lambda: f"planted{key}"[7:])

    error = _raises(ConfigurationError, lambda: store.set("hikvision", "a", ADMIN), match="44 char")
    assert not key or key not in _report(error)
    assert not (tmp_path / "c").exists()


def test_a_key_may_come_with_line_ends(tmp_path):
    """As editors and shells leave them."""
    key = new_key()
    EncryptedFileStore(tmp_path / "c", key=f" {key.reveal()}\r\n").set("hikvision", "a", ADMIN)

    assert ADMIN == EncryptedFileStore(tmp_path / "c", key=key).get("hikvision", "a")


def test_exactly_one_of_passphrase_and_key(tmp_path):
    """Neither, both, costs for a key, or a path that is none are mistakes in the program."""
    for options in (
        {},
        {"passphrase": PASSPHRASE, "key": SECRET},
        {"key": SECRET, "kdf": SCRYPT_CHEAPEST},
        {"passphrase": PASSPHRASE.encode()},
        {"key": 7},
    ):
        make = functools.partial(EncryptedFileStore, tmp_path / "c", **options)
        with pytest.raises(ConfigurationError) as caught:
            make()
        assert SECRET not in str(caught.value)
        assert PASSPHRASE not in str(caught.value)
        assert SECRET not in _report(caught.value)
    with pytest.raises(ConfigurationError, match="NUL"):
        EncryptedFileStore("a\0b", passphrase=PASSPHRASE)


def test_a_source_that_gives_no_text_is_refused(path):
    """A callable that returns bytes or None is a mistake; what it gave is not shown."""
    store = _open(path, passphrase=PASSPHRASE.encode)

    _raises(ConfigurationError, lambda: store.get("hikvision", "a"), match="gave no text")


def test_a_missing_key_is_an_error_once_there_is_a_file(path, monkeypatch):
    """Reading as well as writing; the file stays."""
    before = path.read_bytes()
    store = _open(path, passphrase=KeyFromEnv("CAMSYNC_PASSPHRASE"))

    for action in (
        functools.partial(store.get, "hikvision", "a"),
        store.names,
        functools.partial(store.set, "hikvision", "a", ADMIN),
        store.rotate,
    ):
        _raises(MissingKeyError, action, match="CAMSYNC_PASSPHRASE")
    assert before == path.read_bytes()
    monkeypatch.setenv("CAMSYNC_PASSPHRASE", PASSPHRASE)
    assert ADMIN == store.get("hikvision", "a")


@posix
def test_a_file_that_others_can_read_is_refused(path):
    """For reading and for writing."""
    path.chmod(0o644)

    for action in (
        lambda: _open(path).get("hikvision", "a"),
        lambda: _open(path).set("hikvision", "a", ADMIN),
    ):
        _raises(ExposedStoreError, action, match="mode 0644")


def test_rotation(path):
    """From then on only the new key opens the file; the store itself goes on with it."""
    key, store = new_key(), _open(path)
    store.set("hikvision", "b", OTHER, owner="anna")

    store.rotate(key=key)
    assert ADMIN == store.get("hikvision", "a")
    with pytest.raises(WrongKeyError):
        _open(path).get("hikvision", "a")
    store.rotate(passphrase=lambda: Secret("third passphrase"))
    assert OTHER == _open(path, "third passphrase").get("hikvision", "b", owner="anna")
    store.rotate()
    store.set("hikvision", "c", OTHER)
    assert 3 == len(_open(path, "third passphrase").names())
    with pytest.raises(ConfigurationError, match="not both"):
        store.rotate(passphrase="x", key=key)


def test_rotation_can_raise_the_costs(path):
    """The store's own parameters are used for the new salt."""
    EncryptedFileStore(path, passphrase=PASSPHRASE, kdf=Scrypt(4, 2, 1)).rotate()

    kdf = json.loads(path.read_text().splitlines()[0])["kdf"]
    assert (4, 2, 1) == (kdf["n"], kdf["r"], kdf["p"])
    assert ADMIN == _open(path).get("hikvision", "a")


def test_rotation_without_a_file_only_changes_the_key(tmp_path):
    """The first write uses the new one."""
    store = _open(tmp_path / "c")
    store.rotate(passphrase="a new one")
    assert not (tmp_path / "c").exists()
    store.set("hikvision", "a", ADMIN)

    assert ADMIN == _open(tmp_path / "c", "a new one").get("hikvision", "a")


def test_a_rotation_that_fails_changes_nothing(path, monkeypatch):
    """With a full disk, the old key is still the right one, in the file and in the store."""
    store = _open(path)
    with monkeypatch.context() as patch:
        _full_disk(patch)
        key = new_key()
        _raises(StoreUnavailableError, lambda: store.rotate(key=key), key.reveal())

    assert ADMIN == store.get("hikvision", "a") == _open(path).get("hikvision", "a")


def test_a_key_from_the_folder_of_the_store_is_refused(tmp_path, monkeypatch):
    """Whoever copies the folder would have both; links do not help, and rotation refuses, too."""
    folder = tmp_path / "config"
    write_key_file(folder / "sub" / "key")
    (tmp_path / "link").symlink_to(folder / "sub" / "key")
    good = write_key_file(tmp_path / "elsewhere" / "key")
    store = EncryptedFileStore(folder / "c", key=good)

    for key in (folder / "sub" / "key", folder / "key", tmp_path / "link"):
        with pytest.raises(ConfigurationError, match="is in the folder of the store"):
            EncryptedFileStore(folder / "c", key=KeyFromFile(key))
        with pytest.raises(ConfigurationError, match="is in the folder of the store"):
            store.rotate(passphrase=KeyFromFile(key))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder / "sub"))
    EncryptedFileStore(folder / "c", key=KeyFromFile(folder / "sub" / "key"))


def test_a_store_travels_to_another_process_without_secrets(tmp_path, monkeypatch):
    """Where its key comes from does; a key that was given as text does not."""
    key = new_key()
    monkeypatch.setenv("CAMSYNC_KEY", key.reveal())
    store = EncryptedFileStore(tmp_path / "c", key=KeyFromEnv())
    store.set("hikvision", "a", ADMIN)
    pickled = pickle.dumps(store)

    for plain in (key.reveal().encode(), base64.urlsafe_b64decode(key.reveal())):
        assert plain not in pickled
    assert {"path", "source", "costs", "kdf"} == set(store.__getstate__())
    assert ADMIN == pickle.loads(pickled).get("hikvision", "a")
    with pytest.raises(TypeError, match="a Secret cannot be pickled"):
        pickle.dumps(EncryptedFileStore(tmp_path / "c", key=key))
    for part in (store._unlocker, SecretBytes(b"x")):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(part)


def test_no_part_shows_anything(path):
    """Store, key, decrypted book and file as it was read have nothing to show."""
    store = _open(path)
    opened = store._open()
    sealed = _format.parse(path.read_bytes(), "file")
    shown = [store, store._unlocker, opened.book, opened.book.text, sealed, vars(store)]

    assert f"EncryptedFileStore({str(path)!r}, passphrase=***)" == repr(store)
    assert "Book(1 entries)" == repr(opened.book)
    for each in shown:
        assert PASSPHRASE not in repr(each)
        assert SECRET not in repr(each)


# Damage


def _full_disk(patch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    patch.setattr(os, "fsync", full)


def test_a_full_disk_leaves_the_old_file(path, monkeypatch):
    """The error is of our own, and no secret is in any of its frames."""
    before, store = path.read_bytes(), _open(path)
    with monkeypatch.context() as patch:
        _full_disk(patch)
        set_it = functools.partial(store.set, "hikvision", "b", ADMIN)
        _raises(StoreUnavailableError, set_it, match="No space left on device")
        _raises(StoreUnavailableError, lambda: store.delete("hikvision", "a"))

    assert before == path.read_bytes()
    assert ["a"] == [name.account for name in store.names()]


def test_a_place_that_cannot_be_written_is_an_error(tmp_path):
    """A folder of the system's own, and a file where a folder should be."""
    (tmp_path / "file").touch()

    for place in (tmp_path / "file" / "c", "/proc/camsync/c"):
        set_it = functools.partial(_open(place).set, "hikvision", "a", ADMIN)
        _raises(StoreUnavailableError, set_it, match="cannot be")


@posix
def test_a_link_to_the_file_stays_a_link(tmp_path, path):
    """Both names lead to the same store."""
    link = tmp_path / "elsewhere" / "link"
    link.parent.mkdir()
    link.symlink_to(path)
    _open(link).set("hikvision", "b", OTHER)

    assert link.is_symlink()
    assert OTHER == _open(path).get("hikvision", "b")


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A file, as bytes."""
    path = tmp_path_factory.mktemp("sample") / "credentials"
    _open(path).set("hikvision", "a", ADMIN)
    _open(path).set("hikvision", "b", OTHER, owner="anna")
    return path, path.read_bytes()


@given(data=st.data())
def test_damage_is_noticed(sample, data):
    """Wherever bytes are changed, cut, doubled or added: never another error, nor a wrong secret."""
    path, content = sample
    begin = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.integers(begin, min(len(content), begin + 40)))
    damaged = content[:begin] + data.draw(st.binary(max_size=20)) + content[end:]
    path.write_bytes(damaged)
    try:
        noticed = not _reads(_open(path))
    finally:
        path.write_bytes(content)

    assert noticed is (damaged != content)


def _reads(store) -> bool:
    try:
        return store.get("hikvision", "a") == ADMIN or pytest.fail("a wrong secret was read")
    except (DamagedStoreError, WrongKeyError):
        return False


def _resealed(content: bytes, change) -> bytes:
    """The file with another header or body and the right digest: a change on purpose."""
    header, body, _ = content.splitlines()
    header, body = change(header, body)
    lines = header + b"\n" + body + b"\n"
    return lines + _format._digest(lines) + b"\n"


@given(data=st.data())
def test_changes_on_purpose_are_noticed(sample, data):
    """A changed ciphertext with a corrected digest breaks the seal."""
    path, content = sample
    sealed = bytearray(base64.b64decode(content.splitlines()[1]))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    changed = _resealed(content, lambda header, _: (header, base64.b64encode(sealed)))

    with pytest.raises(DamagedStoreError, match="its seal is broken"):
        _open_bytes(path, changed)


def _open_bytes(path, content):
    sealed = _format.parse(content, str(path))
    store = _open(path)
    return sealed.open(store._unlocker.derive(sealed.derivation, sealed.where))


HEADERS = [
    ({"camsync_credentials": 2}, "another version"),
    ({"cipher": "ROT13"}, "another version"),
    ({"cipher": None}, "another version"),
    ({"kdf": None}, "header that camsync does not write"),
    ({"kdf": "scrypt"}, "header"),
    ({"kdf": {}}, "header"),
    ({"check": "AAAA"}, "header"),
    ({"check": 7}, "header"),
    ({"nonce": "\u00e4"}, "header"),
    ({"nonce": base64.b64encode(bytes(16)).decode()}, "header"),
]
KDFS = [
    {"name": "argon2"},
    {"name": ["scrypt"]},
    {"salt": ""},
    {"salt": base64.b64encode(bytes(2000)).decode()},
    {"n": 3},
    {"n": 1},
    {"n": 0},
    {"n": -2},
    {"n": 1 << 21},
    {"n": 1 << 20, "r": 9},
    {"n": "2"},
    {"n": 2.0},
    {"n": True},
    {"n": 10**400},
    {"r": 0},
    {"r": 33},
    {"p": 0},
    {"p": 17},
]


@pytest.mark.parametrize(("members", "message"), HEADERS)
def test_hostile_headers_are_refused(sample, members, message):
    """Nothing in the header is believed before it is checked."""
    path, content = sample

    def change(header, body):
        return json.dumps({**json.loads(header), **members}).encode(), body

    with pytest.raises(DamagedStoreError, match=message):
        _open_bytes(path, _resealed(content, change))


@pytest.mark.parametrize("members", KDFS)
def test_hostile_parameters_cost_nothing(sample, members, monkeypatch):
    """A file cannot make us spend gigabytes or hours: it is refused before any derivation."""
    path, content = sample
    monkeypatch.setattr("camsync.credentials._unlock.ScryptFunction", None)

    def change(header, body):
        header = json.loads(header)
        header["kdf"].update(members)
        return json.dumps(header).encode(), body

    with pytest.raises(DamagedStoreError, match="header that camsync does not write"):
        _open_bytes(path, _resealed(content, change))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n\n",
        b"{}",
        b"[" * 100_000,
        b"[]\nx\n",
        b'{"camsync_credentials":1}',
        b"\xff\xfe",
        b" " * 9999,
    ],
)
def test_other_files_are_refused(tmp_path, content):
    """A file of something else is not taken for a store, and not overwritten."""
    path = tmp_path / "c"
    path.touch(mode=0o600)
    path.write_bytes(content)

    with pytest.raises(DamagedStoreError):
        _open(path).get("hikvision", "a")
    with pytest.raises(DamagedStoreError):
        _open(path).set("hikvision", "a", ADMIN)
    assert content == path.read_bytes()


def test_parameters_of_scrypt_are_checked_for_callers_too():
    """A mistake in the program is told before a file is made with it."""
    with pytest.raises(ConfigurationError, match="n must be a power of two"):
        Scrypt(3, 8, 1)
    with pytest.raises(ConfigurationError, match="more than 1024 MiB"):
        Scrypt(1 << 20, 16, 1)


# The book of entries


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b'[{"provider":"a"}\n]',
        b'[\n{"provider":"a", "account": "provider":\n]',
    ],
)
def test_what_is_no_book_is_refused(path, text):
    """What was decrypted is checked, too: another program may have the key."""
    with pytest.raises(Unreadable, match="laid out in another way"):
        Book(SecretBytes(text))


def _write_book(path, text: bytes) -> None:
    store = _open(path)
    opened = store._open()
    opened.book = type("Fake", (), {"text": SecretBytes(text)})()
    store._write(opened)


BAD_ENTRIES = [
    b'"username":7,"secret":"Planted-secret-\\u00e4-77"}',
    b'"username":"a","secret":["Planted-secret-\\u00e4-77"]}',
    b'"username":"","secret":"Planted-secret-\\u00e4-77"}',
    b'"username":"Planted-secret-\\u00e4-77","secret":""}',
    b'"secret":"Planted-secret-\\u00e4-77"}',
    b'"username":"a","secret":"Planted-secret-\\u00e4-77',
]


@pytest.mark.parametrize("rest", BAD_ENTRIES)
def test_a_bad_entry_is_an_error_that_shows_nothing(path, rest):
    """It is told that the file has been decrypted, and not what is in it."""
    begin = b'[\n{"provider":"hikvision","account":"a","owner":null,'
    _write_book(path, begin + rest + b"\n]")

    get = functools.partial(_open(path).get, "hikvision", "a")
    _raises(DamagedStoreError, get, match="was decrypted, but one of its entries is no credential")


@pytest.mark.parametrize(
    "line",
    [b'{"provider":"hikvision","account":7', b'{"provider":"H","account":"a"}', b'{"provider":'],
)
def test_a_bad_name_is_an_error_that_shows_nothing(path, line):
    """Listing says that the file has been decrypted, and not what is in it."""
    _write_book(path, b"[\n" + line + b"\n]")

    _raises(DamagedStoreError, _open(path).names, match="one of its entries has no proper name")


def test_a_layout_of_another_program_is_an_error(path):
    """Better than finding nothing."""
    _write_book(path, b'[{"provider":"hikvision"}]')

    _raises(DamagedStoreError, _open(path).names, match="laid out in another way")


accounts = st.sampled_from(["a", "b", "a\u00e4", '"},{"', "provider", '"provider":', "\\", "\\n"])
owners = st.sampled_from([None, "a", '"secret":"', "null"])
secrets = st.text(min_size=1).filter(lambda text: text.isascii() or text.isprintable())


@given(st.lists(st.tuples(accounts, owners, st.none() | secrets), max_size=12))
@example([("a", None, '\n{"provider":"hikvision","account":"b","owner":null,')])
def test_a_book_is_a_dictionary(steps):
    """After any changes it holds what a dictionary would hold, and its text is JSON."""
    book, model = Book(), {}
    for account, owner, secret in steps:
        name = CredentialName("hikvision", account, owner)
        if secret is None:
            assert (model.pop(name, None) is not None) is book.remove(name)
        else:
            model[name] = Credential(username=account, secret=secret)
            book.put(name, model[name])
        book = Book(book.text)

    assert set(model) == set(book.names())
    assert len(model) == len(book) == len(json.loads(book.text.reveal()))
    assert all(credential == book.get(name) for name, credential in model.items())
    assert None is book.get(CredentialName("hikvision", "never"))


def test_every_error_is_one_of_ours():
    """What the book raises inside never gets out as it is."""
    assert not issubclass(_book.Unreadable, CamsyncError)


def test_a_store_stays_the_same_file(tmp_path, monkeypatch):
    """A relative path is seen from the folder in which it was given, links and all."""
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    store = _open("c")
    store.set("hikvision", "a", ADMIN)
    monkeypatch.chdir("other")

    assert ADMIN == store.get("hikvision", "a")
    store.set("hikvision", "b", OTHER)
    assert tmp_path / "c" == store.path
    assert str(tmp_path / "c") in repr(store)
    assert [] == list((tmp_path / "other").iterdir())


@posix
def test_a_relative_path_needs_a_working_folder(tmp_path, monkeypatch):
    """In a folder that was deleted it means nothing; the error shows a store that is half made."""
    (tmp_path / "gone").mkdir()
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        error = _raises(ConfigurationError, lambda: _open("c"), match="there is no working folder")
        whole = _open(tmp_path / "c").path

    assert "EncryptedFileStore('c', None)" in _report(error)
    assert tmp_path / "c" == whole


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_the_place_of_the_file_blocks_nobody(tmp_path):
    """Whoever can make one in the folder does not stop every program that reads its passwords."""
    os.mkfifo(tmp_path / "c", 0o600)
    store = _open(tmp_path / "c")

    for action in (
        store.names,
        lambda: store.get("hikvision", "a"),
        lambda: store.set("hikvision", "a", ADMIN),
    ):
        _raises(StoreUnavailableError, action, match="is no regular file")


def test_too_little_memory_is_told_in_words(path, monkeypatch):
    """Deriving a key needs much of it; the passphrase is in no frame, and is not forgotten."""

    class Hungry:
        def __init__(self, **parameters):
            pass

        def derive(self, passphrase):
            raise MemoryError

    asked = []
    store = _open(path, passphrase=lambda: asked.append(1) or PASSPHRASE)
    with monkeypatch.context() as patch:
        patch.setattr(_unlock, "ScryptFunction", Hungry)
        error = _raises(
            StoreUnavailableError, lambda: store.get("hikvision", "a"), match="MiB of memory"
        )

    assert None is error.__context__
    assert error.retryable
    assert ADMIN == store.get("hikvision", "a")
    assert [1] == asked


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_wait_for_threads_that_it_has_not(tmp_path):
    """Whatever locks other threads hold at that moment, the child's stores work."""
    code = (
        "import contextlib, os, signal, sys, threading\n"
        "from camsync import Credential, MemoryStore\n"
        "from camsync.credentials import _guard\n"
        "from camsync.credentials.file import SCRYPT_CHEAPEST, EncryptedFileStore\n"
        "file = EncryptedFileStore(sys.argv[1], passphrase='x', kdf=SCRYPT_CHEAPEST)\n"
        "memory, inside, go = MemoryStore(), threading.Event(), threading.Event()\n"
        "for store in (file, memory):\n"
        "    store.set('hikvision', 'a', Credential(username='u', secret='s'))\n"
        "def hold():\n"
        "    with contextlib.ExitStack() as stack:\n"
        "        for guard in list(_guard._GUARDS):\n"
        "            stack.enter_context(guard.lock)\n"
        "        inside.set()\n"
        "        go.wait()\n"
        "threading.Thread(target=hold).start()\n"
        "inside.wait()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    signal.alarm(30)\n"
        "    for store in (file, memory):\n"
        "        store.get('hikvision', 'a')\n"
        "    file.rotate()\n"
        "    os._exit(7)\n"
        "ended = os.waitpid(child, 0)[1]\n"
        "go.set()\n"
        "print(len(_guard._GUARDS), os.waitstatus_to_exitcode(ended))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "c")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert ("3 7\n", "") == (done.stdout, done.stderr)


def test_who_is_inside_a_lock_leaves_that_one():
    """A fork in the middle gives the child new locks, and ends nothing with an error."""
    guard = _guard.Guard()
    with guard.lock:
        _guard._renew_all()
        assert not guard.lock.locked()

    assert guard.lock.acquire(blocking=False)

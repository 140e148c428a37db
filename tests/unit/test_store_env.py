"""Credentials from environment variables: their names, and what is said when they are missing."""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
import traceback

from pathlib import Path

import pytest

from hypothesis import example, given
from hypothesis import strategies as st

from camsync.credentials import Credential, CredentialName, _given
from camsync.credentials import env as module
from camsync.credentials.env import EnvStore
from camsync.errors import (
    ConfigurationError,
    CredentialNotFoundError,
    ExposedStoreError,
    ReadOnlyStoreError,
    StoreUnavailableError,
)


SECRET = "Planted-secret-91"
SHOP = "CAMSYNC_HIKVISION_FRONT_SHOP"


@pytest.fixture
def environ():
    """The variables of one account."""
    return {f"{SHOP}_USERNAME": "admin", f"{SHOP}_SECRET": SECRET}


@pytest.mark.parametrize(
    ("provider", "account", "owner", "middle"),
    [
        ("hikvision", "front-shop", None, "HIKVISION_FRONT_SHOP"),
        ("hikvision", "shop2", None, "HIKVISION_SHOP2"),
        ("hikvision", "192.168.1.64", None, "HIKVISION_192__2E__168__2E__1__2E__64"),
        ("hikvision", "nvr:8000", None, "HIKVISION_NVR__3A__8000"),
        ("hikvision", "a_b", None, "HIKVISION_A__5F__B"),
        ("hikvision", "A-b", None, "HIKVISION___41____2D__B"),
        ("hikvision", "-a--b-", None, "HIKVISION___2D__A__2D____2D__B__2D__"),
        ("hikvision", "\u00e4", None, "HIKVISION___E4__"),
        ("hikvision", "\U0010ffff", None, "HIKVISION___10FFFF__"),
        ("my_cam", "a", None, "MY__5F__CAM_A"),
        ("imou", "shop", "anna@x.org", "IMOU_SHOP__OWNER__ANNA__40__X__2E__ORG"),
        ("imou", "a.owner.b", None, "IMOU_A__2E__OWNER__2E__B"),
    ],
)
def test_variables_have_readable_names(provider, account, owner, middle):
    """The names are part of the interface: people write them into files."""
    with pytest.raises(CredentialNotFoundError) as caught:
        EnvStore().get(provider, account, owner=owner)

    assert f"CAMSYNC_{middle}_USERNAME" in caught.value.message
    assert f"CAMSYNC_{middle}_SECRET " in caught.value.message
    assert f"CAMSYNC_{middle}_SECRET_FILE" in caught.value.next_step


parts = st.text(st.sampled_from("aA1-_.O \u00e4\U0001f511"), min_size=1, max_size=8).filter(
    str.strip
)
any_parts = parts | st.sampled_from(["owner", "-owner-", "username", "secret", "secret-file"])
providers = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
names = st.builds(CredentialName, providers, any_parts, st.none() | any_parts)


@given(names, names)
@example(CredentialName("a", "b", "c"), CredentialName("a", "b-owner-c"))
@example(CredentialName("a", "x"), CredentialName("a_", "x"))
def test_every_name_has_variables_of_its_own(one, other):
    """Encoding can be undone, and no two names share a variable."""
    first, second = (set(_variables(each)) for each in (one, other))

    assert one == module._decode(module._encode(one))
    assert (one == other) or not first & second


def _variables(name):
    begin = f"CAMSYNC_{module._encode(name)}"
    return f"{begin}_USERNAME", f"{begin}_SECRET", f"{begin}_SECRET_FILE"


@given(st.text(st.sampled_from("A5F_OWNER0"), max_size=24))
@example("HIKVISION_A__110000__")
@example("HIKVISION_A__0__B")
@example("HIKVISION_A__A__B")
@example("HIKVISION_A__OWNER__B__OWNER__C")
@example("HIKVISION_A__D800__")
def test_foreign_variables_mean_nothing(text):
    """What is read as a name is written in the one way in which we write it."""
    name = module._decode(text)

    assert name is None or text == module._encode(name)


def test_names_lists_what_is_complete(environ):
    """Other variables with the same beginning do not confuse it."""
    environ |= {
        "CAMSYNC_PASSWORD": "x",
        "CAMSYNC_STORE": "env",
        "CAMSYNC_USERNAME": "x",
        "CAMSYNC__USERNAME": "x",
        "CAMSYNC_KEY_FILE": "/run/secrets/key",
        "CAMSYNC_HIKVISION_HALF_USERNAME": "admin",
        "CAMSYNC_HIKVISION_BLANK_USERNAME": "",
        "CAMSYNC_HIKVISION_BLANK_SECRET": "x",
        "CAMSYNC_HIKVISION_file_USERNAME": "x",
        "CAMSYNC_HIKVISION_file_SECRET": "x",
        "CAMSYNC_IMOU_A__OWNER__ANNA_USERNAME": "app",
        "CAMSYNC_IMOU_A__OWNER__ANNA_SECRET_FILE": "/run/secrets/imou",
        "OTHER_HIKVISION_A_USERNAME": "x",
        "OTHER_HIKVISION_A_SECRET": "x",
    }
    store = EnvStore(environ=environ)

    expected = [CredentialName("hikvision", "front-shop"), CredentialName("imou", "a", "anna")]
    assert expected == list(store.names())
    assert expected[1:] == list(store.names("imou")) == list(store.names(owner="anna"))
    assert [] == list(EnvStore("NOTHING", environ=environ).names())


def test_the_environment_is_read_at_every_call(monkeypatch):
    """A store made early sees what is set later."""
    store = EnvStore()
    assert () == store.names()
    monkeypatch.setenv(f"{SHOP}_USERNAME", "admin")
    monkeypatch.setenv(f"{SHOP}_SECRET", " blanks count ")

    assert " blanks count " == store.get("hikvision", "front-shop").secret.reveal()
    assert 1 == len(store.names())


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, f"{SHOP}_USERNAME and {SHOP}_SECRET are not set"),
        ({"_SECRET": ""}, f"{SHOP}_USERNAME and {SHOP}_SECRET are not set"),
        ({"_USERNAME": "x"}, f"{SHOP}_USERNAME is set, but neither {SHOP}_SECRET nor"),
        ({"_USERNAME": "x", "_SECRET": ""}, f"{SHOP}_USERNAME is set, but neither"),
        ({"_SECRET": SECRET}, f"the secret is set, but not {SHOP}_USERNAME"),
        ({"_SECRET_FILE": "/x"}, f"the secret is set, but not {SHOP}_USERNAME"),
    ],
)
def test_what_is_missing_is_named(variables, message):
    """Exactly that variable, for reading and for deleting."""
    store = EnvStore(environ={f"{SHOP}{end}": value for end, value in variables.items()})

    for action in (store.get, store.delete):
        with pytest.raises(CredentialNotFoundError) as caught:
            action("hikvision", "front-shop")
        assert message in caught.value.message
        assert SECRET not in _report(caught.value)


def _report(error) -> str:
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(repr(frame.locals) for frame in report.stack if frame.filename != __file__)


def test_changes_are_refused_with_the_variables(environ):
    """The next step says what to set or to unset."""
    store = EnvStore(environ=environ)

    with pytest.raises(ReadOnlyStoreError) as caught:
        store.set("hikvision", "a", Credential(username="x", secret=SECRET))
    assert "set CAMSYNC_HIKVISION_A_USERNAME and CAMSYNC_HIKVISION_A_SECRET" in str(caught.value)
    with pytest.raises(ReadOnlyStoreError) as caught:
        store.delete("hikvision", "front-shop")
    assert f"unset {SHOP}_USERNAME and {SHOP}_SECRET where" in str(caught.value)
    assert SECRET not in _report(caught.value)


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"s3cret\n", "s3cret"),
        (b"s3cret\r\n", "s3cret"),
        (b"s3cret", "s3cret"),
        (b"\xef\xbb\xbfs3cret\r\n", "s3cret"),
        (b" s3cret \n\n", " s3cret \n"),
        ("\u00e4\U0001f511\n".encode(), "\u00e4\U0001f511"),
    ],
)
def test_the_secret_may_be_in_a_file(tmp_path, environ, content, secret):
    """One line end at its end does not count, nor Notepad's mark at its beginning."""
    del environ[f"{SHOP}_SECRET"]
    environ[f"{SHOP}_SECRET_FILE"] = str(tmp_path / "secret")
    (tmp_path / "secret").touch(mode=0o600)
    (tmp_path / "secret").write_bytes(content)

    assert secret == EnvStore(environ=environ).get("hikvision", "front-shop").secret.reveal()


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (None, CredentialNotFoundError, "which does not exist"),
        (b"", CredentialNotFoundError, "which is empty"),
        (b"\n", CredentialNotFoundError, "which is empty"),
        (b"\xef\xbb\xbf\n", CredentialNotFoundError, "which is empty"),
        (b"planted \xff", ConfigurationError, "is not UTF-8 text"),
        (b"planted " * 10_000, ConfigurationError, "is longer than 65536 bytes"),
    ],
)
def test_a_file_without_a_secret_is_an_error(tmp_path, environ, content, kind, message):
    """It is named, with what is wrong; what is in it is not shown."""
    path = tmp_path / "secret"
    del environ[f"{SHOP}_SECRET"]
    environ[f"{SHOP}_SECRET_FILE"] = str(path)
    if content is not None:
        path.touch(mode=0o600)
        path.write_bytes(content)

    with pytest.raises(kind, match=message) as caught:
        EnvStore(environ=environ).get("hikvision", "front-shop")
    assert str(path) in caught.value.message
    assert "planted" not in _report(caught.value)
    assert None is caught.value.__context__


def test_a_file_that_cannot_be_read_is_an_error(tmp_path, environ):
    """A folder, and a path that cannot be one."""
    del environ[f"{SHOP}_SECRET"]
    tmp_path.chmod(0o700)
    environ[f"{SHOP}_SECRET_FILE"] = str(tmp_path)
    with pytest.raises(StoreUnavailableError):
        EnvStore(environ=environ).get("hikvision", "front-shop")
    environ[f"{SHOP}_SECRET_FILE"] = "a\0b"
    with pytest.raises(ConfigurationError, match="NUL"):
        EnvStore(environ=environ).get("hikvision", "front-shop")


@pytest.mark.skipif(os.name != "posix", reason="rights as in POSIX")
def test_others_may_read_the_file_only_where_the_system_decides(tmp_path, environ, monkeypatch):
    """Docker and systemd give the mode below their own folders; elsewhere it must be private."""
    path = tmp_path / "secret"
    path.write_text(SECRET)
    path.chmod(0o444)
    del environ[f"{SHOP}_SECRET"]
    environ[f"{SHOP}_SECRET_FILE"] = str(path)
    store = EnvStore(environ=environ)

    with pytest.raises(ExposedStoreError, match="mode 0444"):
        store.get("hikvision", "front-shop")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert SECRET == store.get("hikvision", "front-shop").secret.reveal()


def _into(pipe, content):
    """Write into a pipe whose reader may go away early."""
    with contextlib.suppress(BrokenPipeError):
        pipe.write_bytes(content)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("length", [0, 100_000])
def test_the_file_may_be_a_pipe(tmp_path, environ, length):
    """A shell gives one for <(command); it is waited for, and no more is read than from a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    del environ[f"{SHOP}_SECRET"]
    environ[f"{SHOP}_SECRET_FILE"] = str(pipe)
    store = EnvStore(environ=environ)
    writer = threading.Thread(target=_into, args=(pipe, f"{SECRET}{'x' * length}\n".encode()))
    writer.start()
    if length:
        with pytest.raises(ConfigurationError, match="is longer than 65536 bytes"):
            store.get("hikvision", "front-shop")
    else:
        assert SECRET == store.get("hikvision", "front-shop").secret.reveal()
    writer.join()


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs something endless")
def test_what_never_ends_is_not_read_to_its_end(environ, monkeypatch):
    """A device in a place where rights are not looked at."""
    monkeypatch.setattr(_given, "_DOCKER", Path("/dev"))
    del environ[f"{SHOP}_SECRET"]
    environ[f"{SHOP}_SECRET_FILE"] = "/dev/zero"

    with pytest.raises(ConfigurationError, match="is longer than 65536 bytes"):
        EnvStore(environ=environ).get("hikvision", "front-shop")


def test_two_secrets_are_one_too_many(environ):
    """Which one is meant is not guessed."""
    environ[f"{SHOP}_SECRET_FILE"] = "/run/secrets/x"

    with pytest.raises(ConfigurationError, match=f"both {SHOP}_SECRET and {SHOP}_SECRET_FILE"):
        EnvStore(environ=environ).get("hikvision", "front-shop")


def test_what_cannot_be_a_credential_is_told_with_the_variables(environ):
    """Such as bytes that are not UTF-8, which Python turns into half characters."""
    environ[f"{SHOP}_SECRET"] = f"{SECRET}\udcff"

    with pytest.raises(ConfigurationError, match=f"{SHOP}_SECRET hold no credential") as caught:
        EnvStore(environ=environ).get("hikvision", "front-shop")
    assert SECRET not in _report(caught.value)


@pytest.mark.parametrize("prefix", ["", "camsync", "1A", "A-B", "A\n"])
def test_a_prefix_is_the_beginning_of_a_variable(prefix):
    """Anything else could never be set."""
    with pytest.raises(ConfigurationError, match="cannot begin the name of a variable"):
        EnvStore(prefix)


def test_a_store_shows_its_prefix_only(environ):
    """An environment that was given is neither shown nor pickled."""
    store = EnvStore(environ=environ)

    assert "EnvStore('CAMSYNC')" == repr(store)
    assert SECRET not in repr(vars(store))
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(store)
    assert "X" == pickle.loads(pickle.dumps(EnvStore("X"))).prefix

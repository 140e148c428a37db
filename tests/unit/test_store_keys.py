"""Where keys come from: the environment, a file, the system's keyring."""

from __future__ import annotations

import os
import stat
import traceback

from pathlib import Path

import pytest

from camsync.credentials import _bytes, _given
from camsync.credentials.keys import KeyFromEnv, KeyFromFile, new_key, write_key_file
from camsync.errors import (
    ConfigurationError,
    ExposedStoreError,
    MissingKeyError,
    StoreUnavailableError,
)


posix = pytest.mark.skipif(os.name != "posix", reason="rights as in POSIX")


def test_a_new_key_is_new_and_usable():
    """44 characters, as Fernet's keys are; never the same twice."""
    key = new_key()

    assert 44 == len(key.reveal())
    assert 32 == len(_bytes.key_bytes(key))
    assert key != new_key()
    assert "SecretBytes('***')" == repr(_bytes.key_bytes(key))


def test_a_key_from_the_environment(monkeypatch):
    """The value as it is; a missing or blank variable is named."""
    for value in (None, "", "  \n"):
        if value is not None:
            monkeypatch.setenv("CAMSYNC_KEY", value)
        with pytest.raises(MissingKeyError, match="the variable CAMSYNC_KEY holds no key"):
            KeyFromEnv()()
    monkeypatch.setenv("OTHER", " passphrase ")

    assert " passphrase " == KeyFromEnv("OTHER")().reveal()
    assert "KeyFromEnv(variable='OTHER')" == repr(KeyFromEnv("OTHER"))


def test_a_key_file_is_made_once(tmp_path, monkeypatch):
    """Private from the start, with a key in it; a file that is there stays."""
    monkeypatch.setenv("HOME", str(tmp_path))
    source = write_key_file("~/keys/camsync.key")
    path = tmp_path / "keys" / "camsync.key"

    assert path == source.path
    assert 44 == len(source().reveal())
    assert os.name != "posix" or 0o600 == stat.S_IMODE(path.stat().st_mode)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match=r"there is a file .* already"):
        write_key_file(path)
    assert before == path.read_bytes()


def test_a_key_file_that_cannot_be_written_shows_no_key(tmp_path, monkeypatch):
    """Not even in the variables of the frames; and no half a file is left."""
    keys = []
    monkeypatch.setattr(
        "camsync.credentials.keys.new_key", lambda: keys.append(new_key()) or keys[0]
    )

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreUnavailableError, match="No space left") as caught:
        write_key_file(tmp_path / "key")

    error, report = caught.value, ""
    while error is not None:
        report += "".join(
            traceback.TracebackException.from_exception(error, capture_locals=True).format()
        )
        error = error.__cause__ or error.__context__
    assert keys[0].reveal() not in report
    assert [] == list(tmp_path.iterdir())


def test_a_missing_key_file_is_named(tmp_path):
    """So is an empty one."""
    path = tmp_path / "key"
    with pytest.raises(MissingKeyError, match=f"there is no key file {path}"):
        KeyFromFile(path)()
    path.touch(mode=0o600)
    with pytest.raises(MissingKeyError, match=f"there is no key in {path}"):
        KeyFromFile(path)()


@posix
def test_a_key_file_must_be_private(tmp_path, monkeypatch):
    """Except where Docker and systemd decide who may read it; a link into there does not count."""
    path = write_key_file(tmp_path / "run" / "secrets" / "key").path
    path.chmod(0o444)
    with pytest.raises(ExposedStoreError, match="mode 0444"):
        KeyFromFile(path)()
    monkeypatch.setattr(_given, "_DOCKER", tmp_path / "run" / "secrets")
    assert 44 == len(KeyFromFile(path)().reveal().strip())
    outside = write_key_file(tmp_path / "outside").path
    outside.chmod(0o444)
    link = path.with_name("link")
    link.symlink_to(outside)
    with pytest.raises(ExposedStoreError):
        KeyFromFile(link)()


def test_docker_keeps_its_secrets_in_one_place():
    """The folder is Docker's own."""
    assert Path("/run/secrets") == _given._DOCKER
    assert _given.is_managed(Path("/run/secrets/key"))
    assert not _given.is_managed(Path("/run/secrets2/key"))


def test_a_key_file_stays_the_same_file(tmp_path, monkeypatch):
    """A relative path is seen from the folder in which it was given, and shown as it is used."""
    monkeypatch.chdir(tmp_path)
    source = write_key_file("key")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir("other")

    assert tmp_path / "key" == source.path
    assert str(tmp_path / "key") in repr(source)
    assert 44 == len(source().reveal())


def test_a_key_file_may_begin_with_a_mark(tmp_path):
    """Notepad writes one before the text."""
    (tmp_path / "key").touch(mode=0o600)
    (tmp_path / "key").write_text("a passphrase", "utf-8-sig")

    assert "a passphrase" == KeyFromFile(tmp_path / "key")().reveal()

"""Where the password comes from."""

from __future__ import annotations

import io
import os
import sys
import types

import click
import pytest

from camsync import Secret
from camsync.cli._output import Output
from camsync.cli._password import VARIABLE, find_password
from camsync.credentials import keyring as ours
from camsync.errors import ConfigurationError, MissingExtraError


class Terminal(io.StringIO):
    """A stdin with somebody in front of it."""

    def isatty(self):
        return True


def find(*, file=None, keyring=False):
    """Look for the password as the commands do."""
    output = Output.standard(json=False)
    return find_password(output, "nvr.test:8080", "admin", file=file, keyring=keyring)


def write(path, content, mode=0o600):
    """Create a file that only its owner can read, and return its name."""
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"geheim", "geheim"),
        (b"geheim\n", "geheim"),
        (b"geheim\r\n", "geheim"),
        (b" two words \n\n", " two words \n"),
        ("Cửa\n".encode(), "Cửa"),
    ],
)
def test_a_file_gives_its_content_without_one_line_end(tmp_path, content, password):
    """Editors end files with a newline; nothing else is stripped."""
    assert Secret(password) == find(file=write(tmp_path / "pw", content))


@pytest.mark.skipif(os.name != "posix", reason="permissions of others exist on POSIX only")
@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_file_that_others_can_read_is_warned_about(tmp_path, capsys, mode, warned):
    """The password is used all the same, and the warning says how to close the file."""
    name = write(tmp_path / "pw", b"geheim\n", mode)

    assert Secret("geheim") == find(file=name)
    assert warned == ("chmod 600" in capsys.readouterr().err)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b"\n", "is empty"), (b"x" * 5000, "longer"), (b"\xff\xfe", "UTF-8")],
)
def test_an_unusable_file_is_refused(tmp_path, content, message):
    """Empty, huge, or no text."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        find(file=write(tmp_path / "pw", content))

    assert None is caught.value.__cause__


def test_a_missing_file_is_refused(tmp_path):
    """The error names the file and the system's reason."""
    with pytest.raises(ConfigurationError, match="nowhere cannot be read: No such file"):
        find(file=str(tmp_path / "nowhere"))


def test_a_dash_reads_stdin(monkeypatch):
    """``--password-file -`` takes what a password manager pipes."""
    stdin = types.SimpleNamespace(buffer=io.BytesIO(b"piped\n"))
    monkeypatch.setattr(sys, "stdin", stdin)

    assert Secret("piped") == find(file="-")


def test_the_file_wins_over_the_environment(tmp_path, monkeypatch):
    """What was said on the command line comes first."""
    monkeypatch.setenv(VARIABLE, "from-env")

    assert Secret("geheim") == find(file=write(tmp_path / "pw", b"geheim"))


def test_the_environment_wins_over_the_keyring(monkeypatch):
    """CAMSYNC_PASSWORD is taken before the keyring is asked."""
    monkeypatch.setenv(VARIABLE, "from-env")

    assert Secret("from-env") == find(keyring=True)


def test_the_keyring_is_asked_for_host_and_port(monkeypatch):
    """The entry is named after the address in the URL."""
    asked = []
    monkeypatch.setattr(
        ours, "password_for", lambda target, user: asked.append((target, user)) or Secret("stored")
    )

    assert Secret("stored") == find(keyring=True)
    assert [("nvr.test:8080", "admin")] == asked


def test_somebody_at_a_terminal_is_asked_without_echo(monkeypatch):
    """The prompt goes to stderr, hides what is typed, and says whose password it wants."""
    asked = []

    def prompt(text, **options):
        asked.append((text, options))
        return "typed"

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(click, "prompt", prompt)

    assert Secret("typed") == find()
    assert [("Password of admin on nvr.test:8080", {"hide_input": True, "err": True})] == asked


def test_without_a_terminal_the_ways_are_named(monkeypatch):
    """A script that gives no password gets an error, not a prompt that hangs."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    with pytest.raises(ConfigurationError, match="no terminal to ask") as caught:
        find()

    assert "--password-file" in str(caught.value.next_step)
    assert VARIABLE in str(caught.value.next_step)


class KeyringError(Exception):
    """Stands for keyring's root error."""


class NoKeyringError(KeyringError):
    """Stands for keyring's error when no backend is viable."""


@pytest.fixture
def system_keyring(monkeypatch):
    """A keyring package whose answers the test sets."""
    errors = types.ModuleType("keyring.errors")
    errors.KeyringError, errors.NoKeyringError = KeyringError, NoKeyringError
    package = types.ModuleType("keyring")
    package.errors, package.entries = errors, {}

    def get_password(service, username):
        answer = package.entries.get((service, username))
        if isinstance(answer, Exception):
            raise answer
        return answer

    package.get_password = get_password
    monkeypatch.setitem(sys.modules, "keyring", package)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    return package.entries


def test_the_stored_password_is_given_as_a_secret(system_keyring):
    """The entry is ``camsync:HOST``, the name that the documentation gives."""
    system_keyring["camsync:nvr.test", "admin"] = "stored"

    assert Secret("stored") == ours.password_for("nvr.test", "admin")


@pytest.mark.parametrize(
    ("answer", "message", "step"),
    [
        (None, "holds no password", "keyring set camsync:nvr.test admin"),
        ("", "holds no password", "keyring set camsync:nvr.test admin"),
        (NoKeyringError("none"), "no usable keyring", "--password-file"),
        (KeyringError("locked"), "admin on nvr.test: locked", "unlock"),
        (KeyringError(), "KeyringError", "unlock"),
    ],
)
def test_a_keyring_that_gives_nothing_says_why(system_keyring, answer, message, step):
    """Nothing stored, no backend, or a locked one: three different next steps."""
    system_keyring["camsync:nvr.test", "admin"] = answer

    with pytest.raises(ConfigurationError, match=message) as caught:
        ours.password_for("nvr.test", "admin")

    assert step in str(caught.value.next_step)


def test_without_the_package_the_extra_is_named(monkeypatch):
    """The optional dependency is missing: the error says what to install."""
    monkeypatch.setitem(sys.modules, "keyring", None)

    with pytest.raises(MissingExtraError, match="keyring") as caught:
        ours.password_for("nvr.test", "admin")

    assert "[keyring]" in str(caught.value.next_step)

"""Where user name and password come from."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import types

import attrs
import click
import pytest

from camsync import Credential, Profile, Profiles, Secret, errors, registry
from camsync.cli import _connection
from camsync.cli._connection import Target, connected
from camsync.cli._output import Output
from camsync.cli._password import VARIABLE, Sources, find_credential
from camsync.cli._place import find_place
from camsync.credentials.keys import new_key
from camsync.errors import ConfigurationError


URL = "hikvision://admin@nvr.test:8080"


class Terminal(io.StringIO):
    """A stdin with somebody in front of it."""

    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def _a_home(monkeypatch, tmp_path):
    """An encrypted file of its own, whose key is in the environment."""
    monkeypatch.setenv("CAMSYNC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CAMSYNC_STORE", "file")
    monkeypatch.setenv("CAMSYNC_KEY", new_key().reveal())


@pytest.fixture
def asked(monkeypatch):
    """Somebody at the terminal who gives these answers; the questions are kept."""
    answers, questions = [], []

    def prompt(text, **options):
        questions.append((text, options))
        return answers.pop(0)

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(click, "prompt", prompt)
    return types.SimpleNamespace(answers=answers, questions=questions)


def find(url=URL, *, file=None, store=None):
    """Look for user and password as the commands do."""
    output = Output.standard(json=False)
    place = find_place(Secret(url))
    return find_credential(output, place, Sources(file=file, store=store))


def secret(**sources):
    """The password that is found for the URL that names the user."""
    return find(**sources).secret


def keep(account, username="admin", secret="stored"):
    """Store a credential."""
    credential = Credential(username=username, secret=secret)
    registry.open_store().set("hikvision", account, credential)
    return credential


def remember(name="front-shop"):
    """Make a profile."""
    Profiles().set(Profile(name=name, provider="hikvision", host="nvr.test"))


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
    assert Secret(password) == secret(file=write(tmp_path / "pw", content))


@pytest.mark.skipif(os.name != "posix", reason="permissions of others exist on POSIX only")
@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_file_that_others_can_read_is_warned_about(tmp_path, capsys, mode, warned):
    """The password is used all the same, and the warning says how to close the file."""
    name = write(tmp_path / "pw", b"geheim\n", mode)

    assert Secret("geheim") == secret(file=name)
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

    assert Secret("piped") == secret(file="-")


def test_the_file_wins_over_the_environment(tmp_path, monkeypatch):
    """What was said on the command line comes first."""
    monkeypatch.setenv(VARIABLE, "from-env")

    assert Secret("geheim") == secret(file=write(tmp_path / "pw", b"geheim"))


def test_the_environment_counts_for_a_named_user_only(monkeypatch):
    """CAMSYNC_PASSWORD of one recorder, sent to another one, would be a failed login there."""
    monkeypatch.setenv(VARIABLE, "from-env")
    remember()
    keep("front-shop")

    assert Secret("from-env") == secret()
    assert Secret("stored") == find("hikvision://front-shop").secret
    assert Secret("stored") == find("front-shop").secret


@pytest.mark.parametrize(
    ("url", "account"),
    [
        (URL, "nvr.test:8080"),
        ("hikvision://nvr.test", "nvr.test"),
        ("hikvision://front-shop", "front-shop"),
        ("hikvision://admin@front-shop", "front-shop"),
        ("front-shop", "front-shop"),
    ],
)
def test_the_store_is_asked_for_the_profile_or_the_place(url, account):
    """Under the profile's name, or host and port."""
    if account == "front-shop":
        remember()
    expected = keep(account)

    assert expected == find(url)


def test_the_store_can_be_chosen(monkeypatch):
    """--store wins over CAMSYNC_STORE."""
    keep("nvr.test:8080")
    monkeypatch.setenv("CAMSYNC_STORE", "env")

    assert Secret("stored") == secret(store="file")


def test_a_file_takes_the_user_from_the_store(tmp_path):
    """A new password for this one run; who logs in is known."""
    remember()
    keep("front-shop", "viewer")
    found = find("front-shop", file=write(tmp_path / "pw", b"geheim"))

    assert Credential(username="viewer", secret="geheim") == found


def test_a_file_without_a_known_user(tmp_path, asked):
    """Somebody is asked; a script is told how to name the user."""
    remember()
    name = write(tmp_path / "pw", b"geheim")
    asked.answers.append("viewer")

    assert "viewer" == find("front-shop", file=name).username
    assert "User name on front-shop" == asked.questions[0][0]


@pytest.mark.parametrize(
    ("url", "message", "step"),
    [
        (URL, "no password for admin on nvr.test:8080 .*no terminal", "camsync login"),
        (URL, "no credential for hikvision account 'nvr.test:8080'", VARIABLE),
        ("hikvision://nvr.test", "nor a store names the user", "there are no profiles yet"),
        ("hikvision://other", "nor a store names the user", "there are no profiles yet"),
    ],
)
def test_a_script_is_told_every_way(monkeypatch, url, message, step):
    """An error, and no question that hangs."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    with pytest.raises(ConfigurationError, match=message) as caught:
        find(url)

    assert step in str(caught.value.next_step)


def test_a_slip_in_the_name_shows_the_names(monkeypatch):
    """What resembles no profile is not repeated: it may have been a password."""
    remember()

    with pytest.raises(ConfigurationError, match="no profile 'front-shpo'") as caught:
        find("front-shpo")
    assert "did you mean 'front-shop'; or write hikvision://" in str(caught.value.next_step)

    with pytest.raises(ConfigurationError, match="no profile of that name") as caught:
        find("tr0ub4dor")
    assert "the profiles are: front-shop; or write hikvision://" in str(caught.value.next_step)
    assert "tr0ub" not in str(caught.value)

    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ConfigurationError, match="names the user") as caught:
        find("hikvision://front-shpo")
    assert "the profiles are: front-shop" in str(caught.value.next_step)

    with pytest.raises(ConfigurationError, match="names the user") as caught:
        find("front-shop")
    assert "profiles" not in str(caught.value.next_step)


def test_somebody_at_a_terminal_is_asked_without_echo(asked, capsys):
    """The prompt goes to stderr, hides what is typed, and says whose password it wants."""
    asked.answers.append("typed")

    assert Secret("typed") == secret()
    expected = ("Password of admin on nvr.test:8080", {"hide_input": True, "err": True})
    assert [expected] == asked.questions
    assert "'camsync login' stores it" in capsys.readouterr().err


def test_user_and_password_are_asked_for_a_profile_without(asked):
    """As after `camsync trust`."""
    remember()
    asked.answers += ["viewer", "typed"]

    assert Credential(username="viewer", secret="typed") == find("front-shop")


def test_another_user_than_the_stored_one(asked, monkeypatch):
    """His password is asked for; the stored one is not tried."""
    keep("nvr.test:8080", "viewer")
    asked.answers.append("typed")

    assert Credential(username="admin", secret="typed") == find()

    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(ConfigurationError, match="belongs to another user"):
        find()


def test_a_store_that_cannot_be_read_is_an_error(monkeypatch, asked):
    """A wrong key must not end in a question for the password."""
    keep("nvr.test:8080")
    monkeypatch.setenv("CAMSYNC_KEY", new_key().reveal())

    with pytest.raises(errors.WrongKeyError):
        find()

    assert [] == asked.questions


def test_a_name_without_a_profile_gets_no_stored_password(monkeypatch, asked):
    """It would go to whichever host has that name; somebody may still type one for it."""
    keep("front-shop")
    asked.answers += ["viewer", "typed"]

    assert Credential(username="viewer", secret="typed") == find("hikvision://front-shop")

    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(ConfigurationError, match="no profile 'front-shop'"):
        find("hikvision://front-shop")


def test_a_profile_that_is_deleted_meanwhile_is_not_looked_up_again(monkeypatch):
    """The run stays with the recorder that it has found: its name is not a host's."""
    remember()
    credential = keep("front-shop")
    target = Target(
        url="front-shop", **dict.fromkeys(set(attrs.fields_dict(Target)) - {"url"}, None)
    )

    def find_and_forget(output, place, sources):
        found = find_credential(output, place, sources)
        Profiles().delete("front-shop")
        return found

    made = []

    def factory(*arguments, **options):
        made.append((arguments, options))
        return contextlib.closing(io.StringIO())

    monkeypatch.setattr(_connection, "find_credential", find_and_forget)
    monkeypatch.setattr("camsync.providers.hikvision.HikvisionISAPI", factory)
    with pytest.raises(AttributeError), connected(Output.standard(json=False), target):
        pass

    ((where, options),) = made
    assert ("nvr.test", "admin", credential.secret) == where
    assert {"guard"} == set(options)


def test_without_a_key_and_a_terminal_the_variables_are_named(monkeypatch):
    """A script is never asked for a passphrase."""
    keep("nvr.test:8080")
    monkeypatch.delenv("CAMSYNC_KEY")

    with pytest.raises(errors.CredentialError) as caught:
        find()

    assert caught.value.next_step

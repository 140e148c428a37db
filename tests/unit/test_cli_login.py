"""Logging in, listing and logging out, with real stores and a provider that needs no device."""

from __future__ import annotations

import io
import json
import sys
import types
import warnings

import click
import pytest

from camsync import (
    Certificate,
    Channel,
    ChannelId,
    Check,
    CheckStatus,
    Credential,
    Device,
    DeviceId,
    EncryptedFileStore,
    InsecureConnectionWarning,
    Profile,
    Profiles,
    Secret,
    errors,
    registry,
    transport,
)
from camsync.cli import main
from camsync.cli._output import Output
from camsync.cli._warnings import warnings_to
from camsync.credentials.keys import new_key


PASSWORD = "s3cret-word"
HOST = "192.168.1.64"
URL = f"hikvision://admin@{HOST}"
SECURE = f"hikvisions://admin@{HOST}"
PIN = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
CAMERA = Channel(device=DeviceId("DS1"), id=ChannelId("1"), name="Door")


class Terminal(io.StringIO):
    """A stdin with somebody in front of it."""

    def isatty(self):
        return True


def step(name, status=CheckStatus.OK, advice="", category=None):
    """One step of the connection test."""
    return Check(name=name, status=status, seen=f"saw {name}", advice=advice, category=category)


class FakeProvider:
    """A recorder whose connection test says what the test wants."""

    name = "fake"

    def __init__(self, steps):
        self.steps = steps
        self.learnt = {"search": "plain"}
        self.closed = 0

    def diagnose(self):
        yield from self.steps

    def devices(self):
        return [Device(provider="hikvision", id=DeviceId("DS1"), name="NVR", model="DS-7616")]

    def close(self):
        self.closed += 1


class SilentProvider:
    """A provider without a connection test."""

    name = "silent"

    def close(self):
        """Do nothing."""


@pytest.fixture(autouse=True)
def _an_encrypted_file(monkeypatch, tmp_path):
    """Passwords go to a file whose key is in the environment."""
    monkeypatch.setenv("CAMSYNC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CAMSYNC_STORE", "file")
    monkeypatch.setenv("CAMSYNC_KEY", new_key().reveal())


@pytest.fixture
def recorder(monkeypatch):
    """What every URL leads to; it remembers how it was connected to."""
    fake = FakeProvider([step(name) for name in ("tcp", "tls", "lock", "login", "search")])
    fake.connections = []

    def connect(target, **options):
        fake.connections.append((str(target.url), options))
        return fake

    monkeypatch.setattr(registry, "connect_to", connect)
    return fake


@pytest.fixture
def untrusted(recorder, monkeypatch):
    """The same with TLS and a certificate that is trusted only when it is pinned."""
    shown = Certificate(fingerprint=PIN, subject="CN=nvr", self_signed=True)
    monkeypatch.setattr(transport, "fetch_certificate", lambda *_place, **_options: shown)
    good = recorder.steps

    def diagnose():
        pinned = recorder.connections[-1][1].get("verify") == PIN
        bad = [good[0], step("tls", CheckStatus.FAILED, "pin it", errors.Category.TLS)]
        yield from good if pinned else bad

    recorder.diagnose = diagnose
    return recorder


@pytest.fixture
def asked(monkeypatch):
    """Somebody at the terminal who gives the answers in this list; questions are kept."""
    answers, questions = [], []

    def answer(question, **options):
        assert options["err"]
        questions.append(question)
        return answers.pop(0) or options.get("default")

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(click, "prompt", answer)
    monkeypatch.setattr(click, "confirm", answer)
    return types.SimpleNamespace(answers=answers, questions=questions)


@pytest.fixture
def password_file(tmp_path):
    """A file with the password, and its option."""
    path = tmp_path / "pw"
    path.write_text(PASSWORD, encoding="utf-8")
    path.chmod(0o600)
    return ("--password-file", str(path))


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


def stored(account):
    """What the store holds under that name."""
    return registry.open_store().get("hikvision", account)


def remember(name="front-shop", **fields):
    """Make a profile, and return it."""
    profile = Profile(name=name, provider="hikvision", **{"host": HOST, **fields})
    Profiles().set(profile)
    return profile


# -- login


def test_a_login_stores_password_and_profile(recorder, capsys, password_file):
    """After the test, and it says where, and what to type next."""
    code, out, err = run(capsys, "login", URL, "--name", "front-shop", *password_file)

    assert (0, "") == (code, err)
    assert "ok       login     saw login" in out
    assert "saved: front-shop\n" in out
    assert "the password of admin is in the encrypted file " in out
    assert "  camsync channels hikvision://front-shop" in out
    assert '  camsync.connect("hikvision://front-shop")' in out
    assert Credential(username="admin", secret=PASSWORD) == stored("front-shop")
    expected = Profile(
        name="front-shop",
        provider="hikvision",
        host=HOST,
        username="admin",
        device="DS1",
        learnt={"search": "plain"},
    )
    assert expected == Profiles().get("front-shop")
    assert [(URL, {"password": Secret(PASSWORD), "insist": True})] == recorder.connections
    assert 1 == recorder.closed


def test_a_login_as_json(recorder, capsys, password_file):
    """One document: what was stored, where, and each step of the test."""
    code, document = run_json(capsys, "login", URL, "--name", "shop", *password_file)

    assert 0 == code
    assert (True, False, "file") == (document["saved"], document["replaced"], document["store"])
    assert ("hikvision://shop", "admin") == (document["url"], document["username"])
    assert "DS1" == document["profile"]["device"]
    assert ["tcp", "tls", "lock", "login", "search"] == [one["name"] for one in document["checks"]]
    assert [] == document["warnings"]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (URL, HOST),
        (f"{URL}:8080", f"{HOST}-8080"),
        ("hikvision://admin@[fe80::1]", "fe80-1"),
        ("admin@NVR.test:81", "nvr.test-81"),
    ],
)
def test_without_a_name_it_is_the_host(recorder, capsys, password_file, url, name):
    """Scripts need not think of one; a bare host is enough."""
    code, document = run_json(capsys, "login", url, *password_file)

    assert (0, name) == (code, document["profile"]["name"])


def test_all_options_are_remembered(recorder, capsys, password_file, tmp_path):
    """What was said once need not be said again; a CA file is found from every folder."""
    ca = tmp_path / "ca.pem"
    options = ("--verify", str(ca), "--old-tls", "--insecure-basic", "--timeout", "30")
    times = ("--timezone", "+08:00", "--time-mode", "local")
    run(capsys, "login", f"{SECURE}:8443", "--name", "shop", *options, *times, *password_file)
    profile = Profiles().get("shop")

    assert (8443, True, str(ca)) == (profile.port, profile.https, profile.verify)
    assert (True, True) == (profile.old_tls, profile.allow_basic)
    assert ("+08:00", "local") == (profile.timezone, profile.time_mode)


def test_logging_in_again_replaces_and_keeps_the_rest(recorder, capsys, asked):
    """A new password for a known name: the pin and the time zone stay, the dialect is new."""
    remember(https=True, verify=PIN, timezone="+08:00", learnt={"search": "old"}, device="DS0")
    asked.answers += ["admin", "old-word", "admin", PASSWORD]
    run(capsys, "login", "front-shop")
    code, out, _err = run(capsys, "login", "front-shop")
    profile = Profiles().get("front-shop")

    assert 0 == code
    assert "saved: front-shop, in the place of what was there" in out
    assert Secret(PASSWORD) == stored("front-shop").secret
    assert (PIN, "+08:00", True) == (profile.verify, profile.timezone, profile.https)
    assert ({"search": "plain"}, "DS1") == (profile.learnt, profile.device)
    assert None is recorder.connections[0][1]["learnt"]
    assert "hikvision://admin@front-shop" == recorder.connections[0][0]


def test_a_name_that_meant_another_device_is_said(recorder, capsys, password_file):
    """The profile is replaced, and nobody is left in doubt about it."""
    remember(host="nvr.test")
    code, _out, err = run(capsys, "login", URL, "--name", "front-shop", *password_file)

    assert 0 == code
    assert "front-shop was another device before: nvr.test" in err
    assert HOST == Profiles().get("front-shop").host

    remember(host="nvr.test")
    assert run_json(capsys, "login", URL, "--name", "front-shop", *password_file)[1]["replaced"]


def test_another_device_at_the_same_place_is_said(recorder, capsys, password_file):
    """An address may have been given to somebody else."""
    remember(device="DS0")

    assert "another device answers there now: DS1" in run(capsys, "login", URL, *password_file)[2]
    assert "" == run(capsys, "login", URL, *password_file)[2]


def test_everything_that_is_missing_is_asked(recorder, capsys, asked):
    """Address, name, user, password; Enter takes the name of the host."""
    asked.answers += [f" {HOST} ", "", "viewer", PASSWORD]
    code, out, _err = run(capsys, "login")

    assert 0 == code
    assert [
        "Address of the recorder (USER@HOST, or hikvisions://USER@HOST for HTTPS)",
        "Name for this recorder",
        f"User name on {HOST}",
        f"Password of viewer on {HOST}",
    ] == asked.questions
    assert f"saved: {HOST}" in out
    assert "viewer" == stored(HOST).username


def test_yes_asks_less(recorder, capsys, asked):
    """The name of the profile is the default one."""
    asked.answers.append(PASSWORD)

    assert 0 == run(capsys, "login", URL, "--yes")[0]
    assert [f"Password of admin on {HOST}"] == asked.questions


@pytest.mark.parametrize(
    ("arguments", "message", "step"),
    [
        ((), "no recorder was named", "camsync login hikvision://USER@HOST"),
        ((f"hikvision://{HOST}",), "names no user", f"write hikvision://USER@{HOST}"),
        ((URL,), f"no password for admin on {HOST}", "--password-file"),
        ((URL, "--name", "Front Shop"), "cannot be the name of a profile", "lower case"),
        ((URL, "--store", "attic"), "'attic' is not a store", "use env"),
        ((URL, "--verify", PIN, "--insecure-no-verify"), "contradict", "leave"),
        (("hikvision://admin:geheim@nvr",), "a password in a URL", "separately"),
        (("two words",), "no scheme", "begin with"),
    ],
)
def test_a_script_is_told_what_is_missing(recorder, capsys, arguments, message, step):
    """Exit code 2, no question, and nothing is sent or stored."""
    code, _out, err = run(capsys, "login", *arguments)

    assert 2 == code
    assert message in err
    assert step in err
    assert "geheim" not in err
    assert [] == recorder.connections
    assert () == Profiles().all()


def test_the_environment_gives_the_password_of_a_named_user(recorder, capsys, monkeypatch):
    """CAMSYNC_PASSWORD works for login, too."""
    monkeypatch.setenv("CAMSYNC_PASSWORD", PASSWORD)

    assert 0 == run(capsys, "login", URL)[0]
    assert Secret(PASSWORD) == stored(HOST).secret


@pytest.mark.parametrize(
    ("name", "category", "code"),
    [
        ("tcp", errors.Category.NETWORK, 4),
        ("lock", errors.Category.AUTHENTICATION, 6),
        ("login", errors.Category.AUTHENTICATION, 6),
        ("tls", errors.Category.NETWORK, 4),
        ("login", None, 1),
    ],
)
def test_a_failed_login_saves_nothing(recorder, capsys, password_file, name, category, code):
    """It stops at the step, in words and in JSON, with the exit code of the trouble."""
    bad = step(name, CheckStatus.FAILED, "do this", category)
    recorder.steps = [bad if one.name == name else one for one in recorder.steps]
    seen, out, err = run(capsys, "login", URL, *password_file)

    assert code == seen
    assert f"failed   {name}" in out
    assert f"error: nothing was saved, because step '{name}' failed: saw {name}" in err
    assert "next step: do this" in err
    assert "search" not in out

    seen, document = run_json(capsys, "login", URL, *password_file)

    assert (code, False) == (seen, document["saved"])
    assert category == document["error"]["category"]
    assert () == Profiles().all()
    assert () == registry.open_store().names()
    assert 2 == recorder.closed


def test_a_failed_search_does_not_stop_it(recorder, capsys, password_file):
    """The password is right: what else is wrong is shown, and can be seen to later."""
    recorder.steps[-1] = step("search", CheckStatus.FAILED, category=errors.Category.PROTOCOL)
    code, out, _err = run(capsys, "login", URL, *password_file)

    assert 0 == code
    assert "failed   search" in out
    assert f"saved: {HOST}" in out


def test_what_is_dangerous_is_said_again_at_the_end(recorder, capsys, password_file):
    """A public address, a default or a weak password; other warnings are shown once."""
    recorder.steps[0] = step("tcp", CheckStatus.WARNING, "use a VPN")
    recorder.steps[1] = step("tls", CheckStatus.WARNING, "use https=True")
    recorder.steps[3] = step("login", CheckStatus.WARNING, "choose a longer one")
    _code, _out, err = run(capsys, "login", URL, *password_file)

    assert [
        "WARNING: saw tcp: use a VPN",
        "WARNING: saw login: choose a longer one",
    ] == err.splitlines()
    warnings = run_json(capsys, "login", URL, *password_file)[1]["warnings"]
    assert ["saw tcp: use a VPN", "saw login: choose a longer one"] == warnings


def test_without_a_test_nothing_is_sent(recorder, capsys, password_file):
    """For a recorder that is not there yet; what was known of it stays."""
    remember(device="DS0", learnt={"search": "old"})
    code, document = run_json(capsys, "login", URL, "--no-test", *password_file)

    assert (0, []) == (code, document["checks"])
    assert [] == recorder.connections
    profile = Profiles().get("front-shop")
    assert ("DS0", {"search": "old"}) == (profile.device, profile.learnt)


def test_a_provider_without_a_test_says_so(recorder, capsys, password_file, monkeypatch):
    """Other providers may not have one; nothing is stored then."""
    monkeypatch.setattr(registry, "connect_to", lambda *_arguments, **_options: SilentProvider())
    code, _out, err = run(capsys, "login", URL, *password_file)

    assert 10 == code
    assert "'silent' has no connection test" in err
    assert () == Profiles().all()


def test_a_profile_that_cannot_be_written_takes_the_password_back(
    recorder, capsys, password_file, monkeypatch
):
    """New: gone again. In the place of another: that one is back."""

    def fail(*_arguments):
        msg = "no room"
        raise errors.StoreUnavailableError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(Profiles, "set", fail)
        code, _out, err = run(capsys, "login", URL, *password_file)

        assert 16 == code
        assert "no room" in err
        assert () == registry.open_store().names()

        old = Credential(username="admin", secret="old-word")
        registry.open_store().set("hikvision", HOST, old)
        run(capsys, "login", URL, *password_file)

    assert old == stored(HOST)


ELSEWHERE = "nvr.test"
OLD_WORD = "old-word"


@pytest.fixture
def elsewhere():
    """A profile for another device than the one that is logged in to, with its own password."""
    old = Credential(username="admin", secret=OLD_WORD)
    registry.open_store().set("hikvision", "nvr", old)
    return remember("nvr", host=ELSEWHERE, https=True, verify=OTHER), old


def fails_once(monkeypatch, where, method, error, *, afterwards):
    """Let a method fail the first time, before or after it has done its work."""
    real = getattr(where, method)
    errors_left = [error]

    def failing(*arguments, **options):
        if not errors_left:
            return real(*arguments, **options)
        if afterwards:
            real(*arguments, **options)
        raise errors_left.pop()

    monkeypatch.setattr(where, method, failing)


@pytest.mark.parametrize("afterwards", [False, True])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (OSError("no room"), 1),
        (errors.StoreUnavailableError("no room"), 16),
    ],
    ids=["ctrl-c", "system", "store"],
)
@pytest.mark.parametrize(
    ("where", "method"), [(Profiles, "set"), (Profiles, "delete"), (EncryptedFileStore, "set")]
)
def test_an_interrupted_login_changes_nothing(
    recorder, capsys, password_file, elsewhere, monkeypatch, where, method, error, code, afterwards
):
    """The password of one device must never stand under the name of another one."""
    fails_once(monkeypatch, where, method, error, afterwards=afterwards)
    seen, _out, err = run(capsys, "login", URL, "--name", "nvr", *password_file)

    assert (code, False) == (seen, "could be put back" in err)
    assert elsewhere == (Profiles().get("nvr"), stored("nvr"))


@pytest.mark.parametrize("afterwards", [False, True])
def test_an_interrupted_first_login_leaves_nothing(
    recorder, capsys, password_file, monkeypatch, afterwards
):
    """Neither a profile nor a password."""
    fails_once(monkeypatch, Profiles, "set", KeyboardInterrupt(), afterwards=afterwards)

    assert 130 == run(capsys, "login", URL, "--name", "nvr", *password_file)[0]
    assert ((), ()) == (Profiles().all(), registry.open_store().names())


@pytest.mark.parametrize("error", [OSError("no room"), errors.StoreUnavailableError("no room")])
def test_a_profile_that_cannot_be_put_back_is_said(
    recorder, capsys, password_file, elsewhere, monkeypatch, error
):
    """Its name then stands for nothing."""

    def fail(*_arguments):
        raise error

    monkeypatch.setattr(Profiles, "set", fail)
    _code, _out, err = run(capsys, "login", URL, "--name", "nvr", *password_file)

    assert "not all of nvr could be put back (no room)" in err
    assert ((), elsewhere[1]) == (Profiles().all(), stored("nvr"))


def test_a_password_that_cannot_be_taken_back_has_no_profile(
    recorder, capsys, password_file, elsewhere, monkeypatch
):
    """The old profile is not put back: the new password would be sent to the old device."""
    real, calls = EncryptedFileStore.set, []

    def only_once(*arguments, **options):
        calls.append(arguments)
        if len(calls) > 1:
            msg = "the disk is gone"
            raise errors.StoreUnavailableError(msg)
        real(*arguments, **options)

    monkeypatch.setattr(EncryptedFileStore, "set", only_once)
    fails_once(monkeypatch, Profiles, "set", KeyboardInterrupt(), afterwards=False)
    code, _out, err = run(capsys, "login", URL, "--name", "nvr", *password_file)

    assert 130 == code
    assert "could be put back (the disk is gone)" in err
    assert (Secret(PASSWORD), ()) == (stored("nvr").secret, Profiles().all())

    sent = len(recorder.connections)
    assert 0 != run(capsys, "channels", "hikvision://nvr")[0]
    assert sent == len(recorder.connections)


def test_a_third_account_in_one_data_centre(recorder, capsys, password_file):
    """Accounts share a host: only their names tell them apart."""
    recorder.steps = [step(name) for name in ("host", "login")]
    for name in ("first", "second", "third"):
        url = f"imou://{name}@sg"
        assert 0 == run(capsys, "login", url, "--name", name, *password_file)[0]

    assert ["first", "second", "third"] == [one.username for one in Profiles().all()]


def test_the_environment_cannot_be_written(recorder, capsys, password_file):
    """The error names the variables to set."""
    code, _out, err = run(capsys, "login", URL, "--name", "shop", "--store", "env", *password_file)

    assert 16 == code
    assert "set CAMSYNC_HIKVISION_SHOP_USERNAME and CAMSYNC_HIKVISION_SHOP_SECRET" in err
    assert () == Profiles().all()


def test_the_environment_gives_the_password_and_gets_a_profile(recorder, capsys, monkeypatch):
    """In a container the variables are there already: only the profile is written."""
    monkeypatch.setenv("CAMSYNC_HIKVISION_SHOP_USERNAME", "admin")
    monkeypatch.setenv("CAMSYNC_HIKVISION_SHOP_SECRET", PASSWORD)
    code, out, err = run(capsys, "login", URL, "--name", "shop", "--store", "env")

    assert (0, "") == (code, err)
    assert "is in the environment" in out
    assert ["shop"] == [one.name for one in Profiles().all()]
    assert PASSWORD == recorder.connections[0][1]["password"].reveal()


def test_a_missing_variable_is_said_before_the_test(recorder, capsys):
    """Nobody waits for a connection test that cannot end well."""
    code, _out, err = run(capsys, "login", URL, "--name", "shop", "--store", "env")

    assert 16 == code
    assert "CAMSYNC_HIKVISION_SHOP_USERNAME and CAMSYNC_HIKVISION_SHOP_SECRET are not set" in err
    assert [] == recorder.connections


def test_the_variables_must_be_those_of_the_user(recorder, capsys, monkeypatch):
    """A password is not tried for somebody else."""
    monkeypatch.setenv("CAMSYNC_HIKVISION_SHOP_USERNAME", "somebody")
    monkeypatch.setenv("CAMSYNC_HIKVISION_SHOP_SECRET", PASSWORD)
    code, _out, err = run(capsys, "login", URL, "--name", "shop", "--store", "env")

    assert 2 == code
    assert "another user than the URL's" in err
    assert [] == recorder.connections


def test_a_wrong_key_is_said_before_the_test(recorder, capsys, monkeypatch, password_file):
    """Nothing is asked and nothing tried for what could not be kept."""
    assert 0 == run(capsys, "login", URL, "--name", "shop", "--store", "file", *password_file)[0]
    monkeypatch.setenv("CAMSYNC_KEY", new_key().reveal())
    recorder.connections.clear()
    code, _out, err = run(capsys, "login", URL, "--name", "shop", "--store", "file", *password_file)

    assert 16 == code
    assert "key" in err
    assert [] == recorder.connections


def test_a_password_in_the_environment_that_comes_first_is_said(
    recorder, capsys, password_file, monkeypatch
):
    """What was stored would not be used: better to know it now."""
    monkeypatch.setenv("CAMSYNC_STORE", "auto")
    monkeypatch.setattr("camsync.credentials.keyring.KeyringStore.usable", lambda _self: False)
    monkeypatch.setenv("CAMSYNC_HIKVISION_SHOP_USERNAME", "admin")
    monkeypatch.setenv("CAMSYNC_HIKVISION_SHOP_SECRET", "other-word")
    code, _out, err = run(capsys, "login", URL, "--name", "shop", *password_file)

    assert 0 == code
    assert "the environment of this process has another password for shop" in err
    assert "(CAMSYNC_HIKVISION_SHOP_USERNAME and CAMSYNC_HIKVISION_SHOP_SECRET)" in err
    assert "other-word" not in err


def test_a_store_of_ones_own_is_to_be_named_again(recorder, capsys, password_file, tmp_path):
    """Nobody finds a file elsewhere without being told."""
    where = f"file:{tmp_path / 'my' / 'passwords'}"
    code, out, _err = run(capsys, "login", URL, "--store", where, *password_file)

    assert 0 == code
    assert f"CAMSYNC_STORE={where}" in out
    assert Secret(PASSWORD) == registry.open_store(where).get("hikvision", HOST).secret


def test_a_new_file_gets_a_passphrase_that_is_typed_twice(recorder, capsys, asked, monkeypatch):
    """Once for a file that is there; a slip is asked again."""
    monkeypatch.delenv("CAMSYNC_KEY")
    asked.answers += [PASSWORD, "correct horse", "corect horse", "correct horse", "correct horse"]
    code, _out, err = run(capsys, "login", URL, "--yes")
    path = registry.open_store().path

    assert 0 == code
    assert "these were not the same" in err
    assert f"New passphrase for {path}" == asked.questions[1]

    asked.questions.clear()
    asked.answers += ["correct horse", PASSWORD]
    assert 0 == run(capsys, "login", URL, "--yes")[0]
    assert f"Passphrase of {path}" == asked.questions[0], "before anybody types a password"
    assert (
        Secret(PASSWORD)
        == EncryptedFileStore(path, passphrase="correct horse").get("hikvision", HOST).secret
    )


def test_three_slips_end_it(recorder, capsys, asked, monkeypatch):
    """Nobody is asked for ever, and nothing is saved."""
    monkeypatch.delenv("CAMSYNC_KEY")
    asked.answers += [PASSWORD, "a", "b", "a", "b", "a", "b"]
    code, _out, err = run(capsys, "login", URL, "--yes")

    assert 2 == code
    assert "typed differently 3 times" in err
    assert () == Profiles().all()


def test_a_script_without_a_key_is_told_the_variables(recorder, capsys, password_file, monkeypatch):
    """No question, exit code 16."""
    monkeypatch.delenv("CAMSYNC_KEY")
    code, _out, err = run(capsys, "login", URL, *password_file)

    assert 16 == code
    assert "CAMSYNC_KEY_FILE" in err
    assert () == Profiles().all()


# -- login with TLS


def test_a_certificate_is_shown_and_pinned_on_a_yes(untrusted, capsys, asked):
    """Then the test runs again, now with the pin."""
    asked.answers += [PASSWORD, True]
    code, out, _err = run(capsys, "login", SECURE, "--name", "shop")

    assert 0 == code
    assert f"{HOST}:443 shows this certificate:" in out
    assert "Trust it from now on?" == asked.questions[-1]
    assert (PIN, True) == (Profiles().get("shop").verify, Profiles().get("shop").https)
    assert [None, PIN] == [options.get("verify") for _, options in untrusted.connections]


def test_a_no_stores_nothing(untrusted, capsys, asked):
    """Exit code 5: there is no secure connection."""
    asked.answers += [PASSWORD, False]
    code, _out, err = run(capsys, "login", SECURE, "--name", "shop")

    assert 5 == code
    assert "not confirmed" in err
    assert () == Profiles().all()


def test_a_script_is_told_the_fingerprint(untrusted, capsys, password_file):
    """The option and the command that settle it; --yes trusts on first use."""
    code, out, err = run(capsys, "login", SECURE, *password_file)

    assert 5 == code
    assert "sha256     abab" in out
    assert f"--verify {PIN}" in err
    assert "camsync trust" in err

    code, document = run_json(capsys, "login", SECURE, *password_file)
    assert (5, PIN) == (code, document["error"]["actual"])

    assert 0 == run(capsys, "login", SECURE, "--yes", *password_file)[0]
    assert PIN == Profiles().get(HOST).verify


def test_a_changed_certificate_needs_an_answer(untrusted, capsys, asked, password_file):
    """Both fingerprints are shown; --yes does not replace the pin, a yes does."""
    remember(https=True, verify=OTHER)
    code, _out, err = run(capsys, "login", SECURE, "--yes", *password_file)

    assert 5 == code
    assert "this is NOT the certificate that was trusted until now" in err
    assert f"expected {OTHER}, got {PIN}" in err
    assert OTHER == Profiles().get("front-shop").verify

    asked.answers.append(True)
    assert 0 == run(capsys, "login", SECURE, *password_file)[0]
    assert ["Trust the NEW one in its place?"] == asked.questions
    assert PIN == Profiles().get("front-shop").verify


@pytest.mark.parametrize(
    ("profile", "arguments"),
    [
        ({}, ("--verify", OTHER)),
        ({}, ("--insecure-no-verify",)),
        ({"verify": "/etc/ca.pem"}, ()),
        ({"verify": PIN}, ()),
    ],
    ids=["option", "no-verify", "ca", "same"],
)
def test_a_choice_of_ones_own_is_not_questioned(
    untrusted, capsys, password_file, profile, arguments
):
    """Who chose what to trust, or has this very pin, gets the failure and no question."""
    remember(https=True, **profile)
    untrusted.diagnose = lambda: iter(
        [step("tls", CheckStatus.FAILED, category=errors.Category.TLS)]
    )
    code, _out, err = run(capsys, "login", SECURE, *arguments, *password_file)

    assert 5 == code
    assert "step 'tls' failed" in err
    assert 1 == len(untrusted.connections)


def test_no_verify_is_never_remembered(recorder, capsys, password_file):
    """It must be said each time."""
    code, _out, err = run(
        capsys, "login", SECURE, "--name", "shop", "--insecure-no-verify", *password_file
    )

    assert 0 == code
    assert "--insecure-no-verify is not remembered" in err
    assert None is Profiles().get("shop").verify
    assert False is recorder.connections[0][1]["verify"]


def test_an_insecure_connection_is_a_line_on_stderr(recorder, capsys, monkeypatch, password_file):
    """Each time, in the words of the command line, and without a line of source code."""

    def devices():
        warnings.warn("verify=False: anybody", InsecureConnectionWarning, stacklevel=1)
        return []

    monkeypatch.setattr(recorder, "devices", devices)
    monkeypatch.setattr(FakeProvider, "channels", lambda _self: [CAMERA], raising=False)
    for _ in range(2):
        _code, _out, err = run(capsys, "channels", URL, *password_file)

        assert "WARNING: --insecure-no-verify: anybody\n" == err


def test_other_warnings_go_their_usual_way():
    """They are for programmers."""
    output = Output.standard(json=False)

    with pytest.warns(UserWarning, match="another"), warnings_to(output):
        warnings.warn("another", UserWarning, stacklevel=1)


# -- profiles


def squeezed(text):
    """The lines of a table with single blanks."""
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_profiles_are_a_table_without_secrets(capsys):
    """Name, URL, certificate, times, device, and where the password is."""
    store = registry.open_store()
    store.set("hikvision", "b", Credential(username="admin", secret=PASSWORD))
    store.set("hikvision", "nvr.test", Credential(username="admin", secret=PASSWORD))
    remember("a", port=8080, timezone="+08:00", time_mode="local", device="DS1")
    remember("b", https=True, verify=PIN, old_tls=True)
    remember("c", https=True)
    remember("d", https=True, verify="/etc/ca.pem")
    code, out, err = run(capsys, "profiles")

    assert (0, "") == (code, err)
    assert [
        "name url certificate times device credential",
        f"a hikvision://{HOST}:8080 plain HTTP local +08:00 DS1 no credential",
        f"b hikvisions://{HOST} sha256:abababababab…, old TLS auto encrypted file",
        f"c hikvisions://{HOST} public roots auto no credential",
        f"d hikvisions://{HOST} /etc/ca.pem auto no credential",
        "without a profile: hikvision account 'nvr.test', in the encrypted file",
    ] == squeezed(out)


def test_the_profiles_as_json(capsys):
    """Every field, the store's kind, and what has no profile."""
    store = registry.open_store()
    store.set("hikvision", "front-shop", Credential(username="admin", secret=PASSWORD))
    store.set("hikvision", "x", Credential(username="admin", secret=PASSWORD), owner="alice")
    remember()
    code, document = run_json(capsys, "profiles")
    (profile,) = document["profiles"]

    assert 0 == code
    assert ("front-shop", "file") == (profile["name"], profile["credential"])
    assert f"hikvision://{HOST}" == profile["url"]
    stray = {"provider": "hikvision", "account": "x", "owner": "alice", "credential": "file"}
    assert [stray] == document["credentials_without_profile"]
    assert (False, []) == (document["locked"], document["problems"])


def test_listing_never_asks_for_a_passphrase(capsys, monkeypatch, asked):
    """It says that there is a file, which may hold the password."""
    registry.open_store().set("hikvision", "x", Credential(username="admin", secret=PASSWORD))
    monkeypatch.delenv("CAMSYNC_KEY")
    remember()
    code, out, _err = run(capsys, "profiles")

    assert (0, []) == (code, asked.questions)
    assert out.splitlines()[1].endswith("encrypted file (locked)")
    assert run_json(capsys, "profiles")[1]["locked"]


def test_a_store_that_cannot_be_read_is_no_reason_to_list_nothing(capsys, monkeypatch):
    """The profiles are shown all the same, with a warning."""
    registry.open_store().set("hikvision", "x", Credential(username="admin", secret=PASSWORD))
    monkeypatch.setenv("CAMSYNC_KEY", new_key().reveal())
    remember()
    code, out, err = run(capsys, "profiles")

    assert 0 == code
    assert out.splitlines()[1].endswith("no credential")
    assert "cannot be read" in err
    assert run_json(capsys, "profiles")[1]["problems"]


def test_without_profiles_it_says_how_to_begin(capsys):
    """An empty table helps nobody."""
    assert "there are no profiles yet" in run(capsys, "profiles")[1]


def test_the_first_store_that_holds_it_is_named(capsys, monkeypatch):
    """As it is the one that is used."""
    monkeypatch.setattr("camsync.credentials.keyring.KeyringStore.usable", lambda _self: False)
    monkeypatch.setenv("CAMSYNC_STORE", "auto")
    registry.open_store("file").set(
        "hikvision", "front-shop", Credential(username="admin", secret=PASSWORD)
    )
    monkeypatch.setenv("CAMSYNC_HIKVISION_FRONT_SHOP_USERNAME", "admin")
    monkeypatch.setenv("CAMSYNC_HIKVISION_FRONT_SHOP_SECRET", PASSWORD)
    remember()

    assert "environment" in run(capsys, "profiles")[1].splitlines()[1]


# -- logout


@pytest.fixture
def logged_in():
    """A profile with a password, and the chain that holds it."""
    remember()
    store = registry.open_store()
    store.set("hikvision", "front-shop", Credential(username="admin", secret=PASSWORD))
    return store


@pytest.mark.parametrize("name", ["front-shop", "hikvision://front-shop", URL])
def test_a_logout_deletes_password_and_profile(logged_in, capsys, name):
    """By name or by URL; it says what was deleted where."""
    code, out, _err = run(capsys, "logout", name, "--yes")

    assert 0 == code
    assert f"deleted: the password in the encrypted file {logged_in.path}" in out
    assert f"deleted: the profile front-shop ({HOST})" in out
    assert ((), ()) == (Profiles().all(), logged_in.names())


def test_a_logout_can_keep_the_profile(logged_in, capsys):
    """The way to the recorder is no secret."""
    code, document = run_json(capsys, "logout", "front-shop", "--keep-profile", "--yes")

    assert 0 == code
    assert {
        "account": "front-shop",
        "deleted": ["file"],
        "profile_deleted": False,
        "profile_kept_because": [],
        "still_there": [],
    } == document
    assert 1 == len(Profiles().all())


def test_a_password_without_a_profile_can_be_deleted(capsys):
    """What the table shows as such."""
    store = registry.open_store()
    store.set("hikvision", "nvr.test", Credential(username="admin", secret=PASSWORD))

    assert 0 == run(capsys, "logout", "nvr.test", "--yes")[0]
    assert () == store.names()


@pytest.mark.parametrize(("answer", "code", "left"), [(True, 0, 0), (False, 130, 1)])
def test_a_logout_asks_first(logged_in, capsys, asked, answer, code, left):
    """It says what would go; a no changes nothing."""
    asked.answers.append(answer)
    seen, _out, err = run(capsys, "logout", "front-shop")

    assert (code, ["Delete?"]) == (seen, asked.questions)
    assert "to be deleted: the profile front-shop" in err
    assert (left, left) == (len(Profiles().all()), len(logged_in.names()))


def test_a_script_must_say_yes(logged_in, capsys):
    """No question that nobody answers."""
    code, _out, err = run(capsys, "logout", "front-shop")

    assert 2 == code
    assert "add --yes" in err
    assert 1 == len(logged_in.names())


def test_nothing_to_delete_is_an_error(capsys):
    """A slip in the name should not look like success."""
    code, _out, err = run(capsys, "logout", "front-shpo", "--yes")

    assert 16 == code
    assert "there is no profile 'front-shpo'" in err


def test_a_password_in_the_name_is_not_repeated(capsys):
    """Nothing that looks like one is shown."""
    code, _out, err = run(capsys, "logout", f"admin:{PASSWORD}@nvr", "--yes")

    assert 2 == code
    assert "no scheme in the URL" in err


def test_what_the_environment_holds_must_be_unset_there(logged_in, capsys, monkeypatch):
    """The rest is deleted, the variables are named, and the profile is kept for what they hold."""
    monkeypatch.setattr("camsync.credentials.keyring.KeyringStore.usable", lambda _self: False)
    monkeypatch.setenv("CAMSYNC_STORE", "auto")
    monkeypatch.setenv("CAMSYNC_HIKVISION_FRONT_SHOP_USERNAME", "admin")
    monkeypatch.setenv("CAMSYNC_HIKVISION_FRONT_SHOP_SECRET", PASSWORD)
    code, out, err = run(capsys, "logout", "front-shop", "--yes")

    assert 0 == code
    assert "kept: the profile front-shop: the environment of this process has a password" in out
    assert "(CAMSYNC_HIKVISION_FRONT_SHOP_USERNAME and CAMSYNC_HIKVISION_FRONT_SHOP_SECRET)" in out
    assert "unset CAMSYNC_HIKVISION_FRONT_SHOP_USERNAME and CAMSYNC_HIKVISION" in err
    assert (1, ()) == (len(Profiles().all()), logged_in.names())

    code, _out, err = run(capsys, "logout", "front-shop", "--yes")
    assert 16 == code
    assert "unset CAMSYNC_HIKVISION_FRONT_SHOP_USERNAME" in err

    logged_in.set("hikvision", "front-shop", Credential(username="admin", secret=PASSWORD))
    code, document = run_json(capsys, "logout", "front-shop", "--yes")
    assert (0, ["file"], False) == (code, document["deleted"], document["profile_deleted"])
    assert "unset CAMSYNC_HIKVISION_FRONT_SHOP_USERNAME" in document["still_there"][0]
    assert "the environment" in document["profile_kept_because"][0]


def test_a_chosen_store_is_the_only_one_that_is_touched(logged_in, capsys, tmp_path):
    """The profile stays while another store has its password, and goes with the last one."""
    where = f"file:{tmp_path / 'other'}"
    other = registry.open_store(where)
    other.set("hikvision", "front-shop", Credential(username="admin", secret=PASSWORD))
    code, out, _err = run(capsys, "logout", "front-shop", "--store", where, "--yes")

    assert 0 == code
    assert f"deleted: the password in the encrypted file {tmp_path / 'other'}" in out
    assert f"kept: the profile front-shop: the encrypted file {logged_in.path} has a pass" in out
    assert (1, 1, 0) == (len(Profiles().all()), len(logged_in.names()), len(other.names()))

    code, _out, err = run(capsys, "logout", "front-shop", "--store", where, "--yes")

    assert 16 == code
    assert f"no password for front-shop is in the encrypted file {tmp_path / 'other'}" in err
    assert "leave --store out" in err

    assert 0 == run(capsys, "logout", "front-shop", "--store", "file", "--yes")[0]
    assert ((), ()) == (Profiles().all(), logged_in.names())


def test_the_environment_keeps_a_profile_too(logged_in, capsys, monkeypatch):
    """What the variables hold would be sent to whichever host has the name of the profile."""
    monkeypatch.setenv("CAMSYNC_HIKVISION_FRONT_SHOP_USERNAME", "admin")
    monkeypatch.setenv("CAMSYNC_HIKVISION_FRONT_SHOP_SECRET", PASSWORD)
    code, out, _err = run(capsys, "logout", "front-shop", "--store", "file", "--yes")

    assert 0 == code
    assert "has a password for it (CAMSYNC_HIKVISION_FRONT_SHOP_USERNAME and CAMSYNC_" in out
    assert (1, ()) == (len(Profiles().all()), logged_in.names())


@pytest.mark.parametrize(("key", "reason"), [(None, "it is locked"), ("other", "another key")])
def test_a_store_that_cannot_be_looked_into_keeps_the_profile(
    logged_in, capsys, monkeypatch, tmp_path, key, reason
):
    """It may have the password; nobody is asked for its passphrase to find out."""
    monkeypatch.setenv("CAMSYNC_KEY", new_key().reveal())
    if key is None:
        monkeypatch.delenv("CAMSYNC_KEY")
    monkeypatch.setenv("CAMSYNC_STORE", f"file:{tmp_path / 'other'}")
    code, _out, err = run(capsys, "logout", "front-shop", "--yes")

    assert 16 == code
    assert f"the encrypted file {logged_in.path} may have a password for it: " in err
    assert reason in err
    assert 1 == len(Profiles().all())


def test_a_password_that_could_not_be_deleted_keeps_the_profile(logged_in, capsys, monkeypatch):
    """It fails with the reason, and the password has its profile still."""

    def refuse(*_arguments, **_options):
        msg = "the disk is full"
        raise errors.StoreUnavailableError(msg)

    monkeypatch.setattr(EncryptedFileStore, "delete", refuse)
    code, out, err = run(capsys, "logout", "front-shop", "--yes")

    assert 16 == code
    assert "still there: the disk is full" in err
    assert "still has a password for it" in out
    assert "deleted" not in out
    assert (1, 1) == (len(Profiles().all()), len(logged_in.names()))

    code, document = run_json(capsys, "logout", "front-shop", "--keep-profile", "--yes")
    assert (16, [], []) == (code, document["deleted"], document["profile_kept_because"])


def test_a_password_that_somebody_else_has_just_deleted_is_gone(logged_in, capsys, monkeypatch):
    """That is what was asked for."""

    def gone(*_arguments, **_options):
        msg = "nothing here"
        raise errors.CredentialNotFoundError(msg)

    monkeypatch.setattr(EncryptedFileStore, "delete", gone)

    assert 0 == run(capsys, "logout", "front-shop", "--yes")[0]
    assert () == Profiles().all()


def test_an_address_of_several_profiles_names_none_of_them(logged_in, capsys):
    """It says which names there are, and deletes nothing."""
    remember("back-door")
    code, _out, err = run(capsys, "logout", URL, "--yes")

    assert 2 == code
    assert "several profiles have the address" in err
    assert (2, 1) == (len(Profiles().all()), len(logged_in.names()))


def test_the_variables_of_the_environment_are_named(capsys, monkeypatch):
    """In the table and in JSON: that is where somebody has to look."""
    monkeypatch.setenv("CAMSYNC_STORE", "env")
    monkeypatch.setenv("CAMSYNC_HIKVISION_FRONT_SHOP_USERNAME", "admin")
    monkeypatch.setenv("CAMSYNC_HIKVISION_FRONT_SHOP_SECRET", PASSWORD)
    remember()
    names = ["CAMSYNC_HIKVISION_FRONT_SHOP_USERNAME", "CAMSYNC_HIKVISION_FRONT_SHOP_SECRET"]

    assert f"front-shop: in {' and '.join(names)}\n" in run(capsys, "profiles")[1]
    (profile,) = run_json(capsys, "profiles")[1]["profiles"]
    assert names == profile["variables"]


# -- Before anybody types a password


def test_old_tls_is_said_before_a_certificate_is_trusted(recorder, capsys, monkeypatch):
    """Its pin would not help: the recorder cannot be spoken to all the same."""
    monkeypatch.setattr(transport, "fetch_certificate", None)
    advice = "if the recorder is old: update its firmware, or pass old_tls=True (--old-tls)"
    recorder.steps = [step("tcp"), step("tls", CheckStatus.FAILED, advice, errors.Category.TLS)]
    monkeypatch.setenv("CAMSYNC_PASSWORD", PASSWORD)
    code, _out, err = run(capsys, "login", SECURE)

    assert 5 == code
    assert "pass --old-tls" in err
    assert () == Profiles().all()


def test_a_wrong_passphrase_is_said_before_the_recorder_is_asked(
    recorder, capsys, asked, monkeypatch
):
    """And before anybody types the password."""
    path = registry.open_store().path
    monkeypatch.delenv("CAMSYNC_KEY")
    credential = Credential(username="admin", secret=PASSWORD)
    EncryptedFileStore(path, passphrase="correct horse").set("hikvision", "other", credential)
    asked.answers += ["wrong horse"]
    code, *_ = run(capsys, "login", URL, "--yes")

    assert (16, [f"Passphrase of {path}"]) == (code, asked.questions)
    assert [] == recorder.connections


def test_a_file_with_a_key_asks_for_no_passphrase(recorder, capsys, asked, monkeypatch):
    """Its header says that none would open it; the message names the variable."""
    registry.open_store().set("hikvision", "x", Credential(username="admin", secret=PASSWORD))
    monkeypatch.delenv("CAMSYNC_KEY")
    code, _out, err = run(capsys, "login", URL, "--yes")

    assert (16, []) == (code, asked.questions)
    assert "was made with a key" in err
    assert "set CAMSYNC_KEY_FILE or CAMSYNC_KEY\n" in err


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"kdf": 1}', b"{", b"\xff"])
def test_what_is_no_store_is_for_the_store_to_say(recorder, capsys, asked, monkeypatch, content):
    """It knows more of its own files."""
    path = registry.open_store().path
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    path.chmod(0o600)
    monkeypatch.delenv("CAMSYNC_KEY")
    asked.answers += ["correct horse"]
    code, _out, err = run(capsys, "login", URL, "--yes")

    assert 16 == code
    assert "was made with a key" not in err


def test_another_user_of_a_recorder_does_not_replace_the_first(recorder, capsys, password_file):
    """The password of the first would be lost."""
    assert 0 == run(capsys, "login", URL, "--name", "shop", "--yes", *password_file)[0]
    other = ("login", f"hikvision://guest@{HOST}", "--yes")
    code, _out, err = run(capsys, *other, *password_file)
    named, *_ = run(capsys, *other, "--name", "guest", *password_file)

    assert (2, 0) == (code, named)
    assert "shop belongs to user admin" in err
    assert "use --name NAME, or camsync logout shop first" in err
    assert ["guest", "shop"] == [one.name for one in Profiles().all()]


def test_a_certificate_that_has_changed_is_answered_with_the_whole_command(
    untrusted, capsys, password_file
):
    """With the name and --replace, without which trust refuses."""
    Profiles().set(Profile(name="shop", provider="hikvision", host=HOST, https=True, verify=OTHER))
    _, _, script = run(capsys, "login", "hikvision://admin@shop", *password_file)
    _, _, yes = run(capsys, "login", "hikvision://admin@shop", "--yes", *password_file)

    assert "camsync trust shop --yes --replace" in script
    assert "camsync trust shop --yes --replace, or safer camsync trust shop --fingerprint" in yes

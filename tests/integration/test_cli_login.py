"""Login, trust, profiles and logout as a person types them: on a pseudo terminal."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time

import pytest

import camsync

from camsync import Credential, Profile, Profiles
from camsync.cli import main
from camsync.credentials.keys import new_key
from camsync.testing import RecorderSimulator


pty = pytest.importorskip("pty", reason="pseudo terminals exist on POSIX only")
termios = pytest.importorskip("termios", reason="pseudo terminals exist on POSIX only")

PASSPHRASE = "correct horse battery"
WRONG = "not-the-password"
# As ``python -m camsync`` does, but a passphrase costs little: what it really costs is tested in
# test_store_file, and does not change what is asked or shown.
CAMSYNC = """
import runpy
from camsync.credentials import file
file.SCRYPT_DEFAULT = file.SCRYPT_CHEAPEST
runpy.run_module("camsync", run_name="__main__", alter_sys=True)
"""
CTRL_C = object()
SIGTERM = object()


class Terminal:
    """Runs commands at a terminal of their own, and answers their questions."""

    def __init__(self, home):
        self.home = home
        self.environ = {
            **os.environ,
            "CAMSYNC_HOME": str(home),
            "CAMSYNC_STORE": "file",
            "NO_COLOR": "1",
            "COLUMNS": "100",
        }
        self.transcript = ""

    def run(self, *arguments, answers=()):
        """Run a command; *answers* are pairs of what is asked and what is typed."""
        mine, theirs = pty.openpty()
        before = _flags(mine)
        command = [sys.executable, "-c", CAMSYNC, *arguments]
        with subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=self.environ,
            start_new_session=True,
        ) as process:
            os.close(theirs)
            try:
                shown = self._talk(process, mine, list(answers))
                code = process.wait(20)
            finally:
                process.kill()
        self.flags = before, _flags(mine)
        os.close(mine)
        self.transcript += f"$ camsync {' '.join(arguments)}\n{shown}\n"
        return code, shown

    def _talk(self, process, terminal, waiting):
        shown = ""
        while select.select([terminal], [], [], 30)[0]:
            try:
                piece = os.read(terminal, 4096).decode()
            except OSError:  # the other end is closed
                break
            shown += piece.replace("\r\n", "\n")
            if waiting and shown.rstrip().endswith(waiting[0][0]):
                question, answer = waiting.pop(0)
                if answer is CTRL_C:  # the terminal is nobody's controlling one
                    process.send_signal(signal.SIGINT)
                elif answer is SIGTERM:
                    time.sleep(0.3)  # until it waits for the answer
                    self.flags_asked = _flags(terminal)
                    process.send_signal(signal.SIGTERM)
                else:
                    if not question.startswith(("[", "User name")):
                        _wait_until_hidden(terminal)
                    os.write(terminal, f"{answer}\n".encode())
        assert [] == waiting, shown
        return shown


def _wait_until_hidden(terminal):
    """Wait until what is typed is not shown: old click asks first, and then forgets what was typed."""
    over = time.monotonic() + 5
    while _flags(terminal) & termios.ECHO and time.monotonic() < over:
        time.sleep(0.005)


def _flags(terminal):
    """How the terminal treats what is typed: whether it shows it, and more."""
    return termios.tcgetattr(terminal)[3]


@pytest.fixture
def terminal(tmp_path):
    """A terminal with a home folder of its own."""
    return Terminal(tmp_path / "home")


@pytest.fixture(scope="module")
def secure_simulator():
    """A recorder with a self-signed certificate."""
    with RecorderSimulator(channels=1, hours=0.2, segment_seconds=60, tls=True) as recorder:
        yield recorder


@pytest.fixture
def simulator():
    """A recorder, fresh for each test."""
    with RecorderSimulator(channels=1, hours=0.2, segment_seconds=60) as recorder:
        yield recorder


def secrets_on(terminal, simulator):
    """Which secrets were ever on the screen."""
    return [word for word in (simulator.password, PASSPHRASE) if word in terminal.transcript]


def test_a_session_from_trust_to_logout(terminal, secure_simulator):
    """Pin, log in, use the name, list, and forget; no secret is ever on the screen."""
    simulator = secure_simulator
    place = f"{simulator.host}:{simulator.port}"
    unlock = ("credentials.camsync:", PASSPHRASE)
    user = (f"User name on {simulator.host}:", simulator.username)
    password = (f"Password of admin on {simulator.host}:", simulator.password)
    new = [unlock, ("once more:", PASSPHRASE)]
    trust = ("trust", place, "--name", "front-shop")
    sent = simulator.requests

    refused, _shown = terminal.run(*trust, answers=[("[y/N]:", "")])
    trusted, certificate = terminal.run(*trust, answers=[("[y/N]:", "y")])

    assert (5, 0) == (refused, trusted)
    assert "issued by  itself (self-signed)" in certificate
    assert simulator.fingerprint[7:11] in certificate
    assert sent == simulator.requests

    code, shown = terminal.run("login", "front-shop", answers=[user, password, *new])

    assert 0 == code, shown
    assert "ok       login" in shown
    assert "is in the encrypted file" in shown

    code, shown = terminal.run("channels", "hikvision://front-shop", answers=[unlock])

    assert 0 == code, shown
    assert "Front door" in shown

    code, shown = terminal.run("profiles")

    assert 0 == code
    assert "encrypted file (locked)" in shown
    assert simulator.fingerprint[:15] in shown

    code, shown = terminal.run("logout", "front-shop", answers=[unlock, ("[y/N]:", "y")])

    assert 0 == code
    assert "deleted: the profile front-shop" in shown
    assert () == Profiles(terminal.home / "profiles.json").all()
    assert [] == secrets_on(terminal, simulator)


def test_a_wrong_password_costs_one_failed_login(terminal, simulator):
    """Nothing is saved, and nobody is asked again."""
    failed = simulator.logins_failed
    code, shown = terminal.run(
        "login",
        simulator.connect_url,
        "--yes",
        answers=[(f"Password of admin on {simulator.host}:", WRONG)],
    )

    assert 6 == code
    assert failed + 1 == simulator.logins_failed
    assert "nothing was saved, because step 'login' failed" in shown
    assert WRONG not in shown
    assert not (terminal.home / "credentials.camsync").exists()
    assert not (terminal.home / "profiles.json").exists()


def test_ctrl_c_at_the_password_ends_it(terminal, simulator):
    """Exit code 130, and the recorder has heard nothing."""
    sent = simulator.requests
    code, shown = terminal.run(
        "login", simulator.connect_url, "--yes", answers=[("on 127.0.0.1:", CTRL_C)]
    )

    assert 130 == code
    assert "stopped by the user" in shown
    assert "Traceback" not in shown
    assert sent == simulator.requests


def test_sigterm_at_the_password_leaves_the_terminal_as_it_was(terminal):
    """Exit code 143, what is typed can be seen again, and no traceback."""
    login = ("login", "hikvision://admin@127.0.0.1:9", "--no-test", "--yes")
    code, shown = terminal.run(*login, answers=[("on 127.0.0.1:", SIGTERM)])

    assert 143 == code
    assert "stopped by SIGTERM" in shown
    assert "Traceback" not in shown
    before, after = terminal.flags
    assert (termios.ECHO, before) == (before & termios.ECHO, after)
    assert 0 == terminal.flags_asked & termios.ECHO


# -- killed between the steps


KILLED = """
import os, signal, sys
from camsync import EncryptedFileStore, Profiles
from camsync.cli import main
where = {"Profiles": Profiles, "File": EncryptedFileStore}[sys.argv[1]]
method, afterwards = sys.argv[2:4]
real = getattr(where, method)
def kill(*arguments, **options):
    if afterwards == "True":
        real(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(where, method, kill)
sys.exit(main(sys.argv[4:]))
"""


@pytest.mark.parametrize(
    ("where", "method", "afterwards", "host"),
    [
        ("Profiles", "delete", False, "127.0.0.2"),
        ("Profiles", "delete", True, None),
        ("File", "set", True, None),
        ("Profiles", "set", False, None),
        ("Profiles", "set", True, "127.0.0.1"),
    ],
)
def test_a_killed_login_never_leaves_a_name_between_two_devices(
    script, password_option, where, method, afterwards, host
):
    """It stands for the old device with the old password, the new with the new, or for nothing."""
    old = Credential(username="admin", secret="old-word")
    camsync.open_store().set("hikvision", "nvr", old)
    Profiles().set(Profile(name="nvr", provider="hikvision", host="127.0.0.2"))
    login = ("login", "hikvision://admin@127.0.0.1", "--name", "nvr", "--no-test", *password_option)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, where, method, str(afterwards), *login],
        capture_output=True,
        check=False,
        timeout=60,
    )
    hosts = [profile.host for profile in Profiles().all()]
    now = camsync.open_store().get("hikvision", "nvr")

    assert -signal.SIGKILL == done.returncode, done.stderr
    assert [host] * (host is not None) == hosts
    if host is not None:
        assert (host == "127.0.0.2") == (old == now)
    else:
        code, document = script("channels", "hikvision://nvr")

        assert 2 == code
        assert "no profile" in document["error"]["message"]


# -- in this process, without a terminal


@pytest.fixture
def script(monkeypatch, tmp_path, capsys):
    """Runs commands as a script does: the key is in the environment, and nobody can be asked."""
    monkeypatch.setenv("CAMSYNC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CAMSYNC_STORE", "file")
    monkeypatch.setenv("CAMSYNC_KEY", new_key().reveal())

    def run(*arguments):
        code = main([*arguments, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def password_option(simulator, tmp_path):
    """The option with a file that holds the simulator's password; they share one."""
    path = tmp_path / "pw"
    path.write_text(simulator.password, encoding="utf-8")
    path.chmod(0o600)
    return ("--password-file", str(path))


def test_a_script_logs_in_and_uses_the_name(script, simulator, password_option):
    """Once with the password; from then on the name is enough, also in Python."""
    code, document = script("login", simulator.connect_url, "--name", "shop", *password_option)

    assert (0, True) == (code, document["saved"])
    assert [] == [check for check in document["checks"] if check["status"] == "failed"]

    code, document = script("channels", "shop")
    (device,) = document["devices"]

    assert 0 == code
    with contextlib.closing(camsync.connect("hikvision://shop")) as provider:
        assert device["id"] == provider.devices()[0].id == Profiles().get("shop").device
    assert Profiles().get("shop").learnt


def test_a_locked_account_is_noticed_before_the_password_is_tried(script, tmp_path):
    """Step 'lock' fails, and the right password is not even sent."""
    path = tmp_path / "pw"
    with RecorderSimulator(channels=1, failed_logins_allowed=1, lock_seconds=600) as simulator:
        login = ("login", simulator.connect_url, "--password-file", str(path))
        path.write_text(WRONG, encoding="utf-8")
        path.chmod(0o600)
        refused, _document = script(*login)
        path.write_text(simulator.password, encoding="utf-8")
        code, document = script(*login)

        assert (6, 6, False) == (refused, code, document["saved"])
        assert "lock" == document["checks"][-1]["name"]
        assert 1 == simulator.logins_failed


def test_a_script_pins_by_fingerprint(script, secure_simulator):
    """Only the one that it names; the recorder sees a handshake and no request."""
    simulator = secure_simulator
    place = f"{simulator.host}:{simulator.port}"
    sent = simulator.requests
    wrong = script("trust", place, "--fingerprint", "sha256:" + "00" * 32)
    asked = script("trust", place)
    right = script("trust", place, "--fingerprint", simulator.fingerprint)

    assert [5, 2, 0] == [code for code, _document in (wrong, asked, right)]
    assert simulator.fingerprint == wrong[1]["error"]["actual"]
    assert simulator.fingerprint == right[1]["certificate"]["fingerprint"]
    assert sent == simulator.requests


def test_an_untrusted_certificate_at_login(script, secure_simulator, tmp_path):
    """A script is told the fingerprint; with --yes it is pinned on first use."""
    simulator = secure_simulator
    path = tmp_path / "pw"
    path.write_text(simulator.password, encoding="utf-8")
    path.chmod(0o600)
    login = ("login", simulator.connect_url, "--name", "shop", "--password-file", str(path))
    code, document = script(*login)

    assert (5, simulator.fingerprint) == (code, document["error"]["actual"])

    assert 0 == script(*login, "--yes")[0]
    assert simulator.fingerprint == Profiles().get("shop").verify
    assert 0 == script("channels", "hikvisions://shop")[0]


def test_no_verify_warns_each_time(secure_simulator, monkeypatch, capsys, script):
    """A line on stderr, in the words of the command line."""
    monkeypatch.setenv("CAMSYNC_PASSWORD", secure_simulator.password)
    code = main(["channels", secure_simulator.connect_url, "--insecure-no-verify"])
    captured = capsys.readouterr()

    assert 0 == code
    assert "WARNING: --insecure-no-verify: any certificate is accepted" in captured.err
    assert ".py:" not in captured.err

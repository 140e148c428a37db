"""The command line, in this process and in others, with everything printed that it can print."""

from __future__ import annotations

import io
import os
import sys
import types

from leak_harness.stage import Stage, scenario

from camsync import Credential, VpackTokenStore
from camsync.cli import _demo


_WORDY = (["-vv"], ["-vv", "--json"])


@scenario(
    "$ camsync",
    "$ camsync channels",
    "$ camsync search",
    "$ camsync download",
    "$ camsync doctor",
    "$ camsync dump",
)
def with_a_variable(stage: Stage) -> None:
    """Give the password in CAMSYNC_PASSWORD: the right one, then a wrong one."""
    sim = stage.simulator(hours=0.1)
    url = sim.connect_url
    stage.cli("--version")
    stage.cli("--help")
    stage.environ("CAMSYNC_PASSWORD", "password")
    for more in _WORDY:
        stage.cli("channels", url, *more)
    stage.cli("search", url, "--since", "1h", "-vv")
    stage.cli("download", url, "--since", "2m", "--dest", "footage", "-vv", code=None)
    stage.cli("doctor", url, "--json", "--bundle", "report.zip")
    stage.cli("dump", url, "--out", "dump.json", "-vv")
    stage.environ("CAMSYNC_PASSWORD", "wrong")
    for command in (["channels"], ["dump", "--out", "x.json"], ["doctor", "--bundle", "bad.zip"]):
        stage.cli(command[0], url, *command[1:], "-vv", code=6)
    stage.cli("channels", url, "-vv", "--json", code=6)


@scenario("$ camsync channels", "$ camsync search")
def with_a_password_file(stage: Stage) -> None:
    """Give a file: right, wrong, readable by others, missing, no text; and standard input."""
    url = stage.simulator().connect_url
    good = stage.secret_file("good")
    stage.cli("channels", url, "--password-file", good, "-vv")
    stage.cli("channels", url, "--password-file", stage.secret_file("bad", "wrong"), "-vv", code=6)
    good.chmod(0o644)
    stage.cli("channels", url, "--password-file", good, "--json")
    stage.cli("channels", url, "--password-file", stage.folder / "none", "-vv", code=2)
    odd = stage.secret_file("odd")
    odd.write_bytes(odd.read_bytes() + b"\xff")
    stage.cli("channels", url, "--password-file", odd, "-vv", code=2)
    long = stage.secret_file("long", end="x" * 5000)
    stage.cli("search", url, "--password-file", long, "-vv", code=2)
    with stage.patch.context() as patch:
        typed = io.BytesIO(good.read_bytes())
        patch.setattr(sys, "stdin", types.SimpleNamespace(buffer=typed, isatty=lambda: False))
        stage.cli("channels", url, "--password-file", "-", "-vv")
    stage.cli("channels", url, "-vv", code=2)  # no password at all


@scenario("$ camsync channels", "$ camsync doctor", "$ camsync login", "$ camsync trust")
def with_a_password_in_the_url(stage: Stage) -> None:
    """Type it into the URL, where it stands in the process list, but nowhere else."""
    for pattern in (
        "hikvision://admin:{}@127.0.0.1",
        "hikvision://admin:{}@127.0.0.1:80/x",
        "rtsp://admin:{}@127.0.0.1",
        "hikvision://admin@127.0.0.1/{}",
        "hikvision://admin@127.0.0.1:{}",
        "admin:{}@127.0.0.1",
    ):
        for number, command in enumerate(("channels", "doctor", "login", "trust", "logout")):
            url, more = pattern.format(stage.vault.core("password")), _WORDY[number % 2]
            # The frames of the command line hold its arguments, which are public already.
            stage.cli(command, url, *more, frames=False, code=None)
            del url


@scenario()
def with_a_password_among_the_arguments(stage: Stage) -> None:
    """Type it where no password belongs: the shell's history has it then, our output has not."""
    url = "hikvision://admin@127.0.0.1"
    for pattern in (["{}"], ["--password", "{}"], ["--password={}"], ["-p", "{}"], ["-p{}"]):
        for command in ("channels", "login"):
            words = [word.format(stage.vault.core("password")) for word in pattern]
            stage.cli(command, url, *words, "-vv", frames=False, code=2)


@scenario(
    "$ camsync login",
    "$ camsync profiles",
    "$ camsync logout",
    "$ camsync store",
    "$ camsync store show",
    "$ camsync store new-key",
    "$ camsync store rotate",
    "$ camsync store copy",
    "$ camsync store import-vpack",
    "$ camsync channels",
)
def with_a_store(stage: Stage) -> None:
    """Log in, use the name, look, rotate, copy, import, log out; with a wrong passphrase, too."""
    url = stage.simulator().connect_url
    good, bad = stage.secret_file("good"), stage.secret_file("bad", "wrong")
    stage.patch.setenv("CAMSYNC_STORE", "file")
    stage.cli("login", url, "--name", "front", "--password-file", good, "--yes", "-vv", code=16)
    stage.environ("CAMSYNC_PASSPHRASE", "passphrase")
    stage.cli("login", url, "--name", "front", "--password-file", bad, "--yes", "-vv", code=6)
    stage.cli("login", url, "--name", "front", "--password-file", good, "--yes", "-vv")
    stage.cli("channels", "hikvision://front", "-vv")
    for more in _WORDY:
        stage.cli("profiles", *more)
        stage.cli("store", "show", *more)
    stage.cli("store")
    stage.environ("CAMSYNC_PASSPHRASE", "other-passphrase")
    for command in (["channels", "hikvision://front"], ["store", "show"], ["profiles"]):
        stage.cli(*command, "-vv", code=None)
    stage.environ("CAMSYNC_PASSPHRASE", "passphrase")
    key = stage.folder / "given" / "made.key"
    stage.watch.given.add(key)
    stage.cli("store", "new-key", key, "-vv")
    stage.vault.keep_key("made key", key.read_text().strip())
    stage.cli("store", "rotate", "--key-file", key, "-vv")
    stage.cli("channels", "hikvision://front", "-vv", code=16)
    stage.patch.setenv("CAMSYNC_KEY_FILE", str(key))
    other = f"file:{stage.folder / 'other' / 'x.camsync'}"
    stage.cli("store", "copy", "--from", "file", "--to", other, "-vv")
    tokens = _vpack(stage)
    vpack_key = stage.secret_file("vpack.key", "other-key")
    stage.cli("store", "import-vpack", tokens, "--key-file", vpack_key, "--to", other, "-vv")
    stage.cli("store", "import-vpack", tokens, "--key-file", key, "--to", other, "-vv", code=16)
    stage.cli("logout", "front", "--yes", "-vv")
    stage.cli("logout", "front", "--yes", "--json", code=16)


def _vpack(stage: Stage) -> object:
    tokens = stage.folder / "tokens"
    tokens.mkdir(mode=0o700)
    store = VpackTokenStore(tokens, stage.plain("other-key"))
    store.set("imou", "ann@example.org", Credential(username="a", secret=stage.plain("cloud")))
    return tokens


@scenario("$ camsync trust", "$ camsync doctor", "$ camsync login")
def with_tls(stage: Stage) -> None:
    """Look at a certificate, pin it, log in over it; and be shown another one."""
    sim = stage.simulator(tls=True)
    stage.environ("CAMSYNC_PASSWORD", "password")
    stage.environ("CAMSYNC_PASSPHRASE", "passphrase")
    stage.cli("trust", f"127.0.0.1:{sim.port}", "--yes", "--name", "shop", "-vv")
    stage.cli("doctor", sim.connect_url, "-vv", "--json")
    stage.cli("channels", sim.connect_url, "--insecure-no-verify", "-vv")
    wrong = "sha256:" + 64 * "0"
    stage.cli("channels", sim.connect_url, "--verify", wrong, "-vv", code=5)
    stage.cli("login", sim.connect_url, "--name", "shop", "--store", "file", "--yes", "-vv")


@scenario("$ camsync demo", "$ camsync simulate", "$ camsync simulate recorder")
def without_a_recorder(stage: Stage) -> None:
    """Run the demo and list what the simulator can do, with passwords in the environment."""
    for name, value in {"_HOURS": 0.1, "_SEGMENT": 30.0, "_BANDWIDTH": None, "_CAMERAS": 1}.items():
        stage.patch.setattr(_demo, name, value)
    stage.environ("CAMSYNC_PASSWORD", "password")
    stage.environ("CAMSYNC_PASSPHRASE", "passphrase")
    stage.cli("demo", "-vv")
    stage.cli("simulate")
    stage.cli("simulate", "recorder", "--list-faults", "--json")


@scenario()
def in_other_processes(stage: Stage) -> None:
    """Run children with -vv and --json, and one that is killed in the middle with a crash file."""
    sim = stage.simulator(bandwidth=2_000.0)
    stage.environ("CAMSYNC_PASSWORD", "password")
    for variable, secret in {"CAMSYNC_KEY": "key", "CAMSYNC_PASSPHRASE": "passphrase"}.items():
        stage.environ(variable, secret)
    stage.child("-m", "camsync", "channels", sim.connect_url, "-vv", "--json")
    shown = stage.child("-X", "faulthandler", "-c", _CRASH, sim.connect_url, code=-6)
    assert "Fatal Python error: Aborted" in shown
    stage.environ("CAMSYNC_PASSWORD", "wrong")
    stage.child("-m", "camsync", "channels", sim.connect_url, "-vv", code=6)


_CRASH = """
import os, sys
import camsync
from camsync.cli import main
with camsync.connect(sys.argv[1], password=os.environ["CAMSYNC_PASSWORD"]) as provider:
    provider.devices()
    os.abort()
"""


@scenario()
def at_a_terminal(stage: Stage) -> None:
    """Be asked for a password and a passphrase; type a wrong one; press Ctrl-C at a question."""
    sim = stage.simulator()
    stage.patch.setenv("CAMSYNC_STORE", "file")
    stage.patch.setenv("NO_COLOR", "1")
    login = ("login", sim.connect_url, "--name", "front", "-vv")
    asked = ("Password of admin", "password")
    stage.terminal(*login, answers=[asked, ("assphrase", "passphrase"), ("same", "passphrase")])
    stage.terminal(
        "channels", "hikvision://front", "-vv", answers=[("assphrase", "wrong")], code=16
    )
    opened = ("assphrase", "passphrase")  # of the file that is there, before anything else
    stage.terminal(*login, answers=[opened, ("assword of admin", None)], code=130)
    assert os.environ["NO_COLOR"]

"""Options and operators: what is used without a name of its own."""

from __future__ import annotations

import contextlib
import copy

from leak_harness.stage import Stage, scenario

from camsync import (
    HikvisionISAPI,
    ImouClient,
    KeyFromEnv,
    KeyFromFile,
    KeyFromKeyring,
    MissingKeyError,
    Profile,
    Profiles,
    RetryPolicy,
    Secret,
    TimeSpan,
)
from camsync.cli import _demo
from camsync.errors import CamsyncError
from camsync.testing import ImouSimulator, RecorderSimulator


_ONCE = RetryPolicy(attempts=1)


@scenario("$ camsync channels", "$ camsync search", "$ camsync download", "$ camsync dump")
def of_a_device(stage: Stage) -> None:
    """Ask a recorder in all the ways in which it can be asked; some of them it refuses."""
    url = stage.simulator(hours=0.02).connect_url
    stage.environ("CAMSYNC_PASSWORD", "password")
    stage.cli("channels", url, "--insecure-basic", "--timeout", "9", "-vv", code=None)
    stage.cli("channels", url, "--time-mode", "auto", "--timezone", "UTC", "-vv", code=None)
    which = (
        "--device",
        "1",
        "--channel",
        "1",
        "--since",
        "1h",
        "--until",
        "1m",
        "--kind",
        "motion",
    )
    limits = ("--storage", "device", "--wake", "--max-calls", "5", "--max-bytes", "1MB")
    for command in ("search", "download"):
        stage.cli(command, url, *which, *limits, "-vv", code=None)
    stage.cli("search", url, "--since", "1h", "--keys", "-vv", code=None)
    more = ("--limit", "1", "--newest-first", "--container", "mp4", "--dest", "x")
    stage.cli("download", url, "--since", "1h", *more, "-vv", code=None)
    for _ in range(2):
        stage.cli("dump", url, "--out", "dump.json", "--force")
    stage.cli("usage", "--max-calls", "5", "--max-bytes", "1MB", "-vv", code=None)


@scenario("$ camsync login", "$ camsync logout", "$ camsync trust", "$ camsync demo")
def of_a_store(stage: Stage) -> None:
    """Log in untested, replace what is there, log out and keep the profile, pin what is wrong."""
    sim = stage.simulator(tls=True)
    for name, value in {"_HOURS": 0.1, "_SEGMENT": 30.0, "_BANDWIDTH": None, "_CAMERAS": 1}.items():
        stage.patch.setattr(_demo, name, value)
    for variable, secret in {"PASSWORD": "password", "PASSPHRASE": "passphrase"}.items():
        stage.environ(f"CAMSYNC_{variable}", secret)
    stage.cli("trust", f"127.0.0.1:{sim.port}", "--yes", "--name", "shop", "--timeout", "9")
    wrong = "sha256:" + 64 * "0"
    place = f"127.0.0.1:{sim.port}"
    stage.cli("trust", place, "--fingerprint", wrong, "--replace", "-vv", code=None)
    stage.patch.setenv("CAMSYNC_STORE", "file")
    stage.cli("login", sim.connect_url, "--name", "shop", "--no-test", "--yes", "-vv", code=None)
    other = f"file:{stage.folder / 'other.camsync'}"
    for _ in range(2):
        stage.cli("store", "copy", "--from", "file", "--to", other, "--replace", "-vv", code=None)
    key = stage.secret_file("vpack.key", "other-key")
    tokens = stage.folder / "none"
    stage.cli(
        "store", "import-vpack", tokens, "--key-file", key, "--to", other, "--replace", code=None
    )
    stage.cli("logout", "shop", "--keep-profile", "--yes", "-vv", code=None)
    stage.cli("demo", "--dest", "demo", "-vv")


@scenario(
    "camsync.KeyFromEnv.__call__",
    "camsync.KeyFromFile.__call__",
    "camsync.KeyFromKeyring.__call__",
)
def keys_that_are_called(stage: Stage) -> None:
    """Fetch a key from where it is, from where it is not, and from where there is rubbish."""
    stage.environ("CAMSYNC_KEY", "key")
    stage.keep(KeyFromEnv()(), KeyFromFile(stage.secret_file("a.key", "key"))())
    stage.environ("CAMSYNC_KEY", "wrong")
    stage.keep(KeyFromEnv()())
    with contextlib.suppress(CamsyncError):
        stage.keep(KeyFromFile(stage.secret_file("b.key", "wrong"))())
    with stage.fails(MissingKeyError):
        KeyFromEnv("CAMSYNC_NONE")()
    with stage.fails(CamsyncError):
        KeyFromKeyring("none")()


@scenario(
    "camsync.Secret.__bool__",
    "camsync.Secret.__copy__",
    "camsync.Secret.__deepcopy__",
    "camsync.Profiles.__contains__",
    "camsync.Profiles.__iter__",
    "camsync.TimeSpan.__contains__",
)
def operators(stage: Stage) -> None:
    """Ask a secret whether it is empty, copy it, and go through profiles."""
    secret = Secret(stage.plain())
    stage.keep(bool(secret), copy.copy(secret), copy.deepcopy([secret]))
    span = TimeSpan.last(hours=1)
    stage.keep(span.start in span)
    profiles = Profiles()
    profiles.set(Profile(name="shop", provider="hikvision", host="127.0.0.1", username="admin"))
    stage.keep("shop" in profiles, list(profiles))


@scenario(
    "camsync.HikvisionISAPI.__enter__",
    "camsync.HikvisionISAPI.__exit__",
    "camsync.testing.RecorderSimulator.__enter__",
    "camsync.testing.RecorderSimulator.__exit__",
    "camsync.testing.ImouSimulator.__enter__",
    "camsync.testing.ImouSimulator.__exit__",
    "camsync.ImouClient.__enter__",
    "camsync.ImouClient.__exit__",
)
def with_blocks(stage: Stage) -> None:
    """Enter and leave what has a beginning and an end, with errors on the way too."""
    with RecorderSimulator(channels=1, hours=0.05, password=stage.plain()) as sim:
        with HikvisionISAPI("127.0.0.1", "admin", stage.plain(), port=sim.port) as provider:
            stage.keep(provider.devices())
        with (
            stage.fails(CamsyncError),
            HikvisionISAPI("127.0.0.1", "admin", stage.plain("wrong"), port=sim.port) as provider,
        ):
            provider.devices()
    with ImouSimulator(app_secret=stage.plain("cloud")) as cloud:
        for secret in ("cloud", "wrong"):
            with ImouClient(
                cloud.app_id, stage.plain(secret), base_url=cloud.base_url, retry=_ONCE
            ) as client:
                stage.keep(repr(client))
        stage.keep(f"{cloud!r}")

"""The commands around `sync`, with hooks, figures, a log and a catalogue that could tell."""

from __future__ import annotations

import os
import sys

from leak_harness.stage import Stage, scenario

from camsync.testing import ImouSimulator


_HOOK = "import os, sys; open(sys.argv[1], 'a').write(repr(dict(os.environ)) + sys.stdin.read())"
_TO = ("--container", "original")


@scenario(
    "$ camsync sync",
    "$ camsync plan",
    "$ camsync status",
    "$ camsync reconcile",
    "$ camsync prune",
    "$ camsync rearm",
    "$ camsync pin",
    "$ camsync forget",
    "$ camsync clip",
)
def with_a_variable(stage: Stage) -> None:
    """Plan, sync, look, cut, prune; then with a wrong password, and as an account in several files."""
    sim = stage.simulator(hours=0.06)
    url, dest = sim.connect_url, stage.folder / "work" / "footage"
    stage.environ("CAMSYNC_PASSWORD", "password")
    stage.environ("CAMSYNC_PASSPHRASE", "passphrase")
    to = (url, "--to", dest, *_TO)
    stage.cli("plan", *to, "-vv")
    stage.cli("sync", *to, "-vv", "--log", "sync.log", "--metrics", "camsync.prom")
    stage.cli("sync", *to, "--json")
    stage.cli("plan", *to, "--json", "--all")
    stage.cli("status", "-vv")
    stage.cli("status", dest, "--json")
    stage.cli("clip", url, "1", "3m", "2m", "clip.mp4", "--held", dest, "-vv", code=None)
    stage.cli("reconcile", dest, "--deep", "--repair", "--json")
    stage.cli("pin", dest, "hik://NONE/101/20240101T100000Z/x", "--off", "-vv", code=2)
    stage.cli("pin", dest, *sorted(dest.rglob("Cam*/*"))[:1], "--json")
    stage.cli("prune", dest, "--keep", "1s", "--yes", "-vv", "--max-delete", "0", code=2)
    stage.cli("prune", dest, "--keep", "1s", "--yes", "-vv", "--max-delete", "100%", code=None)
    stage.cli("forget", dest, "-vv", code=2)
    stage.cli("rearm", dest, "-vv")
    stage.environ("CAMSYNC_PASSWORD", "wrong")
    for more in (["-vv"], ["-vv", "--json"], ["--quiet"]):
        stage.cli("sync", *to, *more, code=6)
    stage.cli("plan", *to, "-vv", code=6)
    stage.cli("clip", url, "1", "3m", "2m", "clip2.mp4", "-vv", code=6)


@scenario("$ camsync sync")
def with_a_file_and_hooks(stage: Stage) -> None:
    """A hook that writes down all that it is told; secrets in the environment, and in the file."""
    sim = stage.simulator(hours=0.1)
    stage.environ("CAMSYNC_PASSWORD", "password")
    stage.environ("CAMSYNC_KEY", "key")
    told = stage.folder / "work" / "told"
    path = stage.folder / "work" / "camsync.toml"
    command = f'["{sys.executable}", "-c", "{_HOOK}", "{told}"]'
    path.write_text(
        f'dest = "footage"\ncontainer = "original"\nlog = "x.log"\n[metrics]\nfile = "x.prom"\n'
        f"[hooks]\nfetched = {command}\nfinished = {command}\n"
        f'[[source]]\nurl = "{sim.connect_url}"\n',
        encoding="utf-8",
    )
    path.chmod(0o600)
    stage.cli("sync", "-vv")
    assert "CAMSYNC_EVENT" in told.read_text(encoding="utf-8")
    for number, line in enumerate(
        (
            'password = "{}"',
            '[[source]]\nurl = "hikvision://admin:{}@127.0.0.1"',
            'catalogue = "postgresql://me:{}@127.0.0.1/x"',
            '[metrics]\nsecret = "{}',
        )
    ):
        bad = stage.folder / "given" / f"bad{number}.toml"
        bad.parent.mkdir(mode=0o700, exist_ok=True)
        stage.watch.given.add(bad)
        bad.write_text(line.format(stage.plain()) + "\n", encoding="utf-8")
        bad.chmod(0o600)
        for more in (["-vv"], ["-vv", "--json"]):
            stage.cli("sync", "--config", bad, *more, code=2)


@scenario("$ camsync sync", "$ camsync status")
def with_a_password_in_the_catalogues_url(stage: Stage) -> None:
    """In the variable, where it may be, and on the command line, where it may not."""
    url = stage.simulator().connect_url
    stage.environ("CAMSYNC_PASSWORD", "password")
    stage.patch.setenv(
        "CAMSYNC_CATALOGUE", f"postgresql://me:{stage.plain('other-key')}@127.0.0.1:1/x"
    )
    stage.cli("sync", url, "--to", "footage", *_TO, "-vv", code=None)
    stage.cli("status", "-vv", "--json", code=None)
    stage.patch.delenv("CAMSYNC_CATALOGUE")
    place = f"postgresql://me:{stage.plain('other-key')}@127.0.0.1:1/x"
    stage.cli("status", "--catalogue", place, "-vv", frames=False, code=2)
    del place


@scenario("$ camsync sync", "$ camsync plan", "$ camsync status", "$ camsync clip")
def with_every_option(stage: Stage) -> None:
    """Whatever can be asked for, used or refused."""
    url = stage.simulator(hours=0.05).connect_url
    good = stage.secret_file("good")
    which = ("--since", "1h", "--channel", "1", "--kind", "continuous", "--order", "newest")
    names = ("--settle", "1s", "--layout", "{camera}/{start:%H%M%S}", "--container", "original")
    limits = ("--max-files", "1", "--max-bytes", "1G", "--min-free", "1M", "--bandwidth", "9M")
    way = ("--password-file", good, "--store", "env", "--timeout", "9", "--concurrency", "2")
    place = ("--to", "out", "--catalogue", "c.sqlite3", "--timezone", "UTC")
    for command in ("plan", "sync"):
        stage.cli(command, url, *which, *names, *limits, *way, *place, "-vv", code=None)
        stage.cli(
            command, url, "--span", "2m", "1m", "--password-file", good, *place, "-vv", code=None
        )
        stage.cli(command, "--config", "none.toml", "-vv", code=2)
        stage.cli(command, url, "--dest", "out", "--limit", "1", "-vv", code=2)
    stage.cli("sync", url, "--dry-run", "--password-file", good, "--dest", "out", "-vv", code=None)
    stage.cli("clip", url, "1", "2m", "1m", "--dest", "x.mp4", *way[:6], "-vv", code=None)
    stage.cli("reconcile", "out", "--forget", "--catalogue", "c.sqlite3", "-vv", code=None)
    for other in ("status", "reconcile", "prune", "rearm", "forget"):
        stage.cli(other, "out", "--config", "none.toml", "-vv", code=2)
        stage.cli(other, "out", "--catalogue", "c.sqlite3", "-vv", code=None)
    for path in ("--config", "none.toml"), ("--catalogue", "c.sqlite3"):
        stage.cli("pin", "out", "x.mp4", *path, "-vv", code=2)
    more = ("--channel", "1", "--days", "2", "--catalogue", "c.sqlite3")
    stage.cli("status", "out", *more, "-vv")
    stage.cli("prune", "out", "--max-bytes", "1G", "--catalogue", "c.sqlite3", "-vv")
    clip = ("--quiet", "--gaps", "split", "--timezone", "UTC", "--catalogue", "c.sqlite3")
    stage.cli("clip", url, "1", "2m", "1m", "clip", *clip, *way[:6], "-vv", code=None)


@scenario("$ camsync sync")
def again_and_again(stage: Stage) -> None:
    """Watch, until a hook ends it."""
    stage.environ("CAMSYNC_PASSWORD", "password")
    path = stage.folder / "work" / "camsync.toml"
    path.write_text(
        f'dest = "footage"\ncontainer = "original"\n'
        f'[hooks]\nfinished = ["kill", "-TERM", "{os.getpid()}"]\n'
        f'[[source]]\nurl = "{stage.simulator().connect_url}"\n',
        encoding="utf-8",
    )
    path.chmod(0o600)
    stage.cli("sync", "--watch", "1s", "-vv", code=143)


@scenario("$ camsync sync", "$ camsync plan", "$ camsync status", "$ camsync clip")
def with_an_account(stage: Stage) -> None:
    """Its own options, used, refused for a recorder, and with the app secret in their place."""
    account = ("--storage", "cloud", "--wake", "--max-calls", "90", "--max-traffic", "1G")
    stage.environ("CAMSYNC_PASSWORD", "cloud")
    with ImouSimulator(
        app_secret=stage.plain("cloud"), devices=1, hours=0.05, segment_seconds=20
    ) as cloud:
        url = f"imou://{cloud.app_id}@127.0.0.1:{cloud.port}"
        to = ("--to", stage.folder / "work" / "footage")
        stage.cli("plan", url, *to, *account, "-vv")
        stage.cli("sync", url, *to, *account, "-vv", code=None)
        stage.cli("clip", url, "0", "2m", "1m", "clip.mp4", *account, "-vv", code=None)
        stage.environ("CAMSYNC_PASSWORD", "wrong")
        stage.cli("sync", url, *to, *account, "-vv", code=6)
    stage.cli("status", "--stale", "1h", "-vv")
    recorder = "hikvision://admin@127.0.0.1"
    for command, more in (("sync", to), ("plan", to), ("clip", ("1", "2m", "1m"))):
        stage.cli(command, recorder, *more, *account, "-vv", code=2)

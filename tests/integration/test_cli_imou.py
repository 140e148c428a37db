"""The command line against the Imou simulator: what it shows, saves, counts and downloads."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys

from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from camsync import ConfigurationError, Profiles
from camsync.cli import _demo, main
from camsync.testing import ImouSimulator


PASSPHRASE = "correct horse battery"
KINDS = ("camera", "no-plan", "nvr", "offline")
WRONG = "wrong-app-secret"


def run_json(capsys, *arguments):
    """Run a command in this process; return its exit code and its document."""
    code = main([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


@contextlib.contextmanager
def playing(monkeypatch, **options) -> Iterator[str]:
    """Run a simulator whose app secret is in the environment; give its URL."""
    given = {"hours": 0.1, "segment_seconds": 60, **options}
    with ImouSimulator(**given) as simulator:
        monkeypatch.setenv("CAMSYNC_PASSWORD", simulator.app_secret)
        yield f"imou://{simulator.app_id}@127.0.0.1:{simulator.port}"


@pytest.fixture
def url(monkeypatch):
    """An account with four kinds of devices."""
    with playing(monkeypatch, devices=KINDS) as url:
        yield url


def test_channels_of_an_account(url, capsys):
    """All devices with their channels, offline ones included."""
    code, document = run_json(capsys, "channels", url)

    assert 0 == code
    assert 4 == len(document["devices"])
    assert [1, 1, 4, 1] == [
        sum(one["device"] == device["id"] for one in document["channels"])
        for device in document["devices"]
    ]


def test_a_search_over_all_devices(url, capsys):
    """Cloud and card of each; the device that is offline is named, and the others are there."""
    code, document = run_json(capsys, "search", url, "--since", "1h")
    (problem,) = document["problems"]

    assert 1 == code
    assert 3 == len({entry["device"] for entry in document["recordings"]})
    assert {"cloud", "sd"} == {entry["stream"] for entry in document["recordings"]}
    assert "offline" == problem["error"]["category"]


def test_a_search_in_one_place(url, capsys):
    """``--storage`` and ``--device`` narrow it down."""
    _, listed = run_json(capsys, "channels", url)
    device = listed["devices"][0]["id"]
    code, document = run_json(
        capsys, "search", url, "--since", "1h", "--device", device, "--storage", "sd"
    )

    assert (0, {"sd"}) == (code, {entry["stream"] for entry in document["recordings"]})
    assert {device} == {entry["device"] for entry in document["recordings"]}


def test_a_download_over_all_devices(monkeypatch, capsys, tmp_path):
    """Each device has a folder; a second run finds all that is there."""
    with playing(monkeypatch, devices=("camera", "camera"), codec="mixed") as url:
        command = ("download", url, "--since", "4m", "--until", "now", "--dest", str(tmp_path))
        code, first = run_json(capsys, *command, "--storage", "sd")
        again, second = run_json(capsys, *command, "--storage", "sd")

    assert (0, 0) == (code, again)
    assert 2 == len(
        {Path(entry["path"]).relative_to(tmp_path).parts[0] for entry in first["downloaded"]}
    )
    assert {"h264", "h265"} == {entry["codec"] for entry in first["downloaded"]}
    paths = {entry["path"] for entry in first["downloaded"]}
    assert paths == {entry["path"] for entry in second["downloaded"] if entry["existing"]} & paths
    for path in paths:
        with av.open(path) as container:
            assert 40 <= container.duration / 1e6 <= 61


def test_a_download_that_the_region_does_not_allow(monkeypatch, capsys, tmp_path):
    """After the first refusal nothing more is asked for, and the reason ends the run."""
    with playing(monkeypatch, devices=2, faults=["hls-denied"]) as url:
        code, document = run_json(
            capsys, "download", url, "--since", "1h", "--dest", str(tmp_path), "--storage", "cloud"
        )

    assert (10, "OP1012") == (code, document["failed"][0]["error"]["vendor_code"])
    assert 1 == len(document["failed"])
    assert "unsupported" == document["error"]["category"]
    assert [] == document["downloaded"]


def test_a_limit_ends_the_run(monkeypatch, capsys, tmp_path):
    """``--max-bytes`` stops the download, ``--max-calls`` the search; both are shown by usage."""
    with playing(monkeypatch, devices=1) as url:
        few, first = run_json(
            capsys, "download", url, "--since", "1h", "--dest", str(tmp_path), "--max-bytes", "9"
        )
        none, second = run_json(capsys, "search", url, "--max-calls", "1")
        _, used = run_json(capsys, "usage", url, "--max-calls", "1")
    (counted,) = used["accounts"]

    assert (18, 18) == (few, none)
    assert "--max-bytes" in first["error"]["next_step"]
    assert "your 1 calls" in second["error"]["message"]
    assert 1 == counted["max_calls"]
    assert counted["calls"] >= 4


def test_the_doctor_of_an_account(url, capsys, tmp_path):
    """Each step of the account's own test, and a bundle that does without a dump."""
    bundle = tmp_path / "report.zip"
    _, document = run_json(capsys, "doctor", url, "--bundle", str(bundle))
    steps = [check["name"] for check in document["checks"]]

    assert ["host", "clock", "login", "devices", "plan", "card", "search"] == steps[:7]
    assert ["download", "quota"] == steps[7:]
    assert bundle.exists()


def test_a_wrong_app_secret(url, capsys, monkeypatch):
    """The login is refused, nothing is saved."""
    monkeypatch.setenv("CAMSYNC_PASSWORD", WRONG)
    monkeypatch.setenv("CAMSYNC_PASSPHRASE", PASSPHRASE)
    code, document = run_json(capsys, "login", url, "--name", "home", "--store", "file", "--yes")

    assert (6, False) == (code, document["saved"])
    assert "login" == document["checks"][-1]["name"]


def test_login_use_and_logout(url, capsys, monkeypatch):
    """The profile knows the place and what was learnt; the name is enough from then on."""
    monkeypatch.setenv("CAMSYNC_STORE", "file")
    monkeypatch.setenv("CAMSYNC_PASSPHRASE", PASSPHRASE)
    saved, document = run_json(capsys, "login", url, "--name", "home", "--yes")
    monkeypatch.delenv("CAMSYNC_PASSWORD")
    listed, found = run_json(capsys, "channels", "home")
    _, known = run_json(capsys, "profiles")
    gone, deleted = run_json(capsys, "logout", "imou://home", "--yes")

    assert (0, 0, 0) == (saved, listed, gone)
    assert "md5" == document["profile"]["learnt"]["sign"]
    assert document["profile"]["device"] is None
    assert 7 == len(found["channels"])
    assert ["home"] == [one["name"] for one in known["profiles"]]
    assert deleted["profile_deleted"]


def test_what_a_command_has_found_out_is_kept(url, capsys, monkeypatch):
    """The next one asks nobody for the time zones again: each question is a paid call."""
    monkeypatch.setenv("CAMSYNC_STORE", "file")
    monkeypatch.setenv("CAMSYNC_PASSPHRASE", PASSPHRASE)
    run_json(capsys, "login", url, "--name", "home", "--yes", "--no-test")
    monkeypatch.delenv("CAMSYNC_PASSWORD")
    assert {} == Profiles().get("home").learnt

    def zones_asked():
        run_json(capsys, "search", "home", "--since", "30m")
        (account,) = run_json(capsys, "usage", "home")[1]["accounts"]
        return sum(
            count for name, count in account["by_method"].items() if name.startswith("timeZone")
        )

    first = zones_asked()
    assert {"sign", "zones"} <= set(Profiles().get("home").learnt)
    assert first >= 4
    # only the device that is offline has not said it yet
    assert zones_asked() - first <= 2


def test_what_cannot_be_kept_is_asked_again(url, capsys, monkeypatch, caplog):
    """A profile that somebody changes meanwhile stays as they want it; the command is done."""
    monkeypatch.setenv("CAMSYNC_STORE", "file")
    monkeypatch.setenv("CAMSYNC_PASSPHRASE", PASSPHRASE)
    run_json(capsys, "login", url, "--name", "home", "--yes", "--no-test")
    monkeypatch.delenv("CAMSYNC_PASSWORD")

    def changed(*_):
        msg = "the profile was changed by somebody else meanwhile"
        raise ConfigurationError(msg)

    monkeypatch.setattr(Profiles, "replace", changed)
    with caplog.at_level("INFO", "camsync.cli"):
        code, document = run_json(capsys, "channels", "home")

    assert 0 == code
    assert 7 == len(document["channels"])
    assert "changed by somebody else" in caplog.text


def test_the_demo_leaves_playable_files(monkeypatch, capsys, tmp_path):
    """Cloud and card, both codecs, four cameras in four folders; nothing is counted as used."""
    monkeypatch.setattr(_demo, "_BANDWIDTH", None)
    monkeypatch.setattr(_demo, "_IMOU_HOURS", 0.1)
    code, document = run_json(capsys, "demo", "--provider", "imou", "--dest", str(tmp_path))
    files = document["downloaded"]

    assert 0 == code
    assert {"h264", "h265"} == {entry["codec"] for entry in files}
    assert 4 == len({Path(entry["path"]).relative_to(tmp_path).parts[0] for entry in files})
    assert {"cloud", "sd"} == {entry["stream"] for entry in document["recordings"]}
    assert document["next_command"].startswith("camsync download home")
    assert 4 == len(document["found"])
    for entry in files:
        with av.open(entry["path"]) as container:
            assert abs(container.duration / 1e6 - entry["duration"]) < 1
    assert [] == run_json(capsys, "usage")[1]["accounts"]


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_simulator_runs_until_it_is_stopped(stop, capsys, monkeypatch):
    """It prints one line that holds all that a client needs."""
    command = [sys.executable, "-m", "camsync", "simulate", "imou", "--kind", "nvr", "--json"]
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            facts = json.loads(process.stdout.readline())
            monkeypatch.setenv("CAMSYNC_PASSWORD", facts["app_secret"])
            code, document = run_json(capsys, "channels", facts["camsync_url"])
            process.send_signal(stop)
            ended = process.wait(20)
        finally:
            process.kill()

    assert (0, 4) == (code, len(document["channels"]))
    assert {signal.SIGTERM: 0, signal.SIGINT: 130}[stop] == ended
    assert facts["url"].endswith(str(facts["port"]))

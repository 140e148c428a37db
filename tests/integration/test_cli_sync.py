"""``camsync sync`` and its relatives against the simulators, signals included."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time

import av
import pytest

from camsync.cli import main
from camsync.testing import ImouSimulator, RecorderSimulator


@pytest.fixture(scope="module")
def recorder():
    """A recorder with two cameras and a few minutes of footage."""
    with RecorderSimulator(channels=2, hours=0.1, segment_seconds=60.0) as simulator:
        yield simulator


@pytest.fixture
def password(recorder, monkeypatch):
    """The right password is in the environment."""
    monkeypatch.setenv("CAMSYNC_PASSWORD", recorder.password)


def _json(capsys, *arguments):
    code = main([*map(str, arguments), "--json"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def _document(capsys, *arguments):
    code = main([*map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_plan_sync_status_and_clip(recorder, password, tmp_path, capsys):
    """What a plan says is fetched, is held then, and a clip is cut from it without the network."""
    dest = tmp_path / "footage"
    arguments = (recorder.connect_url, "--to", dest, "--channel", "1")
    code, document = _document(capsys, "plan", *arguments)
    planned = [each for each in document["plans"][0]["items"] if each["verdict"] == "fetch"]
    assert 0 == code
    code, lines = _json(capsys, "sync", *arguments)
    assert 0 == code
    fetched = [line["recording"]["key"] for line in lines if line["event"] == "fetched"]
    assert {item["key"] for item in planned} <= set(fetched)

    _, status = _document(capsys, "status", dest, "--days", "1")
    (channel,) = status["destinations"][0]["channels"]
    assert "Cam01-front-door" == channel["folder"]
    assert channel["seconds"]["held"] > 60

    files = [line["file"] for line in lines if line["event"] == "fetched"]
    start = dt.datetime.fromisoformat(files[1]["start"].replace("Z", "+00:00"))
    bounds = [(start + dt.timedelta(seconds=number)).isoformat() for number in (5, 25)]
    recorder.reset_counters()
    clip = ("clip", recorder.connect_url, "Front door", *bounds, tmp_path / "x.mp4")
    code, made = _document(capsys, *clip, "--held", dest)
    assert 0 == code
    assert not any("download" in line.path.lower() for line in recorder.requests_log)
    (part,) = made["parts"]
    with av.open(part["path"]) as container:
        assert 20 <= container.duration / 1e6 < 40


def test_a_clip_that_cannot_be_made(recorder, password, tmp_path, capsys):
    """An unknown channel, a span upside down, a folder that nobody has synced to, no footage."""
    url = recorder.connect_url
    for arguments, code, message in (
        (("9", "4m", "3m"), 2, "there is no channel 9"),
        (("1", "3m", "4m"), 2, "before it starts"),
        (("1", "4m", "3m", tmp_path, "--held", tmp_path), 2, "nothing was ever synced to"),
        (("1", "30h", "29h", tmp_path), 12, "no footage"),
    ):
        assert code == main(["clip", url, *map(str, arguments)]), arguments
        assert message in capsys.readouterr().err.lower(), arguments


def test_a_clip_in_words(recorder, password, tmp_path, capsys):
    """The file is a row; what takes less than three seconds needs no line in a file."""
    assert 0 == main(["clip", recorder.connect_url, "2", "4m", "3m40s", str(tmp_path)])
    shown = capsys.readouterr()

    assert "" == shown.err
    assert "Cam02-back-yard_" in shown.out


def test_an_account_in_the_cloud(tmp_path, monkeypatch, capsys):
    """The same commands, for cameras that record in the cloud."""
    with ImouSimulator(devices=1, hours=0.1, segment_seconds=30.0) as cloud:
        monkeypatch.setenv("CAMSYNC_PASSWORD", cloud.app_secret)
        url = f"imou://{cloud.app_id}@127.0.0.1:{cloud.port}"
        code, lines = _json(capsys, "sync", url, "--to", tmp_path, "--max-files", "1")

    assert code == lines[-1]["code"]
    assert 1 == lines[-1]["reports"][0]["downloaded"]


def test_an_account_in_a_file(tmp_path, monkeypatch, capsys):
    """Its own options reach the cloud, and its limit holds before the request."""
    path = tmp_path / "camsync.toml"
    with ImouSimulator(devices=1, hours=0.1, segment_seconds=30.0) as cloud:
        monkeypatch.setenv("CAMSYNC_PASSWORD", cloud.app_secret)
        url = f"imou://{cloud.app_id}@127.0.0.1:{cloud.port}"
        text = f'dest = "f"\n[[source]]\nurl = "{url}"\nstorage = "cloud"\n'
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        code, _ = _document(capsys, "plan", "--config", path)
        assert 0 == code
        _, used = _document(capsys, "usage")
        path.write_text(f"{text}max_calls = 0\n", encoding="utf-8")
        limited, lines = _json(capsys, "sync", "--config", path)

    (account,) = used["accounts"]
    assert "queryCloudRecords" in account["by_method"]
    assert "queryLocalRecords" not in account["by_method"]
    assert 18 == limited
    (problem,) = lines[-1]["reports"][0]["problems"]
    assert "BudgetExceededError" == problem["error"]["type"]


@contextlib.contextmanager
def _started(*arguments, password):
    environ = {**os.environ, "CAMSYNC_PASSWORD": password, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "camsync", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environ, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_in_the_middle_of_a_download(tmp_path, number, code):
    """It ends within two seconds, and nothing half done has its final name."""
    with (
        RecorderSimulator(channels=1, hours=0.1, segment_seconds=60.0, bandwidth=20_000.0) as slow,
        _started(
            *("sync", slow.connect_url, "--to", tmp_path, "--json"), password=slow.password
        ) as process,
    ):
        for line in process.stdout:
            if json.loads(line)["event"] == "progress":
                break
        process.send_signal(number)
        begun = time.monotonic()
        assert code == process.wait(30)
        passed = time.monotonic() - begun

    assert passed < 10  # two seconds on a machine that does nothing else
    assert [] == list(tmp_path.rglob("*.mp4"))


def test_a_signal_between_two_runs(recorder, tmp_path):
    """A watch that only waits ends at once."""
    arguments = (
        "sync",
        recorder.connect_url,
        "--to",
        tmp_path,
        "--watch",
        "1h",
        "--json",
        "--since",
        "1m",
    )
    with _started(*arguments, password=recorder.password) as process:
        for line in process.stdout:
            if json.loads(line)["event"] == "next":
                break
        process.send_signal(signal.SIGTERM)

        assert 143 == process.wait(30)

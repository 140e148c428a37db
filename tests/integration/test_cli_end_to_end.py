"""The command line against the recorder simulator, signals included."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time

from pathlib import Path

import av
import pytest

from camsync.cli import _demo, main
from camsync.testing import RecorderSimulator


WRONG = "not-the-password"


def run_json(capsys, *arguments):
    """Run a command in this process; return its exit code and its document."""
    code = main([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


@contextlib.contextmanager
def started(*arguments, password="", **options):
    """Run a command in a process of its own; it is gone when the block ends."""
    environ = {**os.environ, "CAMSYNC_PASSWORD": password, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "camsync", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    with subprocess.Popen(command, env=environ, text=True, **pipes) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def wait_for(condition, seconds=20.0):
    """Wait until *condition* holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def simulator(monkeypatch):
    """A recorder that sends slowly, fresh for each test; its password is in the environment."""
    with RecorderSimulator(
        channels=2, hours=0.2, segment_seconds=60.0, bandwidth=30_000.0
    ) as recorder:
        monkeypatch.setenv("CAMSYNC_PASSWORD", recorder.password)
        yield recorder


@pytest.fixture
def quick_demo(monkeypatch):
    """Short recordings at full speed: what the demo does is the same."""
    monkeypatch.setattr(_demo, "_HOURS", 0.5)
    monkeypatch.setattr(_demo, "_SEGMENT", 30.0)
    monkeypatch.setattr(_demo, "_BANDWIDTH", None)


def test_the_demo_leaves_playable_files(quick_demo, tmp_path, capsys):
    """Six files and more from three cameras and more, with the promised names, lengths and times."""
    code, document = run_json(capsys, "demo", "--dest", str(tmp_path))
    files = document["downloaded"]

    assert 0 == code
    assert len(files) >= 6
    assert len({entry["channel"] for entry in files}) >= 3
    assert {"h264", "h265"} == {entry["codec"] for entry in files}
    assert document["next_command"].startswith("camsync download hikvision://admin@")
    announced = {entry["key"]: entry for entry in document["recordings"]}
    for entry in files:
        check_file(Path(entry["path"]), entry, announced[entry["key"]], tmp_path)


def check_file(path, entry, announced, dest):
    """Open one file with PyAV and compare it with what the demo says of it."""
    local = dt.datetime.fromisoformat(announced["local_start"])
    assert path.parent.parent == dest
    assert f"{path.parent.name}_{local:%Y%m%d_%H%M%S}.mp4" == path.name
    assert path.stat().st_size == entry["size"]
    with av.open(str(path)) as container:
        (video,) = container.streams.video
        assert {"h264": "h264", "hevc": "h265"}[video.codec_context.name] == entry["codec"]
        assert abs(container.duration / 1e6 - announced["duration"]) < 1
        created = container.metadata["creation_time"]
    assert announced["start"] == entry["start"] == created.replace(".000000Z", "Z")


def test_the_demo_can_be_run_again(quick_demo, tmp_path, capsys):
    """In words: device, cameras, files, and what to type for a real recorder."""
    main(["demo", "--dest", str(tmp_path), "--json"])
    capsys.readouterr()
    code = main(["demo", "--dest", str(tmp_path)])
    captured = capsys.readouterr()

    assert 0 == code
    assert "SIMULATOR" in captured.out
    assert "DS-7616NI-K2" in captured.out
    assert captured.out.endswith(
        "  camsync download hikvision://admin@192.168.1.64 --channel 1 --since 24h --dest footage/\n"
    )
    assert "\x1b" not in captured.out + captured.err


def test_the_demo_reports_what_failed(quick_demo, tmp_path, capsys):
    """A file stands where a folder should: the first failure ends it, nothing is recommended."""
    blocked = tmp_path / "file" / "folder"
    blocked.parent.write_text("in the way", encoding="utf-8")
    code = main(["demo", "--dest", str(blocked)])
    captured = capsys.readouterr()

    assert 15 == code
    assert 1 == captured.err.count("next step")
    assert "for a real recorder" not in captured.out


def test_a_wrong_password_costs_one_failed_login(simulator, capsys, monkeypatch, tmp_path):
    """Exit code 6, one login at the device, and the password nowhere in the output."""
    monkeypatch.setenv("CAMSYNC_PASSWORD", WRONG)
    dest = tmp_path / "out"
    dest.mkdir()
    code = main(["download", simulator.connect_url, "--dest", str(dest)])
    captured = capsys.readouterr()

    assert 6 == code
    assert 1 == simulator.logins_failed
    assert WRONG not in captured.out + captured.err
    assert [] == list(dest.iterdir())


def test_a_password_in_the_url_is_refused_without_a_request(simulator, capsys):
    """It would stand in the process list and in the shell's history."""
    code = main(["channels", f"hikvision://admin:{WRONG}@127.0.0.1:{simulator.port}"])
    captured = capsys.readouterr()

    assert (2, 0) == (code, simulator.requests)
    assert WRONG not in captured.out + captured.err


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_no_half_file(simulator, tmp_path, number, code):
    """Cancelled in the middle of a slow download; the password was in no command line."""
    dest = tmp_path / "out"
    arguments = ["download", simulator.connect_url, "--dest", str(dest), "--limit", "2"]
    with started(*arguments, password=simulator.password) as process:
        wait_for(lambda: simulator.bytes_sent > 0)
        shown = Path(f"/proc/{process.pid}/cmdline")
        command = shown.read_text(encoding="utf-8") if shown.exists() else ""
        process.send_signal(number)
        out, err = process.communicate(timeout=20)

    assert code == process.returncode
    assert "0 files" in out
    assert "cancelled" in err
    assert "Traceback" not in err
    assert simulator.password not in command + out + err
    assert [] == [path for path in dest.rglob("*") if path.is_file()]


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_the_simulator_prints_one_line_and_ends_on_sigterm(capsys, monkeypatch):
    """A program reads the line, works with the simulator, and stops it."""
    arguments = ["simulate", "recorder", "--tls", "--channels", "2", "--hours", "1", "--json"]
    with started(*arguments) as process:
        facts = json.loads(process.stdout.readline())
        monkeypatch.setenv("CAMSYNC_PASSWORD", facts["password"])
        code, document = run_json(
            capsys, "channels", facts["camsync_url"], "--verify", facts["fingerprint"]
        )
        process.terminate()
        out, err = process.communicate(timeout=10)

    assert (0, 2) == (code, len(document["channels"]))
    assert facts["url"] == f"https://{facts['host']}:{facts['port']}"
    assert (0, "", "") == (process.returncode, out, err)


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_the_simulators_line_for_people(tmp_path):
    """Ctrl-C ends it too, with the code that shells know."""
    with started("simulate", "recorder", "--hours", "0.1", "--fault", "busy-503") as process:
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)

    assert line.startswith("url=http://127.0.0.1:")
    assert " username=admin password=" in line
    assert " camsync_url=hikvision://admin@127.0.0.1:" in line
    assert (130, "", "") == (process.returncode, out, err)


@pytest.mark.parametrize(
    ("option", "key", "known"),
    [
        ("--list-faults", "faults", "busy-503"),
        ("--list-models", "models", "DS-7616NI-K2"),
    ],
)
def test_the_simulator_lists_what_it_can_do(capsys, option, key, known):
    """Faults and models with a description, as a table and as JSON."""
    code, document = run_json(capsys, "simulate", "recorder", option)

    assert 0 == code
    assert document[key][known]
    assert 0 == main(["simulate", "recorder", option])
    assert known in capsys.readouterr().out


def test_simulate_alone_explains_itself(capsys):
    """There is more to say than "missing command"."""
    assert 0 == main(["simulate"])
    assert "recorder" in capsys.readouterr().out


def test_the_doctor_finds_nothing_wrong(simulator, capsys):
    """Eight steps on a healthy recorder."""
    code, document = run_json(capsys, "doctor", simulator.connect_url)
    names = ["tcp", "tls", "lock", "login", "clock", "channels", "search", "download"]

    assert 0 == code
    assert names == [check["name"] for check in document["checks"]]


@pytest.mark.parametrize(
    ("fault", "failing"), [("xml-error-200", "download"), ("html-404", "login")]
)
def test_the_doctor_finds_a_fault(simulator, capsys, fault, failing):
    """The exit code is that of the step that failed first."""
    simulator.enable(fault)
    code, document = run_json(capsys, "doctor", simulator.connect_url)
    failed = [check for check in document["checks"] if check["status"] == "failed"]

    assert code not in {0, 1, 2}
    assert failing == failed[0]["name"]


@pytest.mark.skipif(os.name != "posix", reason="POSIX pipes")
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_reader_that_leaves_is_no_traceback(simulator, form):
    """``camsync search … | head`` ends quietly."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        with started(
            "search", simulator.connect_url, *form, password=simulator.password, stdout=writing
        ) as process:
            _out, err = process.communicate(timeout=20)
    finally:
        os.close(writing)

    assert (141, "") == (process.returncode, err)


def test_a_destination_that_looks_like_a_video_is_a_folder(monkeypatch, tmp_path, capsys):
    """``--dest day.mp4`` holds a folder for each camera, as any other name would."""
    dest = tmp_path / "day.mp4"
    with RecorderSimulator(channels=1, hours=0.05, segment_seconds=30) as simulator:
        monkeypatch.setenv("CAMSYNC_PASSWORD", simulator.password)
        url = simulator.connect_url
        code = main(["download", url, "-c", "1", "--limit", "1", "--dest", str(dest)])
    capsys.readouterr()

    assert 0 == code
    assert [True] == [folder.is_dir() for folder in dest.iterdir()]


def test_a_dump_that_is_no_json_is_refused_with_advice(tmp_path, capsys):
    """What a dump looks like stands in the next step."""
    dump = tmp_path / "dump.json"
    dump.write_text("<xml/>", encoding="utf-8")
    code = main(["simulate", "recorder", "--dump", str(dump)])
    err = capsys.readouterr().err

    assert 2 == code
    assert "is no JSON" in err
    assert "next step: a dump is a JSON file" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--hours", "nan"], "'nan' is no number"),
        (["--hours", "1e9"], "87600"),
        (["--hours", "-1"], "--hours"),
        (["--segment", "nan"], "'nan' is no number"),
        (["--fault", "no-such-fault"], "no-such-fault"),
    ],
)
def test_impossible_simulators_are_refused(capsys, arguments, words):
    """Exit code 2 and a message, before anything listens."""
    code = main(["simulate", "recorder", *arguments])
    err = capsys.readouterr().err

    assert 2 == code
    assert words in err
    assert "next step: " in err

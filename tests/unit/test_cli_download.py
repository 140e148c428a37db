"""``camsync download`` around a download engine that needs no device."""

from __future__ import annotations

import datetime as dt
import io
import json
import signal
import sys

from pathlib import Path

import pytest

from camsync import (
    Channel,
    ChannelId,
    Codec,
    DeviceId,
    Downloaded,
    Failed,
    Recording,
    RecordingKey,
    errors,
    registry,
)
from camsync.cli import _fetching, main


URL = "hikvision://admin@nvr.test"
START = dt.datetime(2026, 9, 26, tzinfo=dt.timezone.utc)


def recording(minute, **fields):
    """A recording that starts in that minute."""
    start = START + dt.timedelta(minutes=minute)
    key = RecordingKey(
        provider="hikvision", device=DeviceId("DS1"), channel=ChannelId("1"), start=start
    )
    end = start + dt.timedelta(minutes=1)
    return Recording(key=key, channel_name="Door", start=start, end=end, size=2048, **fields)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


class FakeProvider:
    """One camera with five recordings, the last of them still growing."""

    name = "fake"

    def channels(self):
        return [Channel(device=DeviceId("DS1"), id=ChannelId("1"), name="Door")]

    def search(self, channel, span, *, kinds=None):
        yield from (recording(minute) for minute in range(4))
        yield recording(4, in_progress=True)

    def close(self):
        """Do nothing."""


class FakeEngine:
    """Stands for `download_many`: gives what the test wants for each recording."""

    def __init__(self):
        self.wanted = []
        self.dest = None
        self.options = {}
        self.results = {}

    def __call__(self, provider, recordings, dest, **options):
        self.wanted = [recording.start.minute for recording in recordings]
        self.dest, self.options = dest, options
        return self._results(recordings)

    def _results(self, recordings):
        for one in recordings:
            result = self.results.get(one.start.minute, done(one.start.minute))
            if callable(result):
                result = result()
            if isinstance(result, Exception):
                raise result
            yield result


def done(minute, **fields):
    """A file that is complete."""
    one = recording(minute)
    given = {"codec": Codec.H265, "duration": 59.96, "elapsed": 1.23456, **fields}
    return Downloaded(
        recording=one,
        path=Path("footage", f"Cam01_{minute}.mp4"),
        size=1024**2,
        container="mp4",
        start=one.start,
        end=one.end,
        **given,
    )


def failed(minute):
    """A recording that could not be fetched."""
    return Failed(
        recording=recording(minute), error=errors.DeviceBusyError("full", http_status=503)
    )


@pytest.fixture
def engine(monkeypatch):
    """The engine behind the command."""
    fake = FakeEngine()
    monkeypatch.setattr(_fetching, "download_many", fake)
    monkeypatch.setattr(registry, "connect_to", lambda *_arguments, **_options: FakeProvider())
    monkeypatch.setenv("CAMSYNC_PASSWORD", "s3cret-word")
    return fake


def test_all_complete_recordings_are_fetched_oldest_first(engine, capsys):
    """Those that are still growing are left, and that is said."""
    code = main(["download", URL])
    out = capsys.readouterr().out

    assert 0 == code
    assert [0, 1, 2, 3] == engine.wanted
    assert Path("footage") == engine.dest
    assert "mp4" == engine.options["container"]
    assert "4 files, 4.0 MiB; 1 skipped: still being recorded" in out


def test_the_table_names_the_files(engine, capsys):
    """Path, codec, length, size, start, and what is special about it."""
    engine.results[0] = done(0, existing=True, notes=("audio dropped",))
    main(["download", URL, "--limit", "1"])
    header, row, summary = capsys.readouterr().out.splitlines()

    assert ["file", "codec", "length", "size", "start", "(UTC)", "remarks"] == header.split()
    assert (
        "footage/Cam01_0.mp4 h265 1:00 1.0 MiB 2026-09-26 00:00:00Z was there already; audio dropped"
    ) == " ".join(row.replace("\\", "/").split())
    assert summary.startswith("1 file, 1.0 MiB; 1 of them were there already; 1 skipped")


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--limit", "2"], [0, 1]),
        (["--newest-first"], [3, 2, 1, 0]),
        (["--newest-first", "--limit", "1"], [3]),
    ],
)
def test_order_and_number(engine, arguments, wanted):
    """The limit counts from the end that comes first."""
    main(["download", URL, *arguments])

    assert wanted == engine.wanted


def test_destination_and_container_are_passed_on(engine, tmp_path):
    """``--container original`` keeps the recorder's bytes."""
    main(["download", URL, "--dest", str(tmp_path), "--container", "original"])

    assert (tmp_path, "original") == (engine.dest, engine.options["container"])


def test_failures_are_listed_with_their_next_step(engine, capsys):
    """The others are fetched; the exit code says that something is missing."""
    engine.results[1] = failed(1)
    code = main(["download", URL])
    captured = capsys.readouterr()

    assert 1 == code
    assert "3 files, 3.0 MiB; 1 failed" in captured.out
    assert "failed: Door 2026-09-26 00:01:00: full [HTTP 503]\n  next step: try" in captured.err


def test_the_result_as_json(engine, capsys):
    """One document with what was fetched, failed and skipped."""
    engine.results[1] = failed(1)
    engine.results[2] = done(2, existing=True)
    code = main(["download", URL, "--json", "--dest", "x"])
    document = json.loads(capsys.readouterr().out)

    assert 1 == code
    assert "x" == document["dest"]
    assert {
        "key": "hik://DS1/101/20260926T000000Z/",
        "device": "DS1",
        "channel": "1",
        "channel_name": "Door",
        "path": str(Path("footage/Cam01_0.mp4")),
        "size": 1024**2,
        "sha256": "",
        "container": "mp4",
        "codec": "h265",
        "width": None,
        "height": None,
        "fps": None,
        "duration": 59.96,
        "start": "2026-09-26T00:00:00Z",
        "end": "2026-09-26T00:01:00Z",
        "existing": False,
        "elapsed": 1.235,
        "notes": [],
    } == document["downloaded"][0]
    assert "busy" == document["failed"][0]["error"]["category"]
    assert "2026-09-26T00:01:00Z" == document["failed"][0]["recording"]["start"]
    assert "in_progress" == document["skipped"][0]["reason"]
    assert {
        "downloaded": 2,
        "existing": 1,
        "failed": 1,
        "skipped": 1,
        "bytes": 3 * 1024**2,
    } == document["summary"]
    assert "error" not in document


def test_a_refused_login_ends_the_run_but_not_the_report(engine, capsys):
    """What was fetched before is listed, then comes the error with its own exit code."""
    engine.results[2] = errors.AuthenticationError("refused")
    code = main(["download", URL])
    captured = capsys.readouterr()

    assert 6 == code
    assert "2 files" in captured.out
    assert captured.err.startswith("error: refused\n")


def test_the_error_that_ends_a_run_is_part_of_the_document(engine, capsys):
    """Still one document on stdout."""
    engine.results[1] = errors.AuthenticationError("refused")
    code = main(["download", URL, "--json"])
    captured = capsys.readouterr()
    document = json.loads(captured.out)

    assert (6, "") == (code, captured.err)
    assert "authentication" == document["error"]["category"]
    assert 1 == len(document["downloaded"])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_cleanly(engine, capfd, number, code):
    """The engine sees the token, stops, and the report says how far it came."""

    def interrupted():
        signal.raise_signal(number)
        return (
            errors.CancelledError("cancelled by the caller")
            if (engine.options["cancel"].is_set())
            else done(1)
        )

    engine.results[1] = interrupted

    assert code == main(["download", URL])
    captured = capfd.readouterr()
    assert "1 file, " in captured.out
    assert "stopping; once more ends at once" in captured.err
    assert "cancelled: stopped by the user" in captured.err


def test_nothing_to_fetch_is_no_failure(engine, capsys, monkeypatch):
    """An empty span gives an empty list."""
    monkeypatch.setattr(FakeProvider, "search", lambda *_arguments, **_options: iter(()))

    assert 0 == main(["download", URL])
    assert capsys.readouterr().out.startswith("no recordings between ")
    assert 0 == main(["download", URL, "--json"])
    assert 0 == json.loads(capsys.readouterr().out)["summary"]["downloaded"]


@pytest.mark.parametrize(
    ("name", "words"), [("", "--dest is empty"), ("day.mp4", "is a file"), ("plain", "is a file")]
)
def test_a_destination_must_be_a_folder(engine, capsys, monkeypatch, tmp_path, name, words):
    """An empty name and a file are refused before anything is asked."""
    monkeypatch.chdir(tmp_path)
    if name:
        Path(name).write_text("a file", encoding="utf-8")
    code = main(["download", URL, "-d", name])

    assert 2 == code
    assert words in capsys.readouterr().err
    assert None is engine.dest


def test_a_folder_may_be_called_like_a_video(engine, tmp_path):
    """The library would take the name for that of a file, so the folder is made first."""
    assert 0 == main(["download", URL, "-d", str(tmp_path / "a" / "day.mp4")])
    assert (tmp_path / "a" / "day.mp4").is_dir()


def test_a_folder_that_cannot_be_made_is_said(engine, capsys, tmp_path):
    """With the exit code of the disk."""
    (tmp_path / "file").write_text("in the way", encoding="utf-8")

    assert 15 == main(["download", URL, "-d", str(tmp_path / "file" / "day.mp4")])
    assert "cannot be created" in capsys.readouterr().err


def test_a_full_disk_ends_the_run(engine, capsys):
    """The next file would meet it too; it is told once, behind what was fetched."""
    engine.results[1] = errors.DiskFullError("no room")
    code = main(["download", URL])
    captured = capsys.readouterr()

    assert 15 == code
    assert "1 file, 1.0 MiB; 1 skipped" in captured.out
    assert 1 == captured.err.count("no room")


def test_without_the_media_extra_nothing_begins(engine, capsys, monkeypatch):
    """Said first, by the download to MP4 and by the demo; the original container needs none."""
    monkeypatch.setitem(sys.modules, "camsync.download.media", None)

    assert [3, 3, 0] == [
        main(arguments)
        for arguments in (["download", URL], ["demo"], ["download", URL, "--container", "original"])
    ]
    captured = capsys.readouterr()
    assert "SIMULATOR" not in captured.out
    assert "the demo needs the optional extra" in captured.err


def test_on_a_terminal_the_files_are_named_without_their_folders(engine, monkeypatch):
    """The destination is in the title; what is special stays visible."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", "80")
    engine.results[0] = done(0, existing=True)
    main(["download", URL, "--limit", "1"])

    assert "files in footage" in screen.getvalue()
    assert "was there already" in screen.getvalue()
    assert "(UTC)" not in screen.getvalue()

"""The values as JSON: every field of theirs is told, the same everywhere."""

from __future__ import annotations

import datetime as dt
import json

from pathlib import Path

import attrs
import pytest

from camsync import errors
from camsync.models import Codec, Downloaded, Failed, Progress, Stage
from camsync.models._documents import (
    downloaded_json,
    error_json,
    failed_json,
    progress_json,
    recording_json,
    recordings_json,
    stamp,
)
from camsync.testing import MemoryProvider


UTC = dt.timezone.utc
NOW = dt.datetime(2026, 9, 26, 0, 13, 39, tzinfo=UTC)
RECORDING = MemoryProvider("DS1").record("1", NOW)
FILE = Downloaded(
    recording=RECORDING,
    path=Path("/f/x.mp4"),
    size=5,
    container="mp4",
    start=NOW,
    end=NOW,
    codec=Codec.H264,
    sha256="ab" * 32,
    elapsed=1.23456,
    notes=("audio dropped",),
)


def test_moments_are_in_utc():
    """Whatever their offset was; nothing stays nothing."""
    east = NOW.astimezone(dt.timezone(dt.timedelta(hours=8)))

    assert "2026-09-26T00:13:39Z" == stamp(NOW) == stamp(east)
    assert stamp(None) is None


@pytest.mark.parametrize(
    ("offset", "local"),
    [(None, None), (dt.timedelta(hours=8), "2026-09-26T08:13:39+08:00")],
)
def test_a_recording_is_told_whole(offset, local):
    """All but ``raw``, with its key taken apart, and the device's clock where that is known."""
    recording = attrs.evolve(RECORDING, utc_offset=offset, size=None, size_hint=7)
    document = recording_json(recording)
    told = {field.name for field in attrs.fields(type(recording))} - {"raw", "utc_offset"}

    assert [document] == json.loads(json.dumps(recordings_json([recording])))
    assert told <= set(document)
    assert (local, None, 7) == (document["local_start"], document["size"], document["size_hint"])
    assert ("DS1", "1") == (document["device"], document["channel"])
    assert recording.duration.total_seconds() == document["duration"]


def test_a_file_is_told_whole():
    """With what it is of, and its checksum."""
    document = downloaded_json(FILE)
    told = {field.name for field in attrs.fields(Downloaded)} - {"recording"}

    assert document == json.loads(json.dumps(document))
    assert told | {"key", "device", "channel", "channel_name"} == set(document)
    assert ("ab" * 32, 1.235, "h264") == (
        document["sha256"],
        document["elapsed"],
        document["codec"],
    )


@pytest.mark.parametrize(("eta", "rounded"), [(None, None), (1.26, 1.3)])
def test_progress_is_rounded(eta, rounded):
    """No reader needs more than a tenth."""
    event = Progress(stage=Stage.DOWNLOAD, recording=RECORDING, bytes_done=5, rate=2.22, eta=eta)
    document = progress_json(event)

    assert ("download", 5, 2.2, rounded) == tuple(
        document[name] for name in ("stage", "bytes_done", "rate", "eta")
    )


def test_errors_tell_what_only_they_know():
    """When a lock ends, and the fingerprints of a certificate; and nothing of the sort elsewhere."""
    locked = error_json(errors.AccountLockedError("locked", unlock_at=NOW))
    unknown = error_json(errors.AccountLockedError("locked"))
    pinned = error_json(errors.CertificateError("another one", expected="sha256:a", actual="b"))
    busy = error_json(errors.DeviceBusyError("busy", retry_after=5, vendor_code="7"))

    assert ("2026-09-26T00:13:39Z", None) == (locked["unlock_at"], unknown["unlock_at"])
    assert ("sha256:a", "b") == (pinned["expected"], pinned["actual"])
    assert ("DeviceBusyError", "busy", 5, "7", True) == tuple(
        busy[name] for name in ("type", "message", "retry_after", "vendor_code", "retryable")
    )
    assert not {"unlock_at", "expected", "actual"} & set(busy)


def test_whoever_tells_an_error_chooses_the_words():
    """The library's by default; somebody else's for somebody else's users."""
    failed = Failed(recording=RECORDING, error=errors.DeviceBusyError("busy"))

    assert error_json(failed.error) == failed_json(failed)["error"]
    assert {"recording": recording_json(RECORDING), "error": {"in": "other words"}} == failed_json(
        failed, lambda _: {"in": "other words"}
    )


def test_a_sync_speaks_the_words_of_the_command_line_at_every_depth():
    """An error in a report, in an event and in the last line advises the same options."""
    pytest.importorskip("sqlalchemy")
    from camsync.cli._sync_run import Outcome
    from camsync.cli._sync_show import line_json, outcome_json
    from camsync.sync import EventKind, Problem, SyncEvent, SyncReport
    from camsync.sync._describe import event_json

    error = errors.TLSError("try old_tls=True", next_step="connect with allow_basic=True")
    problem = Problem(device="DS1", error=error)
    failed = Failed(recording=RECORDING, error=error)
    report = SyncReport(
        id="b", dest=Path("/f"), started=NOW, finished=NOW, problems=(problem,), failed=(failed,)
    )
    event = SyncEvent(
        kind=EventKind.FAILED, at=NOW, error=error, report=report, file=FILE, message=error.message
    )
    line = line_json(event)
    last = outcome_json(Outcome(reports=[report], problems=[problem]), 1)
    nested = [line["report"]["problems"][0], line["report"]["failed"][0], *last["problems"]]
    hook = event_json(event)

    for each in [line, *nested]:
        assert "try --old-tls" == each["error"]["message"]
        assert "connect with --insecure-basic" == each["error"]["next_step"]
    assert "try --old-tls" == line["message"]
    assert downloaded_json(FILE) == line["file"] == hook["file"]
    assert error_json(error) == hook["error"] == hook["report"]["failed"][0]["error"]

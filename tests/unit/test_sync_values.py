"""What a report says of itself: pure values."""

from __future__ import annotations

import datetime as dt

from pathlib import Path

from camsync import Downloaded, Failed, Recording, RecordingKey
from camsync.errors import CorruptMediaError, UnreachableError
from camsync.sync import Problem, SyncReport


NOW = dt.datetime(2024, 1, 1, 3, tzinfo=dt.timezone.utc)
MINUTE = dt.timedelta(minutes=1)


def _recording(channel, *, device="DS1", minute=0):
    start = NOW + minute * MINUTE
    key = RecordingKey(provider="hikvision", device=device, channel=channel, start=start)
    return Recording(key=key, channel_name="Front", start=start, end=start + MINUTE)


def _file(recording):
    path = Path("/out") / f"{recording.key.channel}.mp4"
    start, end = recording.start, recording.end
    return Downloaded(recording=recording, path=path, size=7, container="mp4", start=start, end=end)


def _failed(recording):
    return Failed(recording=recording, error=CorruptMediaError("it is damaged"))


def _report(**fields):
    return SyncReport(id="run", dest=Path("/out"), started=NOW, finished=NOW, **fields)


def test_channels_of_a_run_without_news():
    """None was fetched, and none has failed."""
    assert () == _report().channels_fetched == _report().channels_failed


def test_each_channel_with_a_file_is_fetched_once():
    """However many files it has; two recorders with a channel 2 have two."""
    recordings = [
        _recording("2"),
        _recording("10"),
        _recording("2", minute=1),
        _recording("2", device="DS2"),
    ]

    report = _report(downloaded=tuple(_file(each) for each in recordings))

    assert (("DS1", "2"), ("DS1", "10"), ("DS2", "2")) == report.channels_fetched
    assert () == report.channels_failed


def test_each_channel_with_trouble_has_failed_once():
    """Whether the search or a recording failed; also when other files of it have come."""
    error = UnreachableError("nobody answers")
    report = _report(
        downloaded=(_file(_recording("2")),),
        failed=(_failed(_recording("2", minute=1)), _failed(_recording("3"))),
        problems=(
            Problem(device="DS1", channel="3", error=error),
            Problem(device="DS1", error=error),
        ),
    )

    assert (("DS1", "3"), ("DS1", "2")) == report.channels_failed
    assert (("DS1", "2"),) == report.channels_fetched

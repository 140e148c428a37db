"""What a report says of itself: pure values."""

from __future__ import annotations

import datetime as dt

from pathlib import Path, PurePosixPath

import attrs

from camsync import Downloaded, Failed, Progress, Recording, RecordingKey, Stage
from camsync.catalogue import Entry, Pruning, Reconciliation, State
from camsync.errors import CorruptMediaError, UnreachableError
from camsync.sync import EventKind, Problem, SyncEvent, SyncReport
from camsync.testing import MemoryProvider


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


def test_values_are_one_line_of_words():
    """What is printed says what happened, to what, and where it stands."""
    recording = MemoryProvider().record("1", NOW)
    common = {"kind": EventKind.PROGRESS, "at": NOW}
    progress = Progress(stage=Stage.REMUX, recording=recording, bytes_done=1)
    when = dict.fromkeys(("start", "end", "first_seen", "last_seen"), NOW)
    entry = Entry(key=recording.key, channel_name="", **when)
    named = attrs.evolve(entry, channel_name="Gate", path=PurePosixPath("a/b.mp4"))
    failed = attrs.evolve(entry, error="odd", state=State.FAILED)
    start = f"{NOW:%Y-%m-%d %H:%M:%S} UTC"
    place = f"{recording.key.device} channel 1"

    assert f"progress: Camera 1 {start}: remux" == str(
        SyncEvent(**common, recording=recording, progress=progress)
    )
    assert "progress: D channel 2: x" == str(
        SyncEvent(**common, device="D", channel="2", message="x")
    )
    assert f"{place} {start}, seen" == str(entry)
    assert f"Gate {start}, seen: a/b.mp4" == str(named)
    assert f"{place} {start}, failed: odd" == str(failed)
    assert "3 checked, all well" == str(Reconciliation(checked=3))
    assert "3 checked, 1 missing" == str(Reconciliation(checked=3, missing=(entry,)))
    assert "0 files (0 B) would be deleted; 5 B left" == str(Pruning(left=5))
    pruned = Pruning(dry_run=False, deleted=(entry,), kept=((entry, "was changed"),), bytes=9)
    assert "1 file (9 B) deleted, 1 kept; 0 B left" == str(pruned)

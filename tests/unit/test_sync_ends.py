"""What ends a run before anything is fetched, and what is refused before it begins."""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading

import pytest

from camsync import (
    CatalogueError,
    ConfigurationError,
    DestinationError,
    DiskFullError,
    RetryPolicy,
    make_plan,
    sync,
)
from camsync.catalogue import Catalogue, Holdings
from camsync.sync import Source, _context
from camsync.testing import MemoryProvider


NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.timezone.utc)
MINUTE = dt.timedelta(minutes=1)
QUICK = RetryPolicy(attempts=1, initial=0.0)


class Searched(MemoryProvider):
    """A recorder that calls a function after each recording that it lists."""

    def __init__(self, channels=1):
        super().__init__("DS1", channels)
        self.after_each = str
        self.told = 0

    def search(self, channel, span, *, kinds=None):
        for each in super().search(channel, span, kinds=kinds):
            self.told += 1
            yield each
            self.after_each(each)


@pytest.fixture
def recorder():
    """A recorder with three channels, and some recordings of the first."""
    recorder = Searched(3)
    for number in range(10):
        recorder.record("1", NOW - (60 - number) * MINUTE)
    return recorder


@pytest.fixture
def dest(tmp_path):
    """Where the files go."""
    return tmp_path / "mount" / "footage"


@pytest.fixture
def place(tmp_path):
    """The file of the catalogue."""
    return tmp_path / "catalogue.sqlite3"


@pytest.fixture
def run(dest, place, monkeypatch):
    """Run a sync of originals."""
    monkeypatch.setattr(_context, "utcnow", lambda: NOW)

    def run(*providers, **options):
        given = {"container": "original", "retry": QUICK, **options}
        with Catalogue(place, clock=lambda: NOW) as catalogue:
            return sync(providers, dest, catalogue=catalogue, **given)

    return run


def test_a_disk_that_is_unmounted_while_the_device_is_searched(run, recorder, dest, tmp_path):
    """Minutes may pass before the first file: what is there then is not the destination."""
    run(recorder)
    late = [recorder.record("1", NOW - number * MINUTE) for number in range(20, 10, -1)]

    def unmount(_):
        if not (tmp_path / "away").exists():
            dest.rename(tmp_path / "away")
            dest.mkdir()

    recorder.after_each = unmount
    report = run(recorder)
    beside = [path for path in dest.rglob("*") if path.is_file()]
    dest.rename(tmp_path / "below")
    (tmp_path / "away").rename(dest)
    recorder.after_each = str
    last = run(recorder)

    assert [] == beside
    assert "not the folder any more" in report.stopped
    assert isinstance(report.stopped_by, DestinationError)
    assert (0, len(late)) == (len(report.downloaded), report.left)
    assert {each.key for each in late} == {file.recording.key for file in last.downloaded}
    assert last.complete


def test_a_plan_needs_no_destination(recorder, dest, place):
    """It guards nothing, and makes no folder."""
    assert 10 == len(make_plan(recorder, dest, catalogue=place, since=NOW - 90 * MINUTE).fetch)
    assert not dest.exists()


def test_a_catalogue_that_is_damaged_ends_the_search(run, recorder, place):
    """What is known of one recording cannot be read: as a channel's trouble it would be for ever."""
    run(recorder)
    with sqlite3.connect(place) as connection:
        connection.execute("UPDATE camsync_recording SET next_try = 'rubbish' WHERE id = 1")
    connection.close()
    searched = len(recorder.searched["2"])

    with pytest.raises(CatalogueError, match="makes no sense"):
        run(recorder)

    assert searched == len(recorder.searched["2"])


@pytest.mark.parametrize("where", ["note", "observe", "searched", "plan", "note_pace"])
@pytest.mark.parametrize("error", [CatalogueError("gone"), DiskFullError("full")])
def test_a_catalogue_that_cannot_be_written_ends_the_run(run, recorder, monkeypatch, where, error):
    """With its own error, wherever it shows: no channel and no device is to blame."""

    def fail(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Holdings, where, fail)
        with pytest.raises(type(error)) as caught:
            run(recorder)
    report = run(recorder)

    assert error is caught.value
    assert report.complete
    assert 10 == report.held + len(report.found) + len(report.downloaded)


def test_cancelling_ends_a_search_at_once(run, recorder):
    """A device may take a minute for forty recordings; what it has listed is remembered."""
    cancel = threading.Event()
    recorder.after_each = lambda _: recorder.told < 4 or cancel.set()

    report = run(recorder, cancel=cancel)

    assert report.cancelled
    assert 5 == recorder.told
    assert [] == recorder.searched["2"]
    assert {} == report.marks
    assert 4 == report.left
    cancel.clear()
    assert 10 == len(run(recorder).downloaded)


TOO_MUCH = dt.timedelta.max


@pytest.mark.parametrize(
    ("options", "words", "step"),
    [
        ({"settle": TOO_MUCH}, "settle .* hundred years", "minutes"),
        ({"settle": dt.timedelta(days=36526)}, "settle .* hundred years", "minutes"),
        ({"since": dt.datetime(1850, 1, 1, tzinfo=dt.timezone.utc)}, "since .* 1850", "days"),
        ({"since": dt.datetime.min.replace(tzinfo=dt.timezone.utc)}, "since .* in 1 ", "days"),
        ({"kinds": []}, "kinds is empty", "leave it out"),
        ({"kinds": iter(())}, "kinds is empty", "leave it out"),
        ({"channels": []}, "channels is empty", "leave it out"),
        ({"channels": set()}, "channels is empty", "leave it out"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_sent(run, recorder, options, words, step):
    """Else a run would do nothing at all, and call that complete."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        run(recorder, **options)

    assert step in caught.value.next_step
    assert not any(recorder.searched.values())


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"channels": []}, "channels is empty"),
        ({"channels": "1"}, "several channel ids"),
        ({"since": dt.datetime(2026, 1, 1)}, "aware"),
        ({"since": TOO_MUCH}, "hundred years"),
    ],
)
def test_the_wishes_of_a_source_are_checked_as_well(run, recorder, fields, words):
    """As those of the call are."""
    with pytest.raises(ConfigurationError, match=words):
        run(Source(provider=recorder, **fields))

    assert not any(recorder.searched.values())


def test_the_longest_that_can_be_said(run, recorder):
    """A hundred years, either way."""
    century = dt.timedelta(days=36525)
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)

    assert 10 == run(recorder, settle=century, since=epoch).in_progress
    assert 10 == len(run(recorder, since=century).downloaded)
    assert [epoch, NOW - century] == [span.start for span in recorder.searched["1"]]

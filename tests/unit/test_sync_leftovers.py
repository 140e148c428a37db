"""What a run has left behind before all that was searched: later runs look for it, and only for it."""

from __future__ import annotations

import datetime as dt
import threading

import pytest

from camsync import CorruptMediaError, ProtocolError, RecordingKind, RetryPolicy, TimeSpan
from camsync.catalogue import Catalogue, State
from camsync.sync import _context, sync
from camsync.testing.memory import MemoryProvider


HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.timezone.utc)
QUICK = RetryPolicy(attempts=1, initial=0.0)
LAST_WEEK = TimeSpan(NOW - 9 * DAY, NOW - 5 * DAY)


class Clock:
    """This computer's clock, which tests may set."""

    now = NOW

    def __call__(self):
        return self.now

    def forward(self, **length):
        self.now += dt.timedelta(**length)


@pytest.fixture
def clock(monkeypatch):
    """This computer's clock, for catalogue and run."""
    clock = Clock()
    monkeypatch.setattr(_context, "utcnow", clock)
    return clock


@pytest.fixture
def catalogue(clock):
    """A catalogue in memory with the same clock."""
    with Catalogue(":memory:", clock=clock) as catalogue:
        yield catalogue


@pytest.fixture
def recorder():
    """A recorder with a recording of this morning."""
    recorder = MemoryProvider("DS1", 1)
    recorder.record("1", NOW - 2 * HOUR)
    return recorder


@pytest.fixture
def run(catalogue, tmp_path, recorder):
    """Run a sync of originals."""

    def run(**options):
        given = {"catalogue": catalogue, "container": "original", "retry": QUICK, **options}
        return sync(recorder, tmp_path / "footage", **given)

    return run


@pytest.fixture
def states(catalogue, tmp_path):
    """Return the state of each recording, by its start."""
    return lambda: {row.start: row.state for row in catalogue.at(tmp_path / "footage").entries()}


def _fail(recorder, *recordings):
    for each in recordings:
        recorder.trouble[each.key] = CorruptMediaError("garbage")


def test_what_a_span_has_failed_to_fetch_is_tried_again(run, recorder, clock, states):
    """And the days between it and what was searched are left alone."""
    run()
    old = recorder.record("1", NOW - 7 * DAY)
    between = recorder.record("1", NOW - 5 * DAY)
    _fail(recorder, old)
    assert 1 == len(run(span=TimeSpan(NOW - 8 * DAY, NOW - 6 * DAY)).failed)
    recorder.trouble.clear()
    clock.forward(minutes=5)
    too_early = run()
    clock.forward(hours=1)
    recorder.searched["1"].clear()
    later = run()

    assert () == too_early.downloaded
    assert [old.key] == [file.recording.key for file in later.downloaded]
    assert later.complete
    assert between.start not in states()
    assert TimeSpan(old.start, old.end) == recorder.searched["1"][-1]


def test_leftovers_far_apart_are_looked_for_one_by_one(run, recorder, clock):
    """Two days with nothing wanted between them are not searched."""
    run()
    first, second, third = (
        recorder.record("1", NOW - age) for age in (9 * DAY, 9 * DAY - HOUR, 6 * DAY)
    )
    _fail(recorder, first, second, third)
    run(span=LAST_WEEK)
    recorder.trouble.clear()
    clock.forward(hours=1)
    recorder.searched["1"].clear()
    report = run()

    assert 3 == len(report.downloaded)
    _ordinary, *behind = recorder.searched["1"]
    assert [TimeSpan(first.start, second.end), TimeSpan(third.start, third.end)] == behind


def test_what_is_not_listed_any_more_holds_nothing_up(run, recorder, clock, states):
    """It is gone after six hours, as everything is; the mark goes on all the while."""
    run()
    old = recorder.record("1", NOW - 7 * DAY)
    _fail(recorder, old)
    run(span=LAST_WEEK)
    recorder.listed["1"].remove(old)
    for _ in range(3):
        clock.forward(hours=7)
        newest = recorder.record("1", clock.now - HOUR)
        report = run()
        assert newest.key in {file.recording.key for file in report.downloaded}

    assert State.GONE is states()[old.start]
    assert {("DS1", "1"): clock.now} == report.marks


def test_leftovers_do_not_make_each_search_a_long_one(run, recorder, clock):
    """While they wait, the ordinary search begins where it would without them."""
    run()
    old = recorder.record("1", NOW - 7 * DAY)
    _fail(recorder, old)
    run(span=LAST_WEEK)
    for _ in range(3):
        clock.forward(hours=5)
        recorder.record("1", clock.now - HOUR)
        report = run()
    recorder.searched["1"].clear()
    clock.forward(minutes=10)
    run()

    assert {("DS1", "1"): old.start} == report.marks
    (ordinary,) = recorder.searched["1"]
    assert ordinary.start > clock.now - 3 * HOUR


def test_what_straddles_the_first_search_and_vanishes_is_gone(run, recorder, clock, states):
    """It was listed by its end, and begins before all that was searched."""
    cut = recorder.record("1", NOW - DAY - HOUR, end=NOW - DAY + HOUR)
    _fail(recorder, cut)
    run()
    recorder.listed["1"].remove(cut)
    for _ in range(2):
        clock.forward(hours=7)
        report = run()

    assert State.GONE is states()[cut.start]
    assert {("DS1", "1"): clock.now} == report.marks


def test_what_a_search_that_broke_off_has_listed_is_fetched(run, recorder, clock):
    """A list that reaches back a month and ends in the middle is no reason to forget it."""
    run()
    month = [recorder.record("1", NOW - 20 * DAY + number * HOUR) for number in range(3)]
    _fail(recorder, *month)
    recorder.blind["1"] = ProtocolError("broken off")
    run(since=30 * DAY)
    recorder.blind.clear()
    recorder.trouble.clear()
    clock.forward(hours=1)
    report = run()

    assert {each.key for each in month} <= {file.recording.key for file in report.downloaded}


def test_leftovers_of_another_kind_are_not_looked_for(run, recorder, clock):
    """A run for motion asks for what is left of motion only."""
    run()
    kinds = {"kinds": [RecordingKind.MOTION]}
    quiet = recorder.record("1", NOW - 7 * DAY, kind=RecordingKind.CONTINUOUS)
    motion = recorder.record("1", NOW - 6 * DAY, kind=RecordingKind.MOTION)
    run(**kinds)
    _fail(recorder, quiet, motion)
    run(span=LAST_WEEK)
    recorder.trouble.clear()
    clock.forward(hours=1)
    report = run(**kinds)

    assert [motion.key] == [file.recording.key for file in report.downloaded]


def test_a_run_for_a_span_looks_for_nothing_else(run, recorder, clock):
    """What it asks the device is what the caller has said."""
    run()
    _fail(recorder, recorder.record("1", NOW - 7 * DAY))
    run(span=LAST_WEEK)
    recorder.trouble.clear()
    clock.forward(hours=1)
    recorder.searched["1"].clear()
    wanted = TimeSpan(NOW - HOUR, NOW)
    run(span=wanted)

    assert [wanted] == recorder.searched["1"]


def test_a_cancelled_span_is_finished_by_the_next_run(run, recorder, clock):
    """What was listed and not begun is wanted, too."""
    run()
    for number in range(4):
        recorder.record("1", NOW - 7 * DAY + number * HOUR)
    cancel = threading.Event()
    recorder.on_open = lambda _: cancel.set()
    cut = run(span=LAST_WEEK, cancel=cancel, concurrency=1)
    recorder.on_open = lambda _: None
    clock.forward(minutes=5)
    report = run()

    assert cut.cancelled
    assert 4 == len(cut.downloaded) + len(report.downloaded)

"""`make_plan` says what `sync` would do, in its order, and writes nothing."""

from __future__ import annotations

import datetime as dt
import sqlite3

import attrs
import pytest

from camsync import (
    CatalogueError,
    CorruptMediaError,
    RecordingKind,
    RetryPolicy,
    UnreachableError,
    make_plan,
    sync,
)
from camsync.catalogue import Catalogue
from camsync.models import Codec, Downloaded
from camsync.sync import Verdict, _context
from camsync.testing import MemoryProvider


NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.timezone.utc)
MINUTE = dt.timedelta(minutes=1)
SECOND = dt.timedelta(seconds=1)
QUICK = RetryPolicy(attempts=1, initial=0.0)


class House:
    """A recorder and a catalogue in a file, from one run to the next."""

    def __init__(self, folder, monkeypatch):
        self.now = NOW
        monkeypatch.setattr(_context, "utcnow", lambda: self.now)
        self.recorder = MemoryProvider("DS1")
        self.dest, self.file = folder / "footage", folder / "catalogue.sqlite3"

    def plan(self, **options):
        return make_plan(self.recorder, self.dest, catalogue=self.file, **options)

    def run(self, **options):
        with Catalogue(self.file, clock=lambda: self.now) as catalogue:
            given = {"container": "original", "retry": QUICK, "concurrency": 1, **options}
            return sync(self.recorder, self.dest, catalogue=catalogue, **given)


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A recorder and a catalogue."""
    return House(tmp_path, monkeypatch)


def _listed_as(recorder, old, **fields):
    new = attrs.evolve(old, **fields)
    recorder.listed["1"] = [new if each is old else each for each in recorder.listed["1"]]


@pytest.mark.parametrize("more", [0, 5, 5.9, 6, 600], ids=lambda more: f"{more} s longer")
@pytest.mark.parametrize("before", [{}, {"in_progress": True}], ids=["complete", "written still"])
@pytest.mark.parametrize("after", [{}, {"in_progress": True}], ids=["complete", "written again"])
@pytest.mark.parametrize("pruned", [False, True], ids=["here", "pruned"])
def test_what_is_listed_otherwise_than_it_was_fetched(house, more, before, after, pruned):
    """A plan sees of each recording what a sync sees: has it grown, or is it only held?"""
    whole = house.recorder.record("1", NOW - 60 * MINUTE)
    house.run()
    with Catalogue(house.file, clock=lambda: house.now) as catalogue:
        holdings = catalogue.at(house.dest)
        (file,) = (house.dest / entry.path for entry in holdings.entries())
        if before:  # another program has fetched it before its end
            grabbed = attrs.evolve(whole, **before)
            (entry,) = holdings.entries()
            done = _downloaded(grabbed, file, entry)
            holdings.verified(done, batch=holdings.begin_batch())
        if pruned:
            holdings.prune(max_bytes=0, dry_run=False)
    _listed_as(house.recorder, whole, end=whole.end + more * SECOND, **after)

    planned = house.plan().of(Verdict.FETCH)
    report = house.run()

    assert [item.key for item in planned] == [
        *(file.recording.key for file in (*report.downloaded, *report.found)),
        *(failed.recording.key for failed in report.failed),
    ]


def _downloaded(recording, path, entry):
    return Downloaded(
        recording=recording,
        path=path,
        size=entry.file_size,
        container=entry.container,
        start=entry.start,
        end=recording.end,
        duration=entry.duration,
        codec=Codec(entry.codec),
        existing=True,
    )


def test_what_was_gone_and_is_back_is_planned_without_its_past(house):
    """It comes in its turn, and not after what has not failed."""
    lost = house.recorder.record("1", NOW - 60 * MINUTE)
    house.recorder.trouble[lost.key] = CorruptMediaError("garbage")
    house.run()
    house.recorder.listed["1"].clear()
    house.recorder.trouble.clear()
    for _ in range(3):
        house.now += 7 * 60 * MINUTE
        house.run()
    house.recorder.listed["1"].append(lost)
    new = house.recorder.record("1", house.now - 30 * MINUTE)
    house.now += 24 * 60 * MINUTE

    plan, report = house.plan(), house.run()

    assert (lost, new) == plan.fetch
    assert [""] == sorted({item.reason for item in plan.items})
    assert {lost.key, new.key} == {file.recording.key for file in report.downloaded}


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_a_plan_is_in_the_order_of_fetching(house, order):
    """What has failed before comes last; what is not to be fetched stands at its time."""
    bad, held, waits = (
        house.recorder.record("1", NOW - minutes * MINUTE) for minutes in (90, 80, 70)
    )
    house.recorder.trouble[bad.key] = UnreachableError("reset")
    house.recorder.trouble[waits.key] = CorruptMediaError("garbage")
    house.run()
    del house.recorder.trouble[bad.key]
    first, last = (house.recorder.record("1", NOW - minutes * MINUTE) for minutes in (60, 50))

    plan = house.plan(order=order)
    fetched = [file for _ in range(3) for file in house.run(order=order, max_files=1).downloaded]

    in_time = [held, waits, first, last]
    expected = [*(in_time if order == "oldest" else in_time[::-1]), bad]
    assert [each.key for each in expected] == [item.key for item in plan.items]
    assert [each.key for each in plan.fetch] == [file.recording.key for file in fetched]


def _rows(file):
    with sqlite3.connect(file) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).fetchall()
        rows = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in tables}
    connection.close()
    return rows


@pytest.mark.parametrize("known", [False, True], ids=["a new destination", "a known destination"])
def test_a_plan_writes_nothing(house, tmp_path, known):
    """Not even that there is such a destination: it may have been a slip."""
    if known:
        house.recorder.record("1", NOW - 60 * MINUTE)
        house.run()
    else:
        with Catalogue(house.file) as catalogue:
            assert [] == catalogue.destinations()
    before = _rows(house.file)
    house.recorder.record("1", NOW - 30 * MINUTE, kind=RecordingKind.MOTION)
    house.now += 30 * MINUTE

    plans = [house.plan(), house.plan(kinds=["motion"]), house.plan(since=dt.timedelta(days=3))]

    assert [1, 1, 1] == [len(plan.fetch) for plan in plans]
    assert before == _rows(house.file)


def test_a_plan_does_not_wait_for_somebody_else_s_write(house):
    """It only reads: a sync that is writing does not hold it up."""
    house.recorder.record("1", NOW - 60 * MINUTE)
    house.run()
    new = house.recorder.record("1", NOW - 30 * MINUTE)
    other = sqlite3.connect(house.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        plan = house.plan()
    finally:
        other.close()

    assert (new,) == plan.fetch


def test_a_plan_of_a_damaged_catalogue_is_none(house):
    """It is no problem of a channel: nobody knows what is here."""
    house.recorder.record("1", NOW - 60 * MINUTE)
    house.run()
    with sqlite3.connect(house.file) as connection:
        connection.execute("UPDATE camsync_recording SET next_try = 'rubbish'")
    connection.close()

    with pytest.raises(CatalogueError, match="makes no sense"):
        house.plan()

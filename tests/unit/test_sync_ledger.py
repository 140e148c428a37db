"""A host's own table beside the catalogue, and what one run tells the next."""

from __future__ import annotations

import datetime as dt

import pytest

from camsync import ConfigurationError, CorruptMediaError, RecordingKind, RetryPolicy, make_plan
from camsync.catalogue import Catalogue, Pace, State
from camsync.sync import Source, Verdict, _context, _pace, sync
from camsync.sync._turns import GateFigures
from camsync.testing.memory import MemoryProvider


NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.timezone.utc)
HOUR = dt.timedelta(hours=1)
QUICK = RetryPolicy(attempts=1, initial=0.0)


class Table:
    """The host's own table."""

    def __init__(self):
        self.rows, self.marks, self.trouble = {}, {}, None

    def has(self, key):
        return key in self.rows

    def add(self, recording, file):
        if self.trouble is not None:
            raise self.trouble
        self.rows[recording.key] = file

    def watermark(self, channel):
        return self.marks.get((channel.device, channel.id))

    def advance(self, channel, moment):
        self.marks[(channel.device, channel.id)] = moment


class Shop:
    """A recorder, a host with a table, and a catalogue: as they are from one run to the next."""

    def __init__(self, folder, monkeypatch):
        self.now = NOW
        monkeypatch.setattr(_context, "utcnow", lambda: self.now)
        self.recorder, self.table = MemoryProvider("DS1", 1), Table()
        self.dest, self.file = folder / "footage", folder / "catalogue.sqlite3"

    def open(self):
        return Catalogue(self.file, clock=lambda: self.now)

    def run(self, **options):
        """Sync as another process would: with nothing but what is on disk and with the host."""
        with self.open() as catalogue:
            given = {"catalogue": catalogue, "ledger": self.table, "retry": QUICK, **options}
            return sync(self.recorder, self.dest, container="original", **given)


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A recorder, a host and a catalogue."""
    return Shop(tmp_path, monkeypatch)


def _keys(files):
    return [file.recording.key for file in files]


def test_what_the_host_has_is_not_fetched(shop):
    """Wherever its files went; and it hears of what is new, and of how far each channel is done."""
    old = shop.recorder.record("1", NOW - HOUR)
    shop.table.rows[old.key] = None
    new = shop.recorder.record("1", NOW - HOUR / 2)

    first = shop.run()
    shop.now += 3 * HOUR
    second = shop.run()

    assert [new.key] == _keys(first.downloaded)
    assert first.held == 1
    assert {old.key, new.key} == set(shop.table.rows)
    assert {("DS1", "1"): NOW + 3 * HOUR} == shop.table.marks
    assert () == second.downloaded == second.found
    with shop.open() as catalogue:
        entries = {entry.key: entry for entry in catalogue.at(shop.dest).entries()}
        assert {State.VERIFIED} == {entry.state for entry in entries.values()}
        assert [False, True] == [entries[each.key].held for each in (old, new)]
        assert catalogue.at(shop.dest).reconcile().checked == 1


def test_failures_are_remembered_beside_the_host_s_table(shop):
    """What is broken waits longer from run to run, though the table knows nothing of failures."""
    bad = shop.recorder.record("1", NOW - HOUR)
    shop.recorder.trouble[bad.key] = CorruptMediaError("garbage")

    first, second = shop.run(), shop.run()

    assert [bad.key] == [failed.recording.key for failed in first.failed]
    assert (bad.key,) == second.waiting
    assert NOW - HOUR == shop.table.marks["DS1", "1"]


def test_a_host_that_was_not_told_is_told_by_the_next_run(shop):
    """The file is complete, the host's table was locked: nothing is fetched a second time."""
    only = shop.recorder.record("1", NOW - HOUR)
    shop.table.trouble = RuntimeError("database is locked")
    with pytest.raises(RuntimeError, match="locked"):
        shop.run()
    shop.table.trouble = None

    with shop.open() as catalogue:
        plan = make_plan(shop.recorder, shop.dest, catalogue=catalogue, ledger=shop.table)
    assert [Verdict.HELD] == [item.verdict for item in plan.items]
    report = shop.run()

    assert [only.key] == _keys(report.found)
    assert () == report.downloaded
    assert 1 == shop.recorder.opened[only.key]
    file = shop.table.rows[only.key]
    assert file.path.read_bytes()
    assert (file.size, 64) == (file.path.stat().st_size, len(file.sha256))
    assert () == shop.run().found


@pytest.mark.parametrize("harm", ["deleted", "changed", "pruned"])
def test_a_file_that_is_not_what_it_was_is_not_handed_over(shop, harm):
    """Somebody has deleted it, or written into it: neither to the host nor fetched again."""
    shop.recorder.record("1", NOW - HOUR)
    (file,) = shop.run(ledger=None).downloaded
    if harm == "deleted":
        file.path.unlink()
    elif harm == "changed":
        file.path.write_bytes(b"another program was here")
    else:
        with shop.open() as catalogue:
            catalogue.at(shop.dest).prune(max_bytes=0, dry_run=False)

    report = shop.run()

    assert (1, (), ()) == (report.held, report.found, report.downloaded)
    assert {} == shop.table.rows


def test_what_the_host_got_elsewhere_holds_nothing_back(shop):
    """It failed here, the host has it from another source: the watermark goes on."""
    bad = shop.recorder.record("1", NOW - HOUR)
    shop.recorder.trouble[bad.key] = CorruptMediaError("garbage")
    shop.run()
    shop.table.rows[bad.key] = None

    report = shop.run()

    assert {("DS1", "1"): NOW} == report.marks == shop.table.marks


def test_the_host_s_mark_is_that_of_all_kinds(shop):
    """A run for some kinds says nothing of the others."""
    shop.recorder.record("1", NOW - HOUR, kind=RecordingKind.MOTION)

    report = shop.run(kinds=["motion"])

    assert {("DS1", "1"): NOW} == report.marks
    assert {} == shop.table.marks


def test_a_host_that_was_set_back_is_followed(shop):
    """It was restored from a backup: what it lacks since then is fetched again or handed over."""
    shop.recorder.record("1", NOW - HOUR)
    shop.run()
    shop.now += 20 * HOUR
    shop.run()
    shop.table.rows.clear()
    shop.table.marks["DS1", "1"] = NOW - 2 * HOUR

    report = shop.run()

    assert 1 == len(report.found)
    assert shop.recorder.searched["1"][-1].start <= NOW - 2 * HOUR


def test_a_host_that_knows_more_than_the_catalogue(shop):
    """The first run begins at the host's own mark: as much as it wants, and no more."""
    shop.table.marks["DS1", "1"] = NOW - 3 * HOUR

    shop.run(catalogue=":memory:", since=2 * HOUR)

    assert [NOW - 3 * HOUR] == [span.start for span in shop.recorder.searched["1"]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ledger": object()}, r"has\(\), add\(\), watermark\(\), advance\(\)"),
        ({"ledger": Table}, "make an object"),
        ({"catalogue": Table()}, "not the host's own table"),
    ],
)
def test_what_is_no_ledger_is_said(shop, options, words):
    """With the methods that it lacks."""
    with pytest.raises(ConfigurationError, match=words):
        shop.run(**options)


def test_a_plan_makes_no_catalogue(shop):
    """It changes nothing, not even that."""
    shop.recorder.record("1", NOW - HOUR)

    plan = make_plan(shop.recorder, shop.dest, catalogue=shop.file)

    assert [Verdict.FETCH] == [item.verdict for item in plan.items]
    assert not shop.file.exists()


FIGURES = {
    "limit": 3,
    "ceiling": 3,
    "streams": 0,
    "waiting": 0,
    "opened": 9,
    "refused": 1,
    "broken": 0,
    "bytes": 1000,
    "rate": 10.0,
}


def test_a_run_begins_with_what_the_last_one_has_learnt(shop):
    """A recorder with three sessions is not asked for a fourth one every ten minutes."""
    shop.recorder.record("1", NOW - HOUR)
    shop.run()
    label = Source(provider=shop.recorder).label_shown

    with shop.open() as catalogue:
        holdings = catalogue.at(shop.dest)
        assert Pace(streams=2, ceiling=None, learnt_at=NOW) == holdings.pace_of(label)
        holdings.note_pace(label, Pace(streams=1, ceiling=1, learnt_at=NOW))
    shop.recorder.record("1", NOW + HOUR / 2)
    shop.now += HOUR
    shop.run()

    with shop.open() as catalogue:
        pace = catalogue.at(shop.dest).pace_of(label)
    assert Pace(streams=1, ceiling=1, learnt_at=NOW) == pace


@pytest.mark.parametrize(
    ("age", "ceiling"),
    [(HOUR, 3), (5.9 * HOUR, 3), (6 * HOUR, None), (-HOUR, None)],
)
def test_what_was_learnt_is_not_believed_for_ever(age, ceiling):
    """A ceiling is tried again after a while, or when the clock makes it doubtful."""
    pace = _pace.recalled(Pace(streams=3, ceiling=3, learnt_at=NOW), NOW + age)

    assert (3, ceiling) == (pace.streams, pace.ceiling)


def test_only_trouble_makes_a_ceiling_new():
    """A quiet run keeps the moment at which it was found; without a download nothing is learnt."""
    before = Pace(streams=2, ceiling=3, learnt_at=NOW - HOUR)
    quiet = GateFigures(**{**FIGURES, "refused": 0})

    assert NOW - HOUR == _pace.learnt(quiet, before, NOW).learnt_at
    assert NOW == _pace.learnt(GateFigures(**FIGURES), before, NOW).learnt_at
    assert NOW == _pace.learnt(quiet, None, NOW).learnt_at
    assert _pace.learnt(GateFigures(**{**FIGURES, "opened": 0}), before, NOW) is None

"""A host's own table beside the catalogue, and what one run tells the next."""

from __future__ import annotations

import datetime as dt

import pytest

from camsync import (
    AuthenticationError,
    CancelledError,
    CatalogueError,
    ConfigurationError,
    CorruptMediaError,
    DestinationError,
    RecordingKind,
    RetryPolicy,
    TimeSpan,
    UnreachableError,
    make_plan,
)
from camsync.catalogue import Catalogue, Holdings, Pace, State
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


def test_what_only_the_host_had_is_fetched_when_it_has_it_no_more(shop):
    """It was restored from a backup: the catalogue has no file to hand over."""
    old = shop.recorder.record("1", NOW - HOUR)
    shop.table.rows[old.key] = None
    first = shop.run()
    shop.table.rows.clear()
    with shop.open() as catalogue:
        plan = make_plan(shop.recorder, shop.dest, catalogue=catalogue, ledger=shop.table)

    second, third = shop.run(), shop.run()

    assert (1, ()) == (first.held, first.downloaded)
    assert [Verdict.FETCH] == [item.verdict for item in plan.items]
    assert [old.key] == _keys(second.downloaded) == list(shop.table.rows)
    assert (1, ()) == (third.held, third.downloaded)
    assert 1 == shop.recorder.opened[old.key]


def test_what_another_run_is_fetching_for_the_host_is_left_to_it(shop, monkeypatch):
    """Both have seen that the host has it no more."""
    old = shop.recorder.record("1", NOW - HOUR)
    shop.table.rows[old.key] = None
    shop.run()
    shop.table.rows.clear()
    begin = Holdings.begin

    def begun_by_another(holdings, key, *, owner):
        begin(holdings, key, owner="another computer")
        assert holdings.lease(key, owner="another computer", seconds=600)
        begin(holdings, key, owner=owner)

    monkeypatch.setattr(Holdings, "begin", begun_by_another)

    assert () == shop.run().downloaded
    assert 0 == shop.recorder.opened[old.key]


def test_a_host_that_was_set_back_before_the_first_search_is_followed(shop):
    """The catalogue is younger than the host: all since the host's mark is looked at."""
    shop.table.marks["DS1", "1"] = NOW - 2 * HOUR
    shop.recorder.record("1", NOW - HOUR)
    shop.run()
    lost = [shop.recorder.record("1", NOW - days * 24 * HOUR) for days in (2, 1)]
    shop.table.rows.clear()
    shop.table.marks["DS1", "1"] = NOW - 3 * 24 * HOUR

    report = shop.run()

    assert NOW - 3 * 24 * HOUR == shop.recorder.searched["1"][-1].start
    assert {each.key for each in lost} == set(_keys(report.downloaded))
    assert {("DS1", "1"): NOW} == shop.table.marks


@pytest.mark.parametrize(
    "options",
    [
        {"span": TimeSpan(NOW - HOUR, NOW)},
        {"since": NOW + HOUR},
        {"kinds": ["motion"]},
        {"channels": ["2"]},
    ],
    ids=["a span", "nothing yet", "some kinds", "another channel"],
)
def test_the_host_s_mark_passes_nothing_that_was_not_searched(shop, options):
    """It was set back: what lies between its mark and the catalogue's is still to be looked at."""
    shop.recorder.record("1", NOW - HOUR, kind=RecordingKind.MOTION)
    shop.run()
    shop.table.marks["DS1", "1"] = NOW - 3 * 24 * HOUR

    shop.run(**options)

    assert {("DS1", "1"): NOW - 3 * 24 * HOUR} == shop.table.marks


@pytest.mark.parametrize("what", ["blind", "silent"])
def test_a_search_that_proves_nothing_leaves_the_host_s_mark(shop, what):
    """It broke off, or nothing at all was listed: a disk that is not up yet."""
    shop.recorder.record("1", NOW - HOUR)
    shop.run()
    shop.table.marks["DS1", "1"] = NOW - 3 * 24 * HOUR
    if what == "blind":
        shop.recorder.blind["1"] = UnreachableError("reset")
    else:
        shop.recorder.listed["1"].clear()

    shop.run()

    assert {("DS1", "1"): NOW - 3 * 24 * HOUR} == shop.table.marks


@pytest.mark.parametrize("since", [None, 2 * HOUR, 7 * 24 * HOUR])
def test_a_host_s_mark_of_the_future_says_nothing(shop, since):
    """This computer's clock was a day ahead, for one run; the host is all that remembers."""
    options = {"catalogue": ":memory:", "since": since}
    shop.recorder.record("1", NOW - HOUR)
    shop.run(**options)
    shop.now = NOW + 24 * HOUR
    shop.recorder.record("1", NOW + HOUR / 6)
    shop.run(**options)
    night = [shop.recorder.record("1", NOW + hours * HOUR) for hours in range(1, 12)]
    shop.now = NOW + 12 * HOUR

    report = shop.run(**options)

    assert {each.key for each in night} <= set(_keys(report.downloaded))
    assert set(shop.table.rows) == {each.key for each in shop.recorder.listed["1"]}
    assert {("DS1", "1"): shop.now} == shop.table.marks
    begun = shop.now - max(since or HOUR, 24 * HOUR)
    assert begun == shop.recorder.searched["1"][-1].start


def test_the_catalogue_knows_better_than_a_host_s_mark_of_the_future(shop):
    """Nothing more than usual is searched."""
    shop.recorder.record("1", NOW - HOUR)
    shop.run()
    shop.table.marks["DS1", "1"] = NOW + 24 * HOUR

    shop.run()

    assert NOW - HOUR == shop.recorder.searched["1"][-1].start
    assert {("DS1", "1"): NOW} == shop.table.marks


def test_a_quiet_camera_moves_no_mark(shop):
    """What a search lists that lists nothing is no reason to look an hour further back."""
    shop.table.marks["DS1", "1"] = NOW - HOUR
    for _ in range(3):
        shop.run(catalogue=":memory:", since=7 * 24 * HOUR)
        shop.now += HOUR / 6

    assert {("DS1", "1"): NOW - HOUR} == shop.table.marks
    assert 1 == len({span.start for span in shop.recorder.searched["1"]})


ERRORS = [
    OSError("host"),
    KeyboardInterrupt(),
    CatalogueError("host"),
    DestinationError("host"),
    UnreachableError("host"),
    AuthenticationError("host"),
    CancelledError("host"),
]


@pytest.mark.parametrize("where", ["has", "add", "watermark", "advance"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_what_a_host_s_table_raises_comes_out_as_it_is(shop, monkeypatch, where, error):
    """Whatever it is, nobody takes it for the device's; and nothing that is complete is lost."""
    keys = {shop.recorder.record("1", NOW - hours * HOUR / 4).key for hours in (1, 2, 3)}
    cause = error.__cause__ = ValueError("the host's own reason")

    def fail(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Table, where, fail)
        with pytest.raises(type(error)) as caught:
            shop.run()

    assert error is caught.value
    assert (cause, None) == (error.__cause__, error.__context__)
    report = shop.run()
    assert report.complete
    assert keys == set(shop.table.rows)
    assert 3 == len(list(shop.dest.rglob("*.mpg")))
    assert (where == "add") == bool(report.found)
    assert (where == "advance") == (not report.downloaded and not report.found)


@pytest.mark.parametrize("where", ["has", "watermark"])
def test_a_plan_tells_what_a_host_s_table_raises(shop, monkeypatch, where):
    """As a sync does."""
    shop.recorder.record("1", NOW - HOUR)
    error = UnreachableError("host")

    def fail(*_):
        raise error

    monkeypatch.setattr(Table, where, fail)
    with pytest.raises(UnreachableError) as caught:
        make_plan(shop.recorder, shop.dest, catalogue=shop.file, ledger=shop.table)

    assert error is caught.value


@pytest.mark.parametrize("bad", [dt.datetime(2026, 1, 1), "2026-01-01"])
def test_a_host_s_mark_that_is_no_moment_is_said(shop, bad):
    """A mark without a time zone is the host's mistake, and no trouble of a channel."""
    shop.table.marks["DS1", "1"] = bad

    with pytest.raises(ConfigurationError, match="the ledger's watermark"):
        shop.run()


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

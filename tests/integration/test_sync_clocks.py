"""Whole runs while clocks jump: this computer's, and the recorder's, summer time included."""

from __future__ import annotations

import datetime as dt

import pytest

from camsync import CorruptMediaError, DeviceClockError, HikvisionISAPI, RetryPolicy
from camsync.catalogue import Catalogue, State
from camsync.sync import make_plan, sync
from camsync.testing import MemoryProvider, RecorderSimulator


UTC = dt.timezone.utc
NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
YEARS = 5 * 365 * DAY
QUICK = RetryPolicy(attempts=1, initial=0.0)
BERLIN = "CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00"

JUMPS = {
    "an hour back": -HOUR,
    "to 1970": dt.datetime(1970, 1, 1, 0, 5, tzinfo=UTC) - NOW,
    "a day ahead": DAY,
    "years ahead": YEARS,
}


@pytest.fixture
def catalogue(world):
    """A catalogue in memory with the same clock."""
    with Catalogue(":memory:", clock=world) as catalogue:
        yield catalogue


@pytest.fixture
def run(catalogue, tmp_path):
    """Run a sync of originals."""

    def run(recorder, **options):
        given = {"catalogue": catalogue, "container": "original", "retry": QUICK, **options}
        return sync(recorder, tmp_path / "footage", min_free=0, **given)

    return run


def _once(recorder, catalogue, dest):
    """Check that each recording was opened once, and is here once."""
    wanted = {each.key for some in recorder.listed.values() for each in some}
    rows = {row.key: row for row in catalogue.at(dest).entries()}
    assert wanted == {key for key, row in rows.items() if row.state is State.VERIFIED} == set(rows)
    assert dict.fromkeys(wanted, 1) == dict(recorder.opened)
    files = {path for path in dest.rglob("*") if path.is_file()}
    assert files == {dest / row.path for row in rows.values()}
    assert len(files) == len(wanted)


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
def test_the_clock_is_wrong_for_a_while(run, world, catalogue, tmp_path, jump):
    """Nothing is lost and nothing fetched twice, and the mark is right again afterwards."""
    recorder = MemoryProvider()
    for wrong in (None, jump, jump, None, None):
        world.wrong = wrong or dt.timedelta(0)
        for minutes in (50, 30, 10):
            recorder.record("1", world.true - minutes * MINUTE)
        report = run(recorder)
        assert () == report.failed == report.problems
        world.pass_by(HOUR)

    _once(recorder, catalogue, tmp_path / "footage")
    assert {("MEMORY-1", "1"): world.true - HOUR} == report.marks
    assert () == make_plan(recorder, tmp_path / "footage", catalogue=catalogue).fetch


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
def test_the_clock_jumps_during_a_run(run, world, catalogue, tmp_path, jump):
    """It is set while files are fetched, and set right during the next run."""
    recorder = MemoryProvider()
    for wrong in (jump, dt.timedelta(0)):
        recorder.on_open = lambda _, wrong=wrong: setattr(world, "wrong", wrong)
        for minutes in (50, 30, 10):
            recorder.record("1", world.true - minutes * MINUTE)
        run(recorder)
        world.pass_by(HOUR)
    world.wrong = dt.timedelta(0)
    report = run(recorder)

    _once(recorder, catalogue, tmp_path / "footage")
    assert {("MEMORY-1", "1"): world.true} == report.marks


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
def test_an_outage_after_the_clock_was_repaired(run, world, catalogue, tmp_path, jump):
    """The first run after three weeks fetches all of them, whatever the clock has shown before."""
    recorder = MemoryProvider()
    for wrong in (dt.timedelta(0), jump, dt.timedelta(0)):
        world.wrong = wrong
        recorder.record("1", world.true - 10 * MINUTE)
        run(recorder)
        world.pass_by(HOUR)
    for _ in range(10):
        recorder.record("1", world.true)
        world.pass_by(2 * DAY)
    run(recorder)

    _once(recorder, catalogue, tmp_path / "footage")


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
def test_the_clock_is_wrong_for_weeks(run, world, catalogue, tmp_path, jump):
    """What was recorded meanwhile is fetched when the clock is right again, at the latest."""
    recorder = MemoryProvider()
    world.wrong = dt.timedelta(0)
    run(recorder)
    world.wrong = jump
    for _ in range(5):
        recorder.record("1", world.true)
        world.pass_by(3 * DAY)
        run(recorder)
    world.wrong = dt.timedelta(0)
    run(recorder)

    _once(recorder, catalogue, tmp_path / "footage")


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
def test_a_failure_while_the_clock_was_wrong(run, world, catalogue, tmp_path, jump):
    """The next try is not years away when the clock is right again."""
    recorder = MemoryProvider()
    run(recorder)
    one = recorder.record("1", world.true - 10 * MINUTE)
    recorder.trouble[one.key] = CorruptMediaError("garbage")
    world.wrong = jump
    run(recorder, since=2 * DAY)
    world.wrong = dt.timedelta(0)
    recorder.trouble.clear()
    recorder.opened.clear()
    world.pass_by(25 * HOUR)
    run(recorder)

    _once(recorder, catalogue, tmp_path / "footage")


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
def test_a_crash_while_the_clock_was_wrong(run, world, catalogue, tmp_path, jump):
    """What a killed run has left behind is removed, whenever that run believed to live."""
    recorder = MemoryProvider()
    for _ in range(4):
        run(recorder)
        world.pass_by(HOUR)
    world.wrong = jump
    catalogue.at(tmp_path / "footage").begin_batch()  # as far as a killed run comes
    world.wrong = dt.timedelta(0)
    left = tmp_path / "footage" / "Cam01" / ".a.mp4.0123abcd.part"
    left.parent.mkdir()
    left.write_bytes(b"half")
    run(recorder)

    assert not left.exists()


# -- The recorder's clock -------------------------------------------------------------------------


def _recorder(world, **options):
    usual = {"channels": 1, "segment_seconds": 4, "gap_seconds": 596}
    return RecorderSimulator(clock=lambda: world.true, **{**usual, **options})


def _client(sim, **options):
    return HikvisionISAPI(
        sim.host, sim.username, sim.password, port=sim.port, retry=QUICK, **options
    )


def _finished(sim):
    """Return when each recording of the main stream begins, as the simulator knows it."""
    return sorted(
        item.start for item in sim.recordings() if not item.in_progress and item.track % 100 == 1
    )


@pytest.mark.parametrize("container", ["original", "mp4"])
@pytest.mark.parametrize(
    "change",
    [dt.datetime(2026, 3, 29, 1, tzinfo=UTC), dt.datetime(2026, 10, 25, 1, tzinfo=UTC)],
    ids=["the hour that is skipped", "the hour that comes twice"],
)
def test_summer_time(world, catalogue, tmp_path, change, container):
    """Recordings around the change are each fetched once, with the right time in UTC."""
    world.true = change - HOUR / 2
    with _recorder(world, timezone=BERLIN, z_means="local", hours=1) as sim:
        for _ in range(6):
            with _client(sim) as client:
                report = sync(
                    client,
                    tmp_path / "footage",
                    catalogue=catalogue,
                    container=container,
                    min_free=0,
                    since=1.2 * HOUR,
                    settle=3 * MINUTE,
                )
            assert () == report.failed == report.problems
            world.pass_by(HOUR / 2)
        world.true -= HOUR / 2
        wanted = [start for start in _finished(sim) if start < world.true - 10 * MINUTE]

    rows = list(catalogue.at(tmp_path / "footage").entries(states=[State.VERIFIED]))
    starts = sorted(row.start for row in rows)
    assert wanted == [start for start in starts if start < world.true - 10 * MINUTE]
    assert len(starts) == len(set(starts))
    files = [path for path in (tmp_path / "footage").rglob("*") if path.is_file()]
    assert len(rows) == len(files)
    assert starts[0] < change - HOUR < change + HOUR < starts[-1]


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
def test_the_first_run_of_all_has_a_wrong_clock(run, world, catalogue, tmp_path, jump):
    """When it is right, runs go on where the last one has ended, however long ago that was."""
    recorder = MemoryProvider()
    world.wrong = jump
    run(recorder)
    world.wrong = dt.timedelta(0)
    for _ in range(3):
        recorder.record("1", world.true - 10 * MINUTE)
        run(recorder)
        for _ in range(4):
            recorder.record("1", world.true)
            world.pass_by(2 * DAY)
    report = run(recorder)

    _once(recorder, catalogue, tmp_path / "footage")
    assert {("MEMORY-1", "1"): world.true} == report.marks


@pytest.mark.parametrize(
    ("drifts", "later"),
    [
        ((0, 600, 600, -600, 0), 2 * HOUR),
        ((-600, -600, 0, 600, 0), 2 * HOUR),
        ((0, -86400 * 9000, -86400 * 9000, 0, 0), DAY),  # what comes late is found once a day
        ((0, 11000, 11000, 0, 0), 2 * HOUR),
    ],
    ids=["ahead", "behind", "reset", "hours ahead"],
)
def test_the_clock_of_the_recorder_is_wrong_for_a_while(
    run, world, catalogue, tmp_path, drifts, later
):
    """What it lists is fetched once, whatever time it believes to be; a reset loses nothing."""
    drift = [dt.timedelta(0)]
    with RecorderSimulator(
        channels=1,
        hours=1,
        segment_seconds=4,
        gap_seconds=1796,
        clock=lambda: world.true + drift[0],
    ) as sim:
        for seconds in drifts:
            drift[0] = dt.timedelta(seconds=seconds)
            with _client(sim) as client:
                report = run(client)
            assert () == report.failed
            assert {DeviceClockError} >= {type(each.error) for each in report.problems}
            world.pass_by(HOUR)
        world.pass_by(later)
        with _client(sim) as client:
            run(client)
        wanted = _finished(sim)
        downloads = sum("download" in line.path.lower() for line in sim.requests_log)

    rows = list(catalogue.at(tmp_path / "footage").entries())
    assert wanted == [row.start for row in rows if row.state is State.VERIFIED]
    files = [path for path in (tmp_path / "footage").rglob("*") if path.is_file()]
    assert len(files) == downloads == len(rows)

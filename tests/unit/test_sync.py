"""`sync` and `make_plan` against a recorder in memory: what is fetched, when, and what is told."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import attrs
import pytest

import camsync

from camsync import (
    AuthenticationError,
    CatalogueUnavailableError,
    ConfigurationError,
    CorruptMediaError,
    DestinationError,
    DiskFullError,
    ProtocolError,
    QuotaError,
    RecordingInProgressError,
    RecordingKind,
    RetryPolicy,
    ShortReadError,
    TimeSpan,
    UnreachableError,
    registry,
)
from camsync.catalogue import Catalogue, State
from camsync.sync import (
    EventKind,
    Source,
    Verdict,
    _books,
    _context,
    _device,
    _events,
    _fetching,
    _search,
    make_plan,
    sync,
)
from camsync.testing.memory import MemoryProvider, content


MINUTE = dt.timedelta(minutes=1)
CONTENT = content()
SIZE = f"{len(CONTENT) / 1024:.1f} KiB"
NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.timezone.utc)
QUICK = RetryPolicy(attempts=1, initial=0.0)


class Clock:
    """This computer's clock, which tests may set."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now

    def forward(self, **length):
        self.now += dt.timedelta(**length)


def Recorder(serial="DS1", channels=1):  # noqa: N802 - it reads like one
    """A recorder in memory."""
    return MemoryProvider(serial, channels)


def tree(folder):
    """Return the paths of all files below *folder*, hidden ones included."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def clock(monkeypatch):
    """This computer's clock, for catalogue and run."""
    clock = Clock(NOW)
    monkeypatch.setattr(_context, "utcnow", clock)
    return clock


@pytest.fixture
def catalogue(clock):
    """A catalogue in memory with the same clock."""
    with Catalogue(":memory:", clock=clock) as catalogue:
        yield catalogue


@pytest.fixture
def dest(tmp_path):
    """Where the files go; it does not exist yet."""
    return tmp_path / "footage"


@pytest.fixture
def run(catalogue, dest):
    """Run a sync of originals, with what the test wants otherwise."""

    def run(*recorders, **options):
        given = {"catalogue": catalogue, "container": "original", "retry": QUICK, **options}
        return sync(recorders, dest, **given)

    return run


def test_what_is_new_is_fetched_once(run, dest):
    """A second run fetches nothing, and only searches what can be new."""
    recorder = Recorder(channels=2)
    for number in range(3):
        recorder.record("1", NOW - (60 - number) * MINUTE)
        recorder.record("2", NOW - (60 - number) * MINUTE)

    first = run(recorder)
    files = tree(dest)
    second = run(recorder)

    assert len(first.downloaded) == len(files) == 6
    assert first.complete
    assert first.bytes == 6 * len(CONTENT)
    assert {path.read_bytes() for path in dest.rglob("*.mpg")} == {CONTENT}
    assert () == second.downloaded
    assert second.held == 6
    assert files == tree(dest)
    assert 6 == sum(recorder.opened.values())
    assert {NOW} == {span.end for spans in recorder.searched.values() for span in spans}
    assert recorder.searched["1"][1].start > recorder.searched["1"][0].start
    assert recorder.closed == 0


def test_the_report_reads_like_a_sentence(run):
    """For a log or a chat."""
    recorder = Recorder()
    recorder.record("1", NOW - 60 * MINUTE)
    recorder.record("1", NOW - MINUTE, in_progress=True)

    report = run(recorder)

    assert str(report) == f"1 fetched ({SIZE}), 1 still being written"
    assert report.started <= report.finished
    assert {("DS1", "1"): NOW - MINUTE} == report.marks


def test_a_plan_says_what_a_sync_would_do(run, catalogue, dest):
    """And it changes nothing: not the disk, not the catalogue, not the device."""
    recorder = Recorder()
    recorder.record("1", NOW - 60 * MINUTE, size=None)
    new = recorder.record("1", NOW - 50 * MINUTE)
    writing = recorder.record("1", NOW - MINUTE, in_progress=True)

    plan = make_plan(recorder, dest, catalogue=catalogue)
    again = make_plan(recorder, dest, catalogue=catalogue, order="newest")
    run(recorder)
    after = make_plan(recorder, dest, catalogue=catalogue)

    assert [item.verdict for item in plan.items] == [
        Verdict.FETCH,
        Verdict.FETCH,
        Verdict.IN_PROGRESS,
    ]
    assert new in plan.fetch
    assert (plan.bytes, plan.unsized) == (len(CONTENT), 1)
    assert str(plan) == f"2 to fetch ({SIZE}), 1 in progress"
    assert writing.key == again.items[0].key
    assert str(after) == "2 held, 1 in progress"
    assert {Verdict.HELD, Verdict.IN_PROGRESS} == {item.verdict for item in after.items}
    assert 2 == sum(recorder.opened.values())


def test_an_empty_plan_says_so(catalogue, dest):
    """There is a device, but no footage."""
    plan = make_plan(Recorder(), dest, catalogue=catalogue)

    assert str(plan) == "nothing was recorded"
    assert not dest.exists()


def test_a_plan_tells_what_cannot_be_searched(catalogue, dest):
    """A channel, a device."""
    blind, dead = Recorder("DS1"), Recorder("DS2")
    blind.blind["1"] = ProtocolError("nonsense")
    dead.refusal = UnreachableError("no route")

    plan = make_plan([blind, dead], dest, catalogue=catalogue)

    assert ["DS1, channel 1: nonsense", "hikvision: no route"] == sorted(map(str, plan.problems))
    assert str(plan).endswith("; 2 could not be searched")


def test_a_plan_can_be_cancelled(catalogue, dest):
    """It raises, since half a plan is none."""
    cancel = threading.Event()
    cancel.set()

    with pytest.raises(camsync.CancelledError):
        make_plan(Recorder(), dest, catalogue=catalogue, cancel=cancel)


def test_a_bad_recording_does_not_stop_the_others(run, clock):
    """It waits for its next try, with the reason; in the end that comes once a week."""
    recorder = Recorder()
    bad = recorder.record("1", NOW - 60 * MINUTE)
    recorder.record("1", NOW - 50 * MINUTE)
    recorder.trouble[bad.key] = CorruptMediaError("garbage")

    first = run(recorder)
    second = run(recorder)

    assert [bad] == [each.recording for each in first.failed]
    assert len(first.downloaded) == 1
    assert not first.complete
    assert (bad.key,) == second.waiting
    assert first.marks == second.marks == {("DS1", "1"): bad.start}
    assert first.errors[0].message == "garbage"
    for day in range(1, 5):
        clock.forward(hours=25)
        recorder.record("1", NOW + day * 24 * 60 * MINUTE)
        last = run(recorder)
    assert (bad,) == tuple(each.recording for each in last.failed)
    clock.forward(hours=25)
    last = run(recorder)
    assert (bad.key,) == last.quarantined
    assert () == last.failed
    assert 5 == recorder.opened[bad.key]
    recorder.trouble.clear()
    clock.forward(days=6)
    assert [bad.key] == [file.recording.key for file in run(recorder).downloaded]


def test_a_device_that_delivers_garbage_costs_no_recording_its_chances(run, clock):
    """Nothing else of it could be fetched: it may be the recorder, until it is restarted."""
    recorder = Recorder()
    bad = [recorder.record("1", NOW - number * MINUTE) for number in (50, 40, 30)]
    for each in bad:
        recorder.trouble[each.key] = CorruptMediaError("garbage")
    for _ in range(30):
        clock.forward(minutes=61)
        assert () == run(recorder).quarantined
    recorder.trouble.clear()
    clock.forward(minutes=61)

    assert 3 == len(run(recorder).downloaded)


def test_what_has_failed_is_fetched_when_it_works_again(run, clock):
    """The next try comes by itself."""
    recorder = Recorder()
    bad = recorder.record("1", NOW - 60 * MINUTE)
    recorder.trouble[bad.key] = CorruptMediaError("garbage")
    run(recorder)
    recorder.trouble.clear()
    clock.forward(hours=2)

    report = run(recorder)

    assert [bad.key] == [file.recording.key for file in report.downloaded]
    assert report.marks == {("DS1", "1"): NOW + 120 * MINUTE}


def test_a_channel_that_cannot_be_searched_does_not_stop_the_others(run):
    """What it listed before is fetched all the same; its mark stays."""
    recorder = Recorder(channels=2)
    recorder.record("1", NOW - 60 * MINUTE)
    recorder.record("2", NOW - 60 * MINUTE)
    recorder.blind["1"] = ProtocolError("nonsense")

    report = run(recorder)

    assert ["DS1, channel 1: nonsense"] == list(map(str, report.problems))
    assert len(report.downloaded) == 2
    assert {("DS1", "2"): NOW} == report.marks


def test_a_refused_login_stops_only_its_device(run):
    """And nothing more is sent to it."""
    refused, fine = Recorder("DS1", channels=3), Recorder("DS2")
    refused.refusal = AuthenticationError("wrong password")
    fine.record("1", NOW - 60 * MINUTE)

    report = run(refused, fine)

    assert len(report.downloaded) == 1
    assert len(report.locked_out) == len(report.problems) == 1
    assert not any(refused.searched.values())


def test_a_login_refused_in_the_middle_stops_only_its_device(run):
    """What was due is left for the next run, and does not count as a failure of its own."""
    recorder = Recorder()
    for number in range(20):
        one = recorder.record("1", NOW - (60 - number) * MINUTE)
        recorder.trouble[one.key] = AuthenticationError("the password was changed")

    report = run(recorder, concurrency=1)

    assert len(report.locked_out) == 1
    assert sum(recorder.opened.values()) < 8
    recorder.trouble.clear()
    assert len(run(recorder).downloaded) == 20


def test_a_login_refused_by_a_search_ends_the_searches(run):
    """The other channels would be refused as well, and each costs a failed login."""
    recorder = Recorder(channels=3)
    recorder.blind["1"] = QuotaError("no calls left")

    report = run(recorder)

    assert ["hikvision: no calls left"] == list(map(str, report.problems))
    assert [] == recorder.searched["2"]


def test_a_dead_line_ends_the_device_and_costs_no_chance(run, clock):
    """A recorder that breaks every connection must not get its recordings quarantined."""
    recorder = Recorder()
    for number in range(20):
        one = recorder.record("1", NOW - (60 - number) * MINUTE)
        recorder.trouble[one.key] = UnreachableError("reset")

    first = run(recorder, concurrency=1)
    for _ in range(6):
        run(recorder, concurrency=1)

    assert first.left > 10
    assert len(first.problems) == 1
    recorder.trouble.clear()
    clock.forward(minutes=16)
    assert len(run(recorder).downloaded) == 20


def test_what_breaks_the_line_does_not_come_first_for_ever(run, clock):
    """A dozen broken ones are the oldest: after a few runs the others have their turn."""
    recorder = Recorder()
    for number in range(12):
        one = recorder.record("1", NOW - (90 - number) * MINUTE)
        recorder.trouble[one.key] = UnreachableError("reset")
    good = [recorder.record("1", NOW - (60 - number) * MINUTE) for number in range(20)]
    fetched = []
    for _ in range(12):
        fetched += run(recorder).downloaded
        clock.forward(minutes=5)

    assert {each.key for each in good} == {file.recording.key for file in fetched}


def test_a_line_that_breaks_for_one_recording_only_counts_against_it(run, clock):
    """A bad sector breaks the connection always at the same place."""
    recorder = Recorder()
    bad = recorder.record("1", NOW - 60 * MINUTE)
    recorder.record("1", NOW - 50 * MINUTE)
    recorder.trouble[bad.key] = UnreachableError("reset")
    run(recorder)
    recorder.record("1", NOW - 40 * MINUTE)
    second = run(recorder)

    assert [bad.key] == [failed.recording.key for failed in second.failed]
    assert (bad.key,) == run(recorder).waiting


def test_what_is_being_written_is_left_for_the_next_run(run, clock):
    """Nothing is fetched twice, and the mark waits for it."""
    recorder = Recorder()
    writing = recorder.record("1", NOW - 5 * MINUTE, in_progress=True)

    first = run(recorder)
    recorder.listed["1"] = [attrs.evolve(writing, in_progress=False)]
    clock.forward(minutes=10)
    second = run(recorder)

    assert (first.in_progress, first.downloaded) == (1, ())
    assert {("DS1", "1"): writing.start} == first.marks
    assert len(second.downloaded) == 1


def test_a_recording_that_turns_out_to_be_written_still_is_given_back(run):
    """The device lists it as complete and says otherwise when it is opened."""
    recorder = Recorder()
    one = recorder.record("1", NOW - 5 * MINUTE)
    recorder.trouble[one.key] = RecordingInProgressError("still open")

    report = run(recorder)

    assert (report.failed, report.left) == ((), 1)


def test_what_was_overwritten_before_its_turn_has_failed_and_is_gone_later(
    run, catalogue, dest, clock
):
    """It was listed a moment ago; it holds nothing up any more when it was missed for some hours."""
    recorder = Recorder()
    lost = recorder.record("1", NOW - 60 * MINUTE)
    recorder.record("1", NOW - 30 * MINUTE)

    def overwrite(_):
        recorder.listed["1"] = [each for each in recorder.listed["1"] if each.key != lost.key]

    recorder.on_open = overwrite

    report = run(recorder, concurrency=1)
    assert [lost.key] == [each.recording.key for each in report.failed]
    assert not report.complete
    assert {("DS1", "1"): lost.start} == report.marks
    for _ in range(2):
        clock.forward(hours=6)
        report = run(recorder)

    assert {("DS1", "1"): clock.now} == report.marks
    states = [entry.state for entry in catalogue.at(dest).entries()]
    assert [State.GONE, State.VERIFIED] == states


def test_what_vanishes_from_the_list_is_gone(run, dest, catalogue, clock):
    """It had failed, and the device has overwritten it since. A plan sees it coming."""
    recorder = Recorder()
    lost = recorder.record("1", NOW - 60 * MINUTE)
    recorder.trouble[lost.key] = CorruptMediaError("garbage")
    run(recorder)
    recorder.listed["1"].clear()
    assert () == run(recorder).gone
    clock.forward(hours=7)
    events = []

    plan = make_plan(recorder, dest, catalogue=catalogue)
    report = run(recorder, on_event=events.append)

    assert [lost.key] == [item.key for item in plan.of(Verdict.GONE)]
    assert (lost.key,) == report.gone
    assert EventKind.GONE in {event.kind for event in events}
    assert () == run(recorder).gone


@pytest.mark.parametrize("first", [True, False])
def test_a_recorder_whose_disk_is_not_up_loses_nothing(run, clock, first):
    """It lists nothing for hours and says that this was all."""
    recorder = Recorder()
    if not first:
        recorder.record("1", NOW - 20 * 24 * 60 * MINUTE)
        run(recorder, since=dt.timedelta(days=30))
    kept, recorder.listed["1"] = recorder.listed.get("1", []), []
    for _ in range(12):
        clock.forward(hours=20)
        run(recorder, since=dt.timedelta(days=30))
    recorder.listed["1"] = kept
    late = [recorder.record("1", NOW + hours * 60 * MINUTE) for hours in range(10)]
    clock.forward(hours=1)

    report = run(recorder, since=dt.timedelta(days=30))

    assert {each.key for each in late} == {file.recording.key for file in report.downloaded}


def test_what_was_gone_and_comes_back_is_fetched(run, clock):
    """Weeks later: a disk was repaired."""
    recorder = Recorder()
    recorder.record("1", NOW - 60 * MINUTE)
    lost = recorder.record("1", NOW - 50 * MINUTE)
    recorder.trouble[lost.key] = CorruptMediaError("garbage")
    run(recorder)
    recorder.trouble.clear()
    recorder.listed["1"].remove(lost)
    for _ in range(20):
        clock.forward(days=1)
        run(recorder)
    recorder.listed["1"].insert(1, lost)
    clock.forward(days=1)

    assert [lost.key] == [file.recording.key for file in run(recorder).downloaded]


def test_a_recording_that_has_grown_is_fetched_again(run, clock, dest):
    """The recorder has listed its beginning as if it were all."""
    recorder = Recorder()
    short = recorder.record("1", NOW - 60 * MINUTE)
    run(recorder)
    more = attrs.evolve(short, end=short.end + 10 * MINUTE, size=10 * len(CONTENT))
    recorder.listed["1"] = [more]
    clock.forward(minutes=10)

    report, again = run(recorder), run(recorder)

    assert 2 == recorder.opened[short.key]
    # The bytes in memory are no longer than they were: that is noticed, and what is here stays.
    assert [ShortReadError] == [type(failed.error) for failed in report.failed]
    assert (0, (short.key,)) == (again.held, again.waiting)
    assert 1 == len(tree(dest))


def test_a_name_that_is_used_again_is_another_recording(run):
    """A disk that wraps gives the same file names to new footage."""
    recorder = Recorder()
    recorder.record("1", NOW - 600 * MINUTE, item="00000000001000000")
    run(recorder)
    recorder.listed["1"].clear()
    recorder.record("1", NOW - 5 * MINUTE, item="00000000001000000")

    assert len(run(recorder).downloaded) == 1


def test_footage_that_comes_late_is_found(run, clock):
    """A camera hands in hours after an outage what it had on its card."""
    recorder = Recorder()
    recorder.record("1", NOW - 5 * MINUTE)
    run(recorder, since=dt.timedelta(days=3))
    late = recorder.record("1", NOW - 1000 * MINUTE)

    clock.forward(hours=2)
    soon = run(recorder, since=dt.timedelta(days=3))
    clock.forward(hours=23)
    next_day = run(recorder, since=dt.timedelta(days=3))

    assert () == soon.downloaded
    assert [late.key] == [file.recording.key for file in next_day.downloaded]


def test_a_renamed_camera_keeps_its_folder(run, dest):
    """Whoever watches the folder does not lose it."""
    recorder = Recorder()
    recorder.rename("1", "Front door")
    recorder.record("1", NOW - 60 * MINUTE)
    run(recorder)
    recorder.rename("1", "Back door")
    recorder.record("1", NOW - 50 * MINUTE)

    run(recorder)

    assert {"Cam01-front-door"} == {path.parent.name for path in dest.rglob("*.mpg")}
    assert 2 == len(tree(dest))


def test_two_recorders_do_not_share_a_folder(run, dest):
    """Both have a camera 1 without a name."""
    first, second = Recorder("DS-1AAAAAA"), Recorder("DS-2BBBBBB")
    first.record("1", NOW - 60 * MINUTE)
    second.record("1", NOW - 60 * MINUTE)

    report = run(first, second)

    assert len(report.downloaded) == 2
    assert 2 == len({path.parent for path in dest.rglob("*.mpg")})


def test_a_layout_of_one_s_own(run, dest):
    """Folders by day, with the camera's bound name."""
    recorder = Recorder()
    recorder.record("1", NOW - 60 * MINUTE)

    run(recorder, layout="{start:%Y-%m-%d}/{camera}-{start:%H%M%S}-{key8}")

    (name,) = tree(dest)
    assert name.startswith("2026-11-22/Cam01-110000-")


def test_the_newest_first(run):
    """For whoever wants to see what has just happened."""
    recorder = Recorder()
    old = recorder.record("1", NOW - 60 * MINUTE)
    new = recorder.record("1", NOW - 50 * MINUTE)

    report = run(recorder, order="newest", max_files=1)

    assert [new.key] == [file.recording.key for file in report.downloaded]
    assert {("DS1", "1"): old.start} == report.marks


def test_a_limit_of_files_ends_the_run(run):
    """The rest is left for the next one."""
    recorder = Recorder()
    for number in range(5):
        recorder.record("1", NOW - (60 - number) * MINUTE)

    first = run(recorder, max_files=2)
    second = run(recorder, max_files=3)

    assert (len(first.downloaded), first.left) == (2, 3)
    assert "max_files" in first.stopped
    assert not first.complete
    assert (len(second.downloaded), second.left, second.stopped) == (3, 0, "")


def test_a_limit_of_bytes_ends_the_run_before_it_is_passed(run):
    """Also when the device does not say how large a recording is."""
    recorder = Recorder()
    for number in range(5):
        recorder.record("1", NOW - (60 - number) * MINUTE, size=None if number else len(CONTENT))

    report = run(recorder, max_bytes=2 * len(CONTENT), concurrency=1)

    assert report.left >= 1
    assert "max_bytes" in report.stopped


def test_what_is_on_disk_already_is_entered_not_fetched(run, catalogue, dest, clock):
    """The catalogue was lost, or somebody has used `download`."""
    recorder = Recorder()
    recorder.record("1", NOW - 60 * MINUTE)
    run(recorder)
    with Catalogue(":memory:", clock=clock) as fresh:
        report = run(recorder, catalogue=fresh, max_files=1)

    assert len(report.found) == 1
    assert report.left == 0
    assert 1 == sum(recorder.opened.values())


def test_cancelling_ends_the_run_with_a_report(run, dest):
    """Nothing is raised, nothing half done is left."""
    recorder = Recorder()
    for number in range(30):
        recorder.record("1", NOW - (60 - number) * MINUTE)
    cancel = threading.Event()
    recorder.on_open = lambda _: cancel.set()

    report = run(recorder, cancel=cancel, concurrency=1)

    assert report.cancelled
    assert report.left > 20
    assert all(not name.endswith(".part") for name in tree(dest))
    cancel.clear()
    recorder.on_open = lambda _: None
    assert len(run(recorder).downloaded) + len(report.downloaded) == 30


def test_cancelled_before_it_began(run):
    """Not even a search is sent."""
    recorder = Recorder()
    cancel = threading.Event()
    cancel.set()

    report = run(recorder, cancel=cancel)

    assert report.cancelled
    assert not any(recorder.searched.values())


@pytest.mark.parametrize("error", [DiskFullError("no room"), DestinationError("read-only")])
def test_a_disk_that_refuses_ends_the_run(run, monkeypatch, error):
    """The others would fail as well; what was due is left."""
    recorder = Recorder()
    for number in range(5):
        recorder.record("1", NOW - (60 - number) * MINUTE)

    def fail(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(_fetching, "fetch", fail)
        patch.setattr(_fetching, "writable", fail)
        report = run(recorder, concurrency=1)

    assert error.message == report.stopped
    assert error is report.stopped_by is report.errors[0]
    assert (report.failed, report.left) == ((), 5)
    assert len(run(recorder).downloaded) == 5


def test_a_recording_larger_than_the_disk_does_not_end_the_run(run, catalogue, dest):
    """A recorder announces a size that cannot be: the others are fetched all the same."""
    recorder = Recorder()
    absurd = recorder.record("1", NOW - 60 * MINUTE)
    recorder.listed["1"] = [attrs.evolve(absurd, size=10**15)]
    recorder.record("1", NOW - 50 * MINUTE)

    report = run(recorder)

    assert [absurd.key] == [failed.recording.key for failed in report.failed]
    assert (1, "") == (len(report.downloaded), report.stopped)


def test_a_channel_that_nobody_has_is_said(run, catalogue, dest):
    """A typing error must not leave a camera without a copy."""
    front, back = Recorder("DS1", 2), Recorder("DS2", 1)
    front.record("1", NOW - 60 * MINUTE)
    back.record("1", NOW - 60 * MINUTE)
    own = Source(provider=back, channels=["7"], label="back")

    report = run(front, own, channels=["1", "Frnt door"])
    both = run(front, back, channels=["2", "9"])
    plan = make_plan(front, dest, catalogue=catalogue, channels=["9"])

    assert ["no channel '7'", "no channel 'Frnt door'"] == [
        str(each).partition("there is ")[2] for each in report.problems
    ]
    assert "back" == report.problems[0].device
    assert "there are: 1 (" in report.errors[1].next_step
    assert "DS" not in report.problems[1].device
    assert 1 == len(report.downloaded)
    assert ["no channel '9'"] == [str(each).partition("there is ")[2] for each in both.problems]
    assert 1 == len(plan.problems)
    front.refusal = UnreachableError("off")
    alone = run(front, back, channels=["9"])
    assert ["off"] == [each.error.message for each in alone.problems]
    assert () == run(back, channels=lambda channel: channel.id == "7").problems


def test_a_device_that_is_given_twice_is_fetched_once(run):
    """By two addresses, say: nothing is fetched twice or counted twice."""
    recorder = Recorder()
    for number in range(8):
        recorder.record("1", NOW - (60 - number) * MINUTE)
    recorder.listed["1"] += recorder.listed["1"][:2]

    report = run(recorder, recorder)

    assert (8, 0) == (len(report.downloaded), len(report.found))
    assert {1} == set(recorder.opened.values())


def test_a_catalogue_that_fails_ends_the_run(run, monkeypatch):
    """No recording is to blame, and none of the others would be remembered."""
    recorder = Recorder()
    recorder.record("1", NOW - 60 * MINUTE)

    def fail(*_):
        raise error

    error = CatalogueUnavailableError("no room left")
    monkeypatch.setattr(_books.Books, "verified", fail)
    with pytest.raises(CatalogueUnavailableError) as caught:
        run(recorder)

    assert error is caught.value


def test_an_executor_that_is_gone_ends_the_run(run):
    """It was shut down: that is said, and nothing is charged to a recording."""
    recorder = Recorder()
    recorder.record("1", NOW - 60 * MINUTE)
    pool = ThreadPoolExecutor(1)
    pool.shutdown()

    report = run(recorder, executor=pool)

    assert "the executor cannot be used any more" in report.stopped
    assert ((), 1) == (report.failed, report.left)


def test_a_single_name_that_cannot_be_used_does_not_end_the_run(run, monkeypatch):
    """The destination itself can be written."""
    recorder = Recorder()
    for number in range(5):
        recorder.record("1", NOW - (60 - number) * MINUTE)
    error, fetch = DestinationError("taken"), _fetching.fetch

    def fail_once(*arguments):
        raised, fail_once.error = fail_once.error, None
        if raised:
            raise raised
        return fetch(*arguments)

    fail_once.error = error
    monkeypatch.setattr(_fetching, "fetch", fail_once)

    report = run(recorder)

    assert [error] == [each.error for each in report.failed]
    assert (len(report.downloaded), report.stopped) == (4, "")


def test_a_destination_that_cannot_be_written_is_said_at_once(run, dest):
    """Before anything is sent."""
    dest.write_text("a file")

    with pytest.raises(DestinationError):
        run(Recorder())


def test_a_bug_ends_the_run_and_is_raised(run, monkeypatch):
    """It is neither swallowed nor taken for a failed recording."""
    recorder = Recorder()
    recorder.record("1", NOW - 60 * MINUTE)

    def fail(*_, **__):
        msg = "a bug"
        raise ZeroDivisionError(msg)

    monkeypatch.setattr(_fetching, "fetch", fail)
    with pytest.raises(ZeroDivisionError):
        run(recorder)
    monkeypatch.setattr(_device, "Survey", fail)
    with pytest.raises(ZeroDivisionError):
        run(recorder)


def test_events_tell_the_story_in_the_caller_s_thread(run):
    """In order, one at a time, with totals."""
    recorder = Recorder()
    recorder.record("1", NOW - 60 * MINUTE)
    events, threads = [], set()

    def note(event):
        events.append(event)
        threads.add(threading.current_thread())

    report = run(recorder, on_event=note)
    kinds = [event.kind for event in events]

    assert {threading.current_thread()} == threads
    assert EventKind.STARTED is kinds[0]
    assert EventKind.FINISHED is kinds[-1]
    assert report is events[-1].report
    assert kinds.index(EventKind.SEARCHED) < kinds.index(EventKind.PROGRESS)
    assert kinds.index(EventKind.PROGRESS) < kinds.index(EventKind.FETCHED)
    (fetched,) = (event for event in events if event.kind is EventKind.FETCHED)
    assert fetched.file.path.exists()
    assert ("DS1", "1") == (fetched.device, fetched.channel)
    totals = events[-1].totals
    assert (totals.files_done, totals.files_total) == (1, 1)
    assert totals.bytes_done == totals.bytes_total == len(CONTENT)


def test_a_display_that_fails_stops_nothing(run, caplog):
    """It is logged once."""
    recorder = Recorder()
    recorder.record("1", NOW - 60 * MINUTE)

    def fail(event):
        msg = "no display"
        raise RuntimeError(msg)

    with caplog.at_level(logging.ERROR):
        report = run(recorder, on_event=fail)

    assert report.complete
    assert 1 == caplog.text.count("the on_event callback failed")


def test_only_the_wanted_channels(run):
    """By id, name, device and id, or as a function says."""
    recorder = Recorder(channels=4)
    for number in recorder.cameras:
        recorder.record(number, NOW - 60 * MINUTE)
    wishes = [["1"], ["Camera 2"], ["DS1/3"], lambda channel: channel.id == "4"]

    fetched = [run(recorder, channels=wish).downloaded for wish in wishes]

    assert ["1", "2", "3", "4"] == [file.recording.key.channel for (file,) in fetched]


def test_sources_have_wishes_of_their_own(run):
    """They beat those of the call."""
    recorder = Recorder(channels=2)
    for number in recorder.cameras:
        recorder.record(number, NOW - 600 * MINUTE)
        recorder.record(number, NOW - 60 * MINUTE)
    source = Source(provider=recorder, channels=["2"], since=dt.timedelta(hours=2), label="shop")

    report = run(source, channels=["1"])
    recorder.refusal = UnreachableError("no route")
    assert ["shop: no route"] == list(map(str, run(source).problems))

    assert ["2"] == [file.recording.key.channel for file in report.downloaded]


def test_kinds_have_marks_of_their_own(run):
    """What was not asked for may still be wanted tomorrow."""
    recorder = Recorder()
    recorder.record("1", NOW - 60 * MINUTE, kind=RecordingKind.MOTION)
    recorder.record("1", NOW - 50 * MINUTE)

    report = run(recorder, kinds=["motion"])
    everything = run(recorder)

    assert len(report.downloaded) == 1
    assert {("DS1", "1"): NOW} == report.marks
    assert len(everything.downloaded) == 1


def test_some_kinds_are_caught_up_after_an_outage_too(run, clock):
    """How far they were searched is remembered apart; what failed is searched again."""
    recorder = Recorder()
    bad = recorder.record("1", NOW - 60 * MINUTE, kind=RecordingKind.MOTION)
    recorder.trouble[bad.key] = CorruptMediaError("garbage")
    run(recorder, kinds=["motion"])
    recorder.trouble.clear()
    late = recorder.record("1", NOW + 60 * MINUTE, kind=RecordingKind.MOTION)
    clock.forward(days=4)

    report = run(recorder, kinds=["motion"])

    assert {bad.key, late.key} == {file.recording.key for file in report.downloaded}
    assert recorder.searched["1"][-1].start <= bad.start
    clock.forward(minutes=10)
    assert run(recorder, kinds=["motion"]).complete
    assert late.start <= recorder.searched["1"][-1].start


def test_a_span_moves_no_mark(run):
    """An hour of last week says nothing of the days since."""
    recorder = Recorder()
    recorder.record("1", NOW - 7 * 24 * 60 * MINUTE)
    recorder.record("1", NOW - 5 * 24 * 60 * MINUTE)
    span = TimeSpan(NOW - 8 * 24 * 60 * MINUTE, NOW - 6 * 24 * 60 * MINUTE)

    assert len(run(recorder, span=span).downloaded) == 1
    assert () == run(recorder, since=dt.timedelta(hours=1)).downloaded


def test_an_executor_of_one_s_own(run, monkeypatch):
    """Threads can use the provider itself; the catalogue is kept here."""
    recorder = Recorder()
    for number in range(3):
        recorder.record("1", NOW - (60 - number) * MINUTE)

    with ThreadPoolExecutor(2) as executor:
        report = run(recorder, executor=executor)

    assert len(report.downloaded) == 3


def test_urls_are_connected_and_closed(run, monkeypatch):
    """What was given as a URL is ours to close."""
    recorder = Recorder()
    recorder.record("1", NOW - 60 * MINUTE)
    monkeypatch.setattr(registry, "connect", {"hikvision://shop": recorder}.__getitem__)

    report = run("hikvision://shop")

    assert len(report.downloaded) == 1
    assert recorder.closed == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"since": dt.datetime(2026, 1, 1)}, "aware"),
        ({"since": "yesterday"}, "since"),
        ({"since": dt.timedelta(0)}, "since"),
        ({"since": dt.timedelta(days=10**6)}, "hundred years"),
        ({"span": "today"}, "a TimeSpan is needed"),
        ({"channels": "1"}, "channels"),
        ({"channels": 1}, "channels"),
        ({"kinds": "motion"}, "kinds"),
        ({"kinds": ["sleepy"]}, "sleepy"),
        ({"settle": dt.timedelta(seconds=-1)}, "settle"),
        ({"settle": 5}, "settle"),
        ({"order": "random"}, "order"),
        ({"max_files": 0}, "max_files"),
        ({"max_bytes": "5G"}, "max_bytes"),
        ({"max_bytes": True}, "max_bytes"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": None}, "concurrency"),
        ({"concurrency": 1000}, "concurrency"),
        ({"bandwidth": "fast"}, "fast"),
        ({"bandwidth": -1}, "limit"),
        ({"executor": "threads"}, "executor"),
        ({"layout": "/etc/{camera}"}, "layout"),
        ({"container": "avi"}, "container"),
        ({"cancel": True}, "cancel"),
        ({"on_event": "print"}, "on_event"),
    ],
)
def test_unusable_arguments_are_said_before_anything_is_sent(run, dest, options, words):
    """With the name of the argument."""
    recorder = Recorder()

    with pytest.raises(ConfigurationError, match=words):
        run(recorder, **options)

    assert not any(recorder.searched.values())
    assert not dest.exists()


@pytest.mark.parametrize("providers", [[], 5, [5], {"a": 1}, Recorder])
def test_what_is_no_provider_is_said(dest, catalogue, providers):
    """One provider, a URL, or several."""
    with pytest.raises(ConfigurationError, match="provider"):
        sync(providers, dest, catalogue=catalogue)


@pytest.mark.parametrize("bad", [5, "a\0b", "~nobody-has-this-name/footage"])
def test_what_is_no_folder_is_said(catalogue, bad):
    """A path is needed."""
    with pytest.raises(ConfigurationError, match="dest"):
        sync(Recorder(), bad, catalogue=catalogue)


def test_the_kind_of_the_test_s_limits(run):
    """A number, a timetable or a shared limiter bound the bandwidth."""
    recorder = Recorder()
    limits = [1e9, "00:00,900M", camsync.Limiter(rate=1e9)]
    for number, limit in enumerate(limits):
        recorder.record("1", NOW - (60 - number) * MINUTE)

        assert len(run(recorder, bandwidth=limit).downloaded) == 1


def test_what_another_worker_has_is_left_to_it(run, catalogue, dest, monkeypatch):
    """Two computers with one catalogue share the work by leases."""
    recorder = Recorder()
    recorder.record("1", NOW - 60 * MINUTE)
    other = recorder.record("1", NOW - 50 * MINUTE)
    begin = _fetching.Fetching.run

    def late(fetching, due):
        assert catalogue.at(dest).lease(other.key, owner="another computer", seconds=600)
        begin(fetching, due)

    monkeypatch.setattr(_fetching.Fetching, "run", late)
    report = run(recorder)

    assert (len(report.downloaded), report.left) == (1, 0)
    assert 0 == recorder.opened[other.key]


def test_a_long_download_keeps_its_lease(run, catalogue, dest, monkeypatch):
    """It is renewed while bytes come."""
    monkeypatch.setattr(_fetching, "LEASE", 0.0)
    renewed = []
    monkeypatch.setattr(_books.Books, "renew", lambda self: renewed.append(self.batch))
    recorder = Recorder()
    recorder.record("1", NOW - 60 * MINUTE)

    report = run(recorder)

    assert {report.id} == set(renewed)


def test_a_lease_is_renewed_for_all_that_this_run_has(catalogue, dest):
    """Also for those that wait for their turn."""
    recorder = Recorder()
    one = recorder.record("1", NOW - 60 * MINUTE)
    holdings = catalogue.at(dest)
    books = _books.Books(holdings, None, batch=holdings.begin_batch(), owner="me")
    books.observe([one], set())
    assert books.lease(one.key)

    books.renew()

    assert not holdings.lease(one.key, owner="you", seconds=60)


def test_more_recordings_than_fit_one_transaction(run, monkeypatch):
    """They are entered in portions."""
    monkeypatch.setattr(_search, "_CHUNK", 2)
    recorder = Recorder()
    for number in range(4):
        recorder.record("1", NOW - (60 - number) * MINUTE)

    assert len(run(recorder).downloaded) == 4


def test_a_channel_of_which_nothing_is_wanted_yet(run):
    """Its beginning lies in the future."""
    recorder = Recorder()
    recorder.record("1", NOW - 60 * MINUTE)

    report = run(recorder, since=NOW + 60 * MINUTE)

    assert () == report.downloaded
    assert [] == recorder.searched["1"]


def test_a_beginning_in_the_future_is_told(run, caplog):
    """A slip of the year, or ten o'clock said at nine: nothing is fetched, and somebody says why."""
    recorder = Recorder()
    recorder.record("1", NOW - 60 * MINUTE)

    run(recorder, since=dt.datetime.now(dt.timezone.utc) + 60 * MINUTE)

    assert "nothing is wanted before" in caplog.text


def test_two_beginnings_contradict_each_other(run):
    """Otherwise one of them would be left out without a word."""
    with pytest.raises(ConfigurationError, match="since and span contradict"):
        run(Recorder(), since=60 * MINUTE, span=TimeSpan(NOW - 60 * MINUTE, NOW))


def test_a_slow_display_does_not_fill_the_memory(run, monkeypatch):
    """Progress is dropped when nobody keeps up with it; the rest is told."""
    monkeypatch.setattr(_events, "_LAGGING", -1)
    recorder = Recorder()
    recorder.record("1", NOW - 60 * MINUTE)
    kinds = []

    run(recorder, on_event=lambda event: kinds.append(event.kind))

    assert EventKind.PROGRESS not in kinds
    assert EventKind.FETCHED in kinds


def test_work_elsewhere_is_waited_for_and_cancelled_when_it_has_not_begun(run, monkeypatch):
    """What has begun cannot be stopped from here."""
    monkeypatch.setattr(_fetching, "_POLL", 0.01)
    recorder = Recorder()
    for number in range(4):
        recorder.record("1", NOW - (60 - number) * MINUTE)
    cancel, begun = threading.Event(), threading.Event()

    def slow(_):
        begun.set()
        cancel.set()
        time.sleep(0.1)

    recorder.on_open = slow
    with ThreadPoolExecutor(1) as executor:
        report = run(recorder, executor=executor, cancel=cancel)

    assert begun.is_set()
    assert report.cancelled
    assert 1 == len(report.downloaded)
    assert 3 == report.left


def test_a_worker_that_gets_a_url_connects_once(run, monkeypatch, tmp_path):
    """Each login more is one more that can fail."""
    recorder = Recorder()
    for number in range(3):
        recorder.record("1", NOW - (60 - number) * MINUTE)
    connected = []

    def connect(url):
        connected.append(url)
        return recorder

    monkeypatch.setattr(registry, "connect", connect)
    with ThreadPoolExecutor(1) as executor:
        report = run("hikvision://worker-test", executor=executor)

    assert 3 == len(report.downloaded)
    assert 2 == len(connected)  # once here to search, once where it is fetched


def test_a_provider_cannot_be_handed_to_another_process(run):
    """It holds connections and a password."""
    with (
        ProcessPoolExecutor(1) as executor,
        pytest.raises(ConfigurationError, match="another process") as caught,
    ):
        run(Recorder(), executor=executor)

    assert "hikvision://" in caught.value.next_step


def test_a_thread_that_cannot_be_started_ends_the_run(run, monkeypatch):
    """The others are waited for, and the error is raised."""
    begun = threading.Thread.start

    def start(thread):
        if thread.name == "camsync-sync-1":
            msg = "can't start new thread"
            raise RuntimeError(msg)
        begun(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="new thread"):
        run(Recorder("DS1"), Recorder("DS2"))


def test_what_a_killed_run_has_left_behind_is_removed(run, dest, catalogue):
    """Also where nothing is wanted any more; a run that has ended leaves nothing to look for."""
    recorder = Recorder()
    recorder.record("1", NOW - 60 * MINUTE)
    run(recorder)
    orphan = dest / "Cam07" / ".Cam07_20240101_100000.mp4.1a2b3c4d.part"
    orphan.parent.mkdir()
    orphan.write_bytes(b"half")

    run(recorder)
    assert orphan.exists()
    catalogue.at(dest).begin_batch()  # a run that never ends
    run(recorder)

    assert not orphan.exists()


def test_what_is_due_is_planned(run, catalogue, dest):
    """Whoever looks at the catalogue meanwhile sees what is to come."""
    recorder = Recorder()
    for number in range(12):
        recorder.record("1", NOW - (60 - number) * MINUTE)
    seen = []

    def look(_):
        seen.append([entry.state for entry in catalogue.at(dest).entries()])

    recorder.on_open = look
    run(recorder, concurrency=1)

    assert State.PLANNED in seen[0]
    assert State.DOWNLOADING in seen[0]

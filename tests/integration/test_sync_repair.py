"""Files that went bad or became too short: they are fetched anew, and never taken for good again."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import hashlib
import pickle
import threading

import attrs
import pytest

from camsync import RetryPolicy, TimeSpan, UnreachableError
from camsync.catalogue import Catalogue, State
from camsync.download._existing import Former
from camsync.errors import CancelledError
from camsync.sync import _context, sync
from camsync.sync._job import Job, _former, fetch
from camsync.testing.memory import MemoryProvider, _Stream
from camsync.testing.recorder._media import program_stream


NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.timezone.utc)
SECOND = dt.timedelta(seconds=1)
MINUTE = 60 * SECOND
DAY = dt.timedelta(days=1)
QUICK = RetryPolicy(attempts=1, initial=0.0)
both = pytest.mark.parametrize("container", ["mp4", "original"])


@functools.lru_cache
def film(seconds):
    """Return a program stream of so many seconds."""
    return b"".join(program_stream("h264", seconds=float(seconds)))


class Recorder(MemoryProvider):
    """A recorder in memory whose recordings are as long as it lists them."""

    @contextlib.contextmanager
    def open(self, recording, *, offset=0, cancel=None):
        """Give all the seconds that are listed by now."""
        with super().open(recording, offset=offset, cancel=cancel):
            yield _Stream(film(round(recording.duration.total_seconds())))

    def add(self, seconds, *, ago=20 * MINUTE, item="a"):
        """Record so many seconds."""
        start = NOW - ago
        end = start + seconds * SECOND
        return self.record("1", start, item=item, end=end, size=len(film(seconds)))

    def grow(self, recording, seconds):
        """List a recording with another length."""
        end = recording.start + seconds * SECOND
        grown = attrs.evolve(recording, end=end, size=len(film(seconds)))
        self.listed["1"] = [
            grown if each.key == recording.key else each for each in self.listed["1"]
        ]
        return grown


class Clock:
    """This computer's clock."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


class House:
    """A recorder, a destination, and a catalogue of its own."""

    def __init__(self, catalogue, dest, clock):
        self.recorder = Recorder("DS1")
        self.dest = dest
        self.clock = clock
        self.holdings = catalogue.at(dest)
        self.catalogue = catalogue
        self.container = "original"

    def run(self, **options):
        """Sync, and say what came of it."""
        given = {"catalogue": self.catalogue, "container": self.container, "retry": QUICK}
        return sync(self.recorder, self.dest, **given, **options)

    def wait(self, **length):
        """Let time go by."""
        self.clock.now += dt.timedelta(**length)

    def entry(self, recording):
        """Return what the catalogue knows of a recording."""
        return self.holdings.find([recording.key])[recording.key]

    def covered(self):
        """Return the seconds that are held, missing and lost."""
        found = self.holdings.coverage("DS1", "1", TimeSpan(NOW - DAY, NOW + DAY))
        return tuple(found.seconds(part) for part in ("held", "missing", "lost"))

    def opened(self):
        """Return how many downloads there were."""
        return sum(self.recorder.opened.values())

    def files(self):
        """Return the names of all files, hidden ones included."""
        return sorted(path.name for path in self.dest.rglob("*") if path.is_file())

    def repair(self):
        """Return how many files were found changed."""
        found = self.holdings.reconcile(deep=True, repair=True)
        assert () == found.unknown == found.missing
        return len(found.changed)


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A recorder, a destination, and a catalogue of its own."""
    clock = Clock()
    monkeypatch.setattr(_context, "utcnow", clock)
    with Catalogue(tmp_path / "catalogue.sqlite3", clock=clock) as catalogue:
        yield House(catalogue, tmp_path / "footage", clock)


def flipped(data):
    """Damage some bytes in the middle."""
    middle = len(data) // 2
    return data[:middle] + bytes(byte ^ 255 for byte in data[middle:][:2000]) + data[middle:][2000:]


HARMS = {
    "flipped": flipped,
    "cut off": lambda data: data[: len(data) * 2 // 3],
    "a little cut off": lambda data: data[: int(len(data) * 0.96)],
    "one byte more": lambda data: data + b"x",
    "emptied": lambda _: b"",
}


@both
@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_what_was_damaged_is_fetched_anew(house, container, harm):
    """The good file takes the place of the bad one, under the same name, and is known as good."""
    house.container = container
    recording = house.recorder.add(60)
    (file,) = house.run().downloaded
    before, good = house.files(), file.path.read_bytes()
    file.path.write_bytes(harm(good))
    assert 1 == house.repair()
    assert house.holdings.reconcile(deep=True).clean  # it is not unknown, but to be replaced
    assert (0, 60, 0) == house.covered()

    report = house.run()
    assert (1, 0) == (len(report.downloaded), len(report.found))
    assert (good, before) == (file.path.read_bytes(), house.files())
    assert 0 == house.repair()
    entry = house.entry(recording)
    assert (State.VERIFIED, file.sha256, file.size) == (entry.state, entry.sha256, entry.file_size)
    assert entry.file_end is None
    assert (60, 0, 0) == house.covered()
    assert 0 == len(house.run().downloaded)


def test_a_bad_file_stays_until_a_good_one_is_there(house):
    """Some of the footage is better than none."""
    recording = house.recorder.add(10)
    (file,) = house.run().downloaded
    bad = flipped(file.path.read_bytes())
    file.path.write_bytes(bad)
    house.repair()
    house.recorder.trouble[recording.key] = UnreachableError("reset")
    assert 1 == len(house.run().failed)
    assert bad == file.path.read_bytes()

    del house.recorder.trouble[recording.key]
    assert 1 == len(house.run().downloaded)
    assert 0 == house.repair()


@both
def test_a_run_that_was_killed_after_a_repair(house, container):
    """What it has fetched and not noted is found: it is what it was before it was damaged."""
    house.container = container
    recording = house.recorder.add(10)
    (file,) = house.run().downloaded
    good = file.path.read_bytes()
    file.path.write_bytes(flipped(good))
    house.repair()
    file.path.write_bytes(good)

    report = house.run()
    assert (0, 1, 1) == (len(report.downloaded), len(report.found), house.opened())
    assert file.sha256 == house.entry(recording).sha256
    assert 0 == house.repair()


def test_what_is_damaged_and_lost_on_the_device_is_all_there_is(house):
    """It is held, as it was before; what is wrong with it is told again."""
    house.recorder.add(10, ago=30 * MINUTE)
    recording = house.recorder.add(10)
    first = next(file for file in house.run().downloaded if file.recording.key == recording.key)
    first.path.write_bytes(b"rubbish")
    house.repair()
    house.recorder.listed["1"].pop()
    for _ in range(3):
        house.wait(hours=7)
        house.run()

    entry = house.entry(recording)
    assert (State.VERIFIED, first.sha256, None) == (entry.state, entry.sha256, entry.lost_end)
    assert (20, 0, 0) == house.covered()
    assert 1 == house.repair()


@both
def test_a_file_that_was_never_read(house, container):
    """Found in an old folder, later cut short: its size is all that is known of it."""
    house.container = container
    recording = house.recorder.add(300)
    (file,) = house.run().downloaded
    good = file.path.read_bytes()
    with Catalogue(":memory:", clock=house.clock) as catalogue:
        house.catalogue, house.holdings = catalogue, catalogue.at(house.dest)
        assert 1 == len(house.run().found)
        file.path.write_bytes(good[: int(len(good) * 0.96)])
        assert 1 == house.repair()

        assert 1 == len(house.run().downloaded)
        assert good == file.path.read_bytes()
        assert file.sha256 == house.entry(recording).sha256


@both
def test_a_file_that_was_missing_and_is_back(house, container):
    """It is found if it is what it was, and fetched anew if it is not."""
    house.container = container
    recording = house.recorder.add(300)
    (file,) = house.run().downloaded
    good = file.path.read_bytes()
    for content, fetched in ((good, 0), (flipped(good), 1)):
        file.path.unlink()
        assert [recording.key] == [
            entry.key for entry in house.holdings.reconcile(forget=True).missing
        ]
        file.path.write_bytes(content)

        report = house.run()
        assert (fetched, 1 - fetched) == (len(report.downloaded), len(report.found))
        assert good == file.path.read_bytes()
        assert file.sha256 == house.entry(recording).sha256


def test_somebody_elses_file_where_one_is_missing(house):
    """It is not ours to replace."""
    house.container = "mp4"
    house.recorder.add(10)
    (file,) = house.run().downloaded
    file.path.write_bytes(b"my holidays")
    house.holdings.reconcile()
    file.path.unlink()
    house.holdings.reconcile(forget=True)
    file.path.write_bytes(b"my holidays")

    (again,) = house.run().downloaded
    assert again.path != file.path
    assert b"my holidays" == file.path.read_bytes()


@both
def test_a_recording_that_has_grown_a_little(house, container):
    """The file that is there would do by its length, but lacks the end that there is by now."""
    house.container = container
    recording = house.recorder.add(300)
    (file,) = house.run().downloaded
    house.wait(minutes=5)
    house.recorder.grow(recording, 314)

    report = house.run()
    assert (1, 0) == (len(report.downloaded), len(report.found))
    entry = house.entry(recording)
    assert (314, None) == ((entry.end - entry.start).total_seconds(), entry.file_end)
    assert 1 == len(house.files())
    assert entry.sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest() != file.sha256
    assert (314, 0, 0) == house.covered()
    assert 0 == house.repair()


@both
def test_a_run_that_was_killed_after_a_longer_version(house, container):
    """What it has fetched and not noted is found, though nobody has ever seen its digest."""
    house.container = container
    recording = house.recorder.add(300)
    (file,) = house.run().downloaded
    house.recorder.grow(recording, 314)
    short = file.path.read_bytes()
    with Catalogue(":memory:", clock=house.clock) as other:
        file.path.unlink()
        (longer,) = sync(
            house.recorder, house.dest, catalogue=other, container=container, retry=QUICK
        ).downloaded
    assert longer.path == file.path
    assert len(short) < longer.size
    opened = house.opened()

    assert 1 == len(house.run().found)
    assert opened == house.opened()
    entry = house.entry(recording)
    assert (longer.sha256, longer.size) == (entry.sha256, entry.file_size)
    assert 0 == house.repair()


def test_a_recording_that_has_not_grown_after_all(house):
    """It is listed longer, and then again as it was: the file is all of it."""
    recording = house.recorder.add(60)
    (file,) = house.run().downloaded
    house.recorder.trouble[recording.key] = UnreachableError("reset")
    house.recorder.grow(recording, 90)
    assert 1 == len(house.run().failed)
    assert (60, 30, 0) == house.covered()
    assert house.holdings.reconcile(deep=True).clean

    house.recorder.trouble.clear()
    house.recorder.grow(recording, 60)
    assert 1 == len(house.run().found)
    entry = house.entry(recording)
    assert (State.VERIFIED, file.sha256, None) == (entry.state, entry.sha256, entry.file_end)
    assert (60, 0, 0) == house.covered()


def test_what_has_grown_and_is_overwritten(house):
    """The file is all that there will ever be: it is held, and only the rest is lost."""
    house.recorder.add(10, ago=10 * MINUTE)
    recording = house.recorder.add(60)
    house.run()
    grown = house.recorder.grow(recording, 90)
    house.recorder.trouble[recording.key] = UnreachableError("reset")
    house.run()
    house.recorder.listed["1"].remove(grown)
    for _ in range(3):
        house.wait(hours=7)
        report = house.run()
        assert () == report.failed

    entry = house.entry(recording)
    assert (State.VERIFIED, 0, "") == (entry.state, entry.failures, entry.error)
    assert (60, 90) == tuple(
        (moment - entry.start).total_seconds() for moment in (entry.end, entry.lost_end)
    )
    assert (70, 0, 30) == house.covered()
    rest = TimeSpan(recording.end + SECOND, recording.end + 11 * SECOND)
    assert 10 == house.holdings.coverage("DS1", "1", rest).seconds("lost")
    assert house.holdings.reconcile(deep=True).clean
    assert report.marks[("DS1", "1")] == house.clock.now

    house.recorder.listed["1"].append(grown)  # a disk was repaired
    house.recorder.trouble.clear()
    house.wait(days=2)
    assert 1 == len(house.run().downloaded)
    assert (100, 0, 0) == house.covered()
    assert 2 == len(house.holdings.prune(max_bytes=0, dry_run=False).deleted)


def test_what_has_grown_and_is_overwritten_can_be_pruned(house):
    """It is a file like every other."""
    recording = house.recorder.add(60)
    house.run()
    house.recorder.trouble[recording.key] = UnreachableError("reset")
    house.recorder.grow(recording, 90)
    house.run()
    house.holdings.gone([recording.key])

    assert [recording.key] == [
        entry.key for entry in house.holdings.prune(max_bytes=0, dry_run=False).deleted
    ]
    assert [] == house.files()
    assert (0, 0, 30) == house.covered()


def test_a_file_that_is_replaced_while_prune_reads_it(house):
    """What was compared is not what is there by now: nothing is deleted."""
    recording = house.recorder.add(10)
    house.run()
    house.wait(days=2)

    class Busy:
        """Syncs a longer version as soon as the first bytes are compared."""

        asked = 0

        def is_set(self):
            self.asked += 1
            if self.asked == 3:
                house.recorder.grow(recording, 60)
                assert 1 == len(house.run(span=TimeSpan(NOW - DAY, NOW)).downloaded)
            return False

    busy = Busy()
    done = house.holdings.prune(keep=DAY, dry_run=False, cancel=busy)
    assert busy.asked >= 3
    assert ((), ["has been changed meanwhile"]) == (
        done.deleted,
        [reason for _, reason in done.kept],
    )
    assert 1 == len(house.files())
    assert house.entry(recording).held


def test_reading_what_may_be_good_can_be_stopped(house):
    """A large file takes minutes."""
    recording = house.recorder.add(10)
    (file,) = house.run().downloaded
    file.path.unlink()
    house.holdings.reconcile(forget=True)
    file.path.write_bytes(film(10))
    stop = threading.Event()
    house.recorder.on_open = lambda _: pytest.fail("nothing is to be fetched")
    job = _job(house, recording)
    stop.set()
    with pytest.raises(CancelledError):
        fetch(job, cancel=stop)


def test_a_worker_elsewhere_is_told_as_well(house):
    """What is known of the file goes with the job, and only if there was one."""
    recording = house.recorder.add(10)
    (file,) = house.run().downloaded
    job = _job(house, recording)
    known = Former(path=file.path, size=file.size, sha256=file.sha256)
    job = attrs.evolve(job, provider="hikvision://somewhere")
    assert known == _former(pickle.loads(pickle.dumps(job)))

    assert _former(attrs.evolve(job, entry=None)) is None
    assert _former(attrs.evolve(job, entry=attrs.evolve(job.entry, path=None))) is None
    assert _former(attrs.evolve(job, entry=attrs.evolve(job.entry, pruned_at=NOW))) is None


def _job(house, recording):
    return Job(
        provider=house.recorder,
        recording=recording,
        dest=house.dest,
        camera="Cam01",
        layout=None,
        container="original",
        timezone=None,
        retry=QUICK,
        min_free=0,
        entry=house.entry(recording),
    )

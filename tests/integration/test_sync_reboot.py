"""Whole runs while recorders reboot, wrap their disks, swap their cameras, and are replaced."""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import functools
import hashlib
import threading

import attrs
import pytest

from camsync import ChannelId, HikvisionISAPI, RetryPolicy, ShortReadError
from camsync.catalogue import Catalogue, State
from camsync.sync import EventKind, sync
from camsync.testing import MemoryProvider, RecorderSimulator
from camsync.testing.memory import content
from camsync.testing.recorder._media import program_stream


NOW = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
MINUTE = dt.timedelta(minutes=1)
HALF_A_DAY = dt.timedelta(hours=12)
HASTY = RetryPolicy(attempts=2, initial=0.01)
PATIENT = RetryPolicy(attempts=12, initial=0.05, maximum=0.3)


@pytest.fixture
def catalogue(world):
    """A catalogue in memory."""
    with Catalogue(":memory:", clock=world) as catalogue:
        yield catalogue


@pytest.fixture
def run(catalogue, tmp_path):
    """Run a sync of originals."""

    def run(recorder, **options):
        given = {"catalogue": catalogue, "container": "original", "retry": HASTY, **options}
        return sync(recorder, tmp_path / "footage", min_free=0, since=HALF_A_DAY, **given)

    return run


def _files(tmp_path):
    return [path for path in (tmp_path / "footage").rglob("*") if path.is_file()]


def _digest(data):
    return hashlib.sha256(data).hexdigest()


def _digests(paths):
    return collections.Counter(_digest(path.read_bytes()) for path in paths)


# -- Reboots --------------------------------------------------------------------------------------


class Rebooting:
    """A recorder that can lose its power: what it knew of connections and logins is gone."""

    def __init__(self, **options):
        options = {
            "channels": 2,
            "hours": 0.5,
            "segment_seconds": 10,
            "gap_seconds": 110,
            **options,
        }
        self._make = functools.partial(RecorderSimulator, clock=lambda: NOW, **options)
        self.sim = self._make().start()
        self._wakes = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._wakes is not None:
            self._wakes.join()
        self.sim.stop()

    def reboot(self, seconds, **changes):
        """Cut all connections, and be back after so many seconds."""
        self.sim.stop()
        port = self.sim.port

        def wake():
            self.sim = self._make(port=port, **changes).start()

        self._wakes = threading.Timer(seconds, wake)
        self._wakes.start()

    def awake(self):
        """Wait until it is back."""
        self._wakes.join()

    def client(self, **options):
        """Return a client of it."""
        sim = self.sim
        return HikvisionISAPI(sim.host, sim.username, sim.password, port=sim.port, **options)

    def truth(self):
        """Return what its finished recordings of the main streams are."""
        return collections.Counter(
            _digest(b"".join(self.sim.content(item)))
            for item in self.sim.recordings()
            if not item.in_progress and item.track % 100 == 1 and item.end <= NOW - 2 * MINUTE
        )


def _once(function, kind=EventKind.FETCHED):
    """Return a listener that calls *function* at the first event of a kind."""
    calls = [function]

    def listen(event):
        if event.kind is kind and calls:
            calls.pop()()

    return listen


@pytest.mark.parametrize("at", [EventKind.SEARCHED, EventKind.PROGRESS, EventKind.FETCHED])
def test_a_reboot_that_takes_longer_than_a_run_waits(run, catalogue, tmp_path, at):
    """The report says what was left; the next run fetches it, with the client that was cut off."""
    with Rebooting(total_bandwidth=3_000_000) as box, box.client(retry=HASTY) as client:
        first = run(client, on_event=_once(lambda: box.reboot(0.5), at))
        box.awake()
        second = run(client)
        last = run(client)
        truth = box.truth()

    assert not first.complete
    assert second.complete
    assert () == last.downloaded == last.failed == last.problems
    assert truth == _digests(_files(tmp_path))
    fetched = [file.recording.key for report in (first, second) for file in report.downloaded]
    assert sum(truth.values()) == len(fetched) == len(set(fetched))
    states = collections.Counter(
        row.state for row in catalogue.at(tmp_path / "footage").entries() if not row.in_progress
    )
    assert {State.VERIFIED: len(fetched)} == states


def test_a_reboot_within_the_patience_of_a_run(run, tmp_path):
    """What was broken off is tried again until the recorder is back, and logged in anew."""
    with Rebooting(total_bandwidth=3_000_000) as box, box.client(retry=PATIENT) as client:
        listen = _once(lambda: box.reboot(0.2), EventKind.FETCHED)
        report = run(client, on_event=listen, retry=PATIENT)
        truth = box.truth()
        assert 0 == box.sim.logins_failed

    assert report.complete, report.errors
    assert truth == _digests(_files(tmp_path))


def test_a_recorder_that_is_replaced_by_another_one(run, catalogue, tmp_path):
    """At the same address, with the same numbers of cameras: its footage is its own."""
    with Rebooting(seed=1) as box:
        with box.client(retry=HASTY) as client:
            first = run(client)
            before = box.truth()
            box.reboot(0, seed=2, codec="h265")
            box.awake()
            same = run(client)
        with box.client(retry=HASTY) as client:
            other = run(client)
        after = box.truth()

    assert first.complete
    assert before + after == _digests(_files(tmp_path))
    devices = {row.key.device for row in catalogue.at(tmp_path / "footage").entries()}
    assert 2 == len(devices)
    assert 4 == len(set(catalogue.at(tmp_path / "footage").folders().values()))
    assert () == other.failed == other.problems
    both = {file.recording.key.device for file in (*same.downloaded, *other.downloaded)}
    assert devices - {file.recording.key.device for file in first.downloaded} == both


def test_a_recorder_that_is_replaced_in_the_middle_of_a_run(run, catalogue, tmp_path):
    """No footage of the new one is taken for footage of the old one."""
    with Rebooting(seed=1, total_bandwidth=3_000_000) as box:
        before = {
            f"{item.channel}-{item.start:%H%M%S}": _digest(b"".join(box.sim.content(item)))
            for item in box.sim.recordings()
            if item.track % 100 == 1
        }
        with box.client(retry=PATIENT) as client:
            run(
                client, on_event=_once(lambda: box.reboot(0.1, seed=2, codec="h265")), retry=PATIENT
            )
        with box.client(retry=HASTY) as client:
            run(client)
        after = box.truth()

    rows = list(catalogue.at(tmp_path / "footage").entries(states=[State.VERIFIED]))
    files = {row.key: tmp_path / "footage" / row.path for row in rows}
    old = {key for key in files if key.device == rows[0].key.device}
    old = old if rows[0].key.device.endswith("1") else set(files) - old
    for key in old:
        place = f"{key.channel}-{key.start:%H%M%S}"
        assert before[place] == _digest(files[key].read_bytes())
    assert after == _digests(files[key] for key in set(files) - old)
    assert sorted(files.values()) == sorted(_files(tmp_path))


# -- Disks that wrap, cameras that are renamed and moved --------------------------------------------


@functools.cache
def _footage(seconds):
    return b"".join(program_stream("h264", seconds=seconds))


class Wrapping(MemoryProvider):
    """A recorder that gives what is under a name now, whatever was under it when it was listed."""

    def __init__(self):
        super().__init__()
        self.now = {}

    @contextlib.contextmanager
    def open(self, recording, *, offset=0, cancel=None):
        with super().open(recording, offset=offset, cancel=cancel) as stream:
            if recording.key.item in self.now:
                data = _footage(self.now[recording.key.item])
                stream._data, stream.size = memoryview(data), len(data)
            yield stream

    def film(self, item, minutes, seconds):
        """Record so many seconds under a name."""
        start = NOW - minutes * MINUTE
        end = start + dt.timedelta(seconds=seconds)
        self.now[item] = seconds
        return self.record("1", start, item=item, end=end, size=len(_footage(seconds)))


def test_a_name_that_is_used_again_after_a_wrap(run, world, catalogue, tmp_path):
    """What was fetched stays what it was; what the name holds now is another recording."""
    recorder = Wrapping()
    recorder.film("ch01_0001", 300, 1)
    lost = recorder.film("ch01_0002", 290, 2)
    recorder.trouble[lost.key] = ShortReadError("half of it")
    run(recorder)
    recorder.listed["1"].clear()
    recorder.trouble.clear()
    recorder.film("ch01_0001", 30, 3)
    recorder.film("ch01_0002", 20, 4)
    report = run(recorder)
    again = run(recorder)

    assert 2 == len(report.downloaded)
    assert () == report.gone == again.downloaded
    world.pass_by(dt.timedelta(hours=7))  # it was missed once: that is no proof
    assert (lost.key,) == run(recorder).gone
    assert _digests(_files(tmp_path)) == collections.Counter(
        _digest(_footage(seconds)) for seconds in (1, 3, 4)
    )
    rows = catalogue.at(tmp_path / "footage").entries()
    assert [State.VERIFIED, State.GONE, State.VERIFIED, State.VERIFIED] == [x.state for x in rows]


def test_a_wrap_between_the_list_and_the_download(run, world, tmp_path):
    """Other footage under the name that was listed is not taken for what was listed."""
    recorder = Wrapping()
    listed = recorder.film("ch01_0001", 60, 5)
    recorder.now["ch01_0001"] = 2
    report = run(recorder)

    assert [listed] == [each.recording for each in report.failed]
    assert [] == _files(tmp_path)
    recorder.listed["1"].clear()
    recorder.film("ch01_0001", 5, 2)
    last = run(recorder)

    assert _digests(_files(tmp_path)) == {_digest(_footage(2)): 1}
    assert () == last.gone
    world.pass_by(dt.timedelta(hours=7))
    assert (listed.key,) == run(recorder).gone


def test_a_camera_that_is_renamed_in_the_middle_of_a_run(run, tmp_path):
    """Its folder stays what it is, in this run and in later ones."""
    recorder = MemoryProvider()
    for minutes in range(40, 34, -1):
        recorder.record("1", NOW - minutes * MINUTE)
    recorder.on_open = lambda _: recorder.rename("1", "Cellar")
    first = run(recorder, concurrency=1)
    recorder.record("1", NOW - 5 * MINUTE)
    second = run(recorder)

    assert first.complete
    assert 1 == len(second.downloaded)
    assert {"Cam01"} == {path.parent.name for path in _files(tmp_path)}
    assert 7 == len(_files(tmp_path)) == sum(recorder.opened.values())


def test_two_cameras_that_change_places(run, catalogue, tmp_path):
    """A folder belongs to a channel of a recorder: what is in it stays there, and nothing doubles."""
    recorder = MemoryProvider(channels=2)
    recorder.rename("1", "Front")
    recorder.rename("2", "Back")
    for channel in "12":
        recorder.record(channel, NOW - 40 * MINUTE)
    run(recorder)
    recorder.rename("1", "Back")
    recorder.rename("2", "Front")
    for channel in "12":
        recorder.record(channel, NOW - 30 * MINUTE)
    run(recorder)

    assert {"Cam01-front": 2, "Cam02-back": 2} == collections.Counter(
        path.parent.name for path in _files(tmp_path)
    )
    assert 4 == sum(recorder.opened.values())
    rows = list(catalogue.at(tmp_path / "footage").entries())
    assert {"Back", "Front"} == {row.channel_name for row in rows}


def test_a_camera_that_moves_to_another_channel_with_its_footage(run, tmp_path):
    """What the recorder lists under the new channel is another recording to it, and is fetched."""
    recorder = MemoryProvider(channels=2)
    recorder.rename("1", "Front")
    one = recorder.record("1", NOW - 40 * MINUTE)
    run(recorder)
    recorder.listed["1"].clear()
    recorder.rename("2", "Front")
    moved = attrs.evolve(
        one, key=attrs.evolve(one.key, channel=ChannelId("2")), channel_name="Front"
    )
    recorder.listed["2"].append(moved)
    report = run(recorder)

    assert () == report.failed, report
    assert [moved.key] == [file.recording.key for file in report.downloaded]
    assert ["Cam01-front", "Cam02-front"] == sorted(path.parent.name for path in _files(tmp_path))
    assert {_digest(content()): 2} == _digests(_files(tmp_path))

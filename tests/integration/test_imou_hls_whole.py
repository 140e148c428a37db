"""Downloads from the simulated cloud are whole, or they are errors; and they can be stopped."""

from __future__ import annotations

import datetime as dt
import functools
import threading

import attrs
import av
import pytest

from camsync import (
    BudgetExceededError,
    CancelledError,
    DownloadUnsupportedError,
    ImouClient,
    RetryPolicy,
    ShortReadError,
    TimeSpan,
    download,
)
from camsync._time import utcnow
from camsync.errors import DeviceBusyError
from camsync.providers.imou import _hls
from camsync.testing.imou.simulator import ImouSimulator


ONCE = RetryPolicy(attempts=1)
QUICK = RetryPolicy(attempts=3, total=5.0, initial=0.0)
AT_ONCE = attrs.evolve(_hls.POLICY, initial=0.0)


@pytest.fixture
def play(monkeypatch):
    """Return a function that starts a simulator, and returns it with a client and a recording.

    A segment is tried as often as ever, but without the pauses in between.
    """
    running = []
    monkeypatch.setattr(_hls, "open_hls", functools.partial(_hls.open_hls, policy=AT_ONCE))

    def start(*faults, client=None, choose=None, **options):
        settings = {"devices": 1, "hours": 1.0, "segment_seconds": 24.0, "hls_seconds": 2.0}
        sim = ImouSimulator(**{**settings, **options}, faults=faults).start()
        running.append(sim.stop)
        made = {"base_url": sim.base_url, "retry": QUICK, **(client or {})}
        account = ImouClient(sim.app_id, sim.app_secret, **made)
        running.append(account.close)
        found = account.search(account.channels()[0], TimeSpan.last(minutes=50), storage="sd")
        wanted = choose or (lambda one: not one.in_progress and one.duration.total_seconds() > 20)
        return sim, account, next(filter(wanted, found), None)

    yield start
    for stop in reversed(running):
        stop()


def _fetch(account, recording, folder):
    return download(account, recording, folder, min_free=0, retry=ONCE)


@pytest.mark.parametrize(
    "faults",
    [
        ["hls-holes"],
        ["hls-holes", "hls-overstated"],
        ["hls-reversed"],
        ["hls-twice"],
        ["segment-cut"],
        ["segment-cut", "segment-without-length"],
        ["segment-blank"],
    ],
)
def test_what_is_not_whole_is_an_error(play, tmp_path, faults):
    """However complete the playlist says it is, there is no file afterwards."""
    _, account, recording = play(*faults)
    with pytest.raises(ShortReadError):
        _fetch(account, recording, tmp_path)

    assert [] == list(tmp_path.rglob("*.mp4"))
    assert "experimental" == account.can_download(recording).level


@pytest.mark.parametrize("fault", ["hls-overstated", "hls-folder", "hls-discontinuity"])
def test_what_is_odd_but_whole_is_a_film(play, tmp_path, fault):
    """Nothing is missing, so nothing is refused."""
    sim, account, recording = play(fault)
    done = _fetch(account, recording, tmp_path)
    with av.open(str(done.path)) as film:
        pictures = sum(1 for _ in film.decode(video=0))

    (clip,) = [one for one in sim.history() if one.id == recording.raw["id"]]
    assert (sim.expected(clip).frames, ()) == (pictures, done.notes)


def test_only_a_whole_download_proves_that_it_works(play):
    """To open a recording, and to read some of it, proves nothing."""
    _, account, recording = play()
    with account.open(recording):
        pass
    assert "experimental" == account.can_download(recording).level
    with account.open(recording) as stream:
        stream.readinto(memoryview(bytearray(100)))
    assert "experimental" == account.can_download(recording).level
    with account.open(recording) as stream:
        _read_all(stream)
    assert "yes" == account.can_download(recording).level


def test_a_limit_stops_before_the_request(play):
    """With room for two segments but for the playlist, no third one is asked for."""
    sim, account, recording = play()
    with account.open(recording) as stream:
        while stream.bookmark.segments < 2:
            stream.readinto(memoryview(bytearray(1 << 16)))
        size = stream.bookmark.bytes
    limit = account.usage.bytes + size
    before = _segments_asked_for(sim)
    options = {"base_url": sim.base_url, "retry": QUICK, "max_bytes": limit}
    with ImouClient(sim.app_id, sim.app_secret, **options) as limited:
        opened = limited.open(attrs.evolve(recording, size_hint=None))
        with opened as stream, pytest.raises(BudgetExceededError):
            _read_all(stream)
    assert 2 == _segments_asked_for(sim) - before


def _segments_asked_for(sim):
    return sum(1 for one in sim.requests_log if ".ts" in str(one))


def _read_all(stream):
    while stream.readinto(memoryview(bytearray(1 << 16))):
        pass


def test_cancel_reaches_the_question_for_an_address(play):
    """A cloud that is busy is not waited for any more."""
    sim, account, recording = play(
        client={"retry": RetryPolicy(attempts=3, total=600.0, initial=60.0, maximum=60.0)}
    )
    sim.enable("device-busy")
    stop = threading.Event()
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    with pytest.raises((CancelledError, DeviceBusyError)) as caught:
        account.open(recording, cancel=stop).__enter__()
    timer.join()

    assert CancelledError is caught.type


# -- Across midnight


def _across_midnight(play):
    """Return what `play` does with a recording that runs across the camera's midnight."""
    now = utcnow()
    for minute in (20, 21):  # a clip may end at midnight exactly; then, not a minute later
        offset = (minute - now.hour * 60 - now.minute + 720) % 1440 - 720
        zone = dt.timezone(dt.timedelta(minutes=offset))
        crossing = lambda one, zone=zone: (  # noqa: E731
            not one.in_progress
            and one.start.astimezone(zone).date() != one.end.astimezone(zone).date()
            and one.end.astimezone(zone).time() > dt.time(0, 0, 5)
        )
        more = {"segment_seconds": 127.0, "timezone": zone, "client": {"timezone": zone}}
        sim, account, recording = play(choose=crossing, **more)
        if recording is not None:
            return sim, account, recording
    pytest.fail("there is no such recording")


def test_a_recording_across_midnight_comes_in_one_piece(play, tmp_path):
    """When the cloud plays one day at a time, two days are put together."""
    sim, account, recording = _across_midnight(play)
    sim.enable("same-day-only")
    done = _fetch(account, recording, tmp_path)

    assert recording.duration.total_seconds() == pytest.approx(done.duration, abs=2)
    assert 3 == sim.calls["createDeviceRecordHls"]
    with account.open(recording) as stream:
        assert ("mpeg-ts", 0, None) == (stream.container, stream.offset, stream.size)
    assert 4 == sim.calls["createDeviceRecordHls"]
    assert "yes" == account.can_download(recording).level


def test_a_recording_across_midnight_may_be_broken_off(play):
    """From any thread, as every other."""
    sim, account, recording = _across_midnight(play)
    sim.enable("same-day-only")
    with account.open(recording) as stream:
        stream.abort()
        with pytest.raises(CancelledError):
            stream.readinto(memoryview(bytearray(100)))


def test_other_refusals_across_midnight_stay_what_they_are(play):
    """Only the one code means that it is about the days."""
    sim, account, recording = _across_midnight(play)
    sim.enable("no-hls")
    with pytest.raises(DownloadUnsupportedError):
        account.open(recording).__enter__()
    assert 1 == sim.calls["createDeviceRecordHls"]

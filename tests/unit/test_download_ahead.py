from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import io
import logging
import threading

import pytest

from camsync import (
    CancelledError,
    Capability,
    CorruptMediaError,
    DestinationError,
    Recording,
    RecordingKey,
    RetryPolicy,
    Stage,
    UnreachableError,
    download,
)
from camsync.download import _ahead, _beside, _verify, _walk, media
from camsync.testing.imou._ts import segment
from camsync.testing.recorder._media import program_stream


START = dt.datetime(2024, 1, 1, 3, 0, tzinfo=dt.timezone.utc)
QUICK = RetryPolicy(attempts=3, initial=0.0, total=5.0)
PROGRAM = b"".join(program_stream("h264", seconds=8.0, audio="g711a", bitrate=2_000_000))
PIECE = 50_000


@pytest.fixture(autouse=True)
def _from_the_first_byte(monkeypatch):
    """Begin at once: the samples are small."""
    monkeypatch.setattr(_ahead, "_LEAST", 0)
    monkeypatch.setattr(_ahead, "_FIRST", 100_000)


@pytest.fixture
def makers(monkeypatch):
    """Note the threads on which films are made."""
    found, real = [], media.remux

    def remux(*args, **options):
        found.append(threading.current_thread().name)
        return real(*args, **options)

    monkeypatch.setattr(media, "remux", remux)
    return found


class Stream:
    """The bytes of a recording in pieces; *broken* stands behind the last of them."""

    container = "mpeg-ps"

    def __init__(self, data, offset=0, broken=None):
        self.size, self.offset, self._broken = None, offset, broken
        self._data = memoryview(data)[offset:]

    def readinto(self, buffer):
        count = min(len(buffer), PIECE, len(self._data))
        if not count and self._broken is not None:
            raise self._broken
        buffer[:count], self._data = self._data[:count], self._data[count:]
        return count

    def abort(self):
        pass


class Source:
    """A provider of one recording; each plan makes the stream of one call of `open`."""

    name = "fake"

    def __init__(self, *plans, capabilities=Capability.DOWNLOAD):
        self.capabilities, self._plans = capabilities, list(plans)

    @contextlib.contextmanager
    def open(self, recording, *, offset=0, cancel=None):
        yield self._plans.pop(0)(offset)


def fetch(dest, *plans, data=PROGRAM, seconds=8.0, capabilities=Capability.DOWNLOAD, **options):
    """Download *data*, by default from one stream that has it all."""
    key = RecordingKey(provider="hikvision", device="D", channel="1", start=START, item="a")
    end = START + dt.timedelta(seconds=seconds)
    recording = Recording(key=key, channel_name="", start=START, end=end, size=len(data))
    source = Source(*(plans or (lambda at: Stream(data, at),)), capabilities=capabilities)
    return download(source, recording, dest, min_free=0, retry=QUICK, **options)


def left(folder):
    """Return the hidden files in *folder*, and the threads that are still at work."""
    hidden = [path.name for path in folder.rglob(".*.part")]
    names = ("camsync-ahead", "camsync-beside", "camsync-aside")
    return hidden + [each.name for each in threading.enumerate() if each.name in names]


def film_of(data, **fields):
    """Return the film of *data*, made when all of it is there."""
    head = _walk.sniff(data[: _walk.HEAD])
    found = _verify._walk(io.BytesIO(data), head)
    plan = media.Plan(
        head=head, mapped=found.mapped, sound=found.audio > 0, created=START, **fields
    )
    film = io.BytesIO()
    return plan, film, media.remux(io.BytesIO(data), film, plan)


SAMPLES = {
    "sound": PROGRAM,
    "bare": b"".join(program_stream("h264", seconds=8.0, header="none", bitrate=2_000_000)),
    "unmapped": b"".join(program_stream("h265", seconds=8.0, with_map=False, bitrate=2_000_000)),
    "envelope": b"".join(
        program_stream("h264", seconds=8.0, audio="g711u", header="envelope", with_map=False)
    ),
    "transport": segment("h264", 0, 0, 200),
    "joined": segment("h264", 0, 0, 100) * 2,
}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("piece", [9_999, 100_000])
def test_film_made_ahead_is_the_same(tmp_path, name, piece):
    """Whether its bytes come one by one or are all there: no byte of the film differs."""
    data = SAMPLES[name]
    plan, expected, notes = film_of(data)

    def plan_of(verdict):
        return media.Plan(
            head=verdict.head, mapped=verdict.mapped, sound=verdict.sound, created=START
        )

    ahead = _ahead.Ahead(tmp_path / "a.mp4", plan_of, None)
    with _ahead.GrowingPart(tmp_path / "a.mp4", ahead=ahead) as part:
        for at in range(0, len(data), piece):
            part.write(memoryview(data)[at : at + piece])
        ahead.end()
        film, found = ahead.film(plan, lambda _: None)
        with film:
            assert expected.getvalue() == film.stream().read()
            assert notes == found
    assert [] == left(tmp_path)


def test_download_makes_its_film_ahead(tmp_path, makers, monkeypatch):
    """It is made once, beside the download, and is the one that is made afterwards otherwise."""
    events = []
    early = fetch(tmp_path / "early", on_event=events.append)
    monkeypatch.setattr(_ahead, "_LEAST", 1 << 30)
    late = fetch(tmp_path / "late")

    assert ["camsync-ahead", threading.current_thread().name] == makers
    assert (early.sha256, early.notes) == (late.sha256, late.notes)
    assert hashlib.sha256(early.path.read_bytes()).hexdigest() == early.sha256
    found = list(dict.fromkeys(event.stage for event in events))
    assert [Stage.DOWNLOAD, Stage.VERIFY, Stage.REMUX, Stage.DONE] == found
    assert [] == left(tmp_path)


def test_wrong_guess_costs_time_only(tmp_path, makers):
    """If the whole is not what its begin looked like, the film is made from the whole."""
    late = PROGRAM.replace(b"\0\0\1\xbc", b"\0\0\1\xbe", 1)  # its first map becomes padding
    done = fetch(tmp_path, data=late)

    assert ["camsync-ahead", threading.current_thread().name] == makers
    assert ("audio pcm_alaw transcoded to AAC",) == done.notes
    assert [] == left(tmp_path)


def test_broken_stream_begins_anew(tmp_path, makers, capfd):
    """What was made of bytes that come again is thrown away, and PyAV prints nothing about it."""
    half = PROGRAM[: len(PROGRAM) // 2]
    done = fetch(
        tmp_path,
        lambda at: Stream(half, at, UnreachableError("gone")),
        lambda at: Stream(PROGRAM, at),
    )

    assert {"camsync-ahead"} == set(makers)
    assert 8.0 == done.duration
    assert ("", "") == capfd.readouterr()
    assert [] == left(tmp_path)


def test_resumed_stream_goes_on(tmp_path, makers):
    """Where a device sends ranges, the film goes on with the bytes."""
    half = PROGRAM[: len(PROGRAM) // 2]
    done = fetch(
        tmp_path,
        lambda at: Stream(half, at, UnreachableError("gone")),
        lambda at: Stream(PROGRAM, at),
        capabilities=Capability.DOWNLOAD | Capability.RANGE,
    )

    assert ["camsync-ahead"] == makers
    assert 8.0 == done.duration
    assert [] == left(tmp_path)


def test_film_is_not_made_of_an_mp4_ahead(tmp_path, makers):
    """Its index stands at its end."""
    data = film_of(PROGRAM)[1].getvalue()
    makers.clear()
    done = fetch(tmp_path, data=data)

    assert [threading.current_thread().name] == makers
    assert 8.0 == done.duration


def test_failure_ahead_is_tried_again(tmp_path, monkeypatch, caplog):
    """What goes wrong beside the download is a line in the log, and made well afterwards."""
    real = media.remux

    def remux(source, *args, **options):
        if isinstance(source, _ahead._Tail):
            source.read(100)
            raise DestinationError("no luck")  # noqa: EM101, TRY003
        return real(source, *args, **options)

    monkeypatch.setattr(media, "remux", remux)
    with caplog.at_level(logging.DEBUG, "camsync.download"):
        done = fetch(tmp_path)

    assert 8.0 == done.duration
    assert "no film could be made ahead: no luck" in caplog.text
    assert [] == left(tmp_path)


def test_bad_film_is_made_again(tmp_path, makers, monkeypatch):
    """A film that was made ahead and cannot be read back is not the last word."""
    real, tries = media.probe, []

    def probe(file):
        tries.append(file)
        if len(tries) == 1:
            raise CorruptMediaError("unreadable")  # noqa: EM101
        return real(file)

    monkeypatch.setattr(media, "probe", probe)
    done = fetch(tmp_path)

    assert ["camsync-ahead", threading.current_thread().name] == makers
    assert 8.0 == done.duration
    assert [] == left(tmp_path)


def test_cancelled_while_the_rest_is_made(tmp_path, monkeypatch):
    """Nothing stays, and nobody waits for a film that is not wanted any more."""
    cancel, real = threading.Event(), media.remux

    def remux(source, *args, **options):
        assert cancel.wait(20)
        return real(source, *args, **options)

    monkeypatch.setattr(media, "remux", remux)

    def on_event(event):
        if event.stage is Stage.REMUX:
            cancel.set()

    with pytest.raises(CancelledError):
        fetch(tmp_path, cancel=cancel, on_event=on_event)
    assert [] == left(tmp_path)


def test_rest_of_the_film_is_waited_for(tmp_path, makers, monkeypatch):
    """A machine that is slower than the line makes the rest of the film behind the last byte."""
    told, real = threading.Event(), media.remux

    def remux(*args, **options):
        assert told.wait(20)
        return real(*args, **options)

    monkeypatch.setattr(media, "remux", remux)

    def on_event(event):
        if event.stage is Stage.REMUX:
            told.set()

    assert 8.0 == fetch(tmp_path, on_event=on_event).duration
    assert ["camsync-ahead"] == makers
    assert [] == left(tmp_path)


@pytest.mark.parametrize("name", ["camsync-ahead", "camsync-beside"])
def test_system_without_threads(tmp_path, makers, monkeypatch, name):
    """Without a thread to spare, one does it all, one after the other."""
    real = threading.Thread.start

    def start(thread):
        if thread.name == name:
            raise RuntimeError("can't start new thread")  # noqa: EM101, TRY003
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    done = fetch(tmp_path)
    ahead = name != "camsync-ahead"

    assert ["camsync-ahead" if ahead else threading.current_thread().name] == makers
    assert 8.0 == done.duration
    assert [] == left(tmp_path)


def test_system_that_cannot_follow(tmp_path, makers, monkeypatch):
    """Windows has no way to read at a place of one's own: the film is made afterwards."""
    monkeypatch.setattr(_ahead, "_CAN_FOLLOW", False)
    fetch(tmp_path)

    assert [threading.current_thread().name] == makers


def test_reading_beyond_the_end(tmp_path):
    """A tail that has ended has nothing more, wherever one looks."""
    (tmp_path / "a").write_bytes(b"12345")
    with (tmp_path / "a").open("rb") as file:
        tail = _ahead._Tail(file.fileno())
        tail.grown(5)
        tail.end(whole=True)
        tail.seek(3)

        assert [b"45", b""] == [tail.read(5), tail.read(5)]
        assert 10 == tail.seek(10)
        assert b"" == tail.read(5)
        assert -1 == tail.seek(0, 2)


def test_stopped_before_anything_is_known(tmp_path, capfd):
    """A download that ends with its first bytes leaves nothing, and nothing is printed."""
    ahead = _ahead.Ahead(tmp_path / "a.mp4", lambda _: None, None)
    with _ahead.GrowingPart(tmp_path / "a.mp4", ahead=ahead) as part:
        part.write(memoryview(PROGRAM[:1000]))

    assert [] == left(tmp_path)
    assert ("", "") == capfd.readouterr()


def test_tasks_beside_tell_what_went_wrong():
    """The block's own error comes first; without one, the first task's does."""

    def fail(error):
        raise error

    with (
        pytest.raises(KeyError),
        _beside.beside(lambda: fail(KeyError(1)), lambda: fail(OSError())),
    ):
        pass
    with pytest.raises(IndexError), _beside.beside(lambda: fail(KeyError(1))):
        raise IndexError

"""Cutting and joining films without re-encoding: pictures, sound, damage, disks."""

from __future__ import annotations

import datetime as dt
import errno
import io
import itertools
import random
import threading

from fractions import Fraction

import attrs
import av
import pytest

from camsync import (
    CancelledError,
    ChannelId,
    CorruptMediaError,
    DestinationError,
    DeviceId,
    DiskFullError,
    Recording,
    RecordingKey,
    ShortReadError,
)
from camsync.download import _cut, _cut_held, _walk, media
from camsync.testing.recorder._media import program_stream


UTC = dt.timezone.utc
START = dt.datetime(2024, 1, 1, 3, 0, tzinfo=UTC)


def at(seconds):
    """Return a moment."""
    return START + dt.timedelta(seconds=seconds)


def as_film(data, path, **plan):
    """Put bytes into MP4 as a download does."""
    source = io.BytesIO(data)
    head = _walk.sniff(data[: _walk.HEAD])
    plan = {"created": START, "comment": "camsync:0", **plan}
    with path.open("w+b") as target:
        media.remux(source, target, media.Plan(head=head, **plan))
    return path


@pytest.fixture
def film(tmp_path):
    """Return a function that makes a film of a recorder's bytes, or of given ones."""
    numbers = itertools.count()

    def make(data=None, *, seconds=4.0, codec="h264", **options):
        data = data or b"".join(program_stream(codec, seconds, **options))
        return _cut.look(as_film(data, tmp_path / f"{next(numbers)}.mp4"))

    return make


def encoded(frames=50, **options):
    """Encode small pictures, each with noise of its own, with reordering."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 112, 80, "yuv420p"
        for index in range(frames):
            frame = av.VideoFrame(112, 80, "yuv420p")
            for plane in frame.planes:
                plane.update(random.Random(index).randbytes(plane.buffer_size))
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


REORDERED = {"bf": "3", "g": "10", "preset": "ultrafast"}
OPEN = {"x264-params": "open-gop=1:keyint=10:min-keyint=10:bframes=3:scenecut=0:b-adapt=0"}


def splice(*stretches, target=None, cancel=None):
    """Put stretches (film, zero, begin, until in seconds) together; return the file and how."""
    target = target or io.BytesIO()
    with _cut.Splice(target, "camsync:clip") as made:
        for each, zero, begin, until in stretches:
            for _ in made.add(each, zero=at(zero), begin=at(begin), until=at(until), cancel=cancel):
                pass
    target.seek(0)
    return target, made


def packets(file, kind="video"):
    """Return the packets of a stream."""
    file.seek(0)
    with av.open(file) as container:
        streams = getattr(container.streams, kind)
        return [packet for packet in container.demux(streams[0]) if packet.size]


def seconds(found):
    """Return when packets are shown."""
    return [round(float(each.pts * each.time_base), 3) for each in found]


def pictures(file):
    """Decode a file; return when its pictures are shown."""
    file.seek(0)
    with av.open(file) as container:
        return [round(float(frame.time), 3) for frame in container.decode(video=0)]


def shown(begin, end):
    """Return the moments of 25 pictures a second."""
    return [round(number / 25, 3) for number in range(round(begin * 25), round(end * 25))]


# -- The picture ----------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_a_stretch_holds_the_very_pictures(codec, film):
    """From the key frame on, byte for byte, and not one more."""
    whole = film(codec=codec)
    with whole.path.open("rb") as file:
        original = packets(io.BytesIO(file.read()))

    made, about = splice((whole, 0, 1.99, 3.2))
    found = packets(made)

    assert [bytes(each) for each in original[25:80]] == [bytes(each) for each in found]
    assert shown(0, 2.2) == seconds(found) == pictures(made)
    assert (at(1), at(3.2), 55) == (about.start, about.end, about.pictures)
    assert {"h264": "avc1", "h265": "hvc1"}[codec].encode() in made.getvalue()


def test_the_film_says_what_it_is(film):
    """Codec and size for people, and the length."""
    found = film(seconds=3.0, audio="g711a")

    assert "h264 640x360" == found.looks
    assert dt.timedelta(seconds=3) == found.length
    assert ("aac", 8000, "mono") == found.sound[:3]
    assert film().sound is None


def test_metadata_says_when_it_begins(film):
    """``creation_time`` is the second, and the offset is the rest."""
    made, about = splice((film(), 0.4, 1.5, 3))

    with av.open(made) as container:
        assert "2024-01-01T03:00:01.000000Z" == container.metadata["creation_time"]
        assert "camsync:clip" == container.metadata["comment"]
    assert 0.4 == seconds(packets(made))[0]
    assert at(1.4) == about.start


def test_reordered_pictures_are_cut_where_they_are_shown(film):
    """With B-frames: what is needed to decode is there, and every picture is in order."""
    whole = film(encoded(**REORDERED))

    made, about = splice((whole, 0, 0.85, 1.5))
    found = pictures(made)

    assert 0 < whole.lead < 1
    assert at(0.8) == about.start
    assert shown(0.8, 1.48) == found[: len(shown(0.8, 1.48))]
    assert len(found) <= len(shown(0.8, 1.48)) + 2
    assert about.pictures == len(found)


def test_reordered_pictures_are_joined(film):
    """The decoding times go on rising over the joint."""
    whole = film(encoded(**REORDERED))

    made, _ = splice((whole, 0, 0.4, 2), (whole, 2, 2, 3))
    found = packets(made)

    assert sorted({each.dts for each in found}) == [each.dts for each in found]
    assert all(each.pts >= each.dts for each in found)
    assert shown(0.4, 3) == sorted(seconds(found))[: len(shown(0.4, 3))]


def test_pictures_that_lean_on_what_is_cut_off_are_left_out(film):
    """In an open group, the pictures before the key frame need the group before."""
    whole = film(encoded(**OPEN))

    made, about = splice((whole, 0, 1, 2))

    assert at(0.8) == about.start
    assert shown(0.8, 2) == pictures(made)
    assert 30 == about.pictures


class _Packet:
    """A packet that is no key frame."""

    is_keyframe = False

    def __init__(self, packet):
        self._packet = packet

    def __getattr__(self, name):
        return getattr(self._packet, name)


class _Film:
    """A container whose first pictures are all in between."""

    def __init__(self, reading, count):
        self._reading, self._count = reading, count

    def demux(self, streams):
        return (
            _Packet(packet) if number < self._count else packet
            for number, packet in enumerate(self._reading.demux(streams))
        )

    def __getattr__(self, name):
        return getattr(self._reading, name)


def test_a_film_that_begins_in_the_middle_of_a_group_begins_late(film, monkeypatch):
    """Without the key frame before it, a picture is nothing."""
    whole = film()
    opening = _cut._open
    monkeypatch.setattr(_cut, "_open", lambda *which: _Film(opening(*which), 25))

    made, about = splice((whole, 0, 0.2, 3))

    assert at(1) == about.start
    assert shown(0, 2) == seconds(packets(made))


def test_a_film_without_a_key_frame_is_of_no_use(film, monkeypatch):
    """There is nothing to begin with."""
    whole = film()
    opening = _cut._open
    monkeypatch.setattr(_cut, "_open", lambda *which: _Film(opening(*which), 1000))

    with pytest.raises(CorruptMediaError, match="no key frame"):
        splice((whole, 0, 1, 3))


# -- Sound ----------------------------------------------------------------------------------------


def test_sound_stays_with_its_picture(film):
    """The tone goes on over the joint without a break, and never over itself."""
    whole = film(audio="g711a")

    made, about = splice((whole, 0, 1, 3.48), (whole, 3.48, 3.48, 7))
    sound = packets(made, "audio")
    steps = [b - a for a, b in itertools.pairwise(seconds(sound))]

    assert [] == about.notes
    assert 0 <= seconds(sound)[0] < 0.2
    assert 5.7 < seconds(sound)[-1] < 6
    assert 0.119 < min(steps)
    assert max(steps) < 0.3
    assert shown(0, 6) == seconds(packets(made))


def test_overlapping_sound_is_left_out(film):
    """A second film that begins while the first is still heard waits for its end."""
    whole = film(audio="g711u")

    made, _ = splice((whole, 0, 0, 4), (whole, 3.9, 3.9, 5))
    sound = packets(made, "audio")

    assert 0.119 < min(b - a for a, b in itertools.pairwise(seconds(sound)))


def test_a_hole_in_the_sound_stays_a_hole(film):
    """Silence is where nothing was recorded."""
    whole = film(audio="g711a")

    made, _ = splice((whole, 0, 0, 4), (whole, 5.5, 5.5, 8))
    steps = [b - a for a, b in itertools.pairwise(seconds(packets(made, "audio")))]

    assert 1.4 < max(steps) < 1.8


def test_silence_goes_with_every_sound(film):
    """A film without sound joins one with it, and the other way round is noted."""
    silent, loud = film(), film(audio="g711a")

    first, about_first = splice((loud, 0, 0, 4), (silent, 4, 4, 8))
    second, about_second = splice((silent, 0, 0, 4), (loud, 4, 4, 6), (loud, 6, 6, 8))

    assert silent.joins(loud)
    assert loud.joins(silent)
    assert seconds(packets(first, "audio"))[-1] < 4
    assert [] == about_first.notes
    assert ["sound left out that begins in the middle"] == about_second.notes
    second.seek(0)
    with av.open(second) as container:
        assert 0 == len(container.streams.audio)
    assert shown(0, 8) == seconds(packets(first)) == seconds(packets(second))


def test_another_format_does_not_join(film):
    """Codec, size, parameters and kind of sound must be the same."""
    one = film(audio="g711a")

    assert one.joins(film(audio="g711u"))
    assert not one.joins(film(codec="h265"))
    assert not one.joins(attrs.evolve(one, sound=("aac", 16_000, "mono", b"")))


# -- Damage ---------------------------------------------------------------------------------------


def test_looking_at_what_is_no_film(tmp_path, film):
    """Text, a film that is cut short, a film of sound only, and one of nothing."""
    text = tmp_path / "text.mp4"
    text.write_bytes(b"no film" * 100)
    short = tmp_path / "short.mp4"
    short.write_bytes(film().path.read_bytes()[:-2000])
    loud = film(audio="g711a").path
    sound = tmp_path / "sound.mp4"
    with av.open(str(loud)) as reading, av.open(str(sound), "w") as writing:
        out = writing.add_stream_from_template(reading.streams.audio[0])
        for packet in reading.demux(reading.streams.audio[0]):
            if packet.size:
                packet.stream = out
                writing.mux(packet)

    for path in (text, short, sound, tmp_path / "missing.mp4"):
        with pytest.raises(CorruptMediaError, match="the film cannot be read"):
            _cut.look(path)


def test_looking_at_a_film_without_pictures(film, monkeypatch):
    """A stream of video that holds none is of no use."""
    path = film().path
    monkeypatch.setattr(_cut, "_open", lambda *_: _Empty(path))

    with pytest.raises(CorruptMediaError, match="holds no picture"):
        _cut.look(path)


class _Empty:
    """A film whose only stream has no packets."""

    def __init__(self, path):
        with av.open(str(path)) as container:
            self.streams = type("Streams", (), {"video": [container.streams.video[0]], "audio": ()})

    def demux(self, _):
        return iter(())


def test_a_film_that_breaks_off_while_it_is_cut(film):
    """What was whole when it was looked at may not be later."""
    whole = film()
    whole.path.write_bytes(b"gone")

    with pytest.raises(CorruptMediaError, match="cannot be put together"):
        splice((whole, 0, 1, 3))


class _Disk(io.BytesIO):
    """A disk that fails after some bytes."""

    def __init__(self, room, code):
        super().__init__()
        self._room, self._code = room, code

    def write(self, data):
        if self.tell() + len(data) > self._room:
            raise OSError(self._code, "the disk says no")
        return super().write(data)


@pytest.mark.parametrize(
    ("code", "error"), [(errno.ENOSPC, DiskFullError), (errno.EIO, DestinationError)]
)
@pytest.mark.parametrize("room", [10, 30_000])
def test_a_disk_that_fails_is_told(room, code, error, film):
    """At once, or when the last bytes are written."""
    with pytest.raises(error, match="the disk says no"):
        splice((film(), 0, 0, 4), target=_Disk(room, code))


class _Unclosable:
    """A container that cannot be finished."""

    def close(self):
        raise ValueError


def _fail(*, first):
    with _cut.Splice(io.BytesIO(), "") as made:
        made._writing = _Unclosable()
        if first:
            raise KeyError


def test_an_error_in_the_block_is_not_hidden():
    """Closing fails too, but what happened first is what is told."""
    with pytest.raises(KeyError):
        _fail(first=True)
    with pytest.raises(CorruptMediaError):
        _fail(first=False)


def test_cutting_can_be_cancelled(film):
    """Between any two packets."""
    stop = threading.Event()
    stop.set()

    with pytest.raises(CancelledError):
        splice((film(), 0, 0, 4), cancel=stop)


# -- What is held ---------------------------------------------------------------------------------


def _recording(data, seconds=4.0):
    key = RecordingKey(
        provider="hikvision", device=DeviceId("DS-1"), channel=ChannelId("1"), start=START
    )
    return Recording(key=key, channel_name="", start=START, end=at(seconds), size=len(data))


def test_bytes_of_a_device_become_a_film(tmp_path):
    """Originals are checked as they were when they came, and put into MP4."""
    data = b"".join(program_stream("h264", 4.0, audio="g711a"))
    original, target = tmp_path / "a.mpg", tmp_path / "a.mp4"
    original.write_bytes(data)

    with target.open("w+b") as file:
        _cut_held.make_film(original, _recording(data), file, None)

    assert dt.timedelta(seconds=4) == _cut.look(target).length
    with target.open("w+b") as file, pytest.raises(ShortReadError):
        _cut_held.make_film(original, _recording(data + b"x", 9.0), file, None)


def test_only_films_of_ours_are_taken_as_they_are(tmp_path, film):
    """Other MP4 files may have any sound and any time stamps."""
    ours = film().path
    theirs = as_film(b"".join(program_stream("h264", 2.0)), tmp_path / "b.mp4", comment="x")
    stream = tmp_path / "c.mpg"
    stream.write_bytes(b"".join(program_stream("h264", 2.0)))
    short = tmp_path / "d.mp4"
    short.write_bytes(ours.read_bytes()[:-10])

    assert _cut_held.is_film(ours)
    assert not _cut_held.is_film(theirs)
    assert not _cut_held.is_film(stream)
    for path in (short, tmp_path / "missing.mp4"):
        with pytest.raises(CorruptMediaError):
            _cut_held.is_film(path)
    with (tmp_path / "e.mp4").open("w+b") as file, pytest.raises(CorruptMediaError):
        _cut_held.make_film(tmp_path / "missing.mpg", _recording(b"x"), file, None)

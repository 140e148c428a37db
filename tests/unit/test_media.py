from __future__ import annotations

import datetime as dt
import errno
import io
import itertools
import math
import random
import threading

from fractions import Fraction

import av
import pytest

from camsync import CancelledError, Codec, CorruptMediaError, DestinationError, DiskFullError
from camsync.download import _source, _timeline, _walk, media
from camsync.testing.recorder._media import program_stream


START = dt.datetime(2024, 1, 1, 10, 0, tzinfo=dt.timezone(dt.timedelta(hours=7)))


def sample(codec="h264", seconds=4.0, **options):
    """Return a program stream as a recorder would send it."""
    return b"".join(program_stream(codec, seconds=seconds, **options))


def encoded(form, *, codec="libx264", sound=None, frames=50, options=None, videos=1):
    """Encode a few small pictures with FFmpeg into a container of its own making."""
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        streams = []
        for _ in range(videos):
            stream = container.add_stream(codec, rate=25, options=options or {})
            stream.width, stream.height, stream.pix_fmt = 112, 80, "yuv420p"
            streams.append(stream)
        noise = container.add_stream(sound, rate=44_100, layout="stereo") if sound else None
        for index in range(frames):
            frame = av.VideoFrame(112, 80, "yuv420p")
            for plane in frame.planes:
                plane.update(random.Random(index).randbytes(plane.buffer_size))
            frame.pts, frame.time_base = index, Fraction(1, 25)
            for stream in streams:
                container.mux(stream.encode(frame))
            if noise is not None:
                container.mux(noise.encode(tone(index)))
        for stream in [*streams, *([noise] if noise else [])]:
            container.mux(stream.encode(None))
    return file.getvalue()


def tone(index):
    """Return 1/25 s of a tone."""
    count = 44_100 // 25
    frame = av.AudioFrame("fltp", "stereo", count)
    values = [math.sin((index * count + at) / 16) / 4 for at in range(count)]
    data = memoryview(bytearray(frame.planes[0].buffer_size)).cast("f")
    data[:count] = memoryview(bytearray(4 * count)).cast("f")
    for at, value in enumerate(values):
        data[at] = value
    for plane in frame.planes:
        plane.update(data.cast("B"))
    frame.sample_rate, frame.pts, frame.time_base = 44_100, index * count, Fraction(1, 44_100)
    return frame


def remux(data, *, target=None, on_progress=None, cancel=None, **plan):
    """Remux *data* and return the film and the notes."""
    source, target = io.BytesIO(data), target or io.BytesIO()
    head = _walk.sniff(data[: _walk.HEAD])
    if head.container == "mpeg-ps":
        summary = _walk.walk_ps(source, head)
        plan = {"mapped": summary.mapped, "sound": summary.audio > 0, **plan}
    notes = media.remux(
        source,
        target,
        media.Plan(head=head, created=START, **plan),
        on_progress=on_progress,
        cancel=cancel,
    )
    target.seek(0)
    return target, notes


def packets(film, kind="video"):
    """Return the packets of a film's first stream of a kind."""
    film.seek(0)
    with av.open(film) as container:
        stream = getattr(container.streams, kind)[0]
        return [packet for packet in container.demux(stream) if packet.size]


@pytest.mark.parametrize(
    ("codec", "expected", "tag"), [("h264", Codec.H264, "avc1"), ("h265", Codec.H265, "hvc1")]
)
@pytest.mark.parametrize("header", ["imkh", "envelope", "none"])
@pytest.mark.parametrize("with_map", [True, False])
def test_every_shape_of_recording_becomes_a_film(codec, expected, tag, header, with_map):
    """With or without header, envelope and stream map: every frame arrives, from time zero."""
    film, notes = remux(sample(codec, header=header, with_map=with_map))
    info = media.probe(film)
    found = packets(film)

    assert () == notes
    assert media.MediaInfo(codec=expected, width=640, height=360, fps=25.0, duration=4.0) == info
    assert 100 == len(found)
    assert (0, 0) == (found[0].pts, found[0].dts)
    assert found[0].is_keyframe
    film.seek(0)
    with av.open(film) as container:
        assert tag == container.streams.video[0].codec_context.codec_tag


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_film_decodes(codec):
    """Every frame of the result can be decoded, and shows something."""
    film, _ = remux(sample(codec, 1.0))
    with av.open(film) as container:
        frames = [frame.pts for frame in container.decode(video=0)]

    assert 25 == len(frames)
    assert sorted(frames) == frames


def test_creation_time_is_the_start_in_utc():
    """It reads as ffprobe shows it: consumers parse exactly this form."""
    film, _ = remux(sample(), comment="camsync:0123")
    with av.open(film) as container:
        assert "2024-01-01T03:00:00.000000Z" == container.metadata["creation_time"]
        assert "camsync:0123" == container.metadata["comment"]
        stream = container.streams.video[0]
        assert "2024-01-01T03:00:00.000000Z" == stream.metadata["creation_time"]


@pytest.mark.parametrize(("audio", "name"), [("g711a", "pcm_alaw"), ("g711u", "pcm_mulaw")])
@pytest.mark.parametrize("header", ["imkh", "envelope"])
@pytest.mark.parametrize("with_map", [True, False])
def test_g711_becomes_aac(audio, name, header, with_map):
    """MP4 holds no G.711; the header says which of the two it is when the map does not."""
    film, notes = remux(sample(audio=audio, header=header, with_map=with_map))

    assert (f"audio {name} transcoded to AAC",) == notes
    assert 4.0 == media.probe(film).duration
    film.seek(0)
    with av.open(film) as container:
        (stream,) = container.streams.audio
        assert "aac" == stream.codec_context.name
        assert pytest.approx(4.0, abs=0.2) == float(stream.duration * stream.time_base)
        assert sum(frame.samples for frame in container.decode(stream)) > 30_000


def test_sound_that_cannot_be_converted_is_dropped():
    """Without the header, G.711 is taken for MPEG audio: the picture is worth more."""
    film, notes = remux(sample(audio="g711u", header="none"))

    assert 1 == len(notes)
    assert notes[0].startswith("audio mp2 dropped: it cannot be converted")
    with av.open(film) as container:
        assert 1 == len(container.streams)


def test_sound_that_ffmpeg_does_not_see_is_noted():
    """The walk has seen packets of sound; that nothing came of them is not kept secret."""
    _, notes = remux(sample(), sound=True)

    assert ("audio dropped: FFmpeg does not recognise it",) == notes


def test_damaged_sound_is_left_out(monkeypatch):
    """A packet of sound that cannot be decoded costs neither the picture nor the other sound."""
    seen = []
    inner = media._ConvertedSound._decode

    def decode(self, packet):
        seen.append(packet)
        if len(seen) % 10 == 0:
            raise av.error.InvalidDataError(1, "damaged")
        return inner(self, packet)

    monkeypatch.setattr(media._ConvertedSound, "_decode", decode)
    film, notes = remux(sample(audio="g711a"))

    assert f"{len(seen) // 10} damaged packets of sound left out" == notes[-1]
    assert 100 == len(packets(film))
    assert len(packets(film, "audio")) > 20


def test_aac_is_copied():
    """What MP4 can hold is not touched."""
    film, notes = remux(encoded("mpegts", sound="aac"))

    assert () == notes
    assert 50 == len(packets(film))
    assert len(packets(film, "audio")) > 80
    film.seek(0)
    with av.open(film) as container:
        assert "aac" == container.streams.audio[0].codec_context.name
        assert sum(frame.samples for frame in container.decode(audio=0)) > 80_000


def test_stereo_mpeg_sound_is_converted():
    """Sound with a decoder keeps its channels."""
    film, notes = remux(encoded("mpeg", sound="mp2"))

    assert ("audio mp2 transcoded to AAC",) == notes
    with av.open(film) as container:
        assert 2 == container.streams.audio[0].codec_context.layout.nb_channels


@pytest.mark.parametrize(
    ("codec", "form"),
    [("libx264", "vob"), ("libx264", "mpegts"), ("libx264", "mp4"), ("libx265", "vob")],
)
def test_reordered_frames_keep_their_order(form, codec):
    """With B-frames, no packet gets lost for a missing decoding time, and none is shown twice."""
    options = {
        "bf": "3",
        "x265-params": "log-level=none:bframes=3:pools=1:frame-threads=1",
        "preset": "ultrafast",
    }
    film, _ = remux(encoded(form, codec=codec, options=options, frames=20))
    found = packets(film)
    dts = [packet.dts for packet in found]

    assert 20 == len(found)
    assert sorted(set(dts)) == dts
    assert all(packet.pts >= packet.dts for packet in found)
    assert 20 == len({packet.pts for packet in found})
    assert pytest.approx(0.8, abs=0.1) == media.probe(film).duration


def without(data, code, first, last):
    """Return a program stream without the packets *first* to *last* of one stream."""
    starts = []
    at = data.find(b"\0\0\1" + bytes((code,)))
    while at >= 0:
        starts.append(at)
        at += 6 + int.from_bytes(data[at + 4 : at + 6], "big")
        at = data.find(b"\0\0\1" + bytes((code,)), at)
    for at in reversed(starts[first:last]):
        data = data[:at] + data[at + 6 + int.from_bytes(data[at + 4 : at + 6], "big") :]
    return data


def test_hole_in_the_sound_stays_a_hole():
    """What is heard behind it still fits the picture."""
    film, _ = remux(without(sample(seconds=6.0, audio="g711a"), 0xC0, 50, 125))
    stamps = [float(packet.pts * packet.time_base) for packet in packets(film, "audio")]
    steps = [later - earlier for earlier, later in itertools.pairwise(stamps)]

    assert 2.5 < max(steps) < 3.2
    assert pytest.approx(6.0, abs=0.3) == stamps[-1]


@pytest.mark.parametrize("sound", ["aac", "mp2"])
def test_sound_before_the_picture_is_left_out(sound):
    """Both begin at zero, however far ahead the sound was."""
    data = encoded("mpegts", sound=sound)
    seen = []
    film, _ = remux(data)
    before = len(packets(film, "audio"))
    monkey = pytest.MonkeyPatch()
    inner = media._Remux._begin

    def begin(self, packet):
        seen.append(packet.pts)
        packet.pts = packet.dts = packet.pts + 90_000
        inner(self, packet)

    with monkey.context() as patch:
        patch.setattr(media._Remux, "_begin", begin)
        film, _ = remux(data)

    assert seen
    assert len(packets(film, "audio")) < before - 20
    assert all(packet.pts >= -2048 for packet in packets(film, "audio"))


def test_sound_alone_is_no_film():
    """A recording without a picture is not what was announced."""
    with pytest.raises(CorruptMediaError, match="finds no video"):
        remux(encoded("mp4", sound="aac", videos=0))


def test_other_codecs_keep_their_own_tag():
    """Old cameras record MPEG-4 part 2."""
    film, _ = remux(encoded("mp4", codec="mpeg4", frames=10))

    assert Codec.MPEG4 is media.probe(film).codec


def test_second_video_is_dropped():
    """Exactly one video stream: the first."""
    film, notes = remux(encoded("mpegts", videos=2))

    assert ("video stream h264 dropped",) == notes
    assert 50 == len(packets(film))


def test_cut_source_remuxes_to_less():
    """FFmpeg reports no error: only the length tells, which is why the engine looks at it."""
    data = sample(seconds=8.0)
    film, _ = remux(data[: len(data) // 2])

    assert 2.0 < media.probe(film).duration < 6.0


def jumping(jump, *, close_gaps):
    """Remux a stream whose time stamps jump in the middle."""
    stamps = [3600 * each for each in range(50)]
    shifted = [each + 50 * 3600 + jump * 90_000 for each in stamps]
    data = bytearray(sample(seconds=4.0))
    at = 0
    for stamp in [*stamps, *shifted]:
        at = data.index(b"\0\0\1\xe0", at) + 4
        while not data[at + 3] & 0x80:
            at = data.index(b"\0\0\1\xe0", at) + 4
        stamp += 700 * 90_000  # noqa: PLW2901 - so that a jump back stays above zero
        data[at + 5 : at + 10] = bytes(
            (
                0x21 | (stamp >> 30 & 7) << 1,
                stamp >> 22 & 0xFF,
                0x01 | (stamp >> 15 & 0x7F) << 1,
                stamp >> 7 & 0xFF,
                0x01 | (stamp & 0x7F) << 1,
            )
        )
    return remux(bytes(data), close_gaps=close_gaps)[0]


@pytest.mark.parametrize(
    ("jump", "close_gaps", "expected"),
    [
        (600, True, 4.0),
        (600, False, 604.0),
        (-600, True, 4.0),
        (-600, False, 4.0),
        (-30, False, 4.0),
    ],
)
def test_jumps_in_time_stamps(jump, close_gaps, expected):
    """A gap stays a gap unless told otherwise; a clock set back never tears the film apart."""
    film = jumping(jump, close_gaps=close_gaps)

    assert 100 == len(packets(film))
    assert pytest.approx(expected, abs=0.1) == media.probe(film).duration


def test_progress_and_cancel():
    """The position in the source is told while it goes on, and every packet is a chance to stop."""
    data = sample(seconds=8.0)
    seen = []
    remux(data, on_progress=seen.append)

    assert sorted(seen) == seen
    assert len(data) // 2 < seen[-1] <= len(data)

    stop = threading.Event()
    stop.set()
    with pytest.raises(CancelledError):
        remux(data, cancel=stop)


class FullDisk(io.BytesIO):
    """A file on a disk that gets full, or breaks."""

    def __init__(self, room, number=errno.ENOSPC):
        super().__init__()
        self.room = room
        self.number = number

    def write(self, data):
        if self.tell() + len(data) > self.room:
            raise OSError(self.number, "the disk says no")
        return super().write(data)


@pytest.mark.parametrize("room", [0, 200_000])
def test_full_disk(room):
    """Running out of room is told as such, at the beginning and in the middle."""
    with pytest.raises(DiskFullError, match="disk says no"):
        remux(sample(seconds=30.0), target=FullDisk(room))


class BrokenSource(io.BytesIO):
    """A file on a disk with a bad sector."""

    def read(self, size=-1):
        if self.tell() > 300_000:
            raise OSError(errno.EIO, "the disk says no")
        return super().read(size)


def test_bad_sector():
    """An error while reading the part file is the disk's, and not a short film."""
    data = sample(seconds=60.0)
    plan = media.Plan(head=_walk.sniff(data[:4096]), created=START)
    with pytest.raises(DestinationError, match="disk says no"):
        media.remux(BrokenSource(data), io.BytesIO(), plan)


def test_broken_disk():
    """Another error of the disk is no error of the video."""
    with pytest.raises(DestinationError, match="disk says no"):
        remux(sample(seconds=30.0), target=FullDisk(100_000, errno.EIO))


class Reluctant(io.BytesIO):
    """A file that takes only part of what it is given."""

    def write(self, data):
        return super().write(bytes(data[:1000]))


def test_short_writes_lose_nothing():
    """Systems may write less than asked."""
    film, _ = remux(sample(), target=Reluctant())

    assert 100 == len(packets(film))


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\1\xba\x44" + bytes(8) + b"\xf8",
        b"\0\0\0\x20ftypisom" + bytes(500),
        (b"\x47\x1f\xff\x10" + b"\xff" * 184) * 50,
    ],
)
def test_no_video_is_corrupt(data):
    """A container without a picture cannot become a film."""
    head = _walk.sniff(data)
    plan = media.Plan(head=head, created=START)
    with pytest.raises(CorruptMediaError):
        media.remux(io.BytesIO(data), io.BytesIO(), plan)


def test_video_that_never_begins_is_corrupt(monkeypatch):
    """A stream that is announced and has no packet is not a film without length."""
    monkeypatch.setattr(media._Remux, "_packets", lambda _: iter(()))
    with pytest.raises(CorruptMediaError, match="no picture"):
        remux(sample())


def test_probe_wants_one_video():
    """A film with two videos, or none, is not what a consumer expects."""
    with pytest.raises(CorruptMediaError, match="holds 2 video streams"):
        media.probe(io.BytesIO(encoded("mp4", videos=2, frames=5)))
    with pytest.raises(CorruptMediaError, match="cannot be read back"):
        media.probe(io.BytesIO(b"nothing"))


class Packet:
    """What the timeline wants to see of a packet."""

    def __init__(self, pts=None, dts=None, duration=0):
        self.pts, self.dts, self.duration = pts, dts, duration


class Stream:
    """What the timeline wants to see of a stream."""

    time_base = Fraction(1, 90_000)
    average_rate = Fraction(25)


def placed(*given, close_gaps=False):
    """Return the times that packets get."""
    timeline = _timeline.Timeline(Stream(), close_gaps=close_gaps)
    timeline.begin(Fraction(1))
    for packet in given:
        timeline.place(packet)
    return [(packet.pts, packet.dts) for packet in given]


def test_missing_times_are_filled_in():
    """Without a decoding time the presentation time serves, without any the usual distance."""
    assert [(0, 0), (3600, 3600), (7200, 7200), (10_800, 10_800)] == placed(
        Packet(90_000), Packet(), Packet(97_200), Packet(dts=100_800)
    )
    assert [(0, 0), (1800, 1800)] == placed(Packet(90_000, 90_000, 1800), Packet())


def test_first_packet_without_times_is_zero():
    """A stream without any time begins at the beginning."""
    timeline = _timeline.Timeline(Stream(), close_gaps=False)
    packet = Packet()
    timeline.place(packet)

    assert (0, 0) == (packet.pts, packet.dts)


def test_times_that_stand_still_or_step_back_a_little_increase():
    """MP4 wants each decoding time to be later than the one before."""
    assert [(0, 0), (1, 1), (2, 2), (3600, 3600)] == placed(
        Packet(90_000), Packet(90_000), Packet(89_000), Packet(93_600)
    )


def test_source_is_a_proper_file():
    """FFmpeg seeks from all three places, and reads across the seams."""
    data = sample(header="envelope", with_map=False)
    head = _walk.sniff(data[:4096])
    inserted = _walk.stream_map(head)
    expected = data[head.start : head.pack] + inserted + data[head.pack :]
    source = _source.Source(io.BytesIO(data), head, mapped=False)
    read = b"".join(iter(lambda: source.read(50_000), b""))

    assert expected == read
    assert len(expected) == source.tell() == source.seek(0, 2)
    assert len(expected) - 10 == source.seek(-10, 2)
    assert expected[-10:] == source.read(100)
    assert 45 == source.seek(45)
    assert 50 == source.seek(5, 1)
    assert expected[50:52] == source.read(2)

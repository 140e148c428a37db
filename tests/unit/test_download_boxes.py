from __future__ import annotations

import datetime as dt
import io
import struct

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import Codec, CorruptMediaError
from camsync.download import _boxes, _walk, media
from camsync.testing.recorder._media import program_stream


START = dt.datetime(2024, 1, 1, 3, 0, tzinfo=dt.timezone.utc)


def box(kind, *content):
    """Return an MP4 box."""
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def times(kind, *, version=0, created=3_786_922_800, scale=1000, length=4000):
    """Return a ``mvhd`` or ``mdhd`` box."""
    layout = ">IQQIQ" if version else ">IIIII"
    return box(kind, struct.pack(layout, version << 24, created, created, scale, length), bytes(80))


def track(handler=b"vide", *, entry=b"avc1", size=(640, 360), samples=100, version=0, **header):
    """Return a ``trak`` box with what is read of it."""
    description = bytes(8) + bytes(4) + entry + bytes(24) + struct.pack(">HH", *size) + bytes(40)
    return box(
        b"trak",
        box(
            b"mdia",
            times(b"mdhd", version=version, **header),
            box(b"hdlr", bytes(8), handler, bytes(12)),
            box(
                b"minf",
                box(
                    b"stbl",
                    box(b"stsd", description),
                    box(b"stsz", struct.pack(">III", 0, 0, samples)),
                ),
            ),
        ),
    )


def comment(text):
    """Return the metadata with a comment."""
    data = box(b"data", struct.pack(">II", 1, 0), text.encode())
    return box(b"udta", box(b"meta", bytes(4), box(b"ilst", box(b"\xa9cmt", data))))


def film(*parts, mdat=b"x" * 100):
    """Return a whole file."""
    return box(b"ftyp", b"isom", bytes(4)) + box(b"mdat", mdat) + box(b"moov", *parts)


def read(data):
    """Read *data* as a file."""
    return _boxes.read_mp4(io.BytesIO(data))


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_our_own_files_are_read_back(codec):
    """Boxes say the same as PyAV does."""
    source = io.BytesIO(b"".join(program_stream(codec, seconds=2.0, audio="g711a")))
    target = io.BytesIO()
    head = _walk.sniff(source.read(4096))
    media.remux(source, target, media.Plan(head=head, created=START, comment="camsync:abc"))
    found, probed = _boxes.read_mp4(target), media.probe(target)

    assert (START, "camsync:abc", Codec(codec)) == (found.created, found.comment, found.codec)
    assert (probed.width, probed.height, probed.fps) == (found.width, found.height, found.fps)
    assert pytest.approx(probed.duration) == found.seconds


@pytest.mark.parametrize("version", [0, 1])
def test_both_versions_of_times(version):
    """Files longer than 136 years of ticks have 64-bit times."""
    found = read(film(times(b"mvhd", version=version), track(version=version)))

    assert START == found.created
    assert (4.0, 25.0, 640, 360, "") == (
        found.seconds,
        found.fps,
        found.width,
        found.height,
        found.comment,
    )


def test_sound_track_may_come_first():
    """The video track is the one that says so."""
    data = film(times(b"mvhd"), track(b"soun", entry=b"mp4a"), track(entry=b"hvc1"), comment("x"))

    assert (Codec.H265, "x") == (read(data).codec, read(data).comment)


def test_unknown_codec_and_empty_track():
    """Nothing is made up for a codec that is not known or a track without length."""
    found = read(film(times(b"mvhd"), track(entry=b"zzzz", length=0)))

    assert (Codec.UNKNOWN, 0.0, None) == (found.codec, found.seconds, found.fps)


def test_large_and_open_boxes():
    """A box may have a 64-bit size, and the last one may reach to the end."""
    data = film(times(b"mvhd"), track())
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 50) + bytes(50)

    assert 4.0 == read(data.replace(box(b"mdat", b"x" * 100), large)).seconds
    moov = data.rindex(b"moov") - 4
    assert 4.0 == read(data[:moov] + bytes(4) + data[moov + 4 :]).seconds


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "holds no film"),
        (box(b"ftyp", b"isom") + box(b"mdat", b"x"), "holds no film"),
        (box(b"ftyp", b"isom") + box(b"moov", b""), "holds no film"),
        (film(times(b"mvhd"), track())[:-1], "does not fit"),
        (film(track()), "no box 'mvhd'"),
        (film(times(b"mvhd")), "holds no video"),
        (film(times(b"mvhd"), track(b"soun")), "holds no video"),
        (film(box(b"mvhd", bytes(10)), track()), "cut short"),
        (film(times(b"mvhd", scale=0), track()), "times make no sense"),
        (film(times(b"mvhd", version=1, created=2**63), track()), "times make no sense"),
        (film(box(b"free") * 10_001), "does not fit"),
        (film(b"\0\0\0\4free"), "does not fit"),
        (film(b"\0\0\0\1free"), "cut short"),
        (b"abc", "cut short"),
    ],
)
def test_what_is_not_whole_is_refused(data, reason):
    """A file that is cut short anywhere is not taken for the recording."""
    with pytest.raises(CorruptMediaError, match=reason):
        read(data)


def test_truncated_film_is_noticed():
    """With the index in front, a half file opens in players; its boxes tell."""
    moov = box(b"moov", times(b"mvhd"), track())
    data = box(b"ftyp", b"isom") + moov + box(b"mdat", b"x" * 1000)

    assert 4.0 == read(data).seconds
    with pytest.raises(CorruptMediaError):
        read(data[:-500])


@given(data=st.binary(max_size=300))
def test_any_bytes(data):
    """Random bytes give one kind of error."""
    with pytest.raises(CorruptMediaError):
        read(data)


@given(position=st.integers(0, 700), byte=st.integers(0, 255))
def test_any_changed_byte(position, byte):
    """A damaged index gives a summary or one kind of error, and never a hang."""
    data = bytearray(film(times(b"mvhd"), track(), comment("camsync:abc")))
    data[position % len(data)] = byte
    try:
        assert isinstance(read(bytes(data)), _boxes.Mp4Summary)
    except CorruptMediaError as error:
        assert error.message  # noqa: PT017 - either is right
